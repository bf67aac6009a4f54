//! Liveness of the peer: how much silence a session tolerates, and what ends the silence.
//!
//! Messages are signs of life, and so is progress of their TCP connections in the kernel: a large
//! frame may need seconds, and messages behind it wait. The limit grows with the round trip and
//! with each loss, so that a lossy network gets a connection at last, and shrinks again when the
//! time was not needed.

use super::{CALL, KEEPALIVE, LOST};
use crate::traffic::Traffic;
use std::time::{Duration, Instant};

/// Silence after which the network is looked at.
const LOOK: Duration = Duration::from_millis(400);
/// Round trips that silence may last in addition: a lost packet is sent again after one to three of
/// them, and that may get lost.
const ROUND_TRIPS: u32 = 6;
/// Number of doublings of patience.
const DOUBLINGS: u32 = 4;
/// Time over which silences are observed before patience shrinks.
const REVIEW: Duration = Duration::from_secs(60);

/// Silence that a session tolerates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// The minimum, for a short way without loss.
    base: Duration,
    round_trip: Duration,
    doublings: u32,
}

impl Patience {
    /// At first. `frame`: how long a frame may keep a connection busy.
    #[must_use]
    pub fn new(frame: Duration) -> Self {
        Self { base: LOST + frame, round_trip: Duration::ZERO, doublings: 0 }
    }

    /// The same while there is no connection yet, which takes longer than a word.
    #[must_use]
    pub fn of_call(self) -> Self {
        Self { base: self.base.max(CALL * 2), ..self }
    }

    /// Silence that is too long.
    #[must_use]
    pub fn time(&self) -> Duration {
        (self.base + self.round_trip * ROUND_TRIPS) * (1 << self.doublings)
    }

    /// Time of a round trip, as far as it is known.
    #[must_use]
    pub fn round_trip(&self) -> Duration {
        self.round_trip
    }

    /// The patience after a loss: perhaps the peer had only been slow.
    #[must_use]
    pub fn after_loss(mut self) -> Self {
        self.doublings = (self.doublings + 1).min(DOUBLINGS);
        self
    }
}

/// Signs of life of the other side.
#[derive(Debug)]
pub struct Pulse {
    patience: Patience,
    last: Instant,
    /// Time of the last reading of the kernel's counters.
    looked: Instant,
    /// The count at that reading.
    count: Option<u64>,
    /// The longest silence that has ended, and since when silences are compared.
    longest: Duration,
    review: Instant,
}

impl Pulse {
    /// The other side lives now.
    #[must_use]
    pub fn new(patience: Patience, now: Instant) -> Self {
        let longest = Duration::ZERO;
        Self { patience, last: now, looked: now, count: None, longest, review: now }
    }

    /// The present patience.
    #[must_use]
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// A sign of life.
    pub fn alive(&mut self, now: Instant) {
        self.longest = self.longest.max(now.saturating_duration_since(self.last));
        self.last = self.last.max(now);
        if now.saturating_duration_since(self.review) >= REVIEW {
            if self.longest * 4 <= self.patience.time() {
                self.patience.doublings = self.patience.doublings.saturating_sub(1);
            }
            (self.longest, self.review) = (Duration::ZERO, now);
        }
    }

    /// Nothing was to be expected until now.
    pub fn rest(&mut self, now: Instant) {
        self.last = self.last.max(now);
    }

    /// Whether the silence is long enough to read the kernel's counters.
    #[must_use]
    pub fn wonders(&self, now: Instant) -> bool {
        now >= self.next_look()
    }

    /// Takes the kernel's counters. `count` is one that only grows when the peer is active.
    pub fn seen(&mut self, traffic: &Traffic, count: u64, quiet: Option<Duration>, now: Instant) {
        self.looked = now;
        if traffic.round_trip > Duration::ZERO {
            self.patience.round_trip = traffic.round_trip;
        }
        let grown = self.count.is_some_and(|before| count > before);
        self.count = Some(count);
        let since = quiet.and_then(|quiet| now.checked_sub(quiet));
        if grown {
            self.alive(now);
        } else if let Some(since) = since.filter(|since| *since > self.last) {
            self.alive(since);
        }
    }

