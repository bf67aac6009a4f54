//! `libmcm_dp.so.1` through its C interface, `mesh_dp.h`. It is loaded when the first device is
//! opened, so that programs that use no device run without it.

use crate::error::Error;
use crate::option_names::in_options;
use crate::options::Direction;
use crate::symbols::{functions, look_up};
use ::config::ErrorCode;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{NonNull, null_mut};
use std::sync::OnceLock;

const LIBRARY: &CStr = c"libmcm_dp.so.1";

const CLOSED: c_int = -ErrorCode::ConnClosed.number();
const TIMEOUT: c_int = -ErrorCode::Timeout.number();
const CANCELLED: c_int = -ErrorCode::Cancelled.number();
const INTERRUPTED: c_int = -ErrorCode::Interrupted.number();

/// `MESH_BUFFER_INCOMPLETE`.
const INCOMPLETE: u64 = 1;

#[repr(C)]
pub(crate) struct MeshConnection {
    client: *mut c_void,
    payload_size: usize,
    metadata_size: usize,
}

#[repr(C)]
pub(crate) struct MeshBuffer {
    conn: *mut MeshConnection,
    payload: *mut u8,
    payload_len: usize,
    metadata: *mut u8,
    metadata_len: usize,
}

/// `MeshBufferInfo`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Info {
    sequence: u64,
    pub(crate) tai_ns: u64,
    published_ns: u64,
    pub(crate) missed: u64,
    flags: u64,
}

impl Info {
    /// Whether parts of the frame did not arrive. Libraries that do not know leave zeroes.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.flags & INCOMPLETE != 0
    }
}

/// `MeshConnectionStats`.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Stats {
    frames: u64,
    bytes: u64,
    missed: u64,
    waits: u64,
    held: u32,
    peers: u32,
    hold_limit: u64,
    ended: u64,
}

functions! {
    /// Functions of `mesh_dp.h`.
    Functions {
        fn mesh_get_last_error() -> *const c_char;
        fn mesh_create_client(*mut *mut c_void, *const c_char) -> c_int;
        fn mesh_delete_client(*mut *mut c_void) -> c_int;
        fn mesh_create_tx_connection(*mut c_void, *mut *mut MeshConnection, *const c_char) -> c_int;
        fn mesh_create_rx_connection(*mut c_void, *mut *mut MeshConnection, *const c_char) -> c_int;
        fn mesh_shutdown_connection(*mut MeshConnection) -> c_int;
        fn mesh_delete_connection(*mut *mut MeshConnection) -> c_int;
        fn mesh_get_connection_stats(*mut MeshConnection, *mut Stats, usize) -> c_int;
        fn mesh_get_buffer_timeout(*mut MeshConnection, *mut *mut MeshBuffer, c_int) -> c_int;
        fn mesh_put_buffer_timeout(*mut *mut MeshBuffer, c_int) -> c_int;
        fn mesh_buffer_set_payload_len(*mut MeshBuffer, usize) -> c_int;
        fn mesh_buffer_set_timestamp(*mut MeshBuffer, u64) -> c_int;
        fn mesh_get_buffer_info(*mut MeshBuffer, *mut Info, usize) -> c_int;
    }
}

/// `mesh_get_group_config`.
type GroupConfig =
    unsafe extern "C" fn(*mut c_void, *const c_char, *mut c_char, usize, c_int) -> c_int;

/// The function, which libraries before it do not have.
static GROUP_CONFIG: OnceLock<Option<GroupConfig>> = OnceLock::new();

/// Bytes of text that are enough for every group, by `mesh_dp.h`.
const GROUP_TEXT: usize = 8192;

