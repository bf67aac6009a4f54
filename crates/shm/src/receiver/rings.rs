//! A receiver's rings: takes frames of the current one, and moves on to the next.

use super::{GRACE_NS, Receiver};
use crate::clock::monotonic_ns;
use crate::head_waiters::HeadWaiters;
use crate::layout::RingId;
use crate::reader::{Cursor, Frame, Look, Past, Reader};
use crate::source::AtEnd;
use crate::words::Head;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The rings of a receiver: the one that it reads, those that follow, and those that it has left.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) current: Option<Cursor>,
    /// The current ring's source has died or left the ring, so nothing more will be published.
    pub(super) orphaned: bool,
    pub(super) next: VecDeque<Arc<Reader>>,
    /// Those of the next rings whose sources have died.
    pub(super) orphans: Vec<RingId>,
    /// The last frame's origin, with which the next ring's first frame is compared.
    pub(super) past: Past,
    pub(super) ended: bool,
    /// Time at which the stream ends (monotonic nanoseconds), unless another ring comes.
    pub(super) ends_at: Option<u64>,
    /// A source has closed in order, which the next get reports.
    pub(super) source_closed: bool,
    /// Rings that the receiver has left while the program still holds frames of them.
    pub(super) left: Vec<std::sync::Weak<Reader>>,
    /// Number of frames of the current ring, or of the last one if there is none, that may be held.
    pub(super) hold_limit: usize,
    pub(super) head_waiters: HeadWaiters,
}

/// Result of a look at the rings.
pub(super) enum Outcome {
    Frame(Frame),
    /// Wait on this ring's head.
    Sleep(Arc<Reader>, Head),
    /// There is no ring to read, or the program holds as many frames as it may.
    Idle,
    /// A source has closed in order, which this receiver reports.
    SourceClosed,
    Ended,
}

impl Receiver {
    /// Checks whether a get would not block, without taking a frame.
    pub(super) fn peek(&self, state: &mut State) -> Result<(), Outcome> {
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
                // Once more: a frame may have been published since the head was read.
                state.orphaned = true;
                continue;
            }
            if state.has_ended() {
                return Ok(());
            }
            return Err(Outcome::Sleep(reader, head));
        }
    }

    /// Takes the next frame, moving on to the next ring if necessary.
    pub(super) fn look(&self, state: &mut State) -> Outcome {
        loop {
            Self::change_seats(state);
            // Read before the head, so that the head shows all that a dead or replaced source
            // published.
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
                // Once more: a frame may have been published since the head was read.
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

    /// If the next ring is the present one, joined once more, continues with the new seat.
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

    /// Leaves the current ring, which has been read to its end. `source_closed`: its source has
    /// closed in order.
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
}

impl State {
    /// Whether the stream has ended: at once, or as no other source has followed in time.
    pub(super) fn has_ended(&mut self) -> bool {
        if self.next.is_empty() && self.ends_at.is_some_and(|at| monotonic_ns() >= at) {
            self.ended = true;
        }
        self.ended
    }
}
