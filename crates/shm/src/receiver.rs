//! A receiver: reads the ring of its group's source and changes to the next source's ring when that
//! one has ended.

use crate::clock::{Deadline, monotonic_ns};
use crate::error::RingError;
use crate::fork::ForkMark;
use crate::futex;
use crate::head_waiters::HeadWaiters;
use crate::interrupt::{Interrupt, Waiter};
use crate::layout::RingId;
use crate::reader::{Cursor, Frame, Look, Past, Reader};
use crate::source::AtEnd;
use crate::spin::{self, Spin};
use crate::words::Head;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// How long a stream goes on after its source has said goodbye, if neither source nor receiver says what to do then: a source
/// that is replaced within this time is no end.
pub const GRACE: Duration = Duration::from_nanos(GRACE_NS);

/// Programs that were written for the original library ask with a timeout of a second, and take a time-out for a failure: the
/// end has to come sooner.
const GRACE_NS: u64 = 500_000_000;

/// What a get says then.
const ENDED: &str = "the source has ended the stream";

/// Longest sleep without a look round.
const LOOK_NS: u64 = 1_000_000_000;

/// Pause between two attempts to wake a thread that is on its way to sleep.
const WAKE_AGAIN: Duration = Duration::from_micros(20);

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
    /// Whether the source has ended the stream, and everything was got.
    pub ended: bool,
}

/// A receiver. All calls may come from any thread.
#[derive(Debug)]
pub struct Receiver {
    interrupt: Interrupt,
    /// What to do when a source says goodbye; `None` follows the source's wish.
    at_end: Option<AtEnd>,
    /// Whether a get tells of each goodbye.
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
    /// Threads in the slow path that also care for released frames.
    limited: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Cursor>,
    /// The current ring's source has died, or left the ring: what it published is all there will be.
    orphaned: bool,
    next: VecDeque<Arc<Reader>>,
    /// Rings that wait for their turn and whose sources have died.
    orphans: Vec<RingId>,
    /// What the next ring's first frame is compared with.
    past: Past,
    ended: bool,
    /// The stream ends then (monotonic nanoseconds), unless another ring has come.
    ends_at: Option<u64>,
    /// A goodbye that the next get tells of.
    source_closed: bool,
    /// Rings that were left while frames of them are still held.
    left: Vec<std::sync::Weak<Reader>>,
    /// How many frames of the current ring, or of the last one if there is none, may be held.
    hold_limit: usize,
    head_waiters: HeadWaiters,
}

enum Outcome {
    Frame(Frame),
    /// Sleep on this ring's head.
    Sleep(Arc<Reader>, Head),
    /// There is no ring to read from, or no frame may be taken.
    Idle,
    /// A source has said goodbye, which this receiver wants to be told.
    SourceClosed,
    Ended,
}

impl Receiver {
    /// A receiver without a ring. `at_end` says what becomes of the stream when a source says goodbye; `None` leaves that to the
    /// source.
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

    /// With a clock that shows TAI in nanoseconds, so that delays since the frames' own times are counted in the seat as well.
    #[must_use]
    pub fn with_tai_clock(self, tai_now: fn() -> u64) -> Self {
        Self { tai_now: Some(tai_now), ..self }
    }

    /// Where a source has said goodbye, and everything was read, one get fails with [`RingError::SourceClosed`] before the next source's
    /// frames come.
    #[must_use]
    pub fn telling_ends(self) -> Self {
        Self { tells_ends: true, ..self }
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
        self.wake_all();
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
        self.wake_all();
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
        self.interrupt.check_open()?;
        // Not within the match, which would hold the lock while it waits.
        let outcome = self.look(&mut self.state.lock());
        match outcome {
            Outcome::Frame(frame) => Ok(frame),
            Outcome::Ended => Err(RingError::Closed(ENDED)),
            Outcome::SourceClosed => Err(RingError::SourceClosed),
            _ if deadline == Deadline::Now => Err(RingError::Timeout("no frame is there")),
            _ => self.wait(deadline),
        }
    }

    /// Waits until [`get`](Self::get) would not block, without taking anything. Cancels pass by.
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

