//! What analysers say of received streams, by name.

use st2110::analyser::{AudioSummary, Spread, VideoSummary};
use st2110_net::receive::Analysis;

/// Nanoseconds of a microsecond, the unit of measurements of time.
const MICROSECOND: f64 = 1000.0;

/// Something's names on the two paths that a stream may have.
type Names = [&'static str; 2];

macro_rules! paths {
    ($($name:literal),+) => {
        [concat!("path1_", $($name),+), concat!("path2_", $($name),+)]
    };
}

/// The names of the least, the mean and the greatest of some values, with their unit.
macro_rules! spread {
    ($name:literal, $unit:literal) => {
        [paths!($name, "_min", $unit), paths!($name, "_mean", $unit), paths!($name, "_max", $unit)]
    };
}

/// Counts of each path.
pub(super) fn counters(analyses: &[Analysis]) -> Vec<(&'static str, u64)> {
    named(analyses, |analysis| match analysis {
        Analysis::Video(video) => video_counters(video),
        Analysis::Audio(audio) => vec![(paths!("discontinuities"), audio.discontinuities)],
    })
}

/// Measurements of each path: levels in packets, times in microseconds, RTP offsets in ticks.
pub(super) fn measurements(analyses: &[Analysis]) -> Vec<(&'static str, f64)> {
    named(analyses, |analysis| match analysis {
        Analysis::Video(video) => video_measurements(video),
        Analysis::Audio(audio) => audio_measurements(audio),
    })
}

fn named<T>(
    analyses: &[Analysis],
    figures: impl Fn(&Analysis) -> Vec<(Names, T)>,
) -> Vec<(&'static str, T)> {
    // More than two paths there are not.
    let paths = analyses.iter().take(2).enumerate();
    let named = paths.flat_map(|(path, analysis)| {
        figures(analysis).into_iter().map(move |(names, value)| (names[path], value))
    });
    named.collect()
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

fn video_measurements(video: &VideoSummary) -> Vec<(Names, f64)> {
    let mut figures = Vec::new();
    if let Some(packets) = video.packets_per_unit {
        figures.push((paths!("packets_per_unit"), f64::from(packets)));
    }
    if let Some(offset) = video.offset {
        figures.push((paths!("tro_us"), offset.as_nanos() as f64 / MICROSECOND));
    }
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
    if let Some(samples) = audio.samples {
        figures.push((paths!("samples_per_packet"), f64::from(samples)));
    }
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
        let analyses = [first, second].map(|video| Analysis::Video(Box::new(video)));
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
        // What was not measured is not there.
        assert!(figures.keys().all(|name| name.starts_with("path1_")), "{figures:?}");
        assert!(!figures.contains_key("path1_gap_max_us"));
    }

    #[test]
    fn audio_has_its_delay_factor() {
        let audio = AudioSummary {
            delay_factor: spread(&[40_000, 60_000]),
            samples: Some(48),
            ..AudioSummary::default()
        };
        let analyses = [Analysis::Audio(Box::new(audio))];
        assert_eq!(counters(&analyses), [("path1_discontinuities", 0)]);
        assert_eq!(
            measurements(&analyses),
            [
                ("path1_samples_per_packet", 48.0),
                ("path1_ts_df_min_us", 40.0),
                ("path1_ts_df_mean_us", 50.0),
                ("path1_ts_df_max_us", 60.0),
            ]
        );
    }
}
