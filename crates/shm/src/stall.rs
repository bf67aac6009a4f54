//! Slow receivers: which of them a source waits for, and how long. Bookkeeping for one receiver,
//! without memory or clocks.

/// The source's record of a receiver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Sequence number that the receiver wants next, never beyond what is published and never going
    /// back.
    position: u64,
    /// Time at which the receiver was last seen at a new position, monotonic nanoseconds.
    moved_at: u64,
    mode: Mode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The source waits for it.
    Counted,
    /// It has kept the source waiting for the stall time, and is not waited for until it moves.
    Stalled,
    /// It asked never to be waited for.
    Live,
    /// The proxy says that it is gone.
    Detached,
}

impl Standing {
    /// A receiver that joins at `start`. Until it begins, that is where it stands.
    pub(crate) fn new(start: u64, live: bool, now: u64) -> Self {
        let mode = if live { Mode::Live } else { Mode::Counted };
        Self { position: start, moved_at: now, mode }
    }

    /// Takes in what the seat says now. Only a new position is a move: it is the one thing that
    /// cannot be feigned for ever.
    pub(crate) fn observe(&mut self, position: u64, published: u64, now: u64) {
        let position = position.min(published);
        if position > self.position {
            self.position = position;
            self.moved_at = now;
            if self.mode == Mode::Stalled {
                self.mode = Mode::Counted;
            }
        }
    }

    /// The proxy says that the receiver is gone.
    pub(crate) fn detach(&mut self) {
        self.mode = Mode::Detached;
    }

    /// Frames published and not yet taken.
    pub(crate) fn unread(&self, published: u64) -> u64 {
        published - self.position.min(published)
    }

    /// Sequence of the oldest frame not yet taken.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// First sequence that is kept for this receiver as long as there is room elsewhere.
    pub(crate) fn wants_from(&self) -> u64 {
        if self.mode == Mode::Detached { u64::MAX } else { self.position }
    }

    /// First sequence that is kept for this receiver when room is short: everything unread for one
    /// that is waited for, a tail for the others, so that what they look for when they come back is
    /// still there.
    pub(crate) fn keeps_from(&self, published: u64, capacity: u64) -> u64 {
        match self.mode {
            Mode::Counted => self.position,
            Mode::Stalled => self.position.max(published.saturating_sub(2)),
            Mode::Live => self.position.max(published.saturating_sub(capacity / 2)),
            Mode::Detached => u64::MAX,
        }
    }

    /// Whether the source waits for this receiver.
    pub(crate) fn counted(&self) -> bool {
        self.mode == Mode::Counted
    }

    /// Time at which a receiver that keeps the source waiting becomes stalled: the stall time after
    /// its last move, or after the source had a reason to wait, whichever is later.
    pub(crate) fn stalls_at(&self, waiting_since: u64, stall_ns: u64) -> u64 {
        self.moved_at.max(waiting_since).saturating_add(stall_ns)
    }

    /// The receiver has kept the source waiting for too long.
    pub(crate) fn stall(&mut self) {
        if self.mode == Mode::Counted {
            self.mode = Mode::Stalled;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_has_not_begun_stands_at_its_start() {
        let mut standing = Standing::new(7, false, 100);
        standing.observe(0, 9, 200);
        assert_eq!((standing.position(), standing.unread(9)), (7, 2));
    }

    #[test]
    fn hostile_positions_are_clamped() {
        let mut standing = Standing::new(0, false, 0);
        standing.observe(u64::MAX, 5, 1);
        assert_eq!(standing.position(), 5);
        standing.observe(2, 6, 2);
        assert_eq!(standing.position(), 5);
    }

    #[test]
    fn the_stall_clock_starts_with_the_wait_and_with_each_move() {
        let mut standing = Standing::new(0, false, 0);
        assert_eq!(standing.stalls_at(50, 100), 150);
        standing.observe(1, 3, 80);
        assert_eq!(standing.stalls_at(50, 100), 180);
        standing.observe(1, 3, 120);
        assert_eq!(standing.stalls_at(50, 100), 180, "standing still is no move");
    }

    #[test]
    fn a_stalled_receiver_counts_again_once_it_moves() {
        let mut standing = Standing::new(0, false, 0);
        standing.stall();
        assert!(!standing.counted());
        assert_eq!(standing.keeps_from(10, 4), 8);
        assert_eq!(standing.wants_from(), 0);
        standing.observe(10, 10, 5);
        assert!(standing.counted());
    }

    #[test]
    fn live_receivers_keep_half_a_queue_and_detached_ones_nothing() {
        let mut standing = Standing::new(0, true, 0);
        assert_eq!(standing.keeps_from(10, 4), 8);
        standing.stall();
        assert!(!standing.counted() && standing.keeps_from(10, 16) == 2);
        standing.detach();
        assert_eq!((standing.wants_from(), standing.keeps_from(10, 4)), (u64::MAX, u64::MAX));
    }
}
