//! Sleeping until a moment, often and cheaply.
//!
//! A thread that paces packets sleeps some ten thousand times a second, and two things cost most of
//! it:
//!
//! * The processor's timer is set for the sleep. In a virtual machine that leaves the machine, and
//!   takes as long as all else together. A timer of the kernel that is not the first to expire
//!   costs nothing: when the one before it expires, the kernel is in an interrupt and sets the
//!   processor's timer anyway. So there are two, and while the thread sleeps on one, the other is
//!   already set for the sleep that will probably follow.
//! * The thread wakes late, by what an interrupt and a change of threads take. Packets that are
//!   late leave in smaller, more frequent bursts. So timers are set earlier by what is usual here,
//!   and the rest is waited for awake.

use std::{io, os::fd::OwnedFd, time::Duration};

use media::Tai;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime,
    timerfd_create, timerfd_settime,
};

use super::clock::Clock;

/// Falling asleep and waking up costs more CPU time than waiting awake for so long.
pub(super) const NAP: u64 = 10_000;
/// The same for a sleep whose timer is yet to be set: that takes as long again, and the thread
/// wakes later.
const UNFORESEEN: u64 = 30_000;
/// A timer that was set in advance serves if it is earlier than wanted by at most the first, or
/// later by at most the second.
const EARLY: u64 = 5_000;
const LATE: u64 = 1_000;
/// Waking up is taken to be late by no more than this: what is beyond is the machine's, and comes
/// and goes.
const LATEST: u64 = 40_000;
const MOST_AWAKE: u64 = UNFORESEEN + LATEST;
/// How fast the estimate of the usual lateness grows, and falls: one of three awakenings is earlier
/// than that.
const GROWTH: u64 = 50;
const FALL: u64 = 100;

/// A clock that sleeping is measured by: nanoseconds of CLOCK_MONOTONIC.
fn monotonic() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Timers of one thread.
#[derive(Debug)]
pub(super) struct Alarms {
    timers: [Timer; 2],
    /// How late the thread usually wakes.
    lateness: u64,
}

#[derive(Debug)]
struct Timer {
    fd: OwnedFd,
    /// When it expires, if it is set and has not been waited for.
    at: Option<u64>,
}

impl Alarms {
    pub(super) fn new() -> io::Result<Self> {
        let timer = || -> io::Result<_> {
            let fd = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
            Ok(Timer { fd, at: None })
        };
        Ok(Self { timers: [timer()?, timer()?], lateness: 0 })
    }

    /// Sleeps until `until`, but not longer than `most`; `then` is until when the next sleep will
    /// probably be. It may end too early, by an interruption for example: the caller looks at the
    /// clock again.
    pub(super) fn sleep(
        &mut self,
        clock: &dyn Clock,
        until: Tai,
        then: Option<Tai>,
        most: Duration,
    ) {
        // In this order: a thread that is stopped in between wakes early and not late.
        let start = monotonic();
        let now = clock.now().as_nanos();
        let Some(wait) = until.as_nanos().checked_sub(now) else { return };
        let end = start.saturating_add(wait.min(most.as_nanos() as u64));
        let at = end.saturating_sub(self.lateness);
        let then = then.and_then(|then| {
            let after = then.as_nanos().checked_sub(now)?.checked_add(start)?;
            after.checked_sub(self.lateness).filter(|next| *next > at.saturating_add(NAP))
        });
        let set = self.timers.iter().position(|timer| timer.serves(at));
        let worth = if set.is_some() { NAP } else { UNFORESEEN };
        if end > start.saturating_add(worth) {
            let Some(late) = self.wait(set, at, then) else { return };
            if at > start {
                self.note(late);
            }
        } else if let Some(then) = then {
            // There is time to set the timer for the next sleep, so that it does not have to be
            // waited for awake as well.
            self.foresee(usize::from(set == Some(0)), then);
        }
        // What is left is shorter than a sleep, unless that was interrupted.
        while matches!(end.checked_sub(monotonic()), Some(1..=MOST_AWAKE)) {
            std::hint::spin_loop();
        }
    }

    /// Sleeps until the timer expires that is `set` for `at`, or one that is set now, and sets the
    /// other for `then`. Returns how late it is.
    fn wait(&mut self, set: Option<usize>, at: u64, then: Option<u64>) -> Option<u64> {
        let first = match set {
            Some(set) => set,
            None => {
                // The one that would wait longer is more likely to be of use as it is.
                let free = usize::from(self.timers[1].at < self.timers[0].at);
                self.timers[free].set(at)?;
                free
            }
        };
        if let Some(then) = then {
            self.foresee(1 - first, then);
        }
        let timer = &mut self.timers[first];
        let set = timer.at.take()?;
        rustix::io::read(&timer.fd, &mut [0; 8]).ok()?;
        Some(monotonic().saturating_sub(set))
    }

