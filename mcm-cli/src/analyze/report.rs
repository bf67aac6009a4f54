//! The report on a stream, as text for people and JSON for programs.

use super::path::Others;
use serde_json::{Map, Value, json};
use st2110::analyser::{AudioSummary, Spread, VideoSummary};
use st2110::pacing::Limits;
use st2110::sequence::Counts;
use std::fmt::Write;

/// What is said beside the figures of a path.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    /// Packets that this host dropped.
    pub(super) dropped: u32,
    /// What was assumed.
    pub(super) assumed: &'a [&'static str],
    /// Datagrams that do not belong to the stream.
    pub(super) others: &'a Others,
}

/// Figures in order: name, text, value.
pub(super) struct Report {
    rows: Vec<(&'static str, String, Value)>,
}

impl Report {
    fn add(&mut self, name: &'static str, text: impl Into<String>, value: impl Into<Value>) {
        self.rows.push((name, text.into(), value.into()));
    }

    /// Least, mean and greatest value, divided by `unit`.
    fn spread(&mut self, name: &'static str, spread: &Spread, unit: f64, suffix: &str) {
        let Some(mean) = spread.mean() else { return };
        let scaled = |value: f64| value / unit;
        let (min, max) = (scaled(spread.min as f64), scaled(spread.max as f64));
        let mean = scaled(mean);
        let text = format!("{min:.1} … {max:.1}, mean {mean:.1} {suffix}");
        let unit = suffix.split(" (").next().unwrap_or(suffix);
        self.add(name, text, json!({ "min": min, "max": max, "mean": mean, "unit": unit }));
    }

    /// Begins with what matters more than any figure.
    fn begin(about: About<'_>) -> Self {
        let mut report = Self { rows: Vec::new() };
        if about.dropped > 0 {
            let text = format!("{} packets, for want of receive buffer", about.dropped);
            report.add("dropped by this host", text, about.dropped);
        }
        report
    }

    fn assumed(&mut self, about: About<'_>) {
        if !about.assumed.is_empty() {
            self.add("assumed", about.assumed.join("; "), about.assumed.to_vec());
        }
    }

    fn counts(&mut self, counts: &Counts, others: &Others) {
        for (name, value) in [
            ("packets", counts.received),
            ("lost", counts.lost),
            ("reordered", counts.reordered),
            ("duplicate", counts.duplicate),
            ("late", counts.late),
            ("foreign", counts.unknown + others.all()),
            ("other sender", others.sender),
            ("other payload type", others.payload_type),
            ("not rtp", others.not_rtp),
            ("too long", others.too_long),
            ("restarts", counts.restarts),
        ] {
            self.add(name, value.to_string(), value);
        }
    }

    /// A line for each figure.
    fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, value, _) in &self.rows {
            let _ = writeln!(text, "{name:<20} {value}");
        }
        text
    }

    /// An object with a member for each figure.
    fn to_json(&self) -> Map<String, Value> {
        self.rows.iter().map(|(name, _, value)| (name.replace(' ', "_"), value.clone())).collect()
    }
}

/// The figures of one path; or of two, each under its address.
pub(super) fn to_text(paths: &[(&str, Report)]) -> String {
    match paths {
        [(_, report)] => report.to_text(),
        _ => {
            let path =
                |(name, report): &(&str, Report)| format!("path {name}\n{}", report.to_text());
            paths.iter().map(path).collect::<Vec<_>>().join("\n")
        }
    }
}

/// An object with the figures of one path; or one with an array of such objects.
pub(super) fn to_json(paths: &[(&str, Report)]) -> String {
    let json = match paths {
        [(_, report)] => Value::Object(report.to_json()),
        _ => {
            let path = |(name, report): &(&str, Report)| {
                let mut members = report.to_json();
                members.insert("path".into(), (*name).into());
                Value::Object(members)
            };
            json!({ "paths": paths.iter().map(path).collect::<Vec<_>>() })
        }
    };
    format!("{json:#}\n")
}

