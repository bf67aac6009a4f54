//! What analysers say of received streams, by name.

use st2110::analyser::{AudioSummary, Spread, VideoSummary};
use st2110::sequence::Counts;
use st2110_net::receive::Analysis;

/// Nanoseconds of a microsecond, the unit of measurements of time.
const MICROSECOND: f64 = 1000.0;

/// Something's names on the two paths that a stream may have: since the bridge began, and lately.
type Names = [[&'static str; 2]; 2];

/// Where among the names of a path those of all that came stand, and where those of the last seconds.
const ALL: usize = 0;
const LAST: usize = 1;

macro_rules! paths {
    ($($name:literal),+) => {[
        [concat!("path1_", $($name),+), concat!("path1_last_", $($name),+)],
        [concat!("path2_", $($name),+), concat!("path2_last_", $($name),+)],
    ]};
}

/// The names of the least, the mean and the greatest of some values, with their unit.
macro_rules! spread {
    ($name:literal, $unit:literal) => {
        [paths!($name, "_min", $unit), paths!($name, "_mean", $unit), paths!($name, "_max", $unit)]
    };
}

/// Counts of each path since the bridge began.
pub(crate) fn counters(analyses: &[Analysis]) -> Vec<(&'static str, u64)> {
    named(analyses, ALL, |analysis| match analysis {
        Analysis::Video(video) => video_counters(&video.all),
        Analysis::Audio(audio) => audio_counters(&audio.all),
    })
}

/// Measurements of each path: levels in packets, times in microseconds, RTP offsets in ticks. Those of the last seconds have counts among
/// them, which go up and down.
pub(crate) fn measurements(analyses: &[Analysis]) -> Vec<(&'static str, f64)> {
    let mut all = named(analyses, ALL, |analysis| match analysis {
        Analysis::Video(video) => {
            [learnt_of_video(&video.all), video_measurements(&video.all)].concat()
        }
        Analysis::Audio(audio) => {
            [learnt_of_audio(&audio.all), audio_measurements(&audio.all)].concat()
        }
    });
    all.extend(named(analyses, LAST, |analysis| match analysis {
        Analysis::Video(video) => {
            let recent = &video.recent;
            lately(video_counters(recent), &recent.counts, video_measurements(recent))
        }
        Analysis::Audio(audio) => {
            let recent = &audio.recent;
            lately(audio_counters(recent), &recent.counts, audio_measurements(recent))
        }
    }));
    all
}

fn named<T>(
    analyses: &[Analysis],
    when: usize,
    figures: impl Fn(&Analysis) -> Vec<(Names, T)>,
) -> Vec<(&'static str, T)> {
    // More than two paths there are not.
    let paths = analyses.iter().take(2).enumerate();
    let named = paths.flat_map(|(path, analysis)| {
        figures(analysis).into_iter().map(move |(names, value)| (names[path][when], value))
    });
    named.collect()
}

/// Figures of the last seconds. The account of packets, which is elsewhere for all that came, is with them.
fn lately(
    counters: Vec<(Names, u64)>,
    counts: &Counts,
    mut measurements: Vec<(Names, f64)>,
) -> Vec<(Names, f64)> {
    let packets = [(paths!("received"), counts.received), (paths!("lost"), counts.lost)];
    let counts = counters.into_iter().chain(packets);
    measurements.extend(counts.map(|(names, value)| (names, value as f64)));
    measurements
}

fn audio_counters(audio: &AudioSummary) -> Vec<(Names, u64)> {
    vec![(paths!("discontinuities"), audio.discontinuities)]
}

fn video_counters(video: &VideoSummary) -> Vec<(Names, u64)> {
    vec![
        (paths!("units"), video.units),
        (paths!("narrow"), video.narrow),
        (paths!("narrow_linear"), video.linear),
        (paths!("wide"), video.wide),
        (paths!("not_compliant"), video.failed),
        (paths!("not_judged"), video.unknown),
        (paths!("markers_missing"), video.markers.missing),
        (paths!("markers_repeated"), video.markers.repeated),
    ]
}

/// What is known of the stream.
fn learnt_of_video(video: &VideoSummary) -> Vec<(Names, f64)> {
    let mut figures = Vec::new();
    if let Some(packets) = video.packets_per_unit {
        figures.push((paths!("packets_per_unit"), f64::from(packets)));
    }
    if let Some(offset) = video.offset {
        figures.push((paths!("tro_us"), offset.as_nanos() as f64 / MICROSECOND));
    }
    figures
}

fn learnt_of_audio(audio: &AudioSummary) -> Vec<(Names, f64)> {
    let samples = audio.samples.map(|samples| (paths!("samples_per_packet"), f64::from(samples)));
    samples.into_iter().collect()
}

fn video_measurements(video: &VideoSummary) -> Vec<(Names, f64)> {
    let mut figures = Vec::new();
    // Without a level nothing has been judged, and there is no Cinst either.
    if video.vrx.count > 0 {
        figures.push((paths!("cinst_max"), video.cinst));
    }
    add(&mut figures, spread!("vrx", ""), &video.vrx, 1.0);
    add(&mut figures, spread!("vrx_linear", ""), &video.vrx_linear, 1.0);
    add(&mut figures, spread!("first_packet", "_us"), &video.first_packet, MICROSECOND);
    add(&mut figures, spread!("gap", "_us"), &video.gaps, MICROSECOND);
    add(&mut figures, spread!("rtp_offset", ""), &video.rtp_offset, 1.0);
    figures
}

fn audio_measurements(audio: &AudioSummary) -> Vec<(Names, f64)> {
    let mut figures = Vec::new();
    add(&mut figures, spread!("ts_df", "_us"), &audio.delay_factor, MICROSECOND);
    add(&mut figures, spread!("gap", "_us"), &audio.gaps, MICROSECOND);
    add(&mut figures, spread!("rtp_offset", ""), &audio.rtp_offset, 1.0);
    figures
}

/// Adds the least, the mean and the greatest value, if there is any, in a unit of so many of the spread's.
fn add(figures: &mut Vec<(Names, f64)>, names: [Names; 3], spread: &Spread, unit: f64) {
    let Some(mean) = spread.mean() else { return };
    let values = [spread.min as f64, mean, spread.max as f64];
    figures.extend(names.into_iter().zip(values.map(|value| value / unit)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use st2110_net::receive::Judged;
    use std::collections::BTreeMap;

    fn spread(values: &[i64]) -> Spread {
        let mut spread = Spread::default();
        values.iter().for_each(|value| spread.add(*value));
        spread
    }

    #[test]
    fn each_path_has_its_figures() {
        let first = VideoSummary {
            units: 5,
            narrow: 2,
            wide: 3,
            cinst: 3.5,
            vrx: spread(&[0, 6]),
            first_packet: spread(&[-1000, 5000]),
            ..VideoSummary::default()
        };
        let second = VideoSummary { units: 4, failed: 4, ..VideoSummary::default() };
        let recent = VideoSummary { units: 3, wide: 2, cinst: 1.5, vrx: spread(&[1]), ..first };
        let analyses = [Judged { all: first, recent }, Judged { all: second, recent: second }]
            .map(|video| Analysis::Video(Box::new(video)));
        let counts: BTreeMap<_, _> = counters(&analyses).into_iter().collect();
        assert_eq!(
            (counts["path1_units"], counts["path1_narrow"], counts["path1_wide"]),
            (5, 2, 3)
        );
        assert_eq!((counts["path2_units"], counts["path2_not_compliant"]), (4, 4));
        let figures: BTreeMap<_, _> = measurements(&analyses).into_iter().collect();
        assert_eq!((figures["path1_cinst_max"], figures["path1_vrx_mean"]), (3.5, 3.0));
        assert_eq!(figures["path1_first_packet_min_us"], -1.0);
        assert_eq!(figures["path1_first_packet_max_us"], 5.0);
        assert_eq!((figures["path1_last_cinst_max"], figures["path1_last_vrx_max"]), (1.5, 1.0));
        assert_eq!((figures["path1_last_wide"], figures["path2_last_not_compliant"]), (2.0, 4.0));
        // What was not measured is not there.
        assert!(!figures.contains_key("path2_vrx_min"), "{figures:?}");
        assert!(!figures.contains_key("path2_last_vrx_min"), "{figures:?}");
        assert!(!figures.contains_key("path1_gap_max_us"));
    }

    #[test]
    fn audio_has_its_delay_factor() {
        let audio = AudioSummary {
            delay_factor: spread(&[40_000, 60_000]),
            samples: Some(48),
            ..AudioSummary::default()
        };
        let counts = Counts { received: 9, ..Counts::default() };
        let recent = AudioSummary { delay_factor: spread(&[60_000]), counts, ..audio };
        let analyses = [Analysis::Audio(Box::new(Judged { all: audio, recent }))];
        assert_eq!(counters(&analyses), [("path1_discontinuities", 0)]);
        assert_eq!(
            measurements(&analyses),
            [
                ("path1_samples_per_packet", 48.0),
                ("path1_ts_df_min_us", 40.0),
                ("path1_ts_df_mean_us", 50.0),
                ("path1_ts_df_max_us", 60.0),
                ("path1_last_ts_df_min_us", 60.0),
                ("path1_last_ts_df_mean_us", 60.0),
                ("path1_last_ts_df_max_us", 60.0),
                ("path1_last_discontinuities", 0.0),
                ("path1_last_received", 9.0),
                ("path1_last_lost", 0.0),
            ]
        );
    }
}
