//! A buffer that a program holds.

use super::session::Session;
use crate::error::Error;
use shm::{Frame, Origin, Receiver, Region, WriteSlot};
use std::sync::Arc;

/// What is known of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct BufferInfo {
    /// Number of the frame, contiguous from 0 for each source, on whatever host that is.
    pub sequence: u64,
    /// Identifies the source: another one means that numbers begin anew.
    pub origin: u32,
    /// TAI time of the frame in nanoseconds since 1970-01-01T00:00:00 TAI.
    pub tai_ns: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds when the frame was put.
    pub published_ns: u64,
    /// Frames that this receiver missed between the frame it got before and this one.
    pub missed: u64,
    /// Parts of the payload did not arrive; see [`Buffer::missing`].
    pub incomplete: bool,
}

/// A slot held by the program. Dropping it gives it back: a source's unpublished frame is discarded.
#[derive(Debug)]
pub struct Buffer(Held);

#[derive(Debug)]
enum Held {
    Writable { slot: WriteSlot, session: Arc<Session> },
    Readable(Received),
}

#[derive(Debug)]
struct Received {
    /// Taken only by the drop, which tells the receiver afterwards.
    frame: Option<Frame>,
    receiver: Arc<Receiver>,
}

impl Drop for Received {
    fn drop(&mut self) {
        drop(self.frame.take());
        self.receiver.released();
    }
}

impl Buffer {
    pub(super) fn writable(slot: WriteSlot, session: &Arc<Session>) -> Self {
        Self(Held::Writable { slot, session: Arc::clone(session) })
    }

    pub(super) fn readable(frame: Frame, receiver: Arc<Receiver>) -> Self {
        Self(Held::Readable(Received { frame: Some(frame), receiver }))
    }

    /// The slot of a source's buffer, or the received buffer itself.
    pub(super) fn into_writable(self) -> Result<(WriteSlot, Arc<Session>), Self> {
        match self.0 {
            Held::Writable { slot, session } => Ok((slot, session)),
            held @ Held::Readable(_) => Err(Self(held)),
        }
    }

    fn slot(&mut self) -> Result<&mut WriteSlot, Error> {
        match &mut self.0 {
            Held::Writable { slot, .. } => Ok(slot),
            Held::Readable(_) => {
                Err(Error::BadBuffer("it is a receiver's, which cannot be changed".into()))
            }
        }
    }

    fn frame(&self) -> Option<&Frame> {
        match &self.0 {
            Held::Writable { .. } => None,
            Held::Readable(received) => received.frame.as_ref(),
        }
    }

    /// Identifier of the memory that the buffer lies in: that of a ring, each of which is mapped once for each connection.
    pub fn ring_id(&self) -> [u8; 16] {
        match &self.0 {
            Held::Writable { slot, .. } => slot.source().ring_id().0,
            Held::Readable(_) => self.frame().map_or([0; 16], |frame| frame.ring_id().0),
        }
    }

    /// First byte of the payload, 64-byte aligned. Writable for a source only.
    pub fn payload_ptr(&self) -> *mut u8 {
        match &self.0 {
            Held::Writable { slot, .. } => slot.payload_ptr(),
            Held::Readable(_) => {
                self.frame().map_or(std::ptr::null_mut(), |frame| frame.payload_ptr().cast_mut())
            }
        }
    }

    /// Payload bytes in use: the partition's size in a fresh source buffer, the frame's in a received one.
    pub fn payload_len(&self) -> usize {
        match &self.0 {
            Held::Writable { slot, .. } => slot.payload_len(),
            Held::Readable(_) => self.frame().map_or(0, Frame::payload_len),
        }
    }

    /// First byte of the metadata.
    pub fn metadata_ptr(&self) -> *mut u8 {
        match &self.0 {
            Held::Writable { slot, .. } => slot.metadata_ptr(),
            Held::Readable(_) => {
                self.frame().map_or(std::ptr::null_mut(), |frame| frame.metadata_ptr().cast_mut())
            }
        }
    }

