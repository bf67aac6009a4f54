//! Detection of a session that sends fewer frames than its rate asks for.

use std::time::Duration;

use media::Tai;

use super::stats::SendStats;

/// Periods are counted over at least so long.
const STRETCH: Duration = Duration::from_secs(1);
/// And over at least so many.
const PERIODS: u64 = 20;
/// One period in so many may pass unused.
const TOLERATED: u64 = 20;
/// Stretches that do not keep the rate before it is told. A machine that stood still for a moment
/// has one.
const BAD: u32 = 2;
/// Stretches that keep the rate before it is told no more.
const GOOD: u32 = 10;

/// Periods that passed unused, of all there were, when a session first fell behind its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortfall {
    pub(crate) slipped: u64,
    pub(crate) periods: u64,
}

/// Watches over a session's rate.
#[derive(Debug)]
pub(super) struct RateWatch {
    since: Tai,
    /// When the stretch began: periods that had slipped, and that had been used.
    slipped: u64,
    used: u64,
    bad: u32,
    good: u32,
}

impl RateWatch {
    pub(super) fn new(now: Tai) -> Self {
        Self { since: now, slipped: 0, used: 0, bad: 0, good: GOOD }
    }

    /// It is `now`, and so many periods have been used, with a frame or packet or as the feed had
    /// none.
    pub(super) fn look(&mut self, now: Tai, used: u64, stats: &SendStats) {
        let slipped = stats.counters.slipped_periods.get();
        let missed = slipped - self.slipped;
        let periods = used - self.used + missed;
        // A clock that was set back begins a stretch anew.
        if now >= self.since && (now.since(self.since) < STRETCH || periods < PERIODS) {
            return;
        }
        if missed * TOLERATED > periods {
            (self.bad, self.good) = (self.bad + 1, 0);
        } else {
            (self.bad, self.good) = (0, self.good + 1);
        }
        if self.bad >= BAD {
            stats.fell_behind(Shortfall { slipped: missed, periods });
        } else if self.good == GOOD {
            stats.keeps_up();
        }
        (self.since, self.slipped, self.used) = (now, slipped, used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::Warning;

    /// Half seconds of 25 periods, of which so many slip; whether it is told at the end of each.
    fn told(slips: impl IntoIterator<Item = u64>) -> Vec<bool> {
        let stats = SendStats::new(1, Vec::new());
        let mut watch = RateWatch::new(Tai::from_nanos(0));
        let mut used = 0;
        let looks = slips.into_iter().zip(1..).map(|(slips, count)| {
            stats.counters.slipped_periods.add(slips);
            used += 25 - slips;
            watch.look(Tai::from_nanos(count * 500_000_000), used, &stats);
            stats.warnings().iter().any(|warning| matches!(warning, Warning::Rate { .. }))
        });
        looks.collect()
    }

    #[test]
    fn a_session_that_goes_on_missing_periods_is_told_until_it_has_kept_its_rate_for_a_while() {
        assert_eq!(told([0, 2, 1, 1, 0, 2]), [false; 6]);
        // A moment in which nothing went.
        assert_eq!(told([25, 0, 0, 0]), [false; 4]);
        assert_eq!(told([25, 25, 25, 0, 0]), [false, false, false, true, true]);
        let slow = [5; 6].into_iter().chain([0; 24]);
        let told = told(slow);
        assert!(!told[2] && told[3..].iter().take(21).all(|told| *told), "{told:?}");
        assert!(!told[29], "{told:?}");
    }
}
