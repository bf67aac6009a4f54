//! Ownership of each slot, as the source records it.

use super::seats::Seats;
use crate::layout::Geometry;
use crate::protocol;
use crate::words::Board;
use std::collections::VecDeque;

/// A published frame whose slot has not been taken back yet.
#[derive(Clone, Copy, Debug)]
struct Published {
    sequence: u64,
    slot: usize,
    at: u64,
}

/// The slots of a pool.
#[derive(Debug)]
pub(super) struct Slots {
    /// Free ones; the one used last is on top, because it is the warmest in the caches.
    free: Vec<usize>,
    /// Published ones, oldest first.
    queue: VecDeque<Published>,
    /// Taken back from the queue, but a receiver still holds them.
    aside: Vec<usize>,
    /// Slots that were ever in use; those behind have no memory yet.
    touched: usize,
    writing: usize,
    next: u64,
}

impl Slots {
    pub(super) fn new(geometry: &Geometry) -> Self {
        Self {
            free: (0..geometry.base_slots).rev().collect(),
            queue: VecDeque::with_capacity(geometry.slot_count),
            aside: Vec::with_capacity(geometry.slot_count),
            touched: geometry.base_slots,
            writing: 0,
            next: 0,
        }
    }

    /// Frames published so far.
    pub(super) fn published(&self) -> u64 {
        self.next
    }

    /// Slots in the program's hands.
    pub(super) fn writing(&self) -> usize {
        self.writing
    }

    /// Time at which a frame was published, unless its slot has been reclaimed.
    pub(super) fn published_at(&self, sequence: u64) -> Option<u64> {
        let oldest = self.queue.front()?.sequence;
        let frame = self.queue.get(usize::try_from(sequence.checked_sub(oldest)?).ok()?)?;
        Some(frame.at)
    }

    /// A free slot for the program.
    pub(super) fn pick(
        &mut self,
        board: Board<'_>,
        geometry: &Geometry,
        seats: &mut Seats,
    ) -> Option<usize> {
        if self.writing >= geometry.capacity {
            return None;
        }
        // Frames that all receivers have taken are free, the newest of them first.
        self.reclaim(board, seats, seats.wanted_from(), usize::MAX);
        if self.free.is_empty() {
            // Next, frames that only receivers want who are not waited for: as few as needed, the
            // oldest first.
            let kept = seats.kept_from(self.next, geometry.capacity as u64);
            while self.free.is_empty() && self.reclaim(board, seats, kept, 1) {}
        }
        if self.free.is_empty() {
            seats.evict_hoarders(geometry.lease_limit());
            self.recheck(seats);
        }
        let slot = self.free.pop()?;
        self.writing += 1;
        Some(slot)
    }

    /// A slot that was never used, for when leases hold all the others.
    pub(super) fn grow(&mut self, geometry: &Geometry) -> Option<usize> {
        if self.writing >= geometry.capacity || self.touched >= geometry.slot_count {
            return None;
        }
        self.touched += 1;
        self.writing += 1;
        Some(self.touched - 1)
    }

    /// Takes back at most `most` frames older than `until`. Returns whether there were any.
    fn reclaim(&mut self, board: Board<'_>, seats: &Seats, until: u64, most: usize) -> bool {
        self.recheck(seats);
        let count = self.queue.iter().take(most).take_while(|frame| frame.sequence < until).count();
        if count == 0 {
            return false;
        }
        for frame in self.queue.iter().take(count) {
            protocol::invalidate(board, frame.slot);
        }
        protocol::settle();
        for frame in self.queue.drain(..count) {
            if seats.any_leases(frame.slot) {
                self.aside.push(frame.slot);
            } else {
                self.free.push(frame.slot);
            }
        }
        true
    }

    /// Looks again at what receivers held.
    fn recheck(&mut self, seats: &Seats) {
        let free = &mut self.free;
        self.aside.retain(|&slot| {
            let leased = seats.any_leases(slot);
            if !leased {
                free.push(slot);
            }
            leased
        });
    }

    /// The program has published the slot as the next frame.
    pub(super) fn published_slot(&mut self, slot: usize, at: u64) {
        self.queue.push_back(Published { sequence: self.next, slot, at });
        self.next += 1;
        self.writing -= 1;
    }

    /// The program gives the slot back unpublished.
    pub(super) fn discard(&mut self, slot: usize) {
        self.free.push(slot);
        self.writing -= 1;
    }
}
