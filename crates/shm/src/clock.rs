//! The monotonic clock, deadlines, and frame times.

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};
use std::sync::OnceLock;
use std::time::Duration;

fn nanoseconds(time: Timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// `CLOCK_MONOTONIC` in nanoseconds.
#[must_use]
pub fn monotonic_ns() -> u64 {
    nanoseconds(clock_gettime(ClockId::Monotonic))
}

/// `CLOCK_MONOTONIC` in nanoseconds as of the kernel's next tick, which is some milliseconds later.
/// Costs a fraction.
pub(crate) fn rough_ns() -> u64 {
    static TICK: OnceLock<u64> = OnceLock::new();
    let tick = *TICK.get_or_init(|| nanoseconds(clock_getres(ClockId::MonotonicCoarse)));
    nanoseconds(clock_gettime(ClockId::MonotonicCoarse)) + tick
}

/// Time limit of a blocking call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// Not at all.
    Now,
    /// Until `CLOCK_MONOTONIC` shows this many nanoseconds.
    At(u64),
    /// For ever.
    Never,
}

impl Deadline {
    /// So long from now; zero does not block.
    #[must_use]
    pub fn after(time: Duration) -> Self {
        if time.is_zero() {
            return Self::Now;
        }
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        monotonic_ns().checked_add(nanos).map_or(Self::Never, Self::At)
    }

    /// Whether the deadline has passed.
    #[must_use]
    pub fn passed(self, now: u64) -> bool {
        match self {
            Self::Now => true,
            Self::At(at) => now >= at,
            Self::Never => false,
        }
    }

    /// The deadline, or `limit` if that comes first.
    pub(crate) fn or(self, limit: u64) -> u64 {
        match self {
            Self::Now => 0,
            Self::At(at) => at.min(limit),
            Self::Never => limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_pass_in_order() {
        let now = monotonic_ns();
        assert!(Deadline::after(Duration::ZERO).passed(now));
        assert!(!Deadline::after(Duration::from_secs(60)).passed(now));
        assert!(Deadline::At(now).passed(now));
        assert!(!Deadline::Never.passed(u64::MAX));
        assert_eq!(Deadline::after(Duration::MAX), Deadline::Never);
        assert_eq!(Deadline::At(5).or(3), 3);
    }
}
