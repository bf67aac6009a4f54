//! A receiver: reads the ring of its group's source, and moves on to the next source's when that has ended.

use crate::beds::Beds;
use crate::clock::{Deadline, monotonic_ns};
use crate::error::RingError;
use crate::fork::ForkMark;
use crate::futex;
use crate::gate::{Gate, Waiter};
use crate::layout::RingId;
use crate::reader::{Cursor, Frame, Look, Past, Reader};
use crate::spin::{self, Spin};
use crate::words::Head;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Longest sleep without a look round.
const LOOK_NS: u64 = 1_000_000_000;

/// Pause between two attempts to wake a thread that is on its way to sleep.
const KNOCK_AGAIN: Duration = Duration::from_micros(20);

/// Counts of a receiver, over all the rings that it has read.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReceiverStats {
    /// Frames taken.
    pub frames: u64,
    /// Payload bytes of these frames.
    pub bytes: u64,
    /// Frames missed.
    pub missed: u64,
    /// How often a get had to sleep.
    pub waits: u64,
    /// Frames that the program holds.
    pub held: u32,
    /// Frames that the program may hold of the ring that it reads; 0 if there has been no ring.
    pub hold_limit: usize,
    /// Whether there is a source now.
    pub connected: bool,
}

/// A receiver. All calls may come from any thread.
#[derive(Debug)]
pub struct Receiver {
    gate: Gate,
    /// Whether to end when a source says goodbye; `None` follows the source's wish.
    close_at_end: Option<bool>,
    /// The clock of the frames' own times.
    tai_now: Option<fn() -> u64>,
    made: ForkMark,
    state: Mutex<State>,
    spin: Mutex<Spin>,
    waits: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    missed: AtomicU64,
    /// Threads in the slow path that also care for released frames.
    limited: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Cursor>,
    /// The current ring's source has died: what it published is all there will be.
    orphaned: bool,
    next: VecDeque<Arc<Reader>>,
    /// Rings that wait for their turn and whose sources have died.
    orphans: Vec<RingId>,
    /// What the next ring's first frame is compared with.
    past: Past,
    ended: bool,
    /// Rings that were left while frames of them are still held.
    left: Vec<std::sync::Weak<Reader>>,
    /// How many frames of the current ring, or of the last one if there is none, may be held.
    hold_limit: usize,
    beds: Beds,
}

enum Outcome {
    Frame(Frame),
    /// Sleep on this ring's head.
    Sleep(Arc<Reader>, Head),
    /// There is no ring to read from, or no frame may be taken.
    Idle,
    Ended,
}

impl Receiver {
    /// A receiver without a ring. `close_at_end` says whether the stream ends when a source says goodbye; `None` leaves that
    /// to the source.
    #[must_use]
    pub fn new(close_at_end: Option<bool>) -> Self {
        Self {
            gate: Gate::default(),
            close_at_end,
            tai_now: None,
            made: ForkMark::here(),
            state: Mutex::default(),
            spin: Mutex::new(Spin::new()),
            waits: AtomicU64::new(0),
            frames: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            missed: AtomicU64::new(0),
            limited: AtomicUsize::new(0),
        }
    }

    /// With a clock that shows TAI in nanoseconds, so that delays since the frames' own times are counted in the seat as well.
    #[must_use]
    pub fn with_tai_clock(self, tai_now: fn() -> u64) -> Self {
        Self { tai_now: Some(tai_now), ..self }
    }

    /// Whether a get may spin for some microseconds before it sleeps, which it does where that has paid before. It may by
    /// default; without, a waiting receiver uses no CPU at all, and fast hand-offs cost a system call each.
    pub fn set_spinning(&self, allowed: bool) {
        self.spin.lock().set_allowed(allowed);
    }

    /// A ring to read once everything of those before has been read.
    pub fn offer(&self, reader: Arc<Reader>) {
        let mut state = self.state.lock();
        if state.current.is_none() {
            state.hold_limit = reader.geometry().lease_limit();
        }
        state.next.push_back(reader);
        drop(state);
        self.rouse();
    }

    /// The source of a ring is dead: the ring ends with what was published.
    pub fn orphan(&self, ring: RingId) {
        {
            let mut state = self.state.lock();
            if state.current.as_ref().is_some_and(|cursor| cursor.reader.ring_id() == ring) {
                state.orphaned = true;
            } else if state.next.iter().any(|reader| reader.ring_id() == ring) {
                state.orphans.push(ring);
            }
        }
        self.rouse();
    }

    /// Whether a ring is being read, or will be.
    #[must_use]
    pub fn reads(&self, ring: RingId) -> bool {
        let state = self.state.lock();
        let current = state.current.iter().map(|cursor| &cursor.reader);
        current.chain(&state.next).any(|reader| reader.ring_id() == ring)
    }

