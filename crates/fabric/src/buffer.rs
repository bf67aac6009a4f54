//! Memory that callers lend to endpoints.

/// Identifies memory that is mapped once and stays as it is until it is unmapped. Another mapping,
/// even at the same place, has another identifier: registrations with a network device, which
/// follow pages and not addresses, are kept for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryId(pub [u8; 16]);

/// Memory to send from.
///
/// # Safety
///
/// From `start()` on `len()` bytes are readable, stay where they are and are not written until the
/// value is dropped, also when the value is moved. Both functions always return the same. If
/// `memory()` returns an identifier, then the bytes lie in memory as [`MemoryId`] describes it.
pub unsafe trait SendBuffer: Send + 'static {
    /// First byte.
    fn start(&self) -> *const u8;
    /// Bytes that may be sent.
    fn len(&self) -> usize;
    /// Whether there is nothing that could be sent.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The memory that the bytes lie in, if registrations of it are worth keeping; otherwise each
    /// use is registered anew.
    fn memory(&self) -> Option<MemoryId>;
}

/// Memory to receive into.
///
/// # Safety
///
/// From `start()` on `len()` bytes are readable and writable, stay where they are, and only the
/// holder of the value reads and writes them until it is dropped, also when the value is moved.
/// Both functions always return the same. If `memory()` returns an identifier, then the bytes lie
/// in memory as [`MemoryId`] describes it.
pub unsafe trait ReceiveBuffer: Send + 'static {
    /// First byte.
    fn start(&self) -> *mut u8;
    /// Bytes that may be received.
    fn len(&self) -> usize;
    /// Whether there is no room.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The memory that the bytes lie in, if registrations of it are worth keeping; otherwise each
    /// use is registered anew.
    fn memory(&self) -> Option<MemoryId>;
}

/// The first bytes of a frame that is held.
pub(crate) fn bytes<S: SendBuffer>(buffer: &S, len: usize) -> &[u8] {
    // SAFETY: as the trait promises.
    unsafe { std::slice::from_raw_parts(buffer.start(), len.min(buffer.len())) }
}

/// The first bytes of memory that nothing is received into at present.
pub(crate) fn bytes_mut<R: ReceiveBuffer>(buffer: &mut R, len: usize) -> &mut [u8] {
    // SAFETY: as the trait promises; the caller has the buffer, so that no operation does.
    unsafe { std::slice::from_raw_parts_mut(buffer.start(), len.min(buffer.len())) }
}

// SAFETY: the heap memory of a shared slice never moves nor changes while a reference count is
// held.
unsafe impl SendBuffer for std::sync::Arc<[u8]> {
    fn start(&self) -> *const u8 {
        self.as_ptr()
    }

    fn len(&self) -> usize {
        <[u8]>::len(self)
    }

    fn memory(&self) -> Option<MemoryId> {
        None
    }
}

/// Heap memory to receive into.
#[derive(Debug)]
pub struct HeapBuffer {
    start: std::ptr::NonNull<[u8]>,
}

// SAFETY: it owns its memory, as a box does.
unsafe impl Send for HeapBuffer {}

impl HeapBuffer {
    /// Zeroed memory.
    #[must_use]
    pub fn new(len: usize) -> Self {
        let memory = Box::into_raw(vec![0u8; len].into_boxed_slice());
        // SAFETY: a box is never null.
        Self { start: unsafe { std::ptr::NonNull::new_unchecked(memory) } }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: made from a box, and owned by this value.
        unsafe { self.start.as_ref() }
    }
}

impl Drop for HeapBuffer {
    fn drop(&mut self) {
        // SAFETY: made from a box by `new`, and dropped once.
        drop(unsafe { Box::from_raw(self.start.as_ptr()) });
    }
}

// SAFETY: heap memory that is reached through this value only. It is no box, whose pointer would
// claim to be the only way to the memory whenever the value is moved.
unsafe impl ReceiveBuffer for HeapBuffer {
    fn start(&self) -> *mut u8 {
        self.start.as_ptr().cast()
    }

    fn len(&self) -> usize {
        self.start.len()
    }

    fn memory(&self) -> Option<MemoryId> {
        None
    }
}
