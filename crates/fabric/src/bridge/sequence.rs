//! Reordering of frames that arrive through several endpoints, and skipping of frames that are
//! lost.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Largest distance of a frame's number from the expected one: more frames are never in flight at
/// once.
pub const WINDOW: u64 = 256;
/// Time to wait for a missing frame without sessions; with sessions, the interval of checks whether
/// it can still come.
pub const GAP_TIMEOUT: Duration = Duration::from_millis(100);
/// Silence of plausible numbers after which other numbers are taken for those of a new sender.
pub const RESTART_SILENCE: Duration = Duration::from_millis(250);

/// Why a frame is not wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwanted {
    /// Its number has been before.
    Replayed,
    /// Its number is far from all that could come now.
    Wild,
}

/// First number of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the first frame's number, and again after a silence: the peer may be another one with the
    /// same address.
    Anywhere,
    /// At 0, and nowhere else. In such a session nothing is lost as long as its connections live,
    /// so that no time is too long: [`gone`](Sequencer::gone) says what cannot come any more.
    Zero,
}

/// The order of one connection.
#[derive(Debug)]
pub struct Sequencer<T> {
    start: Start,
    next: Option<u64>,
    waiting: BTreeMap<u64, T>,
    /// The highest number that came through each endpoint. Each of them keeps the order.
    newest: Vec<Option<u64>>,
    /// Since when the expected frame has been waited for, though later ones are here.
    waiting_since: Option<Instant>,
    last_fitting: Option<Instant>,
}

impl<T> Sequencer<T> {
    /// Nothing has come yet. `endpoints`: how many there are.
    #[must_use]
    pub fn new(start: Start, endpoints: usize) -> Self {
        Self {
            start,
            next: (start == Start::Zero).then_some(0),
            waiting: BTreeMap::new(),
            newest: vec![None; endpoints.max(1)],
            waiting_since: None,
            last_fitting: None,
        }
    }

    /// Takes a frame that came through an endpoint, or gives it back with the reason.
    pub fn arrived(
        &mut self,
        endpoint: usize,
        sequence: u64,
        frame: T,
        now: Instant,
    ) -> Result<(), (T, Unwanted)> {
        // The last number of all has no successor.
        if sequence == u64::MAX {
            return Err((frame, Unwanted::Wild));
        }
        if let Some(unwanted) = self.judge(sequence) {
            let silent = self.last_fitting.is_none_or(|last| now - last >= RESTART_SILENCE);
            if self.start == Start::Zero || !silent || !self.waiting.is_empty() {
                return Err((frame, unwanted));
            }
            self.next = None;
            self.newest.fill(None);
        }
        self.last_fitting = Some(now);
        self.waiting.insert(sequence, frame);
        if let Some(newest) = self.newest.get_mut(endpoint) {
            *newest = Some(newest.map_or(sequence, |newest| newest.max(sequence)));
        }
        self.waiting_since.get_or_insert(now);
        Ok(())
    }

    fn judge(&self, sequence: u64) -> Option<Unwanted> {
        // Without a beginning, what has come first is the measure.
        let next = self.next.or_else(|| self.waiting.keys().next().copied())?;
        let (lowest, window) = match self.next {
            Some(next) => (next, WINDOW),
            None => (next.saturating_sub(WINDOW), 2 * WINDOW),
        };
        if sequence < lowest || self.waiting.contains_key(&sequence) {
            return Some(Unwanted::Replayed);
        }
        (sequence - lowest >= window).then_some(Unwanted::Wild)
    }

    /// The next frame, if its turn has come, and how many frames before it were given up.
    pub fn ready(&mut self, now: Instant) -> Option<(u64, T)> {
        let first = *self.waiting.keys().next()?;
        let skipped = match self.next {
            Some(next) if first == next => 0,
            next => {
                let since = self.waiting_since.unwrap_or(now);
                // Frames before the first one here can no longer come once each endpoint has
                // brought a later one.
                let passed = self.newest.iter().all(|newest| newest.is_some_and(|n| n >= first));
                let timed = self.start == Start::Anywhere && now - since >= GAP_TIMEOUT;
                if !passed && !timed {
                    return None;
                }
                next.map_or(0, |next| first - next)
            }
        };
        let frame = self.waiting.remove(&first)?;
        self.next = Some(first + 1);
        self.waiting_since = (!self.waiting.is_empty()).then_some(now);
        Some((skipped, frame))
    }

