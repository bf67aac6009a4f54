//! Statistics that follow from the analysis of received streams.

use crate::bridge::statistics::{Max, PathStatistics, Spread};
use st2110::analyser::{self, AudioSummary, VideoSummary};
use st2110::sequence::Counts;
use st2110_net::receive::Analysis;

/// Nanoseconds of a microsecond, the unit of measurements of time.
const MICROSECOND: f64 = 1000.0;

/// The statistics of a path since the bridge began, and of the last seconds.
pub(crate) fn statistics(analysis: Analysis) -> (PathStatistics, PathStatistics) {
    match analysis {
        Analysis::Video(it) => (video(&it.all), recent(video(&it.recent), &it.recent.counts)),
        Analysis::Audio(it) => (audio(&it.all), recent(audio(&it.recent), &it.recent.counts)),
    }
}

/// What is known of a stream as a whole is no statistic of the last seconds; the account of
/// packets, which for all is that of the session, is.
fn recent(statistics: PathStatistics, counts: &Counts) -> PathStatistics {
    PathStatistics {
        packets_per_unit: None,
        tro: None,
        samples_per_packet: None,
        received: Some(counts.received),
        lost: Some(counts.lost),
        ..statistics
    }
}

fn video(summary: &VideoSummary) -> PathStatistics {
    PathStatistics {
        units: Some(summary.units),
        narrow: Some(summary.narrow),
        narrow_linear: Some(summary.linear),
        wide: Some(summary.wide),
        not_compliant: Some(summary.failed),
        not_judged: Some(summary.unknown),
        markers_missing: Some(summary.markers.missing),
        markers_repeated: Some(summary.markers.repeated),
        packets_per_unit: summary.packets_per_unit.map(f64::from),
        tro: summary.offset.map(|offset| offset.as_nanos() as f64 / MICROSECOND),
        // Without a level no frame has been analysed, and there is no Cinst either.
        cinst: (summary.vrx.count > 0).then_some(Max(summary.cinst)),
        vrx: spread(&summary.vrx, 1.0),
        vrx_linear: spread(&summary.vrx_linear, 1.0),
        first_packet: spread(&summary.first_packet, MICROSECOND),
        gap: spread(&summary.gaps, MICROSECOND),
        rtp_offset: spread(&summary.rtp_offset, 1.0),
        ..PathStatistics::default()
    }
}

fn audio(summary: &AudioSummary) -> PathStatistics {
    PathStatistics {
        discontinuities: Some(summary.discontinuities),
        samples_per_packet: summary.samples.map(f64::from),
        ts_df: spread(&summary.delay_factor, MICROSECOND),
        gap: spread(&summary.gaps, MICROSECOND),
        rtp_offset: spread(&summary.rtp_offset, 1.0),
        ..PathStatistics::default()
    }
}

/// The range of values in a unit of `unit` of theirs; `None` without values.
fn spread(values: &analyser::Spread, unit: f64) -> Option<Spread> {
    let mean = values.mean()? / unit;
    Some(Spread { min: values.min as f64 / unit, mean, max: values.max as f64 / unit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use st2110_net::receive::Summaries;

    fn values(values: &[i64]) -> analyser::Spread {
        let mut spread = analyser::Spread::default();
        values.iter().for_each(|value| spread.add(*value));
        spread
    }

    #[test]
    fn what_was_not_measured_is_absent() {
        let all = VideoSummary {
            units: 5,
            cinst: 3.5,
            vrx: values(&[0, 6]),
            first_packet: values(&[-1000, 5000]),
            packets_per_unit: Some(4320),
            ..VideoSummary::default()
        };
        let counts = Counts { received: 9, ..Counts::default() };
        let last = VideoSummary { vrx: analyser::Spread::default(), counts, ..all };
        let summaries = Summaries { all, recent: last };
        let (all, recent) = statistics(Analysis::Video(Box::new(summaries)));
        assert_eq!((all.units, all.received, all.cinst), (Some(5), None, Some(Max(3.5))));
        assert_eq!(all.first_packet, Some(Spread { min: -1.0, mean: 2.0, max: 5.0 }));
        assert_eq!((all.packets_per_unit, recent.packets_per_unit), (Some(4320.0), None));
        assert_eq!((recent.received, recent.cinst, recent.vrx), (Some(9), None, None));
        assert_eq!((all.gap, all.discontinuities), (None, None));
    }
}
