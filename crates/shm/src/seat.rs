//! A receiver's seat: its side of the exchange, in memory that only the receiver writes.

use crate::error::RingError;
use crate::layout::{
    LAYOUT_VERSION, SEAT_AGE_OFFSET, SEAT_COUNTS_OFFSET, SEAT_HANDOFF_OFFSET, SEAT_LINE_OFFSET,
    SEAT_MAGIC, SEAT_SIZE,
};
use crate::memory::{Mapping, OwnMemory, Pages, check_seals};
use crate::words::{DelayLine, SEAT_CLOSED, SeatCounts, SeatLine};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{
    AtomicU64,
    Ordering::{Relaxed, Release},
};

/// A seat of this process, for one ring. Dropping it closes the seat.
#[derive(Debug)]
pub struct Seat {
    memory: OwnMemory,
}

impl Seat {
    /// A fresh seat, sealed.
    pub fn new() -> Result<Self, RingError> {
        let memory = OwnMemory::new("mcm-seat", SEAT_SIZE, Pages::Ordinary)?;
        // SAFETY: an atomic is valid for any bits; the memory is not shared yet.
        unsafe { memory.mapping().at::<AtomicU64>(0) }.store(SEAT_MAGIC, Relaxed);
        // SAFETY: as above.
        unsafe { memory.mapping().at::<AtomicU64>(8) }.store(u64::from(LAYOUT_VERSION), Relaxed);
        memory.seal()?;
        Ok(Self { memory })
    }

    /// The descriptor to hand out.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.memory.fd()
    }

    pub(crate) fn line(&self) -> &SeatLine {
        // SAFETY: the line consists of atomics.
        unsafe { self.memory.mapping().at(SEAT_LINE_OFFSET) }
    }

    pub(crate) fn counts(&self) -> &SeatCounts {
        // SAFETY: the counts are atomics.
        unsafe { self.memory.mapping().at(SEAT_COUNTS_OFFSET) }
    }

    /// Delays from put to this receiver.
    pub(crate) fn handoff(&self) -> &DelayLine {
        // SAFETY: the line consists of atomics.
        unsafe { self.memory.mapping().at(SEAT_HANDOFF_OFFSET) }
    }

    /// Delays from the frames' own times to this receiver.
    pub(crate) fn age(&self) -> &DelayLine {
        // SAFETY: the line consists of atomics.
        unsafe { self.memory.mapping().at(SEAT_AGE_OFFSET) }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.memory.mapping().is_here() {
            self.line().state.store(SEAT_CLOSED, Release);
        }
    }
}

/// A read-only view of another process's seat.
#[derive(Debug)]
pub(crate) struct SeatView {
    fd: OwnedFd,
    mapping: Mapping,
}

impl SeatView {
    /// Maps a seat after checking its seals, size and header.
    pub(crate) fn open(fd: OwnedFd) -> Result<Self, RingError> {
        check_seals("seat", fd.as_fd(), SEAT_SIZE)?;
        let mapping = Mapping::read_only(fd.as_fd(), SEAT_SIZE)?;
        // SAFETY: atomics are valid for any bits.
        let (magic, version) = unsafe {
            (mapping.at::<AtomicU64>(0).load(Relaxed), mapping.at::<AtomicU64>(8).load(Relaxed))
        };
        if magic != SEAT_MAGIC || version != u64::from(LAYOUT_VERSION) {
            let reason = format!(
                "starts with {magic:#018x}, version {version}; want {SEAT_MAGIC:#018x}, version {LAYOUT_VERSION}"
            );
            return Err(RingError::foreign("seat", reason));
        }
        Ok(Self { fd, mapping })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn line(&self) -> &SeatLine {
        // SAFETY: the line consists of atomics.
        unsafe { self.mapping.at(SEAT_LINE_OFFSET) }
    }

    pub(crate) fn counts(&self) -> &SeatCounts {
        // SAFETY: the counts are atomics.
        unsafe { self.mapping.at(SEAT_COUNTS_OFFSET) }
    }

    pub(crate) fn handoff(&self) -> &DelayLine {
        // SAFETY: the line consists of atomics.
        unsafe { self.mapping.at(SEAT_HANDOFF_OFFSET) }
    }

    pub(crate) fn age(&self) -> &DelayLine {
        // SAFETY: the line consists of atomics.
        unsafe { self.mapping.at(SEAT_AGE_OFFSET) }
    }
}
