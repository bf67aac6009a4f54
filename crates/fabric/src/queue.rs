//! The completion queue.

use crate::domain::{Domain, close};
use crate::error::{FabricError, TransferError};
use crate::info::call_error;
use libfabric_sys::{
    FI_CQ_FORMAT_MSG, FI_EAGAIN, FI_EAVAIL, FI_ENOSYS, FI_GETWAIT, FI_WAIT_FD, FI_WAIT_NONE,
    fi_cq_attr, fi_cq_err_entry, fi_cq_msg_entry, fid, fid_cq,
};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::time::Timespec;
use std::ffi::CStr;
use std::os::fd::{BorrowedFd, RawFd};
use std::ptr::{NonNull, null_mut};
use std::sync::Arc;

/// The end of one operation.
#[derive(Debug)]
pub(crate) struct Completion {
    /// The operation's context.
    pub(crate) context: *mut libc::c_void,
    /// Bytes received, or why not.
    pub(crate) result: Result<usize, TransferError>,
}

/// How to wait for a queue.
#[derive(Clone, Copy, Debug)]
enum Wait {
    /// Nowhere.
    Nowhere,
    /// At the queue's own descriptor, after `fi_trywait`.
    Queue(RawFd),
    /// At the descriptor of its domain's sockets.
    Sockets(RawFd),
}

/// A completion queue, with a descriptor to wait for where the provider has one.
#[derive(Debug)]
pub(crate) struct Queue {
    cq: NonNull<fid_cq>,
    wait: Wait,
    /// Number of consecutive times that the descriptor was readable right after a poll.
    readable: u32,
    domain: Arc<Domain>,
}

/// Number of such times after which the descriptor is no longer trusted: a large message comes in
/// many pieces.
const READABLE: u32 = 1000;

// SAFETY: opened with FI_THREAD_SAFE.
unsafe impl Send for Queue {}

impl Queue {
    /// `own`: whether its own descriptor is of use; otherwise there is one if
    /// [`wait_at`](Self::wait_at) says so.
    pub(crate) fn open(domain: &Arc<Domain>, size: usize, own: bool) -> Result<Self, FabricError> {
        let wanted = if own { FI_WAIT_FD } else { FI_WAIT_NONE };
        let (cq, waits) = match Self::open_with(domain, size, wanted) {
            // Shared memory has no descriptors to wait for in some versions.
            Err(code) if own && (code.abs() == FI_ENOSYS || code.abs() == libc::EINVAL) => {
                (Self::open_with(domain, size, FI_WAIT_NONE), false)
            }
            result => (result, own),
        };
        let cq = cq.map_err(|code| {
            call_error(domain.functions(), "fi_cq_open", code, format!("{size} entries"))
        })?;
        let domain_of_it = Arc::clone(domain);
        let mut queue = Self { cq, wait: Wait::Nowhere, readable: 0, domain: domain_of_it };
        if waits {
            let mut fd: RawFd = -1;
            // SAFETY: the queue is open, and a queue with FI_WAIT_FD stores an int.
            let code = unsafe {
                ((*(*queue.fid()).ops).control)(
                    queue.fid(),
                    FI_GETWAIT,
                    std::ptr::from_mut(&mut fd).cast(),
                )
            };
            if code != 0 || fd < 0 {
                return Err(call_error(domain.functions(), "fi_control(FI_GETWAIT)", code, ""));
            }
            queue.wait = Wait::Queue(fd);
        }
        Ok(queue)
    }

    fn open_with(domain: &Arc<Domain>, size: usize, wait_obj: i32) -> Result<NonNull<fid_cq>, i32> {
        let mut attr = fi_cq_attr {
            size,
            flags: 0,
            format: FI_CQ_FORMAT_MSG,
            wait_obj,
            signaling_vector: 0,
            wait_cond: 0,
            wait_set: null_mut(),
        };
        let mut cq = null_mut();
        let domain = domain.domain();
        // SAFETY: the domain is open.
        let code = unsafe { ((*(*domain).ops).cq_open)(domain, &mut attr, &mut cq, null_mut()) };
        NonNull::new(cq).filter(|_| code == 0).ok_or(code)
    }

    /// The object's common beginning.
    pub(crate) fn fid(&self) -> *mut fid {
        self.cq.as_ptr().cast()
    }

    /// The sockets that bring completions are in this epoll set, which stays open as long as the
    /// domain.
    pub(crate) fn wait_at(&mut self, sockets: Option<RawFd>) {
        self.wait = sockets.map_or(Wait::Nowhere, Wait::Sockets);
    }

