//! Learning of a stream's packets and rate of frames or fields.

use std::collections::VecDeque;

use media::FrameRate;

use crate::time::RtpTimestamp;

/// Units that are remembered; an even number, so that the two segments of frames that share a
/// timestamp average out.
const UNITS: usize = 16;
/// Differences of timestamps that tell 59.94 from 60: they round by one tick, and 4 · 1501.5
/// differs from 4 · 1500 by six.
const LEAST: usize = 4;

/// Rates of broadcast, in units a second.
const RATES: [(u32, u32); 12] = [
    (24_000, 1001),
    (24, 1),
    (25, 1),
    (30_000, 1001),
    (30, 1),
    (48_000, 1001),
    (48, 1),
    (50, 1),
    (60_000, 1001),
    (60, 1),
    (100, 1),
    (120_000, 1001),
];

/// Remembers the last units.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learner {
    packets: VecDeque<u32>,
    stamps: VecDeque<RtpTimestamp>,
}

impl Learner {
    /// Takes in the timestamp of a unit that follows the one before without a loss of whole units.
    pub(crate) fn stamp(&mut self, timestamp: RtpTimestamp) {
        if self.stamps.len() > UNITS {
            self.stamps.pop_front();
        }
        self.stamps.push_back(timestamp);
    }

    /// Takes in the packets of a unit of which both ends were seen.
    pub(crate) fn packets(&mut self, count: u32) {
        if self.packets.len() >= UNITS {
            self.packets.pop_front();
        }
        self.packets.push_back(count);
    }

    /// Forgets timestamps after a gap.
    pub(crate) fn break_off(&mut self) {
        self.stamps.clear();
    }

    /// The most packets that a unit had lately; needs two units.
    pub(crate) fn packets_per_unit(&self) -> Option<u32> {
        if self.packets.len() < 2 { None } else { self.packets.iter().copied().max() }
    }

    /// The rate that the timestamps mean on a clock of `ticks` a second.
    pub(crate) fn rate(&self, ticks: u32) -> Option<FrameRate> {
        // An even number of differences.
        let count = (self.stamps.len().saturating_sub(1)) & !1;
        if count < LEAST {
            return None;
        }
        let (first, last) = (self.stamps[self.stamps.len() - 1 - count], self.stamps.back()?);
        let passed = u32::try_from(last.since(first)).ok().filter(|passed| *passed > 0)?;
        let rate = count as f64 * f64::from(ticks) / f64::from(passed);
        let known = RATES.iter().map(|&(num, den)| (f64::from(num) / f64::from(den), num, den));
        let nearest = known.min_by(|a, b| (a.0 - rate).abs().total_cmp(&(b.0 - rate).abs()))?;
        if (nearest.0 - rate).abs() < nearest.0 * 4e-4 {
            return Some(FrameRate { num: nearest.1, den: nearest.2 });
        }
        FrameRate::from_f64(rate).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{FrameClock, MediaClock};

    #[test]
    fn rates_are_told_apart_by_a_few_units() {
        for (num, den) in RATES.into_iter().chain([(120, 1), (25, 2), (15, 1)]) {
            let rate = FrameRate { num, den };
            for first in [0, 1, 2_861_022] {
                let mut learner = Learner::default();
                for n in first..first + 5 {
                    assert_eq!(learner.rate(90_000), None);
                    learner.stamp(FrameClock::frames(rate).timestamp(n, MediaClock::VIDEO));
                }
                assert_eq!(learner.rate(90_000), Some(rate), "{num}/{den} from {first}");
            }
        }
    }

    #[test]
    fn segments_with_one_time_stamp_count_as_units() {
        let mut learner = Learner::default();
        for unit in 0..40 {
            learner.stamp(RtpTimestamp(u32::MAX - 9000).plus(unit / 2 * 3600));
        }
        assert_eq!(learner.rate(90_000), Some(FrameRate { num: 50, den: 1 }));
    }

    #[test]
    fn time_stamps_that_stand_or_go_back_mean_no_rate() {
        let mut learner = Learner::default();
        for stamp in [9, 8, 7, 6, 5, 4] {
            learner.stamp(RtpTimestamp(stamp));
        }
        assert_eq!(learner.rate(90_000), None);
        learner.break_off();
        for _ in 0..6 {
            learner.stamp(RtpTimestamp(5));
        }
        assert_eq!(learner.rate(90_000), None);
    }

    #[test]
    fn the_longest_unit_counts() {
        let mut learner = Learner::default();
        learner.packets(100);
        assert_eq!(learner.packets_per_unit(), None);
        learner.packets(90);
        assert_eq!(learner.packets_per_unit(), Some(100));
        (0..UNITS).for_each(|_| learner.packets(80));
        assert_eq!(learner.packets_per_unit(), Some(80));
    }
}
