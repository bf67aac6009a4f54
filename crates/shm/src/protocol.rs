//! The exchange protocol: the order of loads, stores and fences by which frames are published,
//! leased, released and reclaimed, and by which both sides wait. This module maps no memory and
//! makes no system call; `tests/loom.rs` runs exactly these functions in the model checker.
//!
//! The argument is that of hazard pointers. A receiver *announces* a lease, fences, and then
//! *checks* that the slot still carries the frame; the source *invalidates* the slot, fences, and
//! then *reads* all leases. In the single total order of the fences one of them comes first: either
//! the source sees the lease, or the receiver sees the invalidation.

use crate::sync::{Ordering, fence, fence_after_rmw};
use crate::words::{Board, FLAG_ABANDONED, Head, NO_FRAME, SeatLine, lease_bit};
use Ordering::{Acquire, Relaxed, Release, SeqCst};

/// Location of a frame, as far as a receiver knows before it has leased the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Located {
    /// In this slot.
    Slot(usize),
    /// Not published yet.
    Ahead,
    /// Gone: the source reused its slot.
    Lapped,
}

/// Receiver: finds the frame `wanted`, given a head that was loaded with [`load_head`].
#[must_use]
pub fn locate(board: Board<'_>, head: Head, wanted: u64) -> Located {
    let count = head.count();
    if wanted >= count {
        return Located::Ahead;
    }
    let slot = if wanted + 1 == count {
        head.slot()
    } else {
        let entry = board.entries[(wanted % board.entries.len() as u64) as usize].load(Acquire);
        if entry >> 8 != wanted {
            return Located::Lapped;
        }
        (entry & 0xff) as usize
    };
    // A slot number beyond the pool can only come from a broken source; there is no such frame.
    if slot < board.slots.len() { Located::Slot(slot) } else { Located::Lapped }
}

/// The head, ordered before everything that it publishes.
#[must_use]
pub fn load_head(board: Board<'_>) -> Head {
    Head(board.line.head.load(Acquire))
}

/// Receiver: leases `slot` if it still holds the frame `wanted`. Where it does, the frame is the
/// receiver's until [`give_back`], and its position has moved past it.
///
/// Returns whether the lease holds. The caller then calls [`moved`]; it serialises takes on one
/// seat.
#[must_use]
pub fn take(board: Board<'_>, seat: &SeatLine, slot: usize, wanted: u64) -> bool {
    let (word, bit) = lease_bit(slot);
    seat.leases[word].fetch_or(bit, SeqCst);
    fence_after_rmw();
    if board.slots[slot].sequence.load(Acquire) == wanted {
        seat.position.store(wanted + 1, Release);
        true
    } else {
        seat.leases[word].fetch_and(!bit, Release);
        false
    }
}

/// Receiver: gives a leased slot back. The caller then calls [`moved`].
pub fn give_back(seat: &SeatLine, slot: usize) {
    let (word, bit) = lease_bit(slot);
    seat.leases[word].fetch_and(!bit, Release);
}

/// Receiver: tells the source that the seat has changed. Returns whether the source waits, so that
/// the caller wakes the sleepers on the seat's tick.
#[must_use]
pub fn moved(board: Board<'_>, seat: &SeatLine) -> bool {
    seat.tick.fetch_add(1, SeqCst);
    fence_after_rmw();
    board.line.waiting.load(Relaxed) != 0
}

/// Receiver: announces that it is about to sleep on `head`. Returns whether it may: the head is
/// still the same.
///
/// The word need not be taken back after waking: it only ever matches the head that is replaced
/// next. Several threads may sleep on one seat. It only grows, so that one with an old head does
/// not undo the announcement of one with the newest.
#[must_use]
pub fn announce_sleep(board: Board<'_>, seat: &SeatLine, head: Head) -> bool {
    seat.sleep.fetch_max(head.sleep_word(), Relaxed);
    fence(SeqCst);
    board.line.head.load(Relaxed) == head.0
}

/// Source: publishes the frame `sequence`, which was written into `slot`. Returns the head that was
/// replaced, for [`sleeps_on`].
#[must_use]
pub fn publish(board: Board<'_>, sequence: u64, slot: usize) -> Head {
    board.slots[slot].sequence.store(sequence, Release);
    let entry = sequence << 8 | slot as u64;
    board.entries[(sequence % board.entries.len() as u64) as usize].store(entry, Release);
    let replaced = board.line.head.swap(Head::new(sequence + 1, slot as u8).0, SeqCst);
    fence_after_rmw();
    Head(replaced)
}

/// Source: closes the ring. Returns the head that was replaced, for [`sleeps_on`].
#[must_use]
pub fn close(board: Board<'_>) -> Head {
    let replaced = board.line.head.fetch_or(1, SeqCst);
    fence_after_rmw();
    Head(replaced)
}

/// Source: leaves the ring, whose stream goes on elsewhere. Nothing is published after this. Who
/// sleeps on the head need not be woken for the sake of order: all that is left to learn here is
/// that this ring can be let go.
pub fn abandon(board: Board<'_>) {
    board.line.flags.fetch_or(FLAG_ABANDONED, Release);
}

/// Receiver: whether the source has left the ring. A head that is loaded after a yes is the last
/// one.
#[must_use]
pub fn is_abandoned(board: Board<'_>) -> bool {
    board.line.flags.load(Acquire) & FLAG_ABANDONED != 0
}

/// Source: whether a receiver sleeps on the head that has just been replaced, and so must be woken.
#[must_use]
pub fn sleeps_on(seat: &SeatLine, replaced: Head) -> bool {
    seat.sleep.load(Relaxed) == replaced.sleep_word()
}

/// Source: takes the frame in `slot` away from everyone who has not leased it yet. After the last
/// of a batch the caller calls [`settle`] and then asks [`leased`] for each seat and slot.
pub fn invalidate(board: Board<'_>, slot: usize) {
    board.slots[slot].sequence.store(NO_FRAME, Relaxed);
}

/// Source: the fence between [`invalidate`] and [`leased`].
pub fn settle() {
    fence(SeqCst);
}

/// Source: whether the seat holds a lease of an invalidated slot. Once it says no, it says no for
/// ever, apart from receivers that announce a lease and withdraw it without having looked at the
/// frame.
#[must_use]
pub fn leased(seat: &SeatLine, slot: usize) -> bool {
    let (word, bit) = lease_bit(slot);
    seat.leases[word].load(Acquire) & bit != 0
}

/// Source: a seat's tick. It must be read before [`begin_wait`]: a receiver that moves after this
/// changes the word that the source sleeps on.
#[must_use]
pub fn tick(seat: &SeatLine) -> u32 {
    seat.tick.load(Acquire)
}

/// Source: announces that it waits. The caller looks at all seats once more, sleeps on the ticks it
/// read before, and calls [`end_wait`].
pub fn begin_wait(board: Board<'_>) {
    board.line.waiting.fetch_add(1, SeqCst);
    fence_after_rmw();
}

/// Source: takes [`begin_wait`] back.
pub fn end_wait(board: Board<'_>) {
    board.line.waiting.fetch_sub(1, Relaxed);
}
