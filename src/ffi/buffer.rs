//! Buffers.
use super::boundary;
use super::connection::{ConstSize, End, MeshConnection, connection};
use super::failure::Error;
use super::pointer::{self, Growing};
use super::timeout::{MESH_TIMEOUT_DEFAULT, timeout};
use mcm::{Frame, FrameInfo, FrameMut, PublishError, Tai, WaitError};
use std::ffi::{c_int, c_void};

/// Prints as `MeshConnection *const`.
pub type ConstConnectionPtr = *mut MeshConnection;
/// Prints as `void *const`.
pub type ConstVoidPtr = *mut c_void;

/// A frame that the program holds, between get and put.
///
/// The memory is shared with the other programs of the group; no byte is copied. A source's buffer is
/// writable. A receiver's buffer is read-only memory: writing to it ends the program with SIGSEGV.
///
/// Only the library creates it; programs read it through a pointer, one thread at a time.
#[derive(Debug)]
#[repr(C)]
pub struct MeshBuffer {
    /// The connection that it belongs to.
    pub conn: ConstConnectionPtr,
    /// The payload, aligned to 64 bytes.
    pub payload_ptr: ConstVoidPtr,
    /// Bytes of the payload in use. In a fresh buffer of a source: the whole partition.
    pub payload_len: ConstSize,
    /// The metadata.
    pub metadata_ptr: ConstVoidPtr,
    /// Bytes of the metadata in use. In a fresh buffer of a source: 0.
    pub metadata_len: ConstSize,
}

/// What a `MeshBuffer` pointer really points to: programs see the first field.
#[repr(C)]
struct BufferBox {
    public: MeshBuffer,
    /// Empty only while a put is under way.
    buffer: Option<Buffer>,
}

/// A source's buffer or a receiver's. C programs have one type for both.
enum Buffer {
    Writable(FrameMut),
    Readable(Frame),
}

impl Buffer {
    fn writable(&mut self) -> Result<&mut FrameMut, Error> {
        match self {
            Self::Writable(frame) => Ok(frame),
            Self::Readable(_) => {
                Err(Error::BadBuffer("it is a receiver's, which cannot be changed".into()))
            }
        }
    }

    /// Number and times of a received frame; of a source's, what was set.
    fn info(&self) -> FrameInfo {
        match self {
            Self::Writable(frame) => {
                let tai_ns = frame.timestamp().map_or(0, Tai::as_nanos);
                FrameInfo { tai_ns, ..FrameInfo::default() }
            }
            Self::Readable(frame) => frame.info(),
        }
    }
}

impl BufferBox {
    /// Brings the public fields up to date with the buffer.
    fn publish(&mut self) {
        let (payload, payload_len, metadata, metadata_len) = match &self.buffer {
            Some(Buffer::Writable(frame)) => (
                frame.payload_ptr(),
                frame.payload().len(),
                frame.metadata_ptr(),
                frame.metadata().len(),
            ),
            Some(Buffer::Readable(frame)) => (
                frame.payload_ptr().cast_mut(),
                frame.payload().len(),
                frame.metadata_ptr().cast_mut(),
                frame.metadata().len(),
            ),
            None => return,
        };
        self.public.payload_ptr = payload.cast();
        self.public.payload_len = payload_len;
        self.public.metadata_ptr = metadata.cast();
        self.public.metadata_len = metadata_len;
    }
}

/// Number and times of a frame.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MeshBufferInfo {
    /// Number of the frame, contiguous from 0 for each source.
    pub sequence: u64,
    /// TAI time of the frame, nanoseconds since 1970-01-01T00:00:00 TAI.
    pub tai_ns: u64,
    /// When the frame was put: `CLOCK_MONOTONIC` of this host, in nanoseconds.
    pub published_ns: u64,
    /// Receiver: frames missed between the frame that it got before and this one.
    pub missed: u64,
    /// MESH_BUFFER_INCOMPLETE, or 0.
    pub flags: u64,
}

/// Flag of `MeshBufferInfo`: parts of the payload did not arrive. `mesh_get_missing_regions()` tells which.
pub const MESH_BUFFER_INCOMPLETE: u64 = 1;

/// A part of a payload.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct MeshRegion {
    /// Its first byte.
    pub offset: u32,
    /// How many bytes.
    pub len: u32,
}

