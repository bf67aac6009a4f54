//! Connections.
use super::boundary;
use super::client::{MeshClient, client};
use super::failure::Error;
use super::pointer::{self, Growing};
use mcm::{OpenError, Receiver, Source, Stats};
use std::ffi::{c_char, c_int};
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// Prints as `MeshClient *const`.
pub type ConstClientPtr = *mut MeshClient;
/// Prints as `const size_t`.
pub type ConstSize = usize;

/// A connection of a client: a source (Tx) or a receiver (Rx).
///
/// Only the library creates it; programs read it through a pointer. All functions may be called on it
/// from any thread at any time, except that nothing may be called during or after its deletion.
#[derive(Debug)]
#[repr(C)]
pub struct MeshConnection {
    /// The client that it belongs to.
    pub client: ConstClientPtr,
    /// Size of the payload partition of each buffer, in bytes.
    pub payload_size: ConstSize,
    /// Size of the metadata partition of each buffer, in bytes.
    pub metadata_size: ConstSize,
}

/// What a `MeshConnection` pointer really points to: programs see the first field.
#[repr(C)]
struct ConnectionBox {
    public: MeshConnection,
    end: Arc<End>,
}

/// Either end of a stream. C programs have one type for both.
pub(super) enum End {
    Source(Source),
    Receiver(Receiver),
}

/// Calls the method that both ends have.
macro_rules! either {
    ($end:expr, $method:ident) => {
        match $end {
            End::Source(source) => source.$method(),
            End::Receiver(receiver) => receiver.$method(),
        }
    };
}

impl End {
    fn shutdown(&self) {
        either!(self, shutdown);
    }
}

/// Counts of a connection since it was created.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MeshConnectionStats {
    /// Frames put (source) or got (receiver).
    pub frames: u64,
    /// Payload bytes of these frames.
    pub bytes: u64,
    /// Receiver: frames that passed while it was late. Source: 0.
    pub missed: u64,
    /// Source: how often it had to wait for receivers. Receiver: how often a get had to sleep.
    pub waits: u64,
    /// Buffers that the program holds now.
    pub held: u32,
    /// Source: receivers in its group on this host. Receiver: 1 if the group has a source now, else 0.
    pub peers: u32,
    /// How many buffers the program may hold; a get waits while it holds so many. Receiver: the number follows from
    /// the queue of the source, and is 0 until the group has had one.
    pub hold_limit: u64,
    /// Receiver: 1 if the source has ended the stream and everything was got; 0 while it goes on, and if the connection was closed
    /// for another reason. Source: 0.
    pub ended: u64,
}

// SAFETY: integers whose sizes leave no padding: 4 × 8 + 2 × 4 + 2 × 8 bytes.
unsafe impl Growing for MeshConnectionStats {
    const NAME: &'static str = "stats";
    const FIRST_SIZE: usize = 40;
}

impl From<Stats> for MeshConnectionStats {
    fn from(stats: Stats) -> Self {
        let Stats { frames, bytes, missed, waits, held, peers, hold_limit, ended } = stats;
        let (hold_limit, ended) = (hold_limit as u64, u64::from(ended));
        Self { frames, bytes, missed, waits, held, peers, hold_limit, ended }
    }
}

/// A share of the connection behind a pointer. The share lets a call that is blocked while another thread
/// wrongly deletes the connection end in an error instead of in freed memory.
///
/// # Safety
/// `conn` is null or points to a live connection of this library.
pub(super) unsafe fn connection(conn: *mut MeshConnection) -> Result<Arc<End>, Error> {
    // SAFETY: by this function's contract; every `MeshConnection` is the head of a `ConnectionBox`.
    let boxed = unsafe { conn.cast::<ConnectionBox>().as_ref() }.ok_or(Error::BadConnection)?;
    Ok(Arc::clone(&boxed.end))
}

/// The common part of both creations.
///
/// # Safety
/// As for the exported functions.
unsafe fn create(
    mc: *mut MeshClient,
    conn: *mut *mut MeshConnection,
    cfg: *const c_char,
    open: impl FnOnce(&mcm::Client, &str) -> Result<End, OpenError>,
) -> Result<(), Error> {
    // SAFETY: null, or a live client of this library.
    let owner = unsafe { client(mc) }?;
    // SAFETY: null, or the caller's own variable.
    let out = unsafe { conn.as_mut() }.ok_or(Error::BadConnection)?;
    *out = std::ptr::null_mut();
    // SAFETY: null, or the caller's text.
    let config = unsafe { pointer::config(cfg) }?;
    let end = open(&owner.client, config)?;
    let public = MeshConnection {
        client: mc,
        payload_size: either!(&end, payload_size),
        metadata_size: either!(&end, metadata_size),
    };
    *out = Box::into_raw(Box::new(ConnectionBox { public, end: Arc::new(end) })).cast();
    Ok(())
}

/// Creates a source's connection: the program sends frames to the group.
///
/// Nothing is left behind on failure. Receivers may come before or after the source.
///
/// @param mc    Client.
/// @param conn  Receives the connection, or NULL on failure. Delete it with `mesh_delete_connection()`.
/// @param cfg   Connection configuration, JSON text.
///
/// @return 0, or one of -MESH_ERR_BAD_CLIENT_PTR, -MESH_ERR_BAD_CONN_PTR, -MESH_ERR_BAD_CONFIG_PTR,
/// -MESH_ERR_MAX_CONN, -MESH_ERR_CONN_CONFIG_INVAL, -MESH_ERR_CONN_CONFIG_INCOMPAT,
/// -MESH_ERR_CONN_FAILED, -MESH_ERR_NOT_IMPLEMENTED, -MESH_ERR_FORKED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_create_tx_connection(
    mc: *mut MeshClient,
    conn: *mut *mut MeshConnection,
    cfg: *const c_char,
) -> c_int {
    boundary::guard("mesh_create_tx_connection", || {
        // SAFETY: the caller's contract is passed on.
        unsafe { create(mc, conn, cfg, |client, config| client.source(config).map(End::Source)) }
    })
}