    /// Blocks until `look` gives something.
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
                Outcome::Ended => return Err(RingError::Closed(ENDED)),
                Outcome::SourceClosed => return Err(RingError::SourceClosed),
                Outcome::Idle => {
                    let _limited = Counted::new(&self.limited);
                    // Between the look and the count a frame may have been given back without a word. What this look finds
                    // has been taken, so it must not get lost.
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
                        // First the frame, then what there is to learn.
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

    /// Whether there is something to get.
    fn peek(&self, state: &mut State) -> Result<(), Outcome> {
        loop {
            Self::change_seats(state);
            let Some(cursor) = &state.current else {
                if state.source_closed {
                    return Ok(());
                }
                if self.advance(state) {
                    continue;
                }
                return if state.has_ended() { Ok(()) } else { Err(Outcome::Idle) };
            };
            let reader = Arc::clone(&cursor.reader);
            let head = reader.head();
            if head.count() > cursor.next {
                let full = reader.held() as usize >= reader.geometry().lease_limit();
                return if full { Err(Outcome::Idle) } else { Ok(()) };
            }
            if head.closed() || state.orphaned || !state.next.is_empty() {
                self.leave(state, head.closed());
                continue;
            }
            if reader.is_abandoned() {
                // Once more: a frame may have come between the look at the head and this.
                state.orphaned = true;
                continue;
            }
            if state.has_ended() {
                return Ok(());
            }
            return Err(Outcome::Sleep(reader, head));
        }
    }

    fn look(&self, state: &mut State) -> Outcome {
        loop {
            Self::change_seats(state);
            // Looked at before the head: what a dead or replaced source published is then all there.
            let over = state.orphaned || !state.next.is_empty();
            let Some(cursor) = &mut state.current else {
                if std::mem::take(&mut state.source_closed) {
                    return Outcome::SourceClosed;
                }
                if self.advance(state) {
                    continue;
                }
                let ended = state.has_ended();
                return if ended { Outcome::Ended } else { Outcome::Idle };
            };
            match cursor.look() {
                Look::Taken(frame) => {
                    state.ends_at = None;
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
                // Once more: a frame may have come between the look at the head and this.
                Look::Nothing(_) if cursor.reader.is_abandoned() => state.orphaned = true,
                Look::Nothing(head) => {
                    let reader = Arc::clone(&cursor.reader);
                    let ended = state.has_ended();
                    return if ended { Outcome::Ended } else { Outcome::Sleep(reader, head) };
                }
            }
        }
    }

    /// Moves to the next ring. False if there is none, or the stream has ended.
    fn advance(&self, state: &mut State) -> bool {
        if state.has_ended() {
            return false;
        }
        let Some(reader) = state.next.pop_front() else { return false };
        let ring = reader.ring_id();
        if !reader.is_idle_relay() {
            state.ends_at = None;
        }
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
    fn leave(&self, state: &mut State, source_closed: bool) {
        if let Some(cursor) = state.current.take() {
            if source_closed {
                state.source_closed = self.tells_ends;
                match self.at_end.unwrap_or(cursor.reader.at_end()) {
                    AtEnd::Close => state.ended = true,
                    AtEnd::Grace => state.ends_at = Some(monotonic_ns() + GRACE_NS),
                    AtEnd::Wait => {}
                }
            }
            state.past = cursor.past;
            state.left.retain(|reader| reader.strong_count() > 0);
            state.left.push(Arc::downgrade(&cursor.reader));
        }
    }

    /// A frame was given back: a thread may wait for that.
    pub fn released(&self) {
        if self.limited.load(std::sync::atomic::Ordering::SeqCst) > 0 {
            self.interrupt.bump();
        }
    }

    /// Ends this receiver: blocked and later calls fail.
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

    /// Has all blocked threads look again.
    fn wake_all(&self) {
        self.interrupt.bump();
        self.wake_head_waiters();
    }

    /// Wakes those who sleep on heads, after the interrupt has changed.
    fn wake_head_waiters(&self) {
        let interrupt = self.interrupt.value();
        while self.state.lock().head_waiters.wake_before(interrupt) {
            std::thread::sleep(WAKE_AGAIN);
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
            ended: state.ended,
            connected: current.is_some_and(|reader| !state.orphaned && !reader.is_abandoned())
                || state
                    .next
                    .iter()
                    .any(|next| !state.orphans.contains(&next.ring_id()) && !next.is_abandoned()),
        }
    }
}

impl State {
    /// Whether the stream has ended: at once, or as no other source has followed in time.
    fn has_ended(&mut self) -> bool {
        if self.next.is_empty() && self.ends_at.is_some_and(|at| monotonic_ns() >= at) {
            self.ended = true;
        }
        self.ended
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