    /// Metadata bytes in use: 0 in a fresh source buffer.
    pub fn metadata_len(&self) -> usize {
        match &self.0 {
            Held::Writable { slot, .. } => slot.metadata_len(),
            Held::Readable(_) => self.frame().map_or(0, Frame::metadata_len),
        }
    }

    /// The payload in use.
    pub fn payload(&self) -> &[u8] {
        match &self.0 {
            Held::Writable { slot, .. } => slot.payload(),
            Held::Readable(_) => self.frame().map_or(&[], Frame::payload),
        }
    }

    /// The metadata in use.
    pub fn metadata(&self) -> &[u8] {
        match &self.0 {
            Held::Writable { slot, .. } => slot.metadata(),
            Held::Readable(_) => self.frame().map_or(&[], Frame::metadata),
        }
    }

    /// The whole payload partition of a source's buffer; empty for a receiver's, which cannot be changed.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Held::Writable { slot, .. } => slot.payload_mut(),
            Held::Readable(_) => &mut [],
        }
    }

    /// The whole metadata partition of a source's buffer; empty for a receiver's, which cannot be changed.
    pub fn metadata_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Held::Writable { slot, .. } => slot.metadata_mut(),
            Held::Readable(_) => &mut [],
        }
    }

    /// Sets how much of the payload is valid.
    pub fn set_payload_len(&mut self, len: usize) -> Result<(), Error> {
        let slot = self.slot()?;
        let max = slot.source().geometry().payload_size;
        let fits = slot.set_payload_len(len);
        if fits { Ok(()) } else { Err(Error::BadLength { partition: "payload", len, max }) }
    }

    /// Sets how much of the metadata is valid.
    pub fn set_metadata_len(&mut self, len: usize) -> Result<(), Error> {
        let slot = self.slot()?;
        let max = slot.source().geometry().metadata_size;
        let fits = slot.set_metadata_len(len);
        if fits { Ok(()) } else { Err(Error::BadLength { partition: "metadata", len, max }) }
    }

    /// Source: the frame's TAI time; without it, the time of put.
    pub fn set_tai_ns(&mut self, tai_ns: u64) -> Result<(), Error> {
        self.slot()?.set_tai_ns(tai_ns);
        Ok(())
    }

    /// Source: the number that the frame has where it comes from. Used by bridges from other hosts.
    pub fn set_origin(&mut self, origin: Origin) -> Result<(), Error> {
        self.slot()?.set_origin(origin);
        Ok(())
    }

    /// Source: the frame is incomplete, and these regions of its payload are missing: in order, apart from each other.
    ///
    /// If the connection was made for fewer, the last one covers all that follow. Used by bridges, which cannot send again.
    pub fn set_missing(&mut self, regions: impl IntoIterator<Item = Region>) -> Result<(), Error> {
        self.slot()?.set_missing(regions);
        Ok(())
    }

    /// Receiver: which regions of an incomplete frame's payload are missing, in order. Their bytes are of another frame, or zero.
    pub fn missing(&self) -> impl ExactSizeIterator<Item = Region> + '_ {
        let regions = self.frame().map(Frame::missing);
        let count = regions.as_ref().map_or(0, ExactSizeIterator::len);
        let mut regions = regions.into_iter().flatten();
        (0..count).map(move |_| regions.next().unwrap_or_default())
    }

    /// The frame's number and times. For a source's buffer that was not put, only what was set.
    pub fn info(&self) -> BufferInfo {
        match &self.0 {
            Held::Writable { slot, .. } => {
                BufferInfo { tai_ns: slot.tai_ns().unwrap_or(0), ..BufferInfo::default() }
            }
            Held::Readable(_) => self.frame().map_or_else(BufferInfo::default, |frame| {
                let shm::FrameInfo { sequence, origin, tai_ns, published_ns, missed, incomplete } =
                    frame.info();
                BufferInfo { sequence, origin, tai_ns, published_ns, missed, incomplete }
            }),
        }
    }
}