// SAFETY: five integers of the same size, no padding.
unsafe impl Growing for MeshBufferInfo {
    const NAME: &'static str = "info";
    const FIRST_SIZE: usize = 32;
}

impl From<FrameInfo> for MeshBufferInfo {
    fn from(info: FrameInfo) -> Self {
        let FrameInfo { sequence, tai_ns, published_ns, missed, incomplete, .. } = info;
        let flags = if incomplete { MESH_BUFFER_INCOMPLETE } else { 0 };
        Self { sequence, tai_ns, published_ns, missed, flags }
    }
}

/// Runs `call` on the buffer behind a pointer and brings the public fields up to date.
///
/// # Safety
/// `buf` is null or points to a live buffer of this library that no other thread uses during the call.
unsafe fn with_buffer<R>(
    buf: *mut MeshBuffer,
    call: impl FnOnce(&mut Buffer) -> Result<R, Error>,
) -> Result<R, Error> {
    // SAFETY: by this function's contract; every `MeshBuffer` is the head of a `BufferBox`.
    let boxed = unsafe { pointer::output(buf.cast::<BufferBox>(), "buf") }?;
    let buffer = boxed.buffer.as_mut().ok_or_else(|| Error::BadBuffer("is being put".into()))?;
    let result = call(buffer);
    boxed.publish();
    result
}

/// Gets a buffer with the default timeout: `mesh_get_buffer_timeout()` with MESH_TIMEOUT_DEFAULT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_get_buffer(
    conn: *mut MeshConnection,
    buf: *mut *mut MeshBuffer,
) -> c_int {
    // SAFETY: the caller's contract is passed on.
    unsafe { mesh_get_buffer_timeout(conn, buf, MESH_TIMEOUT_DEFAULT) }
}

/// Gets a buffer. A source gets one to fill, a receiver the next frame.
///
/// Several buffers may be held at once and put in any order. A receiver gets the frames in order; a frame
/// that it missed is counted in `MeshBufferInfo.missed` of the next one.
///
/// @param conn        Connection.
/// @param buf         Receives the buffer, or NULL on failure. Give it back with `mesh_put_buffer()`.
/// @param timeout_ms  Milliseconds, or MESH_TIMEOUT_DEFAULT, MESH_TIMEOUT_INFINITE, MESH_TIMEOUT_ZERO.
///
/// @return 0, or one of -MESH_ERR_BAD_CONN_PTR, -MESH_ERR_BAD_BUF_PTR, -MESH_ERR_TIMEOUT,
/// -MESH_ERR_CONN_CLOSED, -MESH_ERR_CANCELLED, -MESH_ERR_INTERRUPTED, -MESH_ERR_FORKED, and -MESH_ERR_NOT_IMPLEMENTED for a
/// negative timeout without a meaning.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_get_buffer_timeout(
    conn: *mut MeshConnection,
    buf: *mut *mut MeshBuffer,
    timeout_ms: c_int,
) -> c_int {
    boundary::guard("mesh_get_buffer", || {
        // SAFETY: null, or a live connection of this library.
        let end = unsafe { connection(conn) }?;
        // SAFETY: null, or the caller's own variable.
        let out = unsafe { pointer::output(buf, "buf") }?;
        *out = std::ptr::null_mut();
        let timeout = timeout(timeout_ms)?;
        let buffer = match &*end {
            End::Source(source) => Buffer::Writable(source.frame(timeout)?),
            End::Receiver(receiver) => {
                Buffer::Readable(receiver.recv(timeout)?.ok_or(Error::Ended)?)
            }
        };
        let public = MeshBuffer {
            conn,
            payload_ptr: std::ptr::null_mut(),
            payload_len: 0,
            metadata_ptr: std::ptr::null_mut(),
            metadata_len: 0,
        };
        let mut boxed = Box::new(BufferBox { public, buffer: Some(buffer) });
        boxed.publish();
        *out = Box::into_raw(boxed).cast();
        Ok(())
    })
}

/// Puts a buffer with the default timeout: `mesh_put_buffer_timeout()` with MESH_TIMEOUT_DEFAULT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_put_buffer(buf: *mut *mut MeshBuffer) -> c_int {
    // SAFETY: the caller's contract is passed on.
    unsafe { mesh_put_buffer_timeout(buf, MESH_TIMEOUT_DEFAULT) }
}

