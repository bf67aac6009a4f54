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

/// Sleeps until `until`, but not longer than `most`. Absolute, so that an interruption does not lengthen it.
pub(crate) fn sleep_until(clock: &dyn Clock, until: Tai, most: Duration) {
    let Some(wait) = until.as_nanos().checked_sub(clock.now().as_nanos()) else { return };
    let wait = Duration::from_nanos(wait).min(most);
    let start = clock_gettime(ClockId::Monotonic);
    let Some(end) =
        start.checked_add(Timespec::try_from(wait).unwrap_or(Timespec { tv_sec: 0, tv_nsec: 0 }))
    else {
        return;
    };
    // An early return is harmless: whoever sleeps looks at the clock again.
    rustix::thread::clock_nanosleep_absolute(rustix::thread::ClockId::Monotonic, &end).ok();
}

/// Nanoseconds that TAI is ahead of CLOCK_REALTIME, in which the kernel stamps packets.
pub(crate) fn ahead_of_realtime(clock: &dyn Clock) -> i64 {
    let realtime = clock_gettime(ClockId::Realtime);
    let tai = clock.now();
    let realtime = realtime.tv_sec.saturating_mul(1_000_000_000).saturating_add(realtime.tv_nsec);
    i64::try_from(tai.as_nanos()).unwrap_or(i64::MAX).saturating_sub(realtime)
}