impl Functions {
    fn get() -> Result<&'static Self, Error> {
        static LOADED: OnceLock<Result<Functions, String>> = OnceLock::new();
        let loaded = LOADED.get_or_init(|| {
            // SAFETY: a C string; the library's initialisers are those of the Rust runtime, which
            // do nothing.
            let handle =
                unsafe { libc::dlopen(LIBRARY.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
            if handle.is_null() {
                // SAFETY: after a failure it is null or a C string, valid until the thread's next
                // such call.
                let reason =
                    unsafe { NonNull::new(libc::dlerror()).map(|it| CStr::from_ptr(it.as_ptr())) };
                let reason =
                    reason.map_or_else(String::new, |it| it.to_string_lossy().into_owned());
                return Err(format!("the mesh cannot be used: {reason}"));
            }
            // SAFETY: the handle is never closed; the function of this name has this type.
            GROUP_CONFIG.get_or_init(|| unsafe {
                let call = look_up(handle, c"mesh_get_group_config");
                call.map(|call| std::mem::transmute::<*mut c_void, GroupConfig>(call))
            });
            // SAFETY: the handle is never closed; the types are those of `mesh_dp.h` behind this
            // soname.
            unsafe { Self::load(handle) }
                .map_err(|name| format!("{} has no {name}", LIBRARY.to_string_lossy()))
        });
        loaded.as_ref().map_err(|reason| Error::Library(reason.clone()))
    }

    /// The error that a call has just returned.
    fn error(&self, code: c_int) -> Error {
        // SAFETY: always a C string, valid until the thread's next call.
        let text = unsafe { CStr::from_ptr((self.mesh_get_last_error)()) };
        Error::Mesh { code, text: in_options(&text.to_string_lossy()) }
    }

    fn check(&self, code: c_int) -> Result<(), Error> {
        if code == 0 { Ok(()) } else { Err(self.error(code)) }
    }
}

/// A client.
#[derive(Debug)]
pub(crate) struct Client {
    mesh: &'static Functions,
    client: *mut c_void,
}

// SAFETY: the library allows its calls from any thread.
unsafe impl Send for Client {}

impl Client {
    pub(crate) fn new() -> Result<Self, Error> {
        let mesh = Functions::get()?;
        let mut made = Self { mesh, client: null_mut() };
        // SAFETY: the output is ours, the text is a C string.
        mesh.check(unsafe { (mesh.mesh_create_client)(&raw mut made.client, c"{}".as_ptr()) })?;
        Ok(made)
    }

    /// Whether the library supports queries for groups. Older ones do not.
    pub(crate) fn knows_groups(&self) -> bool {
        GROUP_CONFIG.get().is_some_and(Option::is_some)
    }

    /// Format of a group as JSON; `None` if there is no such group within the time-out in
    /// milliseconds.
    pub(crate) fn group(&self, name: &str, timeout_ms: c_int) -> Result<Option<String>, Error> {
        let Some(Some(call)) = GROUP_CONFIG.get() else { return Ok(None) };
        let name = c_string(name)?;
        let mut text = vec![0_u8; GROUP_TEXT];
        // SAFETY: the client lives; a C string; the output has so many bytes.
        let code = unsafe {
            call(self.client, name.as_ptr(), text.as_mut_ptr().cast(), text.len(), timeout_ms)
        };
        if matches!(code, TIMEOUT | INTERRUPTED) {
            return Ok(None);
        }
        self.mesh.check(code)?;
        let text = CStr::from_bytes_until_nul(&text).unwrap_or_default();
        Ok(Some(text.to_string_lossy().into_owned()))
    }

    /// Joins the group that the configuration names.
    pub(crate) fn connect(
        self,
        direction: Direction,
        configuration: &str,
    ) -> Result<Connection, Error> {
        let mesh = self.mesh;
        let configuration = c_string(configuration)?;
        let create = match direction {
            Direction::Tx => mesh.mesh_create_tx_connection,
            Direction::Rx => mesh.mesh_create_rx_connection,
        };
        let mut made = Connection { connection: null_mut(), client: self };
        // SAFETY: the output is ours, the text is a C string, the client lives.
        mesh.check(unsafe {
            create(made.client.client, &raw mut made.connection, configuration.as_ptr())
        })?;
        Ok(made)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.client.is_null() {
            // SAFETY: ours, deleted once.
            unsafe { (self.mesh.mesh_delete_client)(&raw mut self.client) };
        }
    }
}

fn c_string(text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::Data("a zero byte in the configuration".into()))
}

/// A connection with a client of its own.
#[derive(Debug)]
pub(crate) struct Connection {
    connection: *mut MeshConnection,
    /// Deleted after the connection, as fields are dropped after the structure itself.
    client: Client,
}

// SAFETY: the library allows its calls from any thread.
unsafe impl Send for Connection {}

impl Connection {
    /// Bytes of a whole frame.
    pub(crate) fn payload_size(&self) -> usize {
        // SAFETY: the connection lives as long as this.
        unsafe { (*self.connection).payload_size }
    }

    /// A buffer; `None` if none came in so many milliseconds.
    pub(crate) fn get(&self, timeout_ms: c_int) -> Result<Option<Buffer>, Error> {
        let mut buffer = null_mut();
        // SAFETY: the connection lives; the output is ours.
        let code = unsafe {
            (self.client.mesh.mesh_get_buffer_timeout)(self.connection, &raw mut buffer, timeout_ms)
        };
        match code {
            0 => Ok(NonNull::new(buffer).map(|buffer| Buffer { mesh: self.client.mesh, buffer })),
            TIMEOUT | CANCELLED | INTERRUPTED => Ok(None),
            // Only the source's end is that of a file: what was cut off is an error.
            CLOSED if self.stats().ended == 0 => Err(self.client.mesh.error(CLOSED)),
            CLOSED => Err(Error::End),
            code => Err(self.client.mesh.error(code)),
        }
    }

