//! International Atomic Time, the time of ST 2110 and PTP.
//!
//! The kernel counts TAI in `CLOCK_TAI`, as UTC plus an offset that a time daemon has to set. Where
//! nobody has set it, the offset is 0 and `CLOCK_TAI` shows UTC; then [`now`] adds the offset of
//! `MCM_TAI_OFFSET_SECONDS`, or 37 s, which holds since 2017, and warns once through [`log`].

use std::fmt;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// TAI − UTC in seconds since 2017-01-01 (IERS Bulletin C), used where neither the kernel nor the
/// environment knows better.
pub const DEFAULT_OFFSET_SECONDS: i64 = 37;
/// The environment variable that replaces [`DEFAULT_OFFSET_SECONDS`].
pub const OFFSET_VARIABLE: &str = "MCM_TAI_OFFSET_SECONDS";

const NANOS: i64 = 1_000_000_000;
/// How long an observed kernel offset is trusted, in nanoseconds of `CLOCK_TAI`. A daemon that sets
/// the offset makes that clock jump by more than this, so the change is noticed at once.
const TRUST: i64 = NANOS;

/// A moment in TAI: nanoseconds since 1970-01-01T00:00:00 TAI, the epoch of PTP (IEEE 1588, ST
/// 2059-1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tai(u64);

impl Tai {
    /// From nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// From milliseconds since the epoch; stays at the greatest moment if they do not fit.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Whole milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The current moment; see [`now`].
    pub fn now() -> Self {
        now()
    }

    /// Time passed since `earlier`; zero if that is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` later; `None` past the year 2554.
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        let nanos = u64::try_from(duration.as_nanos()).ok()?;
        self.0.checked_add(nanos).map(Self)
    }

    /// The same moment on the system's clock (UTC), for people to read. `offset_seconds` is TAI −
    /// UTC; see [`offset_seconds`].
    pub fn to_system_time(self, offset_seconds: i64) -> SystemTime {
        let offset = Duration::from_secs(offset_seconds.unsigned_abs());
        let time = UNIX_EPOCH + Duration::from_nanos(self.0);
        if offset_seconds >= 0 { time - offset } else { time + offset }
    }

    /// The moment that the system's clock (UTC) calls `time`; `None` before 1970 or past 2554.
    pub fn from_system_time(time: SystemTime, offset_seconds: i64) -> Option<Self> {
        let utc = i128::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
        let nanos = utc + i128::from(offset_seconds) * i128::from(NANOS);
        u64::try_from(nanos).ok().map(Self)
    }
}

impl From<Tai> for u64 {
    fn from(tai: Tai) -> Self {
        tai.0
    }
}

impl fmt::Display for Tai {
    /// Seconds and nanoseconds, as PTP tools print them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / NANOS as u64, self.0 % NANOS as u64)
    }
}

/// The current moment in TAI.
///
/// It costs one clock reading, and once a second a second one; no system call where the kernel
/// provides its clocks in user space.
pub fn now() -> Tai {
    let kernel = clock(ClockId::Tai);
    // Before 1970 there is no Tai; a clock set so shows the epoch.
    Tai(u64::try_from(kernel + correction(kernel)).unwrap_or(0))
}

/// TAI − UTC in seconds, as [`now`] counts it.
pub fn offset_seconds() -> i64 {
    let kernel = clock(ClockId::Tai);
    kernel_offset() + correction(kernel) / NANOS
}

/// Nanoseconds to add to a reading of `CLOCK_TAI`.
fn correction(kernel: i64) -> i64 {
    /// The correction in use, and the reading of `CLOCK_TAI` when it was found out. They need no
    /// order between them: both are refreshed from the clocks alone, and a mixed pair is refreshed
    /// within a second.
    static CORRECTION: AtomicI64 = AtomicI64::new(0);
    static CHECKED: AtomicI64 = AtomicI64::new(i64::MIN);

    let checked = CHECKED.load(Ordering::Acquire);
    if kernel >= checked && kernel.saturating_sub(checked) < TRUST {
        return CORRECTION.load(Ordering::Relaxed);
    }
    let correction = correction_for(kernel_offset(), configured_offset()) * NANOS;
    CORRECTION.store(correction, Ordering::Relaxed);
    CHECKED.store(kernel, Ordering::Release);
    correction
}

