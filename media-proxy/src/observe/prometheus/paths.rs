//! What is measured at the paths of ST 2110 streams.

use super::bridges::Line;
use super::names::of_path;
use daemon::exposition::{Exposition, Kind::Gauge};

/// A family for measurements: its name, explanation, and the stems of the bridge's own names with the value of the label `schedule`.
/// Measurements in microseconds become seconds where `_us` ends the bridge's name.
struct Family {
    name: &'static str,
    help: &'static str,
    stems: &'static [(&'static str, &'static str)],
}

const fn family(
    name: &'static str,
    help: &'static str,
    stems: &'static [(&'static str, &'static str)],
) -> Family {
    Family { name, help, stems }
}

const FAMILIES: &[Family] = &[
    family(
        "mcm_st2110_cinst_packets",
        "Cinst of ST 2110-21: the fullness of the network compatibility model's buffer, in packets.",
        &[("cinst", "")],
    ),
    family(
        "mcm_st2110_vrx_packets",
        "Level of the virtual receiver buffer of ST 2110-21, in packets, with the gapped or the linear schedule.",
        &[("vrx", "gapped"), ("vrx_linear", "linear")],
    ),
    family(
        "mcm_st2110_first_packet_seconds",
        "First packet of a frame or field, relative to the time that it is due.",
        &[("first_packet", "")],
    ),
    family("mcm_st2110_packet_gap_seconds", "Time between packets.", &[("gap", "")]),
    family(
        "mcm_st2110_rtp_offset_ticks",
        "Arrival minus RTP timestamp, in ticks of the RTP clock.",
        &[("rtp_offset", "")],
    ),
    family(
        "mcm_st2110_delay_factor_seconds",
        "Timestamped delay factor of audio (EBU Tech 3337).",
        &[("ts_df", "")],
    ),
    family(
        "mcm_st2110_tro_seconds",
        "TRO: the offset by which frames or fields are judged.",
        &[("tro", "")],
    ),
    family(
        "mcm_st2110_packets_per_unit",
        "Packets of a frame or field.",
        &[("packets_per_unit", "")],
    ),
    family(
        "mcm_st2110_samples_per_packet",
        "Samples of audio in a packet.",
        &[("samples_per_packet", "")],
    ),
    family(
        "mcm_st2110_path_silent_seconds",
        "For how long nothing has come on one of two paths (ST 2022-7) while the other brought packets.",
        &[("silent", "")],
    ),
    family("mcm_st2110_late_seconds", "How late frames were sent.", &[("late", "")]),
    family(
        "mcm_st2110_wake_late_seconds",
        "How late the sending thread woke up.",
        &[("wake_late", "")],
    ),
    family(
        "mcm_st2110_kernel_paced",
        "1 if the kernel paces the stream, 0 if its thread does.",
        &[("kernel_paced", "")],
    ),
    family("mcm_codec_seconds", "Time to encode or decode a frame.", &[("codec", "")]),
];

#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FAMILIES.iter().map(|family| family.name)
}

/// A measurement by its parts.
#[derive(Debug, PartialEq)]
struct Measured<'a> {
    path: &'static str,
    /// Of all that came, or of the last seconds; empty where that is not said.
    window: &'static str,
    stem: &'a str,
    stat: &'static str,
    value: f64,
}

/// `path1_last_gap_max_us` is the greatest `gap` of path 1 within the last seconds, in microseconds.
fn parse(name: &str, value: f64) -> Measured<'_> {
    let (path, rest) = of_path(name).unwrap_or(("", name));
    let (window, rest) = match (path, rest.strip_prefix("last_")) {
        ("", _) => ("", rest),
        (_, Some(rest)) => ("recent", rest),
        (_, None) => ("all", rest),
    };
    let (rest, value) = rest.strip_suffix("_us").map_or((rest, value), |rest| (rest, value / 1e6));
    let stats = ["min", "mean", "max"];
    let stat = stats.into_iter().find(|stat| rest.ends_with(&format!("_{stat}")));
    let stem = stat.map_or(rest, |stat| &rest[..rest.len() - stat.len() - 1]);
    Measured { path, window, stem, stat: stat.unwrap_or_default(), value }
}

fn is_known(stem: &str) -> bool {
    FAMILIES.iter().any(|family| family.stems.iter().any(|(known, _)| *known == stem))
}

pub(super) fn write(out: &mut Exposition, lines: &[Line<'_>]) {
    for family in FAMILIES {
        let mut written = out.family(family.name, Gauge, family.help);
        for line in lines {
            for (name, value) in &line.measurements {
                let Measured { path, window, stem, stat, value } = parse(name, *value);
                let found = family.stems.iter().find(|(known, _)| *known == stem);
                let Some((_, schedule)) = found else { continue };
                let labels =
                    [("path", path), ("window", window), ("schedule", schedule), ("stat", stat)];
                let labels = labels.iter().filter(|(_, value)| !value.is_empty());
                let labels: Vec<_> = line.labels.iter().chain(labels).copied().collect();
                written.sample(&labels, value);
            }
        }
    }
    let help = "Counts of the last seconds; see the counters with _total for all.";
    let mut recent = out.family("mcm_st2110_recent", Gauge, help);
    for line in lines {
        for (name, value) in &line.measurements {
            let Measured { path, window, stem, .. } = parse(name, *value);
            if window == "recent" && !is_known(stem) {
                let labels = [("path", path), ("count", stem)];
                recent.sample(&[&line.labels[..], &labels].concat(), *value);
            }
        }
    }
    let help = "Measurements of bridges that have no name of their own yet; times in microseconds.";
    let mut others = out.family("mcm_bridge_measurement", Gauge, help);
    for line in lines {
        for (name, value) in &line.measurements {
            let Measured { window, stem, .. } = parse(name, *value);
            if window != "recent" && !is_known(stem) {
                others.sample(&[&line.labels[..], &[("measurement", *name)]].concat(), *value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let part = |path, window, stem, stat, value| Measured { path, window, stem, stat, value };
        let gap = part("1", "all", "gap", "max", 0.000_25);
        assert_eq!(parse("path1_gap_max_us", 250.0), gap);
        let tro = part("2", "all", "tro", "", 0.5);
        assert_eq!(parse("path2_tro_us", 500_000.0), tro);
        let vrx = part("1", "recent", "vrx_linear", "mean", 3.0);
        assert_eq!(parse("path1_last_vrx_linear_mean", 3.0), vrx);
        assert_eq!(parse("path2_last_narrow", 5.0), part("2", "recent", "narrow", "", 5.0));
        let late = part("", "", "wake_late", "max", 0.001);
        assert_eq!(parse("wake_late_max_us", 1000.0), late);
    }
}
