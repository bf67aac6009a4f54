//! Frames queued for sending.

use crate::bridge::keys::SessionKeys;
use crate::bridge::ports::SourceFrame;
use crate::bridge::wire_layout::{SYSDATA, TAG, TRAILER, Trailer, WireLayout};
use crate::buffer::{HeapBuffer, MemoryId, ReceiveBuffer, SendBuffer, bytes, bytes_mut};
use crate::set::MAX_TRAILER;

/// A frame as it lies in its slot, or an encrypted copy of it.
#[derive(Debug)]
pub(super) enum Outgoing<F> {
    Frame(F),
    Sealed(HeapBuffer),
}

// SAFETY: both kinds keep the promise themselves; no code writes to an encrypted copy once it is
// here.
unsafe impl<F: SendBuffer> SendBuffer for Outgoing<F> {
    fn start(&self) -> *const u8 {
        match self {
            Self::Frame(frame) => frame.start(),
            Self::Sealed(buffer) => buffer.start(),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Frame(frame) => SendBuffer::len(frame),
            Self::Sealed(buffer) => ReceiveBuffer::len(buffer),
        }
    }

    fn memory(&self) -> Option<MemoryId> {
        match self {
            Self::Frame(frame) => frame.memory(),
            Self::Sealed(_) => None,
        }
    }
}

/// A message that is ready to be sent.
#[derive(Debug)]
pub(super) struct Message<F> {
    pub(super) buffer: Outgoing<F>,
    /// Bytes of the buffer.
    pub(super) len: usize,
    /// Bytes behind the frame.
    tail: [u8; MAX_TRAILER],
    tail_len: usize,
    /// Payload bytes, for the statistics.
    pub(super) payload: usize,
}

impl<F: SourceFrame> Message<F> {
    fn new(buffer: Outgoing<F>, len: usize, parts: [&[u8]; 2], payload: usize) -> Self {
        let mut tail = [0; MAX_TRAILER];
        let mut tail_len = 0;
        for part in parts {
            tail[tail_len..tail_len + part.len()].copy_from_slice(part);
            tail_len += part.len();
        }
        Self { buffer, len, tail, tail_len, payload }
    }

    /// The plain form: the whole frame and the number.
    pub(super) fn plain(frame: F, layout: &WireLayout, sequence: u64) -> Self {
        let payload = frame.payload_len();
        Self::new(Outgoing::Frame(frame), layout.size(), [&sequence.to_le_bytes(), &[]], payload)
    }

    /// The extended form: encrypted, into one of the spare buffers or a new one, if there are such;
    /// in the clear otherwise, with lengths and trailer signed. `None`: that could not be done.
    pub(super) fn extended(
        frame: F,
        layout: &WireLayout,
        trailer: Trailer,
        keys: &SessionKeys,
        spare: Option<&mut Vec<HeapBuffer>>,
    ) -> Option<Self> {
        const { assert!(TRAILER + TAG <= MAX_TRAILER) };
        let payload = frame.payload_len();
        let len = layout.used(payload, frame.metadata_len());
        let end = trailer.bytes();
        let Some(spare) = spare else {
            let tag = keys.sign(bytes(&frame, len).first_chunk::<SYSDATA>()?, &trailer)?;
            return Some(Self::new(Outgoing::Frame(frame), len, [&tag, &end], payload));
        };
        // Whole frames, so that each serves for every frame. Fresh memory would cost more than the
        // encryption.
        let mut copy = spare.pop().unwrap_or_else(|| HeapBuffer::new(layout.size()));
        let clear = bytes_mut(&mut copy, len);
        clear.copy_from_slice(bytes(&frame, len));
        let tag = keys.seal(clear, &trailer)?;
        Some(Self::new(Outgoing::Sealed(copy), len, [&tag, &end], payload))
    }

    pub(super) fn tail(&self) -> &[u8] {
        &self.tail[..self.tail_len]
    }
}
