//! A ring in the model checker's memory.

use crate::rules::Rules;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering::Acquire};
use loom::sync::{Condvar, Mutex};
use shm::protocol::{self, Located};
use shm::words::{
    Board, Head, HeadLine, LEASE_WORDS, NO_FRAME, OwnLine, SEAT_OPEN, SeatLine, SlotLine,
};
use std::marker::PhantomData;
use std::sync::Arc;

/// Runs a model. Bounds keep the number of executions in check where three threads take part.
pub(crate) fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}

/// Content of a frame.
pub(crate) fn content(sequence: u64) -> u64 {
    sequence * 7 + 1000
}

/// Board, frames and seats.
pub(crate) struct Ring<R> {
    line: HeadLine,
    entries: Vec<AtomicU64>,
    slots: Vec<SlotLine>,
    frames: Vec<UnsafeCell<u64>>,
    pub(crate) seats: Vec<SeatLine>,
    /// Wakes the receivers that sleep on the head.
    pub(crate) head_futex: Futex,
    /// Wakes the source that sleeps on a tick.
    pub(crate) tick_futex: Futex,
    rules: PhantomData<fn() -> R>,
}

impl<R: Rules> Ring<R> {
    pub(crate) fn new(slots: usize, seats: usize) -> Arc<Self> {
        let slot = |_| SlotLine {
            sequence: AtomicU64::new(NO_FRAME),
            tai_ns: AtomicU64::new(0),
            published_ns: AtomicU64::new(0),
            payload_len: AtomicU32::new(0),
            metadata_len: AtomicU32::new(0),
            flags: AtomicU32::new(0),
            regions: AtomicU32::new(0),
            origin_sequence: AtomicU64::new(0),
            origin_mark: AtomicU32::new(0),
        };
        let seat = |_| SeatLine {
            leases: [(); LEASE_WORDS].map(|()| AtomicU64::new(0)),
            position: AtomicU64::new(0),
            sleep: OwnLine(AtomicU64::new(0)),
            tick: AtomicU32::new(0),
            state: AtomicU32::new(SEAT_OPEN),
        };
        Arc::new(Self {
            line: HeadLine {
                head: AtomicU64::new(0),
                waiting: AtomicU32::new(0),
                flags: AtomicU32::new(0),
            },
            entries: (0..4).map(|_| AtomicU64::new(u64::MAX)).collect(),
            slots: (0..slots).map(slot).collect(),
            frames: (0..slots).map(|_| UnsafeCell::new(0)).collect(),
            seats: (0..seats).map(seat).collect(),
            head_futex: Futex::default(),
            tick_futex: Futex::default(),
            rules: PhantomData,
        })
    }

    pub(crate) fn board(&self) -> Board<'_> {
        Board { line: &self.line, entries: &self.entries, slots: &self.slots }
    }

    /// Source: fills a slot that is its own, publishes it, and wakes those who sleep on the head
    /// that this replaces.
    pub(crate) fn put(&self, sequence: u64, slot: usize) {
        // SAFETY: according to the protocol under test no thread reads the slot now; the checker
        // reports it if that is wrong.
        self.frames[slot].with_mut(|frame| unsafe { *frame = content(sequence) });
        let replaced = R::publish(self.board(), sequence, slot);
        self.wake_sleepers(replaced);
    }

    /// Source: closes the ring.
    pub(crate) fn close(&self) {
        let replaced = protocol::close(self.board());
        self.wake_sleepers(replaced);
    }

    fn wake_sleepers(&self, replaced: Head) {
        if self.seats.iter().any(|seat| protocol::sleeps_on(seat, replaced)) {
            self.head_futex.wake();
        }
    }

    /// Source: takes a slot back from the receivers. Returns whether none of the seats holds it.
    pub(crate) fn reclaim(&self, slot: usize, seats: &[SeatLine]) -> bool {
        protocol::invalidate(self.board(), slot);
        R::settle();
        !self.leased(slot, seats)
    }

    /// Source: looks again at a slot that was held.
    pub(crate) fn leased(&self, slot: usize, seats: &[SeatLine]) -> bool {
        seats.iter().any(|seat| R::leased(seat, slot))
    }

    /// Source: waits until the condition holds, on the tick of the first seat.
    pub(crate) fn wait_until(&self, ready: impl Fn() -> bool) {
        let seat = &self.seats[0];
        loop {
            let mut tick = protocol::tick(seat);
            R::begin_wait(self.board());
            let done = ready();
            if !R::TICKS_FIRST {
                tick = protocol::tick(seat);
            }
            if !done {
                self.tick_futex.wait(|| seat.tick.load(Acquire) == tick);
            }
            protocol::end_wait(self.board());
            if done {
                return;
            }
        }
    }

    /// Receiver: tells the source that the seat has changed.
    pub(crate) fn moved(&self, seat: &SeatLine) {
        if R::moved(self.board(), seat) {
            self.tick_futex.wake();
        }
    }

    /// Receiver: takes the frame `wanted` and checks that it is whole and the right one. Does not
    /// give it back.
    pub(crate) fn try_take(&self, seat: &SeatLine, wanted: u64) -> Option<usize> {
        let head = protocol::load_head(self.board());
        let Located::Slot(slot) = protocol::locate(self.board(), head, wanted) else { return None };
        let taken = R::take(self.board(), seat, slot, wanted);
        // Before the frame is read, as in the receiver: the fence in here must not hide what comes
        // after.
        self.moved(seat);
        taken.then(|| {
            self.assert_frame(slot, wanted);
            slot
        })
    }

    /// Receiver: reads a frame that it holds.
    pub(crate) fn assert_frame(&self, slot: usize, sequence: u64) {
        // SAFETY: according to the lease no thread writes the slot now; the checker reports it if
        // that is wrong.
        let found = self.frames[slot].with(|frame| unsafe { *frame });
        assert_eq!(found, content(sequence), "wrong frame");
    }

    /// Receiver: gives a frame back.
    pub(crate) fn give_back(&self, seat: &SeatLine, slot: usize) {
        R::give_back(seat, slot);
        self.moved(seat);
    }

    /// Receiver: takes the frame, checks it and gives it back. Returns whether it was there.
    pub(crate) fn read(&self, seat: &SeatLine, wanted: u64) -> bool {
        let slot = self.try_take(seat, wanted);
        slot.inspect(|&slot| self.give_back(seat, slot)).is_some()
    }

    /// Receiver: sleeps until the head is beyond `wanted`, or closed.
    pub(crate) fn sleep_until(&self, seat: &SeatLine, wanted: u64) -> Head {
        loop {
            let head = protocol::load_head(self.board());
            if head.count() > wanted || head.closed() {
                return head;
            }
            self.sleep_on(seat, head);
        }
    }

    /// Receiver: sleeps unless the head has changed.
    pub(crate) fn sleep_on(&self, seat: &SeatLine, head: Head) {
        if R::announce_sleep(self.board(), seat, head) {
            self.head_futex.wait(|| self.line.head.load(Acquire) == head.0);
        }
    }
}

/// The kernel's part: it compares and falls asleep in one step, and wakers wait for that step.
#[derive(Default)]
pub(crate) struct Futex {
    bucket: Mutex<()>,
    sleepers: Condvar,
}

impl Futex {
    fn wait(&self, unchanged: impl Fn() -> bool) {
        let bucket = self.bucket.lock().unwrap();
        if unchanged() {
            drop(self.sleepers.wait(bucket).unwrap());
        }
    }

    fn wake(&self) {
        drop(self.bucket.lock().unwrap());
        self.sleepers.notify_all();
    }
}