/// Puts a buffer. A source publishes the frame, a receiver gives it back.
///
/// On success the pointer is set to NULL. On -MESH_ERR_TIMEOUT, -MESH_ERR_CANCELLED, -MESH_ERR_INTERRUPTED and all errors not named
/// here, the buffer stays with the program, which puts it again. On -MESH_ERR_CONN_CLOSED and
/// -MESH_ERR_INTERNAL the buffer is released without being published, and the pointer is set to NULL.
///
/// @param buf         The buffer.
/// @param timeout_ms  Milliseconds, or MESH_TIMEOUT_DEFAULT, MESH_TIMEOUT_INFINITE, MESH_TIMEOUT_ZERO.
///
/// @return 0, or one of -MESH_ERR_BAD_BUF_PTR, -MESH_ERR_TIMEOUT, -MESH_ERR_CONN_CLOSED,
/// -MESH_ERR_CANCELLED, -MESH_ERR_INTERRUPTED, -MESH_ERR_FORKED, and -MESH_ERR_NOT_IMPLEMENTED for a negative
/// timeout without a meaning.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_put_buffer_timeout(
    buf: *mut *mut MeshBuffer,
    timeout_ms: c_int,
) -> c_int {
    boundary::guard("mesh_put_buffer", || {
        // SAFETY: null, or the caller's own variable.
        let variable = unsafe { pointer::output(buf, "buf") }?;
        // SAFETY: null, or a live buffer of this library that no other thread uses.
        unsafe { pointer::output(*variable, "*buf") }?;
        let timeout = timeout(timeout_ms)?;
        let pointer = std::mem::replace(variable, std::ptr::null_mut());
        // SAFETY: not null, so it came from `Box::into_raw` of a `BufferBox` in `mesh_get_buffer_timeout`,
        // and the caller's variable, now null, was the one reference. A panic frees it with the buffer.
        let mut boxed = unsafe { Box::from_raw(pointer.cast::<BufferBox>()) };
        let buffer = boxed.buffer.take().ok_or_else(|| Error::BadBuffer("is being put".into()))?;
        let Buffer::Writable(frame) = buffer else {
            // A received frame is given back by being dropped, and that cannot fail.
            return Ok(());
        };
        frame.publish_within(timeout).map_err(|PublishError { frame, reason }| {
            if !matches!(reason, WaitError::Closed(_)) {
                boxed.buffer = Some(Buffer::Writable(frame));
                *variable = Box::into_raw(boxed).cast();
            }
            reason.into()
        })
    })
}

/// Gives a buffer back without publishing it, and sets the pointer to NULL. Never blocks.
///
/// For a source that has nothing to say after all, or that fails while it fills the buffer. For a receiver it is the same
/// as `mesh_put_buffer()`.
///
/// @return 0 or -MESH_ERR_BAD_BUF_PTR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_discard_buffer(buf: *mut *mut MeshBuffer) -> c_int {
    boundary::guard("mesh_discard_buffer", || {
        // SAFETY: null, or the caller's own variable.
        let variable = unsafe { pointer::output(buf, "buf") }?;
        // SAFETY: null, or a live buffer of this library that no other thread uses.
        unsafe { pointer::output(*variable, "*buf") }?;
        let pointer = std::mem::replace(variable, std::ptr::null_mut());
        // SAFETY: as in `mesh_put_buffer_timeout`.
        drop(unsafe { Box::from_raw(pointer.cast::<BufferBox>()) });
        Ok(())
    })
}

/// Sets how many bytes of the payload are valid; `payload_len` follows. For buffers of a source.
///
/// @return 0, -MESH_ERR_BAD_BUF_PTR (also for a receiver's buffer), or -MESH_ERR_BAD_BUF_LEN if `len` is larger
/// than the payload partition (`payload_size` of the connection).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_buffer_set_payload_len(buf: *mut MeshBuffer, len: usize) -> c_int {
    boundary::guard("mesh_buffer_set_payload_len", || {
        // SAFETY: the caller's contract is passed on.
        unsafe { with_buffer(buf, |buffer| Ok(buffer.writable()?.set_payload_len(len)?)) }
    })
}