    /// Number of further buffers that the program may hold.
    pub(crate) fn free_buffers(&self) -> u64 {
        let stats = self.stats();
        stats.hold_limit.saturating_sub(u64::from(stats.held))
    }

    /// Of a source: receivers in its group. Of a receiver: whether there is a source, 1 or 0.
    pub(crate) fn peers(&self) -> u32 {
        self.stats().peers
    }

    fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        // SAFETY: the connection lives; the output has so many bytes. An older library leaves
        // zeroes.
        unsafe {
            (self.client.mesh.mesh_get_connection_stats)(
                self.connection,
                &raw mut stats,
                size_of::<Stats>(),
            );
        }
        stats
    }

    /// Ends the traffic. What was put stays readable.
    pub(crate) fn shut_down(&self) {
        // SAFETY: the connection lives.
        unsafe { (self.client.mesh.mesh_shutdown_connection)(self.connection) };
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.connection.is_null() {
            // SAFETY: ours, deleted once; buffers that are still held keep their memory.
            unsafe { (self.client.mesh.mesh_delete_connection)(&raw mut self.connection) };
        }
    }
}

/// A frame that is held. Dropping a received one gives it back.
#[derive(Debug)]
pub(crate) struct Buffer {
    mesh: &'static Functions,
    buffer: NonNull<MeshBuffer>,
}

// SAFETY: the library allows one thread at a time, which ownership grants.
unsafe impl Send for Buffer {}

impl Buffer {
    pub(crate) fn payload(&self) -> *mut u8 {
        // SAFETY: the buffer is held.
        unsafe { self.buffer.as_ref().payload }
    }

    pub(crate) fn len(&self) -> usize {
        // SAFETY: the buffer is held.
        unsafe { self.buffer.as_ref().payload_len }
    }

    /// A received frame's bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: the frame is held, so that its source does not write to it; the length is that of
        // its payload.
        unsafe { std::slice::from_raw_parts(self.payload(), self.len()) }
    }

    /// A source's frame to fill.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the frame is ours alone until it is put; the length is that of its payload.
        unsafe { std::slice::from_raw_parts_mut(self.payload(), self.len()) }
    }

    pub(crate) fn info(&self) -> Result<Info, Error> {
        let mut info = Info::default();
        // SAFETY: the buffer is held; the output has so many bytes.
        let code = unsafe {
            (self.mesh.mesh_get_buffer_info)(self.buffer.as_ptr(), &raw mut info, size_of::<Info>())
        };
        self.mesh.check(code).map(|()| info)
    }

    pub(crate) fn set_len(&mut self, len: usize) -> Result<(), Error> {
        // SAFETY: the buffer is held.
        let code = unsafe { (self.mesh.mesh_buffer_set_payload_len)(self.buffer.as_ptr(), len) };
        self.mesh.check(code)
    }

    pub(crate) fn set_time(&mut self, tai_ns: u64) -> Result<(), Error> {
        // SAFETY: the buffer is held.
        let code = unsafe { (self.mesh.mesh_buffer_set_timestamp)(self.buffer.as_ptr(), tai_ns) };
        self.mesh.check(code)
    }

    /// Publishes a source's frame; gives it back if there was no room in so many milliseconds.
    pub(crate) fn put(self, timeout_ms: c_int) -> Result<Option<Self>, Error> {
        let mut buffer = self.buffer.as_ptr();
        let mesh = self.mesh;
        std::mem::forget(self);
        // SAFETY: the buffer was held; the library sets the pointer to null when it is not any
        // more.
        let code = unsafe { (mesh.mesh_put_buffer_timeout)(&raw mut buffer, timeout_ms) };
        let left = NonNull::new(buffer).map(|buffer| Self { mesh, buffer });
        match code {
            0 => Ok(None),
            TIMEOUT | CANCELLED | INTERRUPTED => Ok(left),
            code => Err(mesh.error(code)),
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut buffer = self.buffer.as_ptr();
        // SAFETY: the buffer is held, and not used after. A source drops one only after its
        // connection was shut down, when a put releases it without publishing.
        unsafe { (self.mesh.mesh_put_buffer_timeout)(&raw mut buffer, 0) };
    }
}