/// Creates a receiver's connection: the program gets the frames of the group.
///
/// Arguments and errors are those of `mesh_create_tx_connection()`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_create_rx_connection(
    mc: *mut MeshClient,
    conn: *mut *mut MeshConnection,
    cfg: *const c_char,
) -> c_int {
    boundary::guard("mesh_create_rx_connection", || {
        // SAFETY: the caller's contract is passed on.
        unsafe {
            create(mc, conn, cfg, |client, config| client.receiver(config).map(End::Receiver))
        }
    })
}

/// Ends a connection's traffic without deleting it.
///
/// Blocked and later calls on it return -MESH_ERR_CONN_CLOSED. Frames that a source has put stay readable
/// for its receivers. Buffers that the program holds stay valid until they are put.
///
/// @return 0 or -MESH_ERR_BAD_CONN_PTR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_shutdown_connection(conn: *mut MeshConnection) -> c_int {
    boundary::guard("mesh_shutdown_connection", || {
        // SAFETY: null, or a live connection of this library.
        unsafe { connection(conn) }?.shutdown();
        Ok(())
    })
}

/// Deletes a connection, shutting it down first where that has not happened, and sets the pointer to NULL.
///
/// Put all buffers of the connection before. One that is still held keeps its memory until it is put, but
/// its field `conn` must not be used any more.
///
/// @return 0 or -MESH_ERR_BAD_CONN_PTR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_delete_connection(conn: *mut *mut MeshConnection) -> c_int {
    boundary::guard("mesh_delete_connection", || {
        // SAFETY: null, or the caller's own variable.
        let variable = unsafe { conn.as_mut() }.ok_or(Error::BadConnection)?;
        // SAFETY: null, or a live connection of this library.
        unsafe { connection(*variable) }?.shutdown();
        let connection = std::mem::replace(variable, std::ptr::null_mut());
        // SAFETY: it came from `Box::into_raw` of a `ConnectionBox` in `create`; the caller's variable,
        // now null, was the one reference, and blocked calls hold shares of what is inside.
        drop(unsafe { Box::from_raw(connection.cast::<ConnectionBox>()) });
        Ok(())
    })
}

/// Makes the calls that are blocked on the connection return -MESH_ERR_CANCELLED.
///
/// If none is blocked, the next one that would block returns it. The connection stays usable. It may be
/// called from any thread, but not from a signal handler: let a thread wait for signals with `sigwait()`.
///
/// @return 0 or -MESH_ERR_BAD_CONN_PTR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_cancel_connection(conn: *mut MeshConnection) -> c_int {
    boundary::guard("mesh_cancel_connection", || {
        // SAFETY: null, or a live connection of this library.
        let end = unsafe { connection(conn) }?;
        either!(&*end, cancel);
        Ok(())
    })
}

/// Reads the counts of a connection.
///
/// @param conn        Connection.
/// @param stats       Receives the counts.
/// @param stats_size  `sizeof(MeshConnectionStats)`: the structure may grow at its end in later versions.
///
/// @return 0, or one of -MESH_ERR_BAD_CONN_PTR, -MESH_ERR_BAD_BUF_PTR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_get_connection_stats(
    conn: *mut MeshConnection,
    stats: *mut MeshConnectionStats,
    stats_size: usize,
) -> c_int {
    boundary::guard("mesh_get_connection_stats", || {
        // SAFETY: null, or a live connection of this library.
        let end = unsafe { connection(conn) }?;
        let counts = either!(&*end, stats);
        // SAFETY: null, or the caller's structure of the size that the caller gives.
        unsafe { pointer::fill(stats, stats_size, &counts.into()) }
    })
}

/// Gives a file descriptor for `poll()`, `select()` or `epoll`.
///
/// It is readable (`POLLIN`) while `mesh_get_buffer_timeout()` with MESH_TIMEOUT_ZERO may succeed, and when
/// the connection is closed. It stays readable until a get has returned -MESH_ERR_TIMEOUT, so get until then.
/// It belongs to the connection: neither read, write nor close it. The first call starts a thread that waits
/// in the program's place; programs that do not call this do not pay for it.
///
/// @param conn  Connection.
/// @param fd    Receives the descriptor, or -1 on failure.
///
/// @return 0, or one of -MESH_ERR_BAD_CONN_PTR, -MESH_ERR_BAD_BUF_PTR, -MESH_ERR_FORKED, and
/// -MESH_ERR_INTERNAL if the system has no descriptor or thread left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_get_connection_fd(
    conn: *mut MeshConnection,
    fd: *mut c_int,
) -> c_int {
    boundary::guard("mesh_get_connection_fd", || {
        // SAFETY: null, or a live connection of this library.
        let end = unsafe { connection(conn) }?;
        // SAFETY: null, or the caller's own variable.
        let out = unsafe { pointer::output(fd, "fd") }?;
        *out = -1;
        *out = either!(&*end, event_fd)?.as_raw_fd();
        Ok(())
    })
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<MeshConnection>() == 24);
    assert!(offset_of!(MeshConnection, client) == 0);
    assert!(offset_of!(MeshConnection, payload_size) == 8);
    assert!(offset_of!(MeshConnection, metadata_size) == 16);
    assert!(offset_of!(ConnectionBox, public) == 0);
    assert!(size_of::<MeshConnectionStats>() == 56);

    // C programs may use these from any thread.
    const fn shared<T: Send + Sync>() {}
    shared::<End>();
    shared::<mcm::Client>();
};
