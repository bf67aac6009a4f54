//! A PTP hardware clock as the time that streams follow.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::Path,
    sync::atomic::{AtomicBool, AtomicI64, Ordering},
    time::Duration,
};

use media::Tai;
use rustix::time::{ClockId, DynamicClockId, Timespec, clock_gettime, clock_gettime_dynamic};

use crate::{engine::Clock, error::Error};

const NANOS: i64 = 1_000_000_000;
/// How long a comparison with the hardware clock is used: a crystal that is off by 50 ppm moves 5
/// µs in that time.
const COMPARED: i64 = NANOS / 10;
/// Readings for one comparison. The one that took the shortest counts.
const READINGS: usize = 5;
/// For how long a clock is watched before it is trusted.
const WATCHED: Duration = Duration::from_millis(20);

/// A PTP hardware clock, `/dev/ptpN`, steered to TAI by a daemon such as ptp4l.
///
/// Reading it costs a system call and a bus access, so ten times a second it is compared with
/// `CLOCK_MONOTONIC`, and that is read in between. From one comparison to the next the time may so
/// step by some microseconds.
#[derive(Debug)]
pub struct HardwareClock {
    device: File,
    index: u32,
    follower: Follower,
}

impl HardwareClock {
    /// Opens `/dev/ptpN`.
    ///
    /// # Errors
    /// The path does not end in a number, or is no PTP hardware clock that this process may read,
    /// or the clock stands still.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let refuse = |source| Error::HardwareClock { path: path.to_owned(), source };
        let device = File::open(path).map_err(refuse)?;
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        let digits = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
        // The clock first: of another device it is not the name that is wrong.
        let wait = || std::thread::sleep(WATCHED);
        let comparison = compare_running(|| read(&device), monotonic, wait).map_err(refuse)?;
        let index = digits.parse().map_err(|_| refuse(io::ErrorKind::InvalidInput.into()))?;
        Ok(Self { device, index, follower: Follower::new(&comparison) })
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
    /// If the device is gone or its clock stands still, time goes on by the system's clock.
    fn now(&self) -> Tai {
        let (nanos, change) = self.follower.now(|| read(&self.device), monotonic);
        let index = self.index;
        match change {
            None => {}
            Some(Change::Lost(error)) => log::error!(
                "/dev/ptp{index} cannot be read any more, time goes on by the system's clock: {error}"
            ),
            Some(Change::Stopped) => log::error!(
                "/dev/ptp{index} stands still, time goes on by the system's clock: is its driver well, and does something steer it?"
            ),
            Some(Change::Back) => log::warn!("/dev/ptp{index} runs again, and is followed"),
        }
        Tai::from_nanos(u64::try_from(nanos).unwrap_or(0))
    }
}

/// Follows a clock by a base clock that is cheaper to read.
#[derive(Debug)]
struct Follower {
    /// What is to be added to the base, and what base and clock showed when it was found out. They
    /// need no order between them: any two comparisons in a row differ by next to nothing.
    ahead: AtomicI64,
    compared: AtomicI64,
    reading: AtomicI64,
    /// The clock cannot be followed at present.
    failed: AtomicBool,
}

/// What is new of a clock that is followed.
#[derive(Debug)]
enum Change {
    /// It cannot be read.
    Lost(io::Error),
    /// It stands still.
    Stopped,
    /// It is well again.
    Back,
}

impl Follower {
    fn new(comparison: &Comparison) -> Self {
        Self {
            ahead: AtomicI64::new(comparison.ahead),
            compared: AtomicI64::new(comparison.at),
            reading: AtomicI64::new(comparison.reading()),
            failed: AtomicBool::new(false),
        }
    }

