//! The protocol's steps, and variants that are broken on purpose.

use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
use loom::sync::atomic::fence;
use shm::protocol;
use shm::words::{Board, Head, SeatLine, lease_bit};

/// The steps of both sides. What is not overridden is the real protocol.
pub(crate) trait Rules: 'static {
    /// Whether the receiver waits for the source's confirmation before it touches the ring.
    const HANDSHAKE: bool = true;
    /// Whether a waiting source reads the ticks before it checks its condition.
    const TICKS_FIRST: bool = true;

    fn take(board: Board<'_>, seat: &SeatLine, slot: usize, wanted: u64) -> bool {
        protocol::take(board, seat, slot, wanted)
    }
    fn give_back(seat: &SeatLine, slot: usize) {
        protocol::give_back(seat, slot);
    }
    fn moved(board: Board<'_>, seat: &SeatLine) -> bool {
        protocol::moved(board, seat)
    }
    fn announce_sleep(board: Board<'_>, seat: &SeatLine, head: Head) -> bool {
        protocol::announce_sleep(board, seat, head)
    }
    fn publish(board: Board<'_>, sequence: u64, slot: usize) -> Head {
        protocol::publish(board, sequence, slot)
    }
    fn settle() {
        protocol::settle();
    }
    fn leased(seat: &SeatLine, slot: usize) -> bool {
        protocol::leased(seat, slot)
    }
    fn begin_wait(board: Board<'_>) {
        protocol::begin_wait(board);
    }
}

/// The protocol as it is.
pub(crate) struct Real;
impl Rules for Real {}

/// The receiver checks the slot without a fence after announcing its lease.
pub(crate) struct TakeWithoutFence;
impl Rules for TakeWithoutFence {
    fn take(board: Board<'_>, seat: &SeatLine, slot: usize, wanted: u64) -> bool {
        let (word, bit) = lease_bit(slot);
        seat.leases[word].fetch_or(bit, AcqRel);
        if board.slots[slot].sequence.load(Acquire) == wanted {
            seat.position.store(wanted + 1, Release);
            return true;
        }
        seat.leases[word].fetch_and(!bit, Release);
        false
    }
}

/// The source looks at the leases without a fence after invalidating the slot.
pub(crate) struct SettleWithoutFence;
impl Rules for SettleWithoutFence {
    fn settle() {}
}

/// The source looks at the leases with an order too weak to be after the receiver's reads.
pub(crate) struct RelaxedScan;
impl Rules for RelaxedScan {
    fn leased(seat: &SeatLine, slot: usize) -> bool {
        let (word, bit) = lease_bit(slot);
        seat.leases[word].load(Relaxed) & bit != 0
    }
}

/// The receiver gives back with an order too weak to be after its reads.
pub(crate) struct RelaxedGiveBack;
impl Rules for RelaxedGiveBack {
    fn give_back(seat: &SeatLine, slot: usize) {
        let (word, bit) = lease_bit(slot);
        seat.leases[word].fetch_and(!bit, Relaxed);
    }
}

/// The receiver tells its position before it has the lease.
pub(crate) struct PositionFirst;
impl Rules for PositionFirst {
    fn take(board: Board<'_>, seat: &SeatLine, slot: usize, wanted: u64) -> bool {
        seat.position.store(wanted + 1, Release);
        protocol::take(board, seat, slot, wanted)
    }
}

/// The receiver looks at the head without a fence after announcing that it sleeps.
pub(crate) struct SleepWithoutFence;
impl Rules for SleepWithoutFence {
    fn announce_sleep(board: Board<'_>, seat: &SeatLine, head: Head) -> bool {
        seat.sleep.fetch_max(head.sleep_word(), Relaxed);
        board.line.head.load(Relaxed) == head.0
    }
}

/// The receiver announces its sleep even where a newer announcement stands.
pub(crate) struct SleepOverwrites;
impl Rules for SleepOverwrites {
    fn announce_sleep(board: Board<'_>, seat: &SeatLine, head: Head) -> bool {
        seat.sleep.store(head.sleep_word(), Relaxed);
        fence(SeqCst);
        board.line.head.load(Relaxed) == head.0
    }
}

/// The source looks for sleepers without a fence after publishing.
pub(crate) struct PublishWithoutFence;
impl Rules for PublishWithoutFence {
    fn publish(board: Board<'_>, sequence: u64, slot: usize) -> Head {
        board.slots[slot].sequence.store(sequence, Release);
        let entry = sequence << 8 | slot as u64;
        board.entries[(sequence % board.entries.len() as u64) as usize].store(entry, Release);
        Head(board.line.head.swap(Head::new(sequence + 1, slot as u8).0, AcqRel))
    }
}

/// The receiver looks whether the source waits without a fence after moving.
pub(crate) struct MovedWithoutFence;
impl Rules for MovedWithoutFence {
    fn moved(board: Board<'_>, seat: &SeatLine) -> bool {
        seat.tick.fetch_add(1, AcqRel);
        board.line.waiting.load(Relaxed) != 0
    }
}

/// The source looks at the seats without a fence after announcing that it waits.
pub(crate) struct WaitWithoutFence;
impl Rules for WaitWithoutFence {
    fn begin_wait(board: Board<'_>) {
        board.line.waiting.fetch_add(1, AcqRel);
    }
}

/// The source reads the ticks after it has looked.
pub(crate) struct TicksLast;
impl Rules for TicksLast {
    const TICKS_FIRST: bool = false;
}

/// The receiver begins before the source has put it on its list.
pub(crate) struct NoHandshake;
impl Rules for NoHandshake {
    const HANDSHAKE: bool = false;
}
