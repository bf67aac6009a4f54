//! A PTP hardware clock as the time that streams follow.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::Path,
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
};

use media::Tai;
use rustix::time::{ClockId, DynamicClockId, Timespec, clock_gettime, clock_gettime_dynamic};

use crate::{engine::Clock, error::Error};

const NANOS: i64 = 1_000_000_000;
/// How long a comparison with the hardware clock is used: a crystal that is off by 50 ppm moves 5 µs in that time.
const COMPARED: i64 = NANOS / 10;
/// Readings for one comparison. The one that took the shortest counts.
const READINGS: usize = 5;

/// A PTP hardware clock, `/dev/ptpN`, steered to TAI by a daemon such as ptp4l.
///
/// Reading it costs a system call and a bus access, so ten times a second it is compared with `CLOCK_MONOTONIC`, and that is
/// read in between. From one comparison to the next the time may so step by some microseconds.
#[derive(Debug)]
pub struct HardwareClock {
    device: File,
    index: u32,
    /// What is to be added to the monotonic clock, and what that showed when it was found out. They need no order between
    /// them: any two comparisons in a row differ by next to nothing.
    ahead: AtomicI64,
    compared: AtomicI64,
    failed: AtomicBool,
}

impl HardwareClock {
    /// Opens `/dev/ptpN`.
    ///
    /// # Errors
    /// The path does not end in a number, or is no PTP hardware clock that this process may read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let refuse = |source| Error::HardwareClock { path: path.to_owned(), source };
        let device = File::open(path).map_err(refuse)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let digits = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        // The clock first: of another device it is not the name that is wrong.
        let comparison = compare(|| read(&device), monotonic).map_err(refuse)?;
        let index = digits.parse().map_err(|_| refuse(io::ErrorKind::InvalidInput.into()))?;
        Ok(Self {
            device,
            index,
            ahead: AtomicI64::new(comparison.ahead),
            compared: AtomicI64::new(comparison.at),
            failed: AtomicBool::new(false),
        })
    }

    /// N of `/dev/ptpN`.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// How far it is ahead of the system's TAI ([`media::tai::now`]), in nanoseconds.
    ///
    /// # Errors
    /// The device is gone.
    pub fn ahead_of_system(&self) -> io::Result<i64> {
        let system = || i64::try_from(media::tai::now().as_nanos()).unwrap_or(i64::MAX);
        Ok(compare(|| read(&self.device), system)?.ahead)
    }
}

impl Clock for HardwareClock {
    /// If the device is gone, time goes on by the system's clock.
    fn now(&self) -> Tai {
        let now = monotonic();
        let compared = self.compared.load(Ordering::Relaxed);
        // One thread compares, the others go on with what is known.
        let due = now.saturating_sub(compared) >= COMPARED
            && self
                .compared
                .compare_exchange(compared, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if due {
            match compare(|| read(&self.device), monotonic) {
                Ok(comparison) => self.ahead.store(comparison.ahead, Ordering::Relaxed),
                Err(error) if !self.failed.swap(true, Ordering::Relaxed) => log::error!(
                    "/dev/ptp{} cannot be read any more, time goes on by the system's clock: {error}",
                    self.index
                ),
                Err(_) => {}
            }
        }
        let nanos = monotonic().saturating_add(self.ahead.load(Ordering::Relaxed));
        Tai::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

fn read(device: &File) -> io::Result<i64> {
    Ok(nanos(clock_gettime_dynamic(DynamicClockId::Dynamic(device.as_fd()))?))
}

fn monotonic() -> i64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(NANOS).saturating_add(time.tv_nsec)
}

struct Comparison {
    /// How far the clock is ahead of the base.
    ahead: i64,
    /// What the base showed.
    at: i64,
}

/// Compares a clock with a base clock. Of a few readings, each between two of the base, the shortest is the best.
fn compare(clock: impl Fn() -> io::Result<i64>, base: impl Fn() -> i64) -> io::Result<Comparison> {
    let mut best: Option<(i64, Comparison)> = None;
    for _ in 0..READINGS {
        let before = base();
        let reading = clock()?;
        let after = base();
        let took = after.saturating_sub(before);
        // The base was set back in between.
        if took < 0 {
            continue;
        }
        let at = before.saturating_add(took / 2);
        if best.as_ref().is_none_or(|(shortest, _)| took < *shortest) {
            best = Some((took, Comparison { ahead: reading.saturating_sub(at), at }));
        }
    }
    best.map(|(_, comparison)| comparison).ok_or_else(|| io::ErrorKind::TimedOut.into())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn the_shortest_reading_counts() {
        // The base advances by these steps; the clock is 1000 ahead of it when it is read, in the middle or late.
        let steps = [100, 100, 900, 100, 4, 4, 50, 50, 300, 10];
        let (step, time) = (Cell::new(0), Cell::new(0_i64));
        let advance = || {
            let now = time.get() + steps[step.get() % steps.len()];
            step.set(step.get() + 1);
            time.set(now);
            now
        };
        let comparison = compare(|| Ok(time.get() + 1000), advance).unwrap();
        // Between the fifth and sixth: 4 long, so 2 is taken off.
        assert_eq!(comparison.ahead, 998);
        assert!(compare(|| Err(io::ErrorKind::NotFound.into()), || 0).is_err());
    }

    #[test]
    fn what_is_no_clock_is_refused() {
        for path in ["/dev/null", "/dev/ptp-of-nobody", "/"] {
            let error = HardwareClock::open(Path::new(path)).unwrap_err();
            assert!(error.to_string().contains(path), "{error}");
        }
    }

    #[test]
    fn a_hardware_clock_is_followed() {
        let path = Path::new("/dev/ptp0");
        let clock = match HardwareClock::open(path) {
            Ok(clock) => clock,
            // Hardware cannot be demanded of a test's host.
            Err(error) => return eprintln!("SKIPPED: {error}"),
        };
        assert_eq!(clock.index(), 0);
        let ahead = clock.ahead_of_system().unwrap();
        let system = i64::try_from(media::tai::now().as_nanos()).unwrap();
        let now = i64::try_from(clock.now().as_nanos()).unwrap();
        assert!((now - system - ahead).abs() < NANOS / 2);
    }
}