/// Sets how many bytes of the metadata are valid; `metadata_len` follows. For buffers of a source.
///
/// @return 0, -MESH_ERR_BAD_BUF_PTR (also for a receiver's buffer), or -MESH_ERR_BAD_BUF_LEN if `len` is larger
/// than the metadata partition (`metadata_size` of the connection).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_buffer_set_metadata_len(buf: *mut MeshBuffer, len: usize) -> c_int {
    boundary::guard("mesh_buffer_set_metadata_len", || {
        // SAFETY: the caller's contract is passed on.
        unsafe { with_buffer(buf, |buffer| Ok(buffer.writable()?.set_metadata_len(len)?)) }
    })
}

/// Sets the TAI time of the frame, in nanoseconds since 1970-01-01T00:00:00 TAI. For buffers of a source.
///
/// Without it a frame carries the time at which it was put.
///
/// @return 0 or -MESH_ERR_BAD_BUF_PTR (also for a receiver's buffer).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_buffer_set_timestamp(buf: *mut MeshBuffer, tai_ns: u64) -> c_int {
    boundary::guard("mesh_buffer_set_timestamp", || {
        // SAFETY: the caller's contract is passed on.
        unsafe {
            with_buffer(buf, |buffer| {
                buffer.writable()?.set_timestamp(Tai::from_nanos(tai_ns));
                Ok(())
            })
        }
    })
}

/// Reads number and times of a frame. For a source's buffer only what has been set is known.
///
/// @param buf        Buffer.
/// @param info       Receives the information.
/// @param info_size  `sizeof(MeshBufferInfo)`: the structure may grow at its end in later versions.
///
/// @return 0 or -MESH_ERR_BAD_BUF_PTR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_get_buffer_info(
    buf: *mut MeshBuffer,
    info: *mut MeshBufferInfo,
    info_size: usize,
) -> c_int {
    boundary::guard("mesh_get_buffer_info", || {
        // SAFETY: the caller's contract is passed on.
        let known = unsafe { with_buffer(buf, |buffer| Ok(buffer.info())) }?;
        // SAFETY: null, or the caller's structure of the size that the caller gives.
        unsafe { pointer::fill(info, info_size, &known.into()) }
    })
}

/// Tells which regions of an incomplete frame's payload are missing, in the order of the payload. For buffers of a receiver.
///
/// The bytes there are those of another frame, or zero. There are none in a frame without MESH_BUFFER_INCOMPLETE.
///
/// @param buf       Buffer.
/// @param regions   Receives the first `capacity` regions; may be NULL if `capacity` is 0.
/// @param capacity  Regions that there is room for.
/// @param count     Receives how many regions there are, which may be more than `capacity`.
///
/// @return 0 or -MESH_ERR_BAD_BUF_PTR.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mesh_get_missing_regions(
    buf: *mut MeshBuffer,
    regions: *mut MeshRegion,
    capacity: usize,
    count: *mut usize,
) -> c_int {
    boundary::guard("mesh_get_missing_regions", || {
        // SAFETY: null, or the caller's own variable.
        let count = unsafe { pointer::output(count, "count") }?;
        if regions.is_null() && capacity > 0 {
            return Err(Error::BadBuffer("regions is null".into()));
        }
        let write = |buffer: &mut Buffer| {
            let Buffer::Readable(frame) = buffer else { return Ok(0) };
            let missing = frame.missing();
            let total = missing.len();
            for (index, region) in missing.take(capacity).enumerate() {
                let region = MeshRegion { offset: region.offset, len: region.len };
                // SAFETY: not null, with room for `capacity` regions by the caller's word; `index` is less than that.
                unsafe { regions.add(index).write(region) };
            }
            Ok(total)
        };
        // SAFETY: the caller's contract is passed on.
        *count = unsafe { with_buffer(buf, write) }?;
        Ok(())
    })
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<MeshBuffer>() == 40);
    assert!(offset_of!(MeshBuffer, conn) == 0);
    assert!(offset_of!(MeshBuffer, payload_ptr) == 8);
    assert!(offset_of!(MeshBuffer, payload_len) == 16);
    assert!(offset_of!(MeshBuffer, metadata_ptr) == 24);
    assert!(offset_of!(MeshBuffer, metadata_len) == 32);
    assert!(offset_of!(BufferBox, public) == 0);
    assert!(size_of::<MeshBufferInfo>() == 40);
    assert!(size_of::<MeshRegion>() == 8);

    // A program may get a buffer in one thread and put it in another.
    const fn sendable<T: Send>() {}
    sendable::<Buffer>();
};