    /// The time in nanoseconds, and what is new of the clock.
    fn now(
        &self,
        clock: impl Fn() -> io::Result<i64>,
        base: impl Fn() -> i64,
    ) -> (i64, Option<Change>) {
        let now = base();
        let compared = self.compared.load(Ordering::Relaxed);
        // One thread compares, the others go on with what is known.
        let due = now.saturating_sub(compared) >= COMPARED
            && self
                .compared
                .compare_exchange(compared, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        let mut change = None;
        if due {
            let fault = match compare(clock, &base) {
                Ok(comparison) => {
                    let before = self.reading.swap(comparison.reading(), Ordering::Relaxed);
                    let stands = stands_still(
                        comparison.reading().saturating_sub(before),
                        comparison.at.saturating_sub(compared),
                    );
                    if !stands {
                        self.ahead.store(comparison.ahead, Ordering::Relaxed);
                    }
                    stands.then_some(Change::Stopped)
                }
                Err(error) => Some(Change::Lost(error)),
            };
            let failed = fault.is_some();
            let new = self.failed.swap(failed, Ordering::Relaxed) != failed;
            change = new.then(|| fault.unwrap_or(Change::Back));
        }
        (base().saturating_add(self.ahead.load(Ordering::Relaxed)), change)
    }
}

/// Whether a clock that has gone so far in that time stands still. A daemon may set it, in either
/// direction and by any amount, and slows it by far less than half.
const fn stands_still(gone: i64, time: i64) -> bool {
    gone >= 0 && gone < time / 2
}

/// A comparison with a clock that is seen to run.
fn compare_running(
    clock: impl Fn() -> io::Result<i64>,
    base: impl Fn() -> i64,
    wait: impl FnOnce(),
) -> io::Result<Comparison> {
    let first = compare(&clock, &base)?;
    wait();
    let second = compare(&clock, &base)?;
    let (gone, time) = (second.reading() - first.reading(), second.at - first.at);
    if stands_still(gone, time) {
        return Err(io::Error::other(format!("it stands still: {gone} ns in {time} ns")));
    }
    Ok(second)
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

impl Comparison {
    /// What the clock showed.
    const fn reading(&self) -> i64 {
        self.at.saturating_add(self.ahead)
    }
}

/// Compares a clock with a base clock. Of a few readings, each between two of the base, the
/// shortest is the best.
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
        // The base advances by these steps; the clock is 1000 ahead of it when it is read, in the
        // middle or late.
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

    /// A base and a clock that a test moves.
    #[derive(Default)]
    struct Bench {
        base: Cell<i64>,
        clock: Cell<i64>,
    }

    impl Bench {
        fn pass(&self, time: i64, gone: i64) {
            self.base.set(self.base.get() + time);
            self.clock.set(self.clock.get() + gone);
        }

        fn now(&self, follower: &Follower) -> (i64, Option<Change>) {
            follower.now(|| Ok(self.clock.get()), || self.base.get())
        }
    }

    #[test]
    fn a_clock_that_stands_still_is_followed_no_longer() {
        let bench = Bench::default();
        bench.pass(0, 5 * NANOS);
        let read = || Ok(bench.clock.get());
        let first =
            compare_running(read, || bench.base.get(), || bench.pass(NANOS, NANOS)).unwrap();
        let follower = Follower::new(&first);
        bench.pass(NANOS, NANOS);
        assert!(matches!(bench.now(&follower), (time, None) if time == 7 * NANOS));
        // It stops: time goes on, and that is said once.
        let mut changes = Vec::new();
        for step in 1..20 {
            bench.pass(COMPARED, 0);
            let (time, change) = bench.now(&follower);
            assert_eq!(time, 7 * NANOS + step * COMPARED);
            changes.extend(change);
        }
        assert!(matches!(changes.as_slice(), [Change::Stopped]), "{changes:?}");
        // It runs again, wherever it is now.
        bench.pass(COMPARED, COMPARED);
        let (time, change) = bench.now(&follower);
        assert!(matches!(change, Some(Change::Back)), "{change:?}");
        assert_eq!(time, bench.clock.get());
        // It is set by its daemon, forward and back: that is no fault.
        for step in [100 * NANOS, -30 * NANOS] {
            bench.pass(COMPARED, COMPARED + step);
            assert!(matches!(bench.now(&follower), (time, None) if time == bench.clock.get()));
        }
        // It is gone: time goes on.
        bench.pass(COMPARED, 0);
        let lost = || Err(io::ErrorKind::NotFound.into());
        let (time, change) = follower.now(lost, || bench.base.get());
        assert!(matches!(change, Some(Change::Lost(_))), "{change:?}");
        assert_eq!(time, bench.clock.get() + COMPARED);
    }

    #[test]
    fn a_clock_that_stands_still_is_refused() {
        let bench = Bench::default();
        let read = || Ok(bench.clock.get());
        let compared = compare_running(read, || bench.base.get(), || bench.pass(NANOS, 0));
        let error = compared.err().unwrap().to_string();
        assert!(error.starts_with("it stands still"), "{error}");
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
