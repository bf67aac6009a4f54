//! Read-only view of a ring for the proxy, which takes no part in it.

use crate::delay::Delays;
use crate::error::RingError;
use crate::layout::{
    BOARD_MAGIC, BOARD_SIZE, BoardHeader, COUNTS_OFFSET, ENTRIES_OFFSET, Geometry, HEAD_OFFSET,
    LAYOUT_VERSION, RingId, SLOTS_OFFSET,
};
use crate::memory::{Mapping, check_seals};
use crate::protocol::{self, Located};
use crate::seat::SeatView;
use crate::words::{Board, ENTRIES, Head, MAX_SLOTS, SEAT_CLOSED, SourceCounts};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::time::Duration;

/// A read-only view of a source's board.
#[derive(Debug)]
pub struct BoardMonitor {
    fd: OwnedFd,
    mapping: Mapping,
    ring_id: RingId,
    geometry: Geometry,
}

impl BoardMonitor {
    /// Maps a board after checking its seals, size and header.
    pub fn open(board: OwnedFd) -> Result<Self, RingError> {
        check_seals("board", board.as_fd(), BOARD_SIZE)?;
        let mapping = Mapping::read_only(board.as_fd(), BOARD_SIZE)?;
        // SAFETY: the header is plain old data, read once and by volatile access, so that a source
        // that breaks the rule never to change it can spoil the values but not their use.
        let header = unsafe { mapping.start().cast::<BoardHeader>().read_volatile() };
        if header.magic != BOARD_MAGIC || header.version != LAYOUT_VERSION {
            let (magic, version) = (header.magic, header.version);
            let reason = format!(
                "starts with {magic:#018x}, version {version}; want {BOARD_MAGIC:#018x}, version {LAYOUT_VERSION}"
            );
            return Err(RingError::foreign("board", reason));
        }
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let geometry = Geometry::new(
            size(header.payload_size),
            size(header.metadata_size),
            header.capacity as usize,
        )
        .and_then(|geometry| geometry.with_regions(size(header.regions)))
        .map_err(|reason| {
            let BoardHeader { capacity, payload_size, metadata_size, .. } = header;
            let found = format!(
                "capacity {capacity}, payload {payload_size}, metadata {metadata_size} bytes"
            );
            RingError::foreign("board", format!("{reason}; found {found}"))
        })?;
        Ok(Self { fd: board, mapping, ring_id: RingId(header.ring_id), geometry })
    }

    /// Checks that a descriptor is the pool of this board, by seals and size.
    pub fn check_pool(&self, pool: BorrowedFd<'_>) -> Result<(), RingError> {
        check_seals("pool", pool, self.geometry.pool_size())
    }

    /// The board's descriptor.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Identifier of the ring.
    #[must_use]
    pub fn ring_id(&self) -> RingId {
        self.ring_id
    }

    /// Shape of the ring.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    pub(crate) fn board(&self) -> Board<'_> {
        // SAFETY: all three consist of atomics; the offsets lie within the checked size.
        unsafe {
            Board {
                line: self.mapping.at(HEAD_OFFSET),
                entries: self.mapping.slice_at(ENTRIES_OFFSET, ENTRIES),
                slots: self.mapping.slice_at(SLOTS_OFFSET, self.geometry.slot_count),
            }
        }
    }

    fn head(&self) -> Head {
        Head(self.board().line.head.load(Acquire))
    }

    fn counts(&self) -> &SourceCounts {
        // SAFETY: the counts are atomics.
        unsafe { self.mapping.at(COUNTS_OFFSET) }
    }

    /// Frames published so far.
    #[must_use]
    pub fn published(&self) -> u64 {
        self.head().count()
    }

    /// Frames that a receiver would get that now began to take at `position`: those in a row from
    /// there on that the source has not taken back, and behind a gap the newest one, to which it
    /// would jump.
    #[must_use]
    pub fn waiting(&self, position: u64) -> u64 {
        let board = self.board();
        let head = protocol::load_head(board);
        let unread = head.count().saturating_sub(position);
        let is_there = |wanted: u64| match protocol::locate(board, head, wanted) {
            Located::Slot(slot) => board.slots[slot].sequence.load(Relaxed) == wanted,
            Located::Ahead | Located::Lapped => false,
        };
        // Each of them has a slot, whatever the two processes claim.
        let most = unread.min(MAX_SLOTS as u64);
        let row = (0..most).take_while(|at| is_there(position + at)).count() as u64;
        if row < unread { row + 1 } else { row }
    }

    /// Frames that were published and that a receiver at `position` has not looked at: those that
    /// wait for it, and those that are overwritten already and will count as missed when it takes
    /// the next one.
    #[must_use]
    pub fn behind(&self, position: u64) -> u64 {
        self.head().count().saturating_sub(position)
    }

    /// Time at which the newest frame was put (`CLOCK_MONOTONIC`), according to the source; `None`
    /// before the first frame, and while the source is overwriting that slot.
    #[must_use]
    pub fn newest_put(&self) -> Option<Duration> {
        let board = self.board();
        let head = protocol::load_head(board);
        let newest = head.count().checked_sub(1)?;
        let line = board.slots.get(head.slot())?;
        let at = line.published_ns.load(Acquire);
        (line.sequence.load(Relaxed) == newest).then(|| Duration::from_nanos(at))
    }

    /// Payload bytes published so far.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.counts().bytes.load(Relaxed)
    }

    /// Number of the source's waits for receivers.
    #[must_use]
    pub fn waits(&self) -> u64 {
        self.counts().waits.load(Relaxed)
    }

    /// Slots that have been used so far; see [`Geometry::slot_count`].
    #[must_use]
    pub fn slots_touched(&self) -> u32 {
        self.counts().slots_touched.load(Relaxed)
    }

    /// Whether the source has closed in order.
    #[must_use]
    pub fn closed(&self) -> bool {
        self.head().closed()
    }

    /// The flags that the source announces.
    pub(crate) fn flags(&self) -> u32 {
        self.board().line.flags.load(Relaxed)
    }
}

/// A read-only view of a receiver's seat.
#[derive(Debug)]
pub struct SeatMonitor(SeatView);

impl SeatMonitor {
    /// Maps a seat after checking its seals, size and header.
    pub fn open(seat: OwnedFd) -> Result<Self, RingError> {
        SeatView::open(seat).map(Self)
    }

    /// The seat's descriptor.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.fd()
    }

    /// Sequence number that the receiver wants next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.0.line().position.load(Relaxed)
    }

    /// Frames that the receiver took in this ring.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.0.counts().received.load(Relaxed)
    }

    /// Frames that the receiver missed in this ring.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.0.counts().missed.load(Relaxed)
    }

    /// Delays of this ring's frames from put to the receiver. Not every frame is measured; see
    /// [`APART_NS`](crate::APART_NS).
    #[must_use]
    pub fn handoff(&self) -> Delays {
        self.0.handoff().read()
    }

    /// Delays from the frames' own TAI timestamps to the receiver. A timestamp up to a minute in
    /// the future counts as no delay; later ones, and those more than an hour ago, are not counted.
    #[must_use]
    pub fn age(&self) -> Delays {
        self.0.age().read()
    }

    /// Slots that the receiver holds.
    #[must_use]
    pub fn held(&self) -> u32 {
        self.0.line().leases.iter().map(|word| word.load(Relaxed).count_ones()).sum()
    }

    /// Whether the receiver has closed its seat.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.line().state.load(Relaxed) == SEAT_CLOSED
    }
}
