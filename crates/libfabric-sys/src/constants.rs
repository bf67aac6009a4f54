//! Flags, enumerators and error numbers.

use libc::c_int;

// Capabilities and operation flags.
/// Messages.
pub const FI_MSG: u64 = 1 << 1;
/// Messages with tags, which have a receive queue of their own.
pub const FI_TAGGED: u64 = 1 << 3;
/// Of a completion or an access right: receiving.
pub const FI_RECV: u64 = 1 << 10;
/// Of a completion or an access right: sending.
pub const FI_SEND: u64 = 1 << 11;
/// Of an access right: the peer reads, as it does with large messages of `ofi_rxm`.
pub const FI_REMOTE_READ: u64 = 1 << 12;
/// `fi_getinfo`: node and service are the local address.
pub const FI_SOURCE: u64 = 1 << 57;
/// `fi_getinfo`: the node is a number and needs no resolver.
pub const FI_NUMERICHOST: u64 = 1 << 55;

// Mode bits: what the application must do.
/// Each operation's context is a [`crate::fi_context`], the provider's until completion.
pub const FI_CONTEXT: u64 = 1 << 59;
/// The same with a [`crate::fi_context2`].
pub const FI_CONTEXT2: u64 = 1 << 52;

// Bits of `mr_mode`.
/// Local buffers must be registered.
pub const FI_MR_LOCAL: c_int = 1 << 2;
/// Remote addresses are virtual addresses.
pub const FI_MR_VIRT_ADDR: c_int = 1 << 4;
/// Registered memory must exist.
pub const FI_MR_ALLOCATED: c_int = 1 << 5;
/// The provider chooses keys.
pub const FI_MR_PROV_KEY: c_int = 1 << 6;

/// Messages are matched in the order in which they were sent.
pub const FI_ORDER_SAS: u64 = 1 << 8;

// Address formats.
/// `struct sockaddr_in`.
pub const FI_SOCKADDR_IN: u32 = 2;
/// A string.
pub const FI_ADDR_STR: u32 = 9;
/// No particular peer.
pub const FI_ADDR_UNSPEC: u64 = u64::MAX;

/// `fi_av_type`: addresses are indexes.
pub const FI_AV_TABLE: c_int = 2;
/// `fi_threading`: all calls may come from any thread.
pub const FI_THREAD_SAFE: c_int = 1;
/// `fi_progress`: progress is made in the application's calls.
pub const FI_PROGRESS_MANUAL: c_int = 2;
/// `fi_resource_mgmt`: the provider protects against overruns.
pub const FI_RM_ENABLED: c_int = 2;
/// `fi_ep_type`: reliable datagrams.
pub const FI_EP_RDM: c_int = 3;
/// `fi_cq_format`: completions are [`crate::fi_cq_msg_entry`].
pub const FI_CQ_FORMAT_MSG: c_int = 2;
/// `fi_wait_obj`: nothing to wait for.
pub const FI_WAIT_NONE: c_int = 0;
/// `fi_wait_obj`: a descriptor for poll.
pub const FI_WAIT_FD: c_int = 3;

// Commands of `fi_ops::control`.
/// Stores the wait object.
pub const FI_GETWAIT: c_int = 5;
/// Enables an endpoint.
pub const FI_ENABLE: c_int = 6;

// Error numbers; functions return them negated. Those below 256 are the system's.
/// Nothing yet, or no room yet.
pub const FI_EAGAIN: c_int = libc::EAGAIN;
/// No provider fits.
pub const FI_ENODATA: c_int = libc::ENODATA;
/// The operation is not supported.
pub const FI_ENOSYS: c_int = libc::ENOSYS;
/// The operation was cancelled.
pub const FI_ECANCELED: c_int = libc::ECANCELED;
/// An error waits to be read from the queue.
pub const FI_EAVAIL: c_int = 259;
/// A message was longer than the buffer.
pub const FI_ETRUNC: c_int = 265;
