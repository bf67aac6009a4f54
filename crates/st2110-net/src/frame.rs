//! The two traits through which sessions exchange frames with their users: feeds give frames to
//! send, sinks take received ones.
//!
//! The engine calls them on its threads, which serve many sessions: no method may block or take
//! long. Rings, files and tests implement them.

use std::ops::Range;

use media::Tai;
use st2110::video::Missing;

/// A frame that is held for as long as it is being sent.
pub trait HeldFrame: Send {
    /// The essence: pixels, samples, a codestream, ancillary packets.
    fn payload(&self) -> &[u8];

    /// Its metadata: a block of ancillary data, for an associated stream.
    fn metadata(&self) -> &[u8] {
        &[]
    }

    /// When its first sample was taken. Without a time, the moment counts at which the engine took
    /// the frame.
    fn tai(&self) -> Option<Tai>;
}

/// What a feed has to give.
#[derive(Debug)]
pub enum Next<F> {
    /// The next frame.
    Frame(F),
    /// Nothing at present.
    Nothing,
    /// Nothing will come any more: the session ends.
    End,
}

/// Frames to be sent, in order.
///
/// There is no wake-up: the engine asks when a frame is due, once or a few times in each frame
/// period (video, ancillary data) or packet time (audio). If there is nothing, nothing is sent in
/// that period.
pub trait FrameFeed: Send + 'static {
    /// A frame of this feed.
    type Frame: HeldFrame;

    /// The next frame, if there is one now.
    fn next(&mut self) -> Next<Self::Frame>;
}

/// Room for a frame that is being received. A slot that is dropped was not used.
pub trait FrameSlot: Send {
    /// Room for the essence: at least as many bytes as were asked for.
    fn payload(&mut self) -> &mut [u8];

    /// Room for metadata; may be empty.
    fn metadata(&mut self) -> &mut [u8] {
        &mut []
    }
}

/// Where received frames go.
///
/// Several slots may be under way at a time: a frame is committed only when no packet of it can
/// come any more, while the next one is being filled.
pub trait FrameSink: Send + 'static {
    /// A slot of this sink.
    type Slot: FrameSlot;

    /// Room for a frame of up to `payload` bytes. None: no room now, the frame is dropped and
    /// counted.
    fn slot(&mut self, payload: usize) -> Option<Self::Slot>;

    /// The slot holds a frame. False ends the session: no more frames are wanted.
    fn commit(&mut self, slot: Self::Slot, frame: &Received<'_>) -> bool;
}

/// What is known of a received frame.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// When its first sample was taken, by its RTP timestamp.
    pub tai: Tai,
    /// The RTP timestamp of its first packet.
    pub timestamp: u32,
    /// Bytes of essence in the slot.
    pub payload: usize,
    /// Bytes of metadata in the slot.
    pub metadata: usize,
    /// What is missing; empty for a complete frame. The bytes of missing pixels and samples are
    /// zero, or with [`IncompleteFrames::Repeat`](crate::IncompleteFrames::Repeat) those of the
    /// last complete frame.
    pub gaps: &'a [Gap],
}

/// Something that did not arrive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Pixels of one line, or of two for 4:2:0.
    Pixels(Missing),
    /// Bytes of the payload.
    Bytes(Range<usize>),
    /// Ancillary packets, of unknown number and kind.
    Packets,
}
