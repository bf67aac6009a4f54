//! The shared words: their writers and their cache lines.
//!
//! Every structure has exactly one writer. Cache lines are laid out so that a hand-off moves as few
//! of them as possible: the head line and the slot's line from the source to the receiver, the
//! seat's line back.

use crate::sync::{AtomicU32, AtomicU64};

/// Most slots that a pool may have: slot numbers are 8 bits on the board.
pub const MAX_SLOTS: usize = 255;
/// Length of the table of published sequence numbers; a power of two, more than [`MAX_SLOTS`].
pub const ENTRIES: usize = 256;
/// Lease words of a seat: one bit for each slot.
pub const LEASE_WORDS: usize = 4;
/// Sequence of a slot that holds no published frame.
pub const NO_FRAME: u64 = u64::MAX;

/// First line of a board. Written by the source.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct HeadLine {
    /// See [`Head`]. Receivers sleep on its low half.
    pub head: AtomicU64,
    /// Number of the source's threads that wait for a receiver to move.
    pub waiting: AtomicU32,
    /// Flags that the source announces: see [`FLAG_CLOSE_AT_END`].
    pub flags: AtomicU32,
}

/// The source wishes receivers to end with it (`endOfStream: close`).
pub const FLAG_CLOSE_AT_END: u32 = 1;
/// The source never waits for receivers (`delivery: live`).
pub const FLAG_LIVE: u32 = 2;
/// The source has left the ring, and the stream goes on elsewhere: nothing will be published here
/// any more, and that is no end of stream. Set after the last frame; the closed bit of the head
/// stays clear.
pub const FLAG_ABANDONED: u32 = 4;
/// The source does not say what its receivers do at its end: they end, unless another source
/// follows within a while.
pub const FLAG_GRACE_AT_END: u32 = 8;
/// The source passes on frames from elsewhere, if there are any: that it is there does not mean
/// that the stream goes on.
pub const FLAG_RELAY: u32 = 16;

/// Counts of the source, for statistics only. Written by the source.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct SourceCounts {
    /// Payload bytes published.
    pub bytes: AtomicU64,
    /// Number of puts and gets that waited for receivers.
    pub waits: AtomicU64,
    /// Slots in use so far: those behind have never been touched.
    pub slots_touched: AtomicU32,
}

/// The board's line of one slot. Written by the source, read by a receiver while it holds a lease
/// of the slot.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct SlotLine {
    /// Sequence number of the frame in the slot, or [`NO_FRAME`].
    pub sequence: AtomicU64,
    /// TAI time of the frame, nanoseconds.
    pub tai_ns: AtomicU64,
    /// `CLOCK_MONOTONIC` when the frame was put, nanoseconds.
    pub published_ns: AtomicU64,
    /// Payload bytes.
    pub payload_len: AtomicU32,
    /// Metadata bytes.
    pub metadata_len: AtomicU32,
    /// See [`FRAME_INCOMPLETE`] and [`FRAME_RELAYED`].
    pub flags: AtomicU32,
    /// Missing regions that the slot describes.
    pub regions: AtomicU32,
    /// Number of a relayed frame in the ring of its source.
    pub origin_sequence: AtomicU64,
    /// Mark of that ring.
    pub origin_mark: AtomicU32,
}

/// Flag of a [`SlotLine`]: parts of the payload did not arrive.
pub const FRAME_INCOMPLETE: u32 = 1;
/// Flag of a [`SlotLine`]: the frame has come from the ring of another host, and has its number
/// from there.
pub const FRAME_RELAYED: u32 = 2;

/// A receiver's two lines. Written by the receiver.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct SeatLine {
    /// One bit for each slot that the receiver holds, or is about to look at.
    pub leases: [AtomicU64; LEASE_WORDS],
    /// Sequence number that the receiver wants next.
    pub position: AtomicU64,
    /// Counts takes and releases; the source sleeps on it.
    pub tick: AtomicU32,
    /// See [`SEAT_OPEN`] and [`SEAT_CLOSED`].
    pub state: AtomicU32,
    /// The head that the receiver sleeps on plus one, or 0. The source reads it right after it has
    /// published, just when a receiver that is awake writes the words above.
    pub sleep: OwnLine,
}

/// A word with a cache line to itself.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct OwnLine(pub AtomicU64);

impl std::ops::Deref for OwnLine {
    type Target = AtomicU64;

    fn deref(&self) -> &AtomicU64 {
        &self.0
    }
}

/// The seat is, or will be, in use.
pub const SEAT_OPEN: u32 = 0;
/// The receiver has left: it holds nothing and will never look again.
pub const SEAT_CLOSED: u32 = 1;

/// Counts of a receiver, for statistics only. Written by the receiver.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct SeatCounts {
    /// Frames taken.
    pub received: AtomicU64,
    /// Frames missed.
    pub missed: AtomicU64,
}

/// Buckets of a [`DelayLine`].
pub const DELAY_BUCKETS: usize = 23;

/// Delivery delays, for statistics only. Written by the receiver.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct DelayLine {
    /// Number of frames within the bound of each bucket and above that of the one before.
    pub buckets: [AtomicU64; DELAY_BUCKETS],
    /// Sum of all, nanoseconds.
    pub sum_ns: AtomicU64,
}

/// The shared words of a board, wherever they lie.
#[derive(Clone, Copy, Debug)]
pub struct Board<'a> {
    /// Head line.
    pub line: &'a HeadLine,
    /// `sequence << 8 | slot` of the newest [`ENTRIES`] frames, at `sequence % ENTRIES`. In the
    /// model checker it may be shorter.
    pub entries: &'a [AtomicU64],
    /// One line for each slot.
    pub slots: &'a [SlotLine],
}

/// The head word: the number of published frames, the slot of the newest one, and whether the
/// source has closed.
///
/// The slot spares receivers that keep up a look-up in the table. Bits: count from 9, slot from 1,
/// closed 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head(pub u64);

impl Head {
    /// The head after the frame `count - 1` was published in `slot`.
    #[must_use]
    pub fn new(count: u64, slot: u8) -> Self {
        Self(count << 9 | u64::from(slot) << 1)
    }
    /// Frames published so far, which is the next frame's sequence number.
    #[must_use]
    pub fn count(self) -> u64 {
        self.0 >> 9
    }
    /// Slot of the newest frame.
    #[must_use]
    pub fn slot(self) -> usize {
        (self.0 >> 1 & 0xff) as usize
    }
    /// The source has closed: it publishes nothing more.
    #[must_use]
    pub fn closed(self) -> bool {
        self.0 & 1 != 0
    }
    /// The word that a receiver announces when it sleeps on this head. Never 0, since a sleeper's
    /// head is not closed.
    #[must_use]
    pub fn sleep_word(self) -> u64 {
        self.0.wrapping_add(1)
    }
}

/// Lease word and bit of a slot.
#[must_use]
pub fn lease_bit(slot: usize) -> (usize, u64) {
    (slot / 64, 1 << (slot % 64))
}