    /// The ring that was offered last, unless it has been left.
    #[must_use]
    pub fn current(&self) -> Option<Arc<Reader>> {
        let state = self.state.lock();
        state.next.back().or(state.current.as_ref().map(|cursor| &cursor.reader)).cloned()
    }

    /// The next frame.
    pub fn get(&self, deadline: Deadline) -> Result<Frame, RingError> {
        if !self.made.is_here() {
            return Err(RingError::Forked);
        }
        self.gate.check_open()?;
        // Not within the match, which would hold the lock while it waits.
        let outcome = self.look(&mut self.state.lock());
        match outcome {
            Outcome::Frame(frame) => Ok(frame),
            Outcome::Ended => Err(RingError::Closed("the source has ended the stream")),
            _ if deadline == Deadline::Now => Err(RingError::Timeout("no frame is there")),
            _ => self.wait(deadline),
        }
    }

    /// Waits until [`get`](Self::get) would not block, without taking anything. Cancels pass by.
    pub fn wait_ready(&self, deadline: Deadline) -> Result<(), RingError> {
        self.block(deadline, self.gate.watch()?, Self::peek)
    }

    fn wait(&self, deadline: Deadline) -> Result<Frame, RingError> {
        self.block(deadline, self.gate.enter()?, |receiver, state| match receiver.look(state) {
            Outcome::Frame(frame) => Ok(frame),
            other => Err(other),
        })
    }