    /// Sees to it that a timer is set for `then`, if need be this one.
    fn foresee(&mut self, timer: usize, then: u64) {
        if !self.timers.iter().any(|timer| timer.serves(then)) {
            self.timers[timer].set(then);
        }
    }

    /// Learns from an awakening that was so late.
    fn note(&mut self, late: u64) {
        self.lateness = if late > self.lateness {
            (self.lateness + GROWTH).min(LATEST)
        } else {
            self.lateness.saturating_sub(FALL)
        };
    }
}

impl Timer {
    fn serves(&self, at: u64) -> bool {
        self.at.is_some_and(|set| set + EARLY >= at && set <= at + LATE)
    }

    fn set(&mut self, at: u64) -> Option<()> {
        // A time of 0 would switch it off.
        let at = at.max(1);
        let it_value =
            Timespec { tv_sec: (at / 1_000_000_000) as i64, tv_nsec: (at % 1_000_000_000) as i64 };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = Itimerspec { it_interval, it_value };
        self.at = None;
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &value).ok()?;
        self.at = Some(at);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::SystemClock;

    const STEP: Duration = Duration::from_micros(300);
    const LONG: Duration = Duration::from_secs(1);

    fn later(now: Tai, by: Duration) -> Tai {
        now.checked_add(by).unwrap()
    }

    /// When the timers are set for.
    fn set(alarms: &Alarms) -> [Option<u64>; 2] {
        [0, 1].map(|index| alarms.timers[index].at)
    }

    #[test]
    fn even_sleeps_find_their_timers_set() {
        let mut alarms = Alarms::new().unwrap();
        let (mut until, mut foreseen) = (later(SystemClock.now(), STEP), 0);
        for _ in 0..50 {
            let before = set(&alarms);
            let then = later(until, STEP);
            alarms.sleep(&SystemClock, until, Some(then), LONG);
            assert!(SystemClock.now() >= until);
            let after = set(&alarms);
            // One has been waited for, the other is set; if that is the same as before, neither was
            // set for this sleep.
            assert_eq!(after.iter().flatten().count(), 1, "{after:?}");
            foreseen += usize::from(before[0].is_some() != after[0].is_some());
            // The machine may have stopped the thread for longer than a step.
            until = if SystemClock.now() < then { then } else { later(SystemClock.now(), STEP) };
        }
        assert!(foreseen >= 25, "{foreseen} of 50");
    }

    #[test]
    fn a_sleep_that_was_not_foreseen_is_as_long() {
        let mut alarms = Alarms::new().unwrap();
        for (step, foreseen) in [(400, 900), (100, 200), (900, 100), (50, 5000), (1500, 20)] {
            let now = SystemClock.now();
            let until = later(now, Duration::from_micros(step));
            let then = later(now, Duration::from_micros(foreseen));
            alarms.sleep(&SystemClock, until, Some(then), LONG);
            assert!(SystemClock.now() >= until, "{step}");
        }
    }

    #[test]
    fn it_ends_after_the_longest_time_and_not_in_the_past() {
        let mut alarms = Alarms::new().unwrap();
        let now = SystemClock.now();
        alarms.sleep(&SystemClock, later(now, LONG), None, Duration::from_millis(2));
        let passed = SystemClock.now().since(now);
        assert!(passed >= Duration::from_millis(2) && passed < LONG, "{passed:?}");
        alarms.sleep(&SystemClock, now, None, LONG);
        alarms.sleep(&SystemClock, later(SystemClock.now(), Duration::from_nanos(500)), None, LONG);
    }

    #[test]
    fn the_usual_lateness_is_learnt() {
        let mut alarms = Alarms::new().unwrap();
        // Two of three awakenings are later than 20 µs, and one comes much later.
        for index in 0..3000 {
            alarms.note(if index % 100 == 99 {
                5_000_000
            } else {
                [15_000, 25_000, 22_000][index % 3]
            });
        }
        assert!((15_000..=25_000).contains(&alarms.lateness), "{}", alarms.lateness);
        for _ in 0..3000 {
            alarms.note(5_000_000);
        }
        assert_eq!(alarms.lateness, LATEST);
    }
}
