//! Rates: what went by between two readings of the counters in shared memory.
//!
//! Nothing is read unless somebody asks; who asks for the first time gets rates with the next question.

use crate::registry::ConnNo;
use std::collections::HashMap;
use std::time::Duration;

/// A reading that is nearer than this says little about a rate.
const SHORTEST: Duration = Duration::from_millis(200);
/// The span over which rates are taken, if somebody asks often.
const USUAL: Duration = Duration::from_millis(800);
/// A reading that is older than this is about another time.
const LONGEST: Duration = Duration::from_secs(5);

/// Counters of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) frames: u64,
    pub(super) bytes: u64,
}

/// Rates of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) fps: f64,
    pub(super) mbit_per_s: f64,
}

#[derive(Debug)]
struct Reading {
    at: Duration,
    counts: HashMap<ConnNo, Counts>,
}

/// The last readings.
#[derive(Debug, Default)]
pub(super) struct Meter {
    older: Option<Reading>,
    newer: Option<Reading>,
}

impl Meter {
    /// Takes a new reading. Returns the rates since an earlier one, or `None` if there is none of a useful age.
    pub(super) fn read(
        &mut self,
        now: Duration,
        counts: HashMap<ConnNo, Counts>,
    ) -> Option<HashMap<ConnNo, Rates>> {
        let fits =
            |reading: &&Reading| (SHORTEST..=LONGEST).contains(&now.saturating_sub(reading.at));
        let base = [&self.older, &self.newer].into_iter().flatten().find(fits);
        let rates = base.map(|base| {
            let seconds = now.saturating_sub(base.at).as_secs_f64();
            let rate = |(no, counts): (&ConnNo, &Counts)| {
                let before = base.counts.get(no).copied().unwrap_or_default();
                let per_second = |now: u64, then: u64| now.saturating_sub(then) as f64 / seconds;
                let rates = Rates {
                    fps: per_second(counts.frames, before.frames),
                    mbit_per_s: per_second(counts.bytes, before.bytes) * 8e-6,
                };
                (*no, rates)
            };
            counts.iter().map(rate).collect()
        });
        let age = self.newer.as_ref().map(|newer| now.saturating_sub(newer.at));
        if age.is_none_or(|age| age >= USUAL) {
            self.older = self.newer.replace(Reading { at: now, counts });
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: ConnNo = ConnNo(1);

    fn counts(frames: u64) -> HashMap<ConnNo, Counts> {
        HashMap::from([(A, Counts { frames, bytes: frames * 1000 })])
    }

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn rates_span_about_a_second() {
        let mut meter = Meter::default();
        assert_eq!(meter.read(at(1000), counts(100)), None);
        assert_eq!(meter.read(at(1100), counts(106)), None, "too soon");
        let rates = meter.read(at(1500), counts(130)).unwrap()[&A];
        assert_eq!(rates, Rates { fps: 60.0, mbit_per_s: 0.48 });
        assert_eq!(meter.read(at(2000), counts(160)).unwrap()[&A].fps, 60.0);
        // The reading at 2000 has become the newer one; the one at 1000 is still used until there is a better one.
        assert_eq!(meter.read(at(2500), counts(160)).unwrap()[&A].fps, 40.0);
        assert_eq!(meter.read(at(3000), counts(160)).unwrap()[&A].fps, 30.0);
        assert_eq!(meter.read(at(3500), counts(160)).unwrap()[&A].fps, 0.0);
    }

    #[test]
    fn old_readings_do_not_count() {
        let mut meter = Meter::default();
        meter.read(at(0), counts(0));
        assert_eq!(meter.read(at(60_000), counts(3600)), None);
        assert_eq!(meter.read(at(61_000), counts(3660)).unwrap()[&A].fps, 60.0);
    }

    #[test]
    fn counters_that_fall_are_no_rate() {
        let mut meter = Meter::default();
        meter.read(at(0), counts(500));
        assert_eq!(meter.read(at(1000), counts(0)).unwrap()[&A].fps, 0.0);
    }
}