    /// Time at which [`ready`](Self::ready) returns a frame even if none arrives.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let since = self.waiting_since.filter(|_| self.start == Start::Anywhere)?;
        Some(since + GAP_TIMEOUT)
    }

    /// The frame that later ones wait for, and since when.
    #[must_use]
    pub fn gap(&self) -> Option<(u64, Instant)> {
        let (next, first) = (self.next?, self.waiting.keys().next()?);
        (next < *first).then_some((next, self.waiting_since?))
    }

    /// Frames before the first that is here do not come through this endpoint any more.
    pub fn gone(&mut self, endpoint: usize) {
        if let (Some(newest), Some(first)) =
            (self.newest.get_mut(endpoint), self.waiting.keys().next())
        {
            *newest = Some(newest.map_or(*first, |newest| newest.max(*first)));
        }
    }

    /// The end: what is here, in order, each with the number of frames before it that were given
    /// up. All others have passed.
    pub fn close(&mut self) -> impl Iterator<Item = (u64, T)> {
        let mut next = self.next.replace(u64::MAX);
        self.waiting_since = None;
        std::mem::take(&mut self.waiting).into_iter().map(move |(number, frame)| {
            let skipped = next.map_or(0, |next| number - next);
            next = Some(number + 1);
            (skipped, frame)
        })
    }

    /// Whether this many frames of the session have been published or skipped.
    #[must_use]
    pub fn has_passed(&self, count: u64) -> bool {
        self.waiting.is_empty() && self.next.is_some_and(|next| next >= count)
    }

    /// Frames that wait for their turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(sequencer: &mut Sequencer<u64>, now: Instant) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| sequencer.ready(now)).collect()
    }

    #[test]
    fn one_endpoint_needs_no_waiting() {
        let now = Instant::now();
        let mut sequencer = Sequencer::new(Start::Anywhere, 1);
        sequencer.arrived(0, 1000, 1000, now).unwrap();
        assert_eq!(all(&mut sequencer, now), [(0, 1000)]);
        sequencer.arrived(0, 1003, 1003, now).unwrap();
        assert_eq!(all(&mut sequencer, now), [(2, 1003)], "the order is kept: the others are lost");
        assert_eq!(sequencer.deadline(), None);
    }

    #[test]
    fn frames_of_several_endpoints_are_put_in_order() {
        let now = Instant::now();
        let mut sequencer = Sequencer::new(Start::Zero, 2);
        sequencer.arrived(1, 1, 1, now).unwrap();
        assert_eq!(all(&mut sequencer, now), []);
        sequencer.arrived(0, 0, 0, now).unwrap();
        assert_eq!(all(&mut sequencer, now), [(0, 0), (0, 1)]);
    }

    #[test]
    fn without_a_session_a_gap_is_skipped_at_once_when_nothing_can_fill_it_and_else_after_a_while()
    {
        let now = Instant::now();
        let mut sequencer = Sequencer::new(Start::Anywhere, 2);
        for sequence in 0..2 {
            sequencer.arrived(sequence as usize, sequence, sequence, now).unwrap();
        }
        assert_eq!(all(&mut sequencer, now), [(0, 0), (0, 1)]);
        sequencer.arrived(1, 3, 3, now).unwrap();
        let later = now + GAP_TIMEOUT;
        assert_eq!(sequencer.deadline(), Some(later));
        assert_eq!(sequencer.ready(later - Duration::from_nanos(1)), None);
        assert_eq!(sequencer.ready(later), Some((1, 3)));
        // 4 is lost: 6 comes the way it would have come, and 5 has come.
        sequencer.arrived(1, 5, 5, later).unwrap();
        assert_eq!(sequencer.ready(later), None);
        sequencer.arrived(0, 6, 6, later).unwrap();
        assert_eq!(all(&mut sequencer, later), [(1, 5), (0, 6)]);
    }

    #[test]
    fn a_session_waits_for_a_frame_as_long_as_it_can_come() {
        let now = Instant::now();
        let mut sequencer = Sequencer::new(Start::Zero, 2);
        assert_eq!(sequencer.gap(), None);
        sequencer.arrived(1, 1, 1, now).unwrap();
        let later = now + Duration::from_secs(3600);
        assert_eq!((sequencer.gap(), sequencer.deadline()), (Some((0, now)), None));
        assert_eq!(sequencer.ready(later), None);
        sequencer.arrived(0, 0, 0, later).unwrap();
        assert_eq!(all(&mut sequencer, later), [(0, 0), (0, 1)]);

        // Its connection is gone: what was under way is lost, what comes through the next one is
        // not.
        sequencer.arrived(1, 3, 3, later).unwrap();
        assert_eq!(sequencer.ready(later), None);
        sequencer.gone(0);
        assert_eq!(all(&mut sequencer, later), [(1, 3)]);
        sequencer.arrived(1, 5, 5, later).unwrap();
        assert_eq!((sequencer.gap(), sequencer.ready(later)), (Some((4, later)), None));
        sequencer.arrived(0, 4, 4, later).unwrap();
        assert_eq!(all(&mut sequencer, later), [(0, 4), (0, 5)]);
    }

    #[test]
    fn what_is_here_at_the_end_is_not_lost_with_what_is_missing() {
        let now = Instant::now();
        let mut sequencer = Sequencer::new(Start::Zero, 3);
        for sequence in [2, 1, 5] {
            sequencer.arrived(sequence as usize % 3, sequence, sequence, now).unwrap();
        }
        assert_eq!(all(&mut sequencer, now), []);
        assert_eq!(sequencer.close().collect::<Vec<_>>(), [(1, 1), (0, 2), (2, 5)]);
        assert_eq!((sequencer.waiting(), sequencer.gap()), (0, None));
        assert!(sequencer.has_passed(100), "nothing comes any more");
        assert_eq!(sequencer.arrived(0, 6, 6, now), Err((6, Unwanted::Replayed)));
        assert_eq!(sequencer.close().count(), 0);
    }

    #[test]
    fn what_was_before_is_refused() {
        let now = Instant::now();
        let mut sequencer = Sequencer::new(Start::Anywhere, 1);
        for sequence in 10..20 {
            sequencer.arrived(0, sequence, sequence, now).unwrap();
        }
        assert_eq!(sequencer.arrived(0, 12, 12, now), Err((12, Unwanted::Replayed)));
        assert_eq!(all(&mut sequencer, now).len(), 10);
        assert_eq!(sequencer.arrived(0, 12, 12, now), Err((12, Unwanted::Replayed)));
        for wild in [20 + WINDOW, 1 << 40, u64::MAX] {
            assert_eq!(sequencer.arrived(0, wild, wild, now), Err((wild, Unwanted::Wild)));
        }
        sequencer.arrived(0, 20, 20, now).unwrap();
        assert_eq!(all(&mut sequencer, now), [(0, 20)]);
    }

    #[test]
    fn a_new_sender_is_believed_after_a_silence_only_where_there_is_no_session() {
        let now = Instant::now();
        let later = now + RESTART_SILENCE;
        let mut sequencer = Sequencer::new(Start::Anywhere, 1);
        sequencer.arrived(0, 500, 500, now).unwrap();
        assert_eq!(all(&mut sequencer, now), [(0, 500)]);
        let early = later - Duration::from_millis(1);
        assert_eq!(sequencer.arrived(0, 0, 0, early), Err((0, Unwanted::Replayed)));
        sequencer.arrived(0, 0, 0, later).unwrap();
        assert_eq!(all(&mut sequencer, later), [(0, 0)]);

        let mut session = Sequencer::new(Start::Zero, 1);
        session.arrived(0, 0, 0, now).unwrap();
        assert_eq!(all(&mut session, now), [(0, 0)]);
        assert_eq!(session.arrived(0, 0, 0, later), Err((0, Unwanted::Replayed)));
    }

    proptest! {
        /// Whatever comes: numbers rise, none twice, and what is waited for ends.
        #[test]
        fn order_always(arrivals in prop::collection::vec((0usize..3, 0u64..400, 0u64..120), 1..300)) {
            let mut now = Instant::now();
            let mut sequencer = Sequencer::new(Start::Zero, 3);
            let (mut next, mut taken, mut given) = (0, 0usize, 0usize);
            for (endpoint, sequence, pause) in arrivals {
                now += Duration::from_millis(pause);
                if sequencer.arrived(endpoint, sequence, sequence, now).is_ok() {
                    taken += 1;
                }
                while let Some((skipped, frame)) = sequencer.ready(now) {
                    prop_assert_eq!(frame, next + skipped);
                    next = frame + 1;
                    given += 1;
                }
            }
            for (skipped, frame) in sequencer.close() {
                prop_assert_eq!(frame, next + skipped);
                next = frame + 1;
                given += 1;
            }
            prop_assert_eq!((taken, sequencer.waiting()), (given, 0));
        }

        #[test]
        fn shuffled_frames_come_out_as_they_were(order in Just((0u64..24).collect::<Vec<_>>()).prop_shuffle()) {
            let now = Instant::now();
            let mut sequencer = Sequencer::new(Start::Zero, 24);
            let mut out = Vec::new();
            for sequence in order {
                // Each through an endpoint of its own: nothing is known of any order.
                sequencer.arrived(sequence as usize, sequence, sequence, now).unwrap();
                out.extend(all(&mut sequencer, now));
            }
            prop_assert_eq!(out, (0..24).map(|sequence| (0, sequence)).collect::<Vec<_>>());
        }
    }
}