/// The figures of video.
pub(super) fn video(summary: &VideoSummary, about: About<'_>) -> Report {
    let mut report = Report::begin(about);
    let judged = summary.judged();
    let verdict = match summary {
        _ if summary.counts.received == 0 => "nothing came",
        _ if about.dropped > 0 => "not judged: packets were dropped here",
        _ if judged == 0 => "not judged: too few whole frames",
        VideoSummary { failed: 1.., .. } => "fails the limits of ST 2110-21",
        VideoSummary { wide: 1.., .. } => "2110TPW",
        VideoSummary { linear: 1.., .. } => "2110TPNL",
        _ => "2110TPN",
    };
    let share = |count: u64| {
        let percent = count as f64 * 100.0 / judged.max(1) as f64;
        // 0 % and 100 % are all or none.
        if count > 0 && count < judged { percent.clamp(0.1, 99.9) } else { percent }
    };
    let text = match summary.failed {
        1.. if about.dropped == 0 => {
            let within = share(judged - summary.failed);
            format!(
                "{verdict} in {} of {judged} frames or fields; {within:.1} % keep some",
                summary.failed
            )
        }
        _ => verdict.to_owned(),
    };
    report.add("verdict", text, verdict);
    let kinds = [
        (summary.narrow, "narrow"),
        (summary.linear, "linear"),
        (summary.wide, "wide"),
        (summary.failed, "fail"),
    ];
    let kinds = kinds.map(|(count, kind)| format!("{count} {kind} ({:.1} %)", share(count)));
    let values = json!({
        "narrow": summary.narrow,
        "linear": summary.linear,
        "wide": summary.wide,
        "failed": summary.failed,
        "unknown": summary.unknown,
    });
    if about.dropped == 0 {
        let units = format!("{}, {} not judged", kinds.join(", "), summary.unknown);
        report.add("frames or fields", units, values);
    }
    units(&mut report, summary, about);
    if let Some(offset) = summary.offset {
        let micros = offset.as_nanos() as f64 / 1e3;
        report.add("tro", format!("{micros:.1} µs"), json!({ "value": micros, "unit": "µs" }));
    }
    let limit = |of: fn(&Limits) -> u32| {
        let text = |[narrow, _, wide]: [Limits; 3]| {
            format!(" (of {} narrow, {} wide)", of(&narrow), of(&wide))
        };
        summary.limits.map(text).unwrap_or_default()
    };
    let cinst = format!("{:.2} packets{}", summary.cinst, limit(|limits| limits.cmax));
    report.add("cinst max", cinst, summary.cinst);
    let buffer = limit(|limits| limits.vrx);
    report.spread("vrx", &summary.vrx, 1.0, &format!("packets{buffer}"));
    let linear = summary.limits.map(|[_, linear, _]| format!(" (of {} linear)", linear.vrx));
    let linear = format!("packets{}", linear.unwrap_or_default());
    report.spread("vrx linear", &summary.vrx_linear, 1.0, &linear);
    report.spread("first packet", &summary.first_packet, 1e3, "µs");
    packets(&mut report, summary, about);
    report
}

/// The figures of ancillary data, for which ST 2110-21 has no limits.
pub(super) fn ancillary(summary: &VideoSummary, about: About<'_>) -> Report {
    let mut report = Report::begin(about);
    let verdict = match summary.counts.received {
        0 => "nothing came",
        _ => "ancillary data are not judged",
    };
    report.add("verdict", verdict, verdict);
    report.add("frames or fields", summary.units.to_string(), summary.units);
    units(&mut report, summary, about);
    packets(&mut report, summary, about);
    report
}

/// Rate and size of frames.
fn units(report: &mut Report, summary: &VideoSummary, about: About<'_>) {
    report.assumed(about);
    if let Some(rate) = summary.rate {
        report.add("rate", format!("{rate} frames or fields a second"), rate.to_string());
    }
    if let Some(packets) = summary.packets_per_unit {
        report.add("packets each", packets.to_string(), packets);
    }
}

/// What packets are like.
fn packets(report: &mut Report, summary: &VideoSummary, about: About<'_>) {
    report.spread("rtp offset", &summary.rtp_offset, 1.0, "ticks of 90 kHz");
    report.spread("packet gap", &summary.gaps, 1e3, "µs");
    report.add("markers missing", summary.markers.missing.to_string(), summary.markers.missing);
    report.add("largest packet", format!("{} bytes", summary.largest), summary.largest);
    report.counts(&summary.counts, about.others);
}

/// The figures of audio.
pub(super) fn audio(summary: &AudioSummary, about: About<'_>) -> Report {
    let mut report = Report::begin(about);
    report.spread("ts-df", &summary.delay_factor, 1e3, "µs");
    if let Some(samples) = summary.samples {
        report.add("samples a packet", samples.to_string(), samples);
    }
    report.spread("rtp offset", &summary.rtp_offset, 1.0, "samples");
    report.spread("packet gap", &summary.gaps, 1e3, "µs");
    let leaps = summary.discontinuities;
    report.add("time stamp leaps", leaps.to_string(), leaps);
    report.add("largest packet", format!("{} bytes", summary.largest), summary.largest);
    report.counts(&summary.counts, about.others);
    report
}
