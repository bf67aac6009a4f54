//! A missing frame, when later frames have arrived through other endpoints.

use crate::bridge::sequence::GAP_TIMEOUT;
use std::time::{Duration, Instant};

/// Time that an endpoint may bring nothing while frames of others wait for one of its own.
const STUCK: Duration = Duration::from_secs(15);

/// Signs of life of the endpoint while the frame is missing.
#[derive(Debug, Default)]
pub(super) struct Gap {
    looked: Option<Instant>,
    /// The frame, what had come through its endpoint, and since when nothing more has.
    seen: Option<(u64, u64, Instant)>,
}

impl Gap {
    /// Time of the next check.
    pub(super) fn due(&self, since: Instant) -> Instant {
        self.looked.map_or(since, |looked| looked.max(since)) + GAP_TIMEOUT
    }

    /// Whether the endpoint has brought nothing for too long.
    pub(super) fn stuck(&mut self, number: u64, segments: u64, now: Instant) -> bool {
        self.looked = Some(now);
        match self.seen {
            Some((n, s, since)) if (n, s) == (number, segments) => now - since >= STUCK,
            _ => {
                self.seen = Some((number, segments, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_stuck_when_nothing_comes_for_long() {
        let start = Instant::now();
        let mut gap = Gap::default();
        assert_eq!(gap.due(start), start + GAP_TIMEOUT);
        let mut now = start;
        // As long as packets come, the frame may take its time.
        for packets in 0..100 {
            now += Duration::from_secs(14);
            assert!(!gap.stuck(7, packets, now));
            assert_eq!(gap.due(start), now + GAP_TIMEOUT);
        }
        now += STUCK;
        assert!(gap.stuck(7, 99, now));
        assert!(!gap.stuck(8, 99, now), "another frame");
    }
}
