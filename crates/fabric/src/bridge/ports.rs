//! The traits by which a bridge reaches its group: frames to send, and slots to receive into.

use super::wire_layout::Origin;
use crate::buffer::{ReceiveBuffer, SendBuffer};
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// The group, or the bridge's part in it, has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended;

/// A frame that is held. [`SendBuffer::start`] is its system data, [`SendBuffer::len`] its whole
/// frame, see [`super::wire_layout::WireLayout::size`].
pub trait SourceFrame: SendBuffer {
    /// Payload bytes.
    fn payload_len(&self) -> usize;
    /// Metadata bytes.
    fn metadata_len(&self) -> usize;
    /// TAI time, nanoseconds.
    fn tai_ns(&self) -> u64;
    /// Its place among the frames of its source.
    fn origin(&self) -> Origin;
    /// Whether parts of the payload did not arrive at the source.
    fn is_incomplete(&self) -> bool;
}

/// Result of taking a frame from a group.
#[derive(Debug)]
pub enum Taken<F> {
    /// The next frame.
    Frame(F),
    /// The source has closed and all its frames were taken: the end of the stream. Another source
    /// may follow.
    StreamEnd,
    /// Nothing now.
    Nothing,
}

/// Source of an egress's frames. Dropping a frame releases it.
pub trait FrameSource: Send {
    /// A frame of the group.
    type Frame: SourceFrame;
    /// Readable when [`take`](Self::take) would return something else than [`Taken::Nothing`]; it
    /// may be so until `take` has returned that.
    fn ready(&self) -> BorrowedFd<'_>;
    /// The next frame, if there is one, or that the stream has ended. Never blocks.
    fn take(&mut self) -> Result<Taken<Self::Frame>, Ended>;
    /// Number of frames that may be held at once.
    fn hold_limit(&self) -> usize;
}

/// Properties of a received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Payload bytes.
    pub payload_len: usize,
    /// Metadata bytes.
    pub metadata_len: usize,
    /// TAI time, nanoseconds; `None`: the sender does not say.
    pub tai_ns: Option<u64>,
    /// Its place among the frames of its source; `None`: the sender does not say.
    pub origin: Option<Origin>,
    /// Whether parts of the payload did not arrive at the source.
    pub incomplete: bool,
}

/// Why a frame was not published.
#[derive(Debug)]
pub enum NotPublished<S> {
    /// Receivers have not made room in time: try again.
    Full(S),
    /// The bridge's connection to the group has ended.
    Ended,
}

/// Destination of an ingress's frames.
pub trait FrameSink: Send {
    /// A slot. [`ReceiveBuffer::start`] is the place of its system data, and [`ReceiveBuffer::len`]
    /// the size of the frame and [`super::wire_layout::MAX_TAIL`] bytes more.
    type Slot: ReceiveBuffer;
    /// Readable when [`slot`](Self::slot) would return something else than `Ok(None)`; it may be so
    /// until `slot` has returned that.
    fn ready(&self) -> BorrowedFd<'_>;
    /// A slot to receive into, if there is one. Never blocks.
    fn slot(&mut self) -> Result<Option<Self::Slot>, Ended>;
    /// Publishes a frame. Waits for receivers at most so long.
    fn publish(
        &mut self,
        slot: Self::Slot,
        arrival: Arrival,
        patience: Duration,
    ) -> Result<(), NotPublished<Self::Slot>>;
    /// The source has ended the stream, and all its frames were published: receivers are told.
    /// Nothing is published after this.
    fn end_stream(&mut self);
    /// Number of slots that may be held at once.
    fn hold_limit(&self) -> usize;
}
