//! Conversion between stream times and TAI.
//!
//! Devices of one process that are open at the same time share one zero, so that video and audio
//! keep their distance: a muxer's time 0 is the same moment for all muxers, and the first frame of
//! all demuxers has time 0.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nanoseconds in a second.
pub(crate) const SECOND: i128 = 1_000_000_000;

#[derive(Debug, Default)]
struct Shared {
    users: usize,
    /// TAI nanoseconds of time 0.
    zero: Option<i128>,
}

/// One zero for several users.
#[derive(Debug, Default)]
pub(crate) struct Timeline(Mutex<Shared>);

/// The zero of the muxers.
pub(crate) static SENT: Timeline = Timeline::new();
/// The zero of the demuxers.
pub(crate) static RECEIVED: Timeline = Timeline::new();

impl Timeline {
    const fn new() -> Self {
        Self(Mutex::new(Shared { users: 0, zero: None }))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another user. With the last one the zero goes.
    pub(crate) fn join(&self) -> User<'_> {
        self.lock().users += 1;
        User(self)
    }
}

/// A user of a timeline.
#[derive(Debug)]
pub(crate) struct User<'a>(&'a Timeline);

impl User<'_> {
    /// The zero; the first one who asks sets it.
    pub(crate) fn zero(&self, first: impl FnOnce() -> i128) -> i128 {
        *self.0.lock().zero.get_or_insert_with(first)
    }
}

impl Drop for User<'_> {
    fn drop(&mut self) {
        let mut shared = self.0.lock();
        shared.users -= 1;
        if shared.users == 0 {
            shared.zero = None;
        }
    }
}

/// The unit of a stream's times: so many ticks in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unit {
    pub(crate) ticks: u32,
    pub(crate) seconds: u32,
}

impl Unit {
    /// A time in ticks, rounded to the nearest.
    pub(crate) fn count(self, ns: i128) -> i64 {
        let (ticks, ns_of_them) = (i128::from(self.ticks), SECOND * i128::from(self.seconds));
        let rounded = (ns * ticks * 2 + ns_of_them).div_euclid(ns_of_them * 2);
        i64::try_from(rounded).unwrap_or(0)
    }
}

/// Times of what a demuxer gives out: they grow, whatever the source does.
#[derive(Debug, Default)]
pub(crate) struct Growing {
    next: Option<i64>,
    /// Added, since a source's times went back.
    offset: i64,
}

impl Growing {
    /// The time of a frame that lasts `duration` ticks.
    ///
    /// `slack` is how far a frame may be from the end of the one before and still be taken as its
    /// continuation.
    pub(crate) fn next(&mut self, time: i64, duration: i64, slack: i64) -> i64 {
        let mut time = time.saturating_add(self.offset);
        if let Some(next) = self.next {
            if (time - next).abs() <= slack {
                time = next;
            } else if time <= next - duration.max(1) {
                // Not later than the one before: another source has begun, or its clock was set.
                self.offset = self.offset.saturating_add(next - time);
                time = next;
            }
        }
        self.next = Some(time.saturating_add(duration.max(1)));
        time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_share_a_zero_until_the_last_one_goes() {
        let timeline = Timeline::new();
        let (one, two) = (timeline.join(), timeline.join());
        assert_eq!(one.zero(|| 5), 5);
        assert_eq!(two.zero(|| 9), 5);
        drop(one);
        assert_eq!(two.zero(|| 9), 5);
        drop(two);
        assert_eq!(timeline.join().zero(|| 9), 9);
    }

    #[test]
    fn ticks_are_rounded() {
        let audio = Unit { ticks: 48_000, seconds: 1 };
        assert_eq!(audio.count(SECOND), 48_000);
        assert_eq!(audio.count(SECOND / 48_000), 1);
        let video = Unit { ticks: 60_000, seconds: 1001 };
        assert_eq!([33_366_667, -33_366_667].map(|ns| video.count(ns)), [2, -2]);
        assert_eq!([8_300_000, 8_400_000].map(|ns| video.count(ns)), [0, 1]);
    }

    #[test]
    fn times_grow_when_the_source_goes_back() {
        let mut times = Growing::default();
        assert_eq!(times.next(0, 40, 0), 0);
        assert_eq!(times.next(41, 40, 0), 41);
        assert_eq!(times.next(-1000, 40, 0), 81);
        assert_eq!(times.next(-960, 40, 0), 121);
        assert_eq!(times.next(-800, 40, 0), 281);
    }

    #[test]
    fn jitter_within_the_slack_is_smoothed() {
        let mut times = Growing::default();
        assert_eq!(times.next(0, 48, 20), 0);
        assert_eq!(times.next(60, 48, 20), 48);
        assert_eq!(times.next(90, 48, 20), 96);
        assert_eq!(times.next(200, 48, 20), 200);
    }
}
