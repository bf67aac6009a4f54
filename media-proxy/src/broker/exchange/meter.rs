//! Rates: the difference between two readings of the counters in shared memory.
//!
//! The counters are read only when a caller asks. A connection that did not exist at the caller's
//! last request has no rate until the next one.

use crate::broker::registry::ConnNo;
use std::collections::HashMap;
use std::time::Duration;

/// Shortest span that gives a useful rate.
const SHORTEST: Duration = Duration::from_millis(200);
/// The span over which rates are taken, if callers ask often.
const USUAL: Duration = Duration::from_millis(800);
/// Age after which a reading is obsolete.
const LONGEST: Duration = Duration::from_secs(5);

/// Counters of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) frames: u64,
    pub(super) bytes: u64,
    /// Time of the newest frame's put (`CLOCK_MONOTONIC`), according to the source.
    pub(super) newest: Option<Duration>,
}

/// Rates of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) fps: f64,
    pub(super) mbit_per_s: f64,
}

#[derive(Clone, Copy, Debug)]
struct Reading {
    at: Duration,
    counts: Counts,
}

impl Reading {
    /// Rates from this reading to a later one.
    ///
    /// Counting frames between two moments is wrong by up to one frame. The time from the newest
    /// frame of one reading to that of the other has no such error, but is no measure where the
    /// stream has begun or stopped in between, or where the source's word is not to be had: then
    /// the two differ widely.
    fn rates(&self, later: &Self) -> Rates {
        let elapsed = later.at.saturating_sub(self.at);
        let of_frames = later
            .counts
            .newest
            .zip(self.counts.newest)
            .and_then(|(later, earlier)| later.checked_sub(earlier))
            .filter(|span| (elapsed / 2..=elapsed * 3 / 2).contains(span));
        let seconds = of_frames.unwrap_or(elapsed).as_secs_f64();
        let per_second = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
        Rates {
            fps: per_second(later.counts.frames, self.counts.frames),
            mbit_per_s: per_second(later.counts.bytes, self.counts.bytes) * 8e-6,
        }
    }
}

/// The last two readings of a connection that stand so far apart that they are worth keeping.
#[derive(Clone, Copy, Debug)]
struct Readings {
    older: Option<Reading>,
    newer: Reading,
}

/// The last readings.
#[derive(Debug, Default)]
pub(super) struct Meter {
    readings: HashMap<ConnNo, Readings>,
}

impl Meter {
    /// Takes a new reading. Returns the rates of all connections that have an earlier reading of a
    /// useful age.
    pub(super) fn read(
        &mut self,
        now: Duration,
        counts: HashMap<ConnNo, Counts>,
    ) -> HashMap<ConnNo, Rates> {
        self.readings.retain(|no, _| counts.contains_key(no));
        let mut rates = HashMap::new();
        for (no, counts) in counts {
            let reading = Reading { at: now, counts };
            let Some(kept) = self.readings.get_mut(&no) else {
                self.readings.insert(no, Readings { older: None, newer: reading });
                continue;
            };
            let age = |reading: &Reading| now.saturating_sub(reading.at);
            let base = kept
                .older
                .iter()
                .chain([&kept.newer])
                .find(|reading| (SHORTEST..=LONGEST).contains(&age(reading)));
            rates.extend(base.map(|base| (no, base.rates(&reading))));
            if age(&kept.newer) >= USUAL {
                kept.older = Some(std::mem::replace(&mut kept.newer, reading));
            }
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnNo = ConnNo(1);
    const B: ConnNo = ConnNo(2);

    fn one(frames: u64) -> Counts {
        Counts { frames, bytes: frames * 1000, newest: None }
    }

    fn counts(frames: u64) -> HashMap<ConnNo, Counts> {
        HashMap::from([(A, one(frames))])
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn rates_span_about_a_second() {
        let mut meter = Meter::default();
        assert!(meter.read(at(1000), counts(100)).is_empty());
        assert!(meter.read(at(1100), counts(106)).is_empty(), "too soon");
        let rates = meter.read(at(1500), counts(130))[&A];
        assert_eq!(rates, Rates { fps: 60.0, mbit_per_s: 0.48 });
        assert_eq!(meter.read(at(2000), counts(160))[&A].fps, 60.0);
        // The reading at 2000 has become the newer one; the one at 1000 is still used until there
        // is a better one.
        assert_eq!(meter.read(at(2500), counts(160))[&A].fps, 40.0);
        assert_eq!(meter.read(at(3000), counts(160))[&A].fps, 30.0);
        assert_eq!(meter.read(at(3500), counts(160))[&A].fps, 0.0);
    }

    #[test]
    fn old_readings_do_not_count() {
        let mut meter = Meter::default();
        meter.read(at(0), counts(0));
        assert!(meter.read(at(60_000), counts(3600)).is_empty());
        assert_eq!(meter.read(at(61_000), counts(3660))[&A].fps, 60.0);
    }

    #[test]
    fn counters_that_fall_are_no_rate() {
        let mut meter = Meter::default();
        meter.read(at(0), counts(500));
        assert_eq!(meter.read(at(1000), counts(0))[&A].fps, 0.0);
    }

    #[test]
    fn a_connection_has_no_rate_before_its_second_reading() {
        let mut meter = Meter::default();
        meter.read(at(0), counts(0));
        // B began at 3000 with 1000 frames a second: what it has sent since then is no rate over
        // the 4 s since the last question.
        let both = HashMap::from([(A, one(240)), (B, one(1000))]);
        let rates = meter.read(at(4000), both);
        assert_eq!((rates[&A].fps, rates.get(&B)), (60.0, None));
        let both = HashMap::from([(A, one(255)), (B, one(1250))]);
        let rates = meter.read(at(4250), both);
        assert_eq!((rates[&A].fps, rates[&B].fps), (60.0, 1000.0));
    }

    #[test]
    fn the_frames_own_times_make_rates_exact() {
        let mut meter = Meter::default();
        let reading = |frames: u64, newest_ms: u64| {
            HashMap::from([(A, Counts { newest: Some(at(newest_ms)), ..one(frames) })])
        };
        meter.read(at(1000), reading(10, 990));
        // 6 frames of 40 ms in 250 ms would be 24 a second.
        assert_eq!(meter.read(at(1250), reading(16, 1230))[&A].fps, 25.0);
        // A stream that has stopped, and a source that says nonsense.
        assert_eq!(meter.read(at(2000), reading(16, 1230))[&A].fps, 6.0);
        let nonsense = meter.read(at(2500), reading(16, 999_999))[&A].fps;
        assert_eq!(nonsense, 4.0, "6 frames in 1.5 s by the proxy's own clock");
    }
}