    /// Readable when there may be something to read; only to be waited for after
    /// [`prepare_wait`](Self::prepare_wait).
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self.wait {
            Wait::Nowhere => None,
            // SAFETY: the descriptor is the queue's or its domain's and stays open with it.
            Wait::Queue(fd) | Wait::Sockets(fd) => Some(unsafe { BorrowedFd::borrow_raw(fd) }),
        }
    }

    /// Whether to wait on the descriptor, after a read has found nothing. False: there is already
    /// something to read.
    pub(crate) fn prepare_wait(&self) -> Result<bool, FabricError> {
        match self.wait {
            Wait::Nowhere => return Ok(false),
            // Told by the kernel, which knows best.
            Wait::Sockets(_) => return Ok(true),
            Wait::Queue(_) => {}
        }
        let mut fids = [self.fid()];
        let fabric = self.domain.fabric();
        // SAFETY: fabric and queue are open.
        let code = unsafe { ((*(*fabric).ops).trywait)(fabric, fids.as_mut_ptr(), 1) };
        match -code {
            0 => Ok(true),
            FI_EAGAIN => Ok(false),
            code => Err(call_error(self.domain.functions(), "fi_trywait", code, "")),
        }
    }

    /// Whether the descriptor stays readable although polls find nothing to do, so that waiting on
    /// it would be spinning. That happens while a connection is broken and the message in front of
    /// its end has no buffer.
    pub(crate) fn is_stale(&mut self) -> bool {
        let readable = self.fd().is_some_and(|fd| {
            let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec::default())).is_ok_and(|count| count > 0)
        });
        self.readable = if readable { self.readable.saturating_add(1) } else { 0 };
        self.readable > READABLE
    }

    /// The next completion, if there is one. Makes progress in all endpoints of the queue.
    pub(crate) fn read(&mut self) -> Result<Option<Completion>, FabricError> {
        let completion = self.read_one()?;
        if completion.is_some() {
            self.readable = 0;
        }
        Ok(completion)
    }

    fn read_one(&self) -> Result<Option<Completion>, FabricError> {
        let mut entry = fi_cq_msg_entry { op_context: null_mut(), flags: 0, len: 0 };
        let cq = self.cq.as_ptr();
        // SAFETY: the queue is open, and its format is that of the entry.
        let count = unsafe { ((*(*cq).ops).read)(cq, std::ptr::from_mut(&mut entry).cast(), 1) };
        match i32::try_from(-count).unwrap_or(i32::MIN) {
            FI_EAGAIN | 0 => Ok(None),
            -1 => Ok(Some(Completion { context: entry.op_context, result: Ok(entry.len) })),
            FI_EAVAIL => self.read_error(),
            code => Err(call_error(self.domain.functions(), "fi_cq_read", code, "")),
        }
    }

    fn read_error(&self) -> Result<Option<Completion>, FabricError> {
        // Larger than the declared entry: later libraries may write fields behind it.
        #[repr(C)]
        struct Entry {
            entry: fi_cq_err_entry,
            room: [u64; 8],
        }
        // SAFETY: all of it may be zero.
        let mut entry: Entry = unsafe { std::mem::zeroed() };
        let cq = self.cq.as_ptr();
        // SAFETY: the queue is open; the entry is large enough.
        let count = unsafe { ((*(*cq).ops).readerr)(cq, &mut entry.entry, 0) };
        let Entry { entry, room: _ } = entry;
        match i32::try_from(count).unwrap_or(-libc::EIO) {
            1 => {}
            0 => return Ok(None),
            code if -code == FI_EAGAIN => return Ok(None),
            code => return Err(call_error(self.domain.functions(), "fi_cq_readerr", code, "")),
        }
        let mut text = [0u8; 256];
        // SAFETY: the queue is open; error data is valid until the next read, and the text has its
        // size.
        let provider_reason = unsafe {
            let reason = ((*(*cq).ops).strerror)(
                cq,
                entry.prov_errno,
                entry.err_data,
                text.as_mut_ptr().cast(),
                text.len() - 1,
            );
            if reason.is_null() {
                format!("provider's error {}", entry.prov_errno)
            } else {
                CStr::from_ptr(reason).to_string_lossy().into_owned()
            }
        };
        let code = entry.err.abs();
        let reason = self.domain.functions().error_text(code);
        let error = TransferError { code, reason, provider_reason };
        Ok(Some(Completion { context: entry.op_context, result: Err(error) }))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: open; the endpoints bound to it have been closed before.
        let _ = unsafe { close(self.fid(), "a completion queue") };
    }
}