    /// Blocks until `look` gives something.
    fn block<T>(
        &self,
        deadline: Deadline,
        waiter: Waiter<'_>,
        look: impl Fn(&Self, &mut State) -> Result<T, Outcome>,
    ) -> Result<T, RingError> {
        let mut slept = false;
        loop {
            let gate = waiter.word();
            let outcome = match look(self, &mut self.state.lock()) {
                Ok(found) => return Ok(found),
                Err(outcome) => outcome,
            };
            waiter.check()?;
            let now = monotonic_ns();
            if deadline.passed(now) {
                return Err(RingError::Timeout("no frame came"));
            }
            let until = deadline.or(now + LOOK_NS);
            match outcome {
                Outcome::Frame(_) => {}
                Outcome::Ended => return Err(RingError::Closed("the source has ended the stream")),
                Outcome::Idle => {
                    let _limited = Counted::new(&self.limited);
                    // Between the look and the count a frame may have been given back without a word. What this look finds
                    // has been taken, so it must not get lost.
                    let outcome = look(self, &mut self.state.lock());
                    match outcome {
                        Ok(found) => return Ok(found),
                        Err(Outcome::Idle) => futex::wait_any(&[gate], until),
                        Err(_) => {}
                    }
                }
                Outcome::Sleep(reader, head) => {
                    let turn = self.spin.lock().turn();
                    if let Some(turn) = turn {
                        let spun = spin::spin(turn, || reader.head() != head);
                        // First the frame, then what there is to learn.
                        let ready = spun.ready();
                        let found =
                            if ready { look(self, &mut self.state.lock()).ok() } else { None };
                        self.spin.lock().learn(spun);
                        if let Some(found) = found {
                            return Ok(found);
                        }
                        if spun.ready() {
                            continue;
                        }
                    }
                    let bed = self.state.lock().beds.lie_down(&reader, head, gate);
                    let Some(bed) = bed else { continue };
                    let asleep = reader.announce_sleep(head);
                    if asleep {
                        if !std::mem::replace(&mut slept, true) {
                            self.waits.fetch_add(1, Relaxed);
                        }
                        futex::wait_any(&[reader.head_word(head)], until);
                    }
                    let mut state = self.state.lock();
                    state.beds.get_up(bed);
                    // As above.
                    let found = look(self, &mut state).ok();
                    drop(state);
                    if asleep {
                        self.spin.lock().slept(monotonic_ns() - now);
                    }
                    if let Some(found) = found {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// Whether there is something to get.
    fn peek(&self, state: &mut State) -> Result<(), Outcome> {
        loop {
            Self::change_seats(state);
            let Some(cursor) = &state.current else {
                if self.advance(state) {
                    continue;
                }
                return if state.ended { Ok(()) } else { Err(Outcome::Idle) };
            };
            let reader = &cursor.reader;
            let head = reader.head();
            if head.count() > cursor.next {
                let full = reader.held() as usize >= reader.geometry().lease_limit();
                return if full { Err(Outcome::Idle) } else { Ok(()) };
            }
            if head.closed() || state.orphaned || !state.next.is_empty() {
                self.leave(state, head.closed());
                continue;
            }
            return Err(Outcome::Sleep(Arc::clone(reader), head));
        }
    }

    fn look(&self, state: &mut State) -> Outcome {
        loop {
            Self::change_seats(state);
            // Looked at before the head: what a dead or replaced source published is then all there.
            let over = state.orphaned || !state.next.is_empty();
            let Some(cursor) = &mut state.current else {
                if self.advance(state) {
                    continue;
                }
                return if state.ended { Outcome::Ended } else { Outcome::Idle };
            };
            match cursor.look() {
                Look::Taken(frame) => {
                    // Written under the lock only.
                    let add = |count: &AtomicU64, more| {
                        count.store(count.load(Relaxed) + more, Relaxed);
                    };
                    add(&self.frames, 1);
                    add(&self.bytes, frame.payload_len() as u64);
                    let missed = frame.info().missed;
                    if missed > 0 {
                        self.missed.fetch_add(missed, Relaxed);
                    }
                    return Outcome::Frame(frame);
                }
                Look::Limit => return Outcome::Idle,
                Look::Ended => self.leave(state, true),
                Look::Nothing(_) if over => self.leave(state, false),
                Look::Nothing(head) => return Outcome::Sleep(Arc::clone(&cursor.reader), head),
            }
        }
    }

    /// Moves to the next ring. False if there is none, or the stream has ended.
    fn advance(&self, state: &mut State) -> bool {
        if state.ended {
            return false;
        }
        let Some(reader) = state.next.pop_front() else { return false };
        let ring = reader.ring_id();
        state.orphaned = state.orphans.contains(&ring);
        state.orphans.retain(|orphan| *orphan != ring);
        state.hold_limit = reader.geometry().lease_limit();
        state.current = Some(Cursor::new(reader, state.past, self.tai_now));
        true
    }

    /// Where the next ring is the present one, joined once more, it is read on with the new seat, each frame once.
    fn change_seats(state: &mut State) {
        while let (Some(cursor), Some(next)) = (&mut state.current, state.next.front())
            && next.ring_id() == cursor.reader.ring_id()
        {
            let left = cursor.sit(Arc::clone(next));
            state.next.pop_front();
            state.left.retain(|reader| reader.strong_count() > 0);
            state.left.push(Arc::downgrade(&left));
        }
    }

    /// Leaves the current ring, which has been read to its end.
    fn leave(&self, state: &mut State, farewell: bool) {
        if let Some(cursor) = state.current.take() {
            state.ended |= farewell && self.close_at_end.unwrap_or(cursor.reader.close_at_end());
            state.past = cursor.past;
            state.left.retain(|reader| reader.strong_count() > 0);
            state.left.push(Arc::downgrade(&cursor.reader));
        }
    }

    /// A frame was given back: a thread may wait for that.
    pub fn released(&self) {
        if self.limited.load(std::sync::atomic::Ordering::SeqCst) > 0 {
            self.gate.bump();
        }
    }

    /// Ends this receiver: blocked and later calls fail.
    pub fn close(&self, reason: &'static str) {
        if !self.made.is_here() {
            return;
        }
        self.gate.close(reason);
        self.knock();
        let mut state = self.state.lock();
        if let Some(cursor) = state.current.take() {
            state.past = cursor.past;
        }
        state.next.clear();
    }

    /// Interrupts blocked calls, or the next one that would block.
    pub fn cancel(&self) {
        self.gate.cancel();
        self.knock();
    }

    /// Has all blocked threads look again.
    fn rouse(&self) {
        self.gate.bump();
        self.knock();
    }

    /// Wakes those who sleep on heads, after the gate has changed.
    fn knock(&self) {
        let gate = self.gate.value();
        while self.state.lock().beds.knock(gate) {
            std::thread::sleep(KNOCK_AGAIN);
        }
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> ReceiverStats {
        if !self.made.is_here() {
            return ReceiverStats::default();
        }
        let state = self.state.lock();
        let current = state.current.as_ref().map(|cursor| &cursor.reader);
        let untold = state.current.as_ref().map_or(state.past, |cursor| cursor.past).missed;
        let left: u32 = state
            .left
            .iter()
            .filter_map(std::sync::Weak::upgrade)
            .map(|reader| reader.held())
            .sum();
        ReceiverStats {
            frames: self.frames.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            missed: self.missed.load(Relaxed).saturating_add(untold),
            waits: self.waits.load(Relaxed),
            held: left + current.map_or(0, |reader| reader.held()),
            hold_limit: state.hold_limit,
            connected: current.is_some_and(|_| !state.orphaned)
                || state.next.iter().any(|next| !state.orphans.contains(&next.ring_id())),
        }
    }
}

/// Counts itself while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
    }
}
