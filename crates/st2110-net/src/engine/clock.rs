//! The time that streams follow, and sleeping until a moment of it.

use std::{sync::Arc, time::Duration};

use media::Tai;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// Where time comes from.
pub trait Clock: Send + Sync + 'static {
    /// The present moment. Called for every burst of packets, so it should not cost a system call.
    fn now(&self) -> Tai;
}

/// The system's clock, [`media::tai::now`].
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Tai {
        media::tai::now()
    }
}

/// A clock that sessions share.
pub(crate) type SharedClock = Arc<dyn Clock>;

/// Falling asleep and waking up takes a processor longer than this.
const NAP: Duration = Duration::from_micros(10);

/// Sleeps until `until`, but not longer than `most`. Absolute, so that an interruption does not
/// lengthen it. What is shorter than a sleep is waited for awake: that costs less CPU time, and
/// real-time threads come no nearer to their limit.
pub(crate) fn sleep_until(clock: &dyn Clock, until: Tai, most: Duration) {
    let Some(wait) = until.as_nanos().checked_sub(clock.now().as_nanos()) else { return };
    let wait = Duration::from_nanos(wait).min(most);
    if wait <= NAP {
        let start = clock_gettime(ClockId::Monotonic);
        while elapsed(start) < wait {
            std::hint::spin_loop();
        }
        return;
    }
    let start = clock_gettime(ClockId::Monotonic);
    let Some(end) =
        start.checked_add(Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 }))
    else {
        return;
    };
    // An early return is harmless: the caller looks at the clock again.
    rustix::thread::clock_nanosleep_absolute(rustix::thread::ClockId::Monotonic, &end).ok();
}

fn elapsed(since: Timespec) -> Duration {
    let passed = clock_gettime(ClockId::Monotonic).checked_sub(since);
    passed.and_then(|passed| Duration::try_from(passed).ok()).unwrap_or_default()
}

/// Nanoseconds that TAI is ahead of CLOCK_REALTIME, in which the kernel stamps packets.
///
/// A thread that is stopped between two readings sees a difference that is not there, and with it
/// packets that bunch. So of a few attempts the one counts that took the least time.
pub(crate) fn ahead_of_realtime(clock: &dyn Clock) -> i64 {
    ahead_of(clock, ClockId::Realtime)
}

/// The same for CLOCK_MONOTONIC, by which the kernel lets packets leave.
pub(crate) fn ahead_of_monotonic(clock: &dyn Clock) -> i64 {
    ahead_of(clock, ClockId::Monotonic)
}

fn ahead_of(clock: &dyn Clock, other: ClockId) -> i64 {
    const ATTEMPTS: usize = 4;
    const UNDISTURBED: i64 = 500;
    let other = || {
        let time = clock_gettime(other);
        time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
    };
    let mut best = (i64::MAX, 0);
    let mut before = other();
    for _ in 0..ATTEMPTS {
        let tai = i64::try_from(clock.now().as_nanos()).unwrap_or(i64::MAX);
        let after = other();
        let taken = after.saturating_sub(before);
        best = best.min((taken.max(0), tai.saturating_sub(before.midpoint(after))));
        if taken <= UNDISTURBED {
            break;
        }
        before = after;
    }
    best.1
}
