//! A receiver: reads the ring of its group's source and changes to the next source's ring when that
//! one has ended.

mod rings;

use crate::clock::{Deadline, monotonic_ns};
use crate::error::RingError;
use crate::fork::ForkMark;
use crate::futex;
use crate::interrupt::{Interrupt, Waiter};
use crate::layout::RingId;
use crate::reader::{Frame, Reader};
use crate::source::AtEnd;
use crate::spin::{self, Spin};
use crate::stats::Stats;
use parking_lot::Mutex;
use rings::{Outcome, State};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Time that a stream goes on after its source has closed, if neither source nor receiver sets
/// `endOfStream`: a source that is replaced within it does not end the stream.
pub const GRACE: Duration = Duration::from_nanos(GRACE_NS);

/// Programs of the original library wait for a second and treat a time-out as a failure, so the end
/// has to come sooner.
const GRACE_NS: u64 = 500_000_000;

/// Longest wait without a check of all conditions.
const LOOK_NS: u64 = 1_000_000_000;

/// Pause between two attempts to wake a thread that has registered but does not wait yet.
const WAKE_AGAIN: Duration = Duration::from_micros(20);

/// A receiver. All calls may come from any thread.
#[derive(Debug)]
pub struct Receiver {
    interrupt: Interrupt,
    /// What to do when a source closes; `None` leaves that to the source.
    at_end: Option<AtEnd>,
    /// Whether a get reports each source's close.
    tells_ends: bool,
    /// The clock of the frames' own times.
    tai_now: Option<fn() -> u64>,
    made: ForkMark,
    state: Mutex<State>,
    spin: Mutex<Spin>,
    waits: AtomicU64,
    frames: AtomicU64,
    bytes: AtomicU64,
    missed: AtomicU64,
    /// Blocked threads that released frames may unblock.
    limited: AtomicUsize,
}