/// Seconds to add to `CLOCK_TAI`, given the kernel's own offset and the configured one.
fn correction_for(kernel_offset: i64, configured: i64) -> i64 {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if kernel_offset != 0 {
        return 0;
    }
    if !WARNED.swap(true, Ordering::Relaxed) {
        log::warn!(
            "the kernel's TAI offset is not set: using {configured} s ({OFFSET_VARIABLE} changes that)"
        );
    }
    configured
}

/// `CLOCK_TAI − CLOCK_REALTIME` in whole seconds. Rounding takes away the moment between the
/// readings, and a thread that was stopped in between reads again.
fn kernel_offset() -> i64 {
    loop {
        let before = clock(ClockId::Tai);
        let utc = clock(ClockId::Realtime);
        let after = clock(ClockId::Tai);
        if (0..NANOS / 4).contains(&(after - before)) {
            return (before - utc + NANOS / 2).div_euclid(NANOS);
        }
    }
}

fn configured_offset() -> i64 {
    static CONFIGURED: OnceLock<i64> = OnceLock::new();
    *CONFIGURED.get_or_init(|| match std::env::var(OFFSET_VARIABLE) {
        Ok(text) => parse_offset(&text).unwrap_or_else(|| {
            log::warn!(
                "{OFFSET_VARIABLE}: found {text:?}, allowed: -1000 to 1000; using {DEFAULT_OFFSET_SECONDS}"
            );
            DEFAULT_OFFSET_SECONDS
        }),
        Err(_) => DEFAULT_OFFSET_SECONDS,
    })
}

fn parse_offset(text: &str) -> Option<i64> {
    text.trim().parse().ok().filter(|seconds| (-1000..=1000).contains(seconds))
}

fn clock(id: ClockId) -> i64 {
    let time = clock_gettime(id);
    time.tv_sec.saturating_mul(NANOS).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kernels_offset_wins() {
        assert_eq!(correction_for(37, 37), 0);
        assert_eq!(correction_for(36, 40), 0);
        assert_eq!(correction_for(0, 37), 37);
        assert_eq!(correction_for(0, 0), 0);
    }

    #[test]
    fn now_is_the_systems_clock_plus_the_offset() {
        let before = SystemTime::now();
        let now = Tai::now();
        let after = SystemTime::now();
        let offset = offset_seconds();
        assert!(now >= Tai::from_system_time(before, offset).unwrap());
        assert!(now <= Tai::from_system_time(after, offset).unwrap());
    }

    #[test]
    fn offsets_of_the_environment() {
        assert_eq!(parse_offset(" 38 "), Some(38));
        assert_eq!(parse_offset("0"), Some(0));
        for text in ["", "x", "37.0", "1001", "-1001", "99999999999999999999"] {
            assert_eq!(parse_offset(text), None, "{text}");
        }
    }

    #[test]
    fn arithmetic_stays_in_range() {
        let time = Tai::from_nanos(1_500_000_007);
        assert_eq!(time.to_string(), "1.500000007");
        assert_eq!(time.as_millis(), 1500);
        assert_eq!(time.since(Tai::from_millis(500)), Duration::from_nanos(1_000_000_007));
        assert_eq!(Tai::from_millis(500).since(time), Duration::ZERO);
        assert_eq!(time.checked_add(Duration::from_secs(1)), Some(Tai::from_nanos(2_500_000_007)));
        assert_eq!(time.checked_add(Duration::MAX), None);
        assert_eq!(Tai::from_millis(u64::MAX), Tai::from_nanos(u64::MAX));
        assert_eq!(Tai::from_system_time(UNIX_EPOCH, -1), None);
        assert_eq!(Tai::from_system_time(UNIX_EPOCH - Duration::from_secs(1), 0), None);
    }

    proptest! {
        #[test]
        fn the_systems_time_is_read_back(nanos in 0_u64..u64::MAX / 2, offset in 0_i64..100) {
            let time = Tai::from_nanos(nanos + 100 * NANOS as u64);
            prop_assert_eq!(Tai::from_system_time(time.to_system_time(offset), offset), Some(time));
        }
    }
}