    /// Whether the peer is lost.
    #[must_use]
    pub fn is_lost(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= self.patience.time()
    }

    /// Time of the next reading of the counters, or of the loss of the peer.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.next_look().min(self.last + self.patience.time())
    }

    fn next_look(&self) -> Instant {
        (self.last + LOOK).max(self.looked + KEEPALIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(9);

    fn after(ms: u64, start: Instant) -> Instant {
        start + Duration::from_millis(ms)
    }

    fn traffic(round_trip_ms: u64) -> Traffic {
        Traffic {
            open: true,
            round_trip: Duration::from_millis(round_trip_ms),
            ..Traffic::default()
        }
    }

    #[test]
    fn a_dead_peer_near_by_is_noticed_in_less_than_a_second() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Patience::new(FRAME), start);
        assert!(!pulse.wonders(after(399, start)) && pulse.wonders(after(400, start)));
        assert_eq!(pulse.due(), after(400, start));
        // The network shows nothing new, however often it is asked.
        for ms in [400, 600, 800] {
            assert!(pulse.wonders(after(ms, start)));
            let quiet = Some(Duration::from_millis(ms));
            pulse.seen(&traffic(0), 7, quiet, after(ms, start));
            assert!(!pulse.wonders(after(ms + 199, start)));
        }
        assert_eq!(pulse.due(), after(909, start));
        assert!(!pulse.is_lost(after(908, start)) && pulse.is_lost(after(909, start)));
    }

    #[test]
    fn whatever_arrives_is_a_sign_of_life() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Patience::new(FRAME), start);
        for (ms, count) in [(400, 1), (800, 2), (1200, 3), (1600, 4), (2000, 5)] {
            assert!(!pulse.is_lost(after(ms, start)), "{ms}");
            pulse.seen(&traffic(0), count, None, after(ms, start));
        }
        // Without a count to compare with, the kernel's clock tells.
        let mut pulse = Pulse::new(Patience::new(FRAME), start);
        pulse.seen(&traffic(0), 1, Some(Duration::from_millis(100)), after(800, start));
        assert!(!pulse.is_lost(after(1600, start)) && pulse.is_lost(after(1609, start)));
    }

    #[test]
    fn patience_follows_the_round_trip() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Patience::new(FRAME), start);
        pulse.seen(&traffic(300), 1, None, after(400, start));
        assert_eq!(pulse.patience().time(), Duration::from_millis(909 + 6 * 300));
        assert!(!pulse.is_lost(after(2_708, start)) && pulse.is_lost(after(2_709, start)));
    }

    #[test]
    fn patience_doubles_with_each_loss_and_shrinks_when_it_was_not_needed() {
        let mut patience = Patience::new(Duration::ZERO);
        let times = std::iter::repeat_with(|| {
            let time = patience.time().as_millis();
            patience = patience.after_loss();
            time
        });
        let times: Vec<_> = times.take(6).collect();
        assert_eq!(times, [900, 1800, 3600, 7200, 14_400, 14_400]);

        let mut now = Instant::now();
        let mut pulse = Pulse::new(patience, now);
        let mut minute = |silence: Duration| {
            let end = now + REVIEW;
            while now < end {
                now += silence;
                pulse.alive(now);
            }
            pulse.patience().time().as_millis()
        };
        // Silences of five seconds are a reason to stay patient, those of normal keepalives are
        // none.
        assert_eq!(minute(Duration::from_secs(5)), 14_400);
        assert_eq!([(); 6].map(|()| minute(KEEPALIVE)), [7200, 3600, 1800, 900, 900, 900]);
    }
}