impl Receiver {
    /// A receiver without a ring. `at_end` determines what happens to the stream when a source
    /// closes; `None` leaves that to the source.
    #[must_use]
    pub fn new(at_end: Option<AtEnd>) -> Self {
        Self {
            interrupt: Interrupt::default(),
            at_end,
            tells_ends: false,
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

    /// With a TAI clock in nanoseconds, so that the seat also counts delays since the frames' own
    /// timestamps.
    #[must_use]
    pub fn with_tai_clock(self, tai_now: fn() -> u64) -> Self {
        Self { tai_now: Some(tai_now), ..self }
    }

    /// Lets one get fail with [`RingError::SourceClosed`] after the last frame of a source that has
    /// closed, before it returns frames of the next source.
    #[must_use]
    pub fn telling_ends(self) -> Self {
        Self { tells_ends: true, ..self }
    }

    /// Whether a get may spin for some microseconds before it waits, which it does only where
    /// spinning has succeeded before. The default is yes; without spinning, a waiting receiver uses
    /// no CPU, and each fast hand-off costs a system call.
    pub fn set_spinning(&self, allowed: bool) {
        self.spin.lock().set_allowed(allowed);
    }

    /// Adds a ring, which is read after all rings before it.
    pub fn offer(&self, reader: Arc<Reader>) {
        let mut state = self.state.lock();
        if state.current.is_none() {
            state.hold_limit = reader.geometry().lease_limit();
        }
        state.next.push_back(reader);
        drop(state);
        self.wake_all();
    }

    /// Notes that the source of a ring is dead: the ring ends with its last published frame.
    pub fn orphan(&self, ring: RingId) {
        {
            let mut state = self.state.lock();
            if state.current.as_ref().is_some_and(|cursor| cursor.reader.ring_id() == ring) {
                state.orphaned = true;
            } else if state.next.iter().any(|reader| reader.ring_id() == ring) {
                state.orphans.push(ring);
            }
        }
        self.wake_all();
    }

    /// Whether this ring is the current one or one of the next.
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

    /// Takes the next frame.
    pub fn get(&self, deadline: Deadline) -> Result<Frame, RingError> {
        if !self.made.is_here() {
            return Err(RingError::Forked);
        }
        self.interrupt.check_open()?;
        // Not within the match, which would hold the lock while it waits.
        let outcome = self.look(&mut self.state.lock());
        match outcome {
            Outcome::Frame(frame) => Ok(frame),
            Outcome::Ended => Err(RingError::Ended),
            Outcome::SourceClosed => Err(RingError::SourceClosed),
            _ if deadline == Deadline::Now => Err(RingError::Timeout("no frame is there")),
            _ => self.wait(deadline),
        }
    }

    /// Waits until [`get`](Self::get) would not block, without taking a frame. Cancels do not
    /// interrupt it.
    pub fn wait_ready(&self, deadline: Deadline) -> Result<(), RingError> {
        self.block(deadline, self.interrupt.watch()?, Self::peek)
    }

    fn wait(&self, deadline: Deadline) -> Result<Frame, RingError> {
        self.block(deadline, self.interrupt.enter()?, |receiver, state| {
            match receiver.look(state) {
                Outcome::Frame(frame) => Ok(frame),
                other => Err(other),
            }
        })
    }

    /// Blocks until `look` succeeds.
    fn block<T>(
        &self,
        deadline: Deadline,
        waiter: Waiter<'_>,
        look: impl Fn(&Self, &mut State) -> Result<T, Outcome>,
    ) -> Result<T, RingError> {
        let mut slept = false;
        loop {
            let interrupt = waiter.word();
            let outcome = match look(self, &mut self.state.lock()) {
                Ok(found) => return Ok(found),
                Err(outcome) => outcome,
            };
            waiter.check()?;
            let now = monotonic_ns();
            if deadline.passed(now) {
                return Err(RingError::Timeout("no frame came"));
            }
            let ends_at = self.state.lock().ends_at.unwrap_or(u64::MAX);
            let until = deadline.or(now + LOOK_NS).min(ends_at);
            match outcome {
                Outcome::Frame(_) => {}
                Outcome::Ended => return Err(RingError::Ended),
                Outcome::SourceClosed => return Err(RingError::SourceClosed),
                Outcome::Idle => {
                    let _limited = Counted::new(&self.limited);
                    // A frame may have been released between the first look and the count, without
                    // a wake. A frame that this look takes must be returned.
                    let outcome = look(self, &mut self.state.lock());
                    match outcome {
                        Ok(found) => return Ok(found),
                        Err(Outcome::Idle) => futex::wait_any(&[interrupt], until),
                        Err(Outcome::SourceClosed) => return Err(RingError::SourceClosed),
                        Err(_) => {}
                    }
                }
                Outcome::Sleep(reader, head) => {
                    let turn = self.spin.lock().turn();
                    if let Some(turn) = turn {
                        let spun = spin::spin(turn, || reader.head() != head);
                        // The frame comes first; learning can wait.
                        let ready = spun.ready();
                        let found = ready.then(|| look(self, &mut self.state.lock()));
                        self.spin.lock().learn(spun);
                        match found {
                            Some(Ok(found)) => return Ok(found),
                            Some(Err(Outcome::SourceClosed)) => {
                                return Err(RingError::SourceClosed);
                            }
                            Some(Err(_)) | None => {}
                        }
                        if spun.ready() {
                            continue;
                        }
                    }
                    let entry = self.state.lock().head_waiters.register(&reader, head, interrupt);
                    let Some(entry) = entry else { continue };
                    let asleep = reader.announce_sleep(head);
                    if asleep {
                        if !std::mem::replace(&mut slept, true) {
                            self.waits.fetch_add(1, Relaxed);
                        }
                        futex::wait_any(&[reader.head_word(head)], until);
                    }
                    let mut state = self.state.lock();
                    state.head_waiters.remove(entry);
                    // As above.
                    let found = look(self, &mut state);
                    drop(state);
                    if asleep {
                        self.spin.lock().slept(monotonic_ns() - now);
                    }
                    match found {
                        Ok(found) => return Ok(found),
                        Err(Outcome::SourceClosed) => return Err(RingError::SourceClosed),
                        Err(_) => {}
                    }
                }
            }
        }
    }

    /// Notes that a frame was released: a thread may be waiting for that.
    pub fn released(&self) {
        if self.limited.load(std::sync::atomic::Ordering::SeqCst) > 0 {
            self.interrupt.bump();
        }
    }

    /// Closes this receiver: blocked and later calls fail.
    pub fn close(&self, reason: &'static str) {
        if !self.made.is_here() {
            return;
        }
        self.interrupt.close(reason);
        self.wake_head_waiters();
        let mut state = self.state.lock();
        if let Some(cursor) = state.current.take() {
            state.past = cursor.past;
        }
        state.next.clear();
    }

    /// Interrupts blocked calls, or the next one that would block.
    pub fn cancel(&self) {
        self.interrupt.cancel();
        self.wake_head_waiters();
    }

    /// Makes all blocked threads check their condition again.
    fn wake_all(&self) {
        self.interrupt.bump();
        self.wake_head_waiters();
    }

    /// Wakes the threads that wait on heads, after the interrupt has changed.
    fn wake_head_waiters(&self) {
        let interrupt = self.interrupt.value();
        while self.state.lock().head_waiters.wake_before(interrupt) {
            std::thread::sleep(WAKE_AGAIN);
        }
    }

    /// Counts so far, over all the rings that it has read.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if !self.made.is_here() {
            return Stats::default();
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
        let connected = current.is_some_and(|reader| !state.orphaned && !reader.is_abandoned())
            || state
                .next
                .iter()
                .any(|next| !state.orphans.contains(&next.ring_id()) && !next.is_abandoned());
        Stats {
            frames: self.frames.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            missed: self.missed.load(Relaxed).saturating_add(untold),
            waits: self.waits.load(Relaxed),
            held: left + current.map_or(0, |reader| reader.held()),
            hold_limit: state.hold_limit,
            ended: state.ended,
            peers: u32::from(connected),
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
