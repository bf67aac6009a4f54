//! The figures of a stream, for people and for programs.

use super::path::Others;
use serde_json::{Map, Value, json};
use st2110::analyser::{AudioSummary, Spread, VideoSummary};
use st2110::sequence::Counts;
use std::fmt::Write;

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
        self.add(name, text, json!({ "min": min, "max": max, "mean": mean, "unit": suffix }));
    }

    fn counts(&mut self, counts: &Counts, others: &Others) {
        for (name, value) in [
            ("packets", counts.received),
            ("lost", counts.lost),
            ("reordered", counts.reordered),
            ("duplicate", counts.duplicate),
            ("late", counts.late),
            ("foreign", counts.foreign + others.all()),
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

/// The figures of video, or ancillary data. `others` are the datagrams that do not belong to the stream.
pub(super) fn video(summary: &VideoSummary, others: &Others) -> Report {
    let mut report = Report { rows: Vec::new() };
    let judged = summary.narrow + summary.linear + summary.wide + summary.failed;
    let verdict = match summary {
        _ if summary.counts.received == 0 => "nothing came",
        _ if judged == 0 => "not judged: too few whole frames",
        VideoSummary { failed: 1.., .. } => "fails the limits of ST 2110-21",
        VideoSummary { wide: 1.., .. } => "2110TPW",
        VideoSummary { linear: 1.., .. } => "2110TPNL",
        _ => "2110TPN",
    };
    report.add("verdict", verdict, verdict);
    let units = format!(
        "{} narrow, {} linear, {} wide, {} fail, {} not judged",
        summary.narrow, summary.linear, summary.wide, summary.failed, summary.unknown
    );
    let values = json!({
        "narrow": summary.narrow,
        "linear": summary.linear,
        "wide": summary.wide,
        "failed": summary.failed,
        "unknown": summary.unknown,
    });
    report.add("frames or fields", units, values);
    if let Some(rate) = summary.rate {
        report.add("rate", format!("{rate} frames or fields a second"), rate.to_string());
    }
    if let Some(packets) = summary.packets_per_unit {
        report.add("packets each", packets.to_string(), packets);
    }
    if let Some(offset) = summary.offset {
        let micros = offset.as_nanos() as f64 / 1e3;
        report.add("tro", format!("{micros:.1} µs"), json!({ "value": micros, "unit": "µs" }));
    }
    report.add("cinst max", format!("{:.2} packets", summary.cinst), summary.cinst);
    report.spread("vrx", &summary.vrx, 1.0, "packets");
    report.spread("vrx linear", &summary.vrx_linear, 1.0, "packets");
    report.spread("first packet", &summary.first_packet, 1e3, "µs");
    report.spread("rtp offset", &summary.rtp_offset, 1.0, "ticks of 90 kHz");
    report.spread("packet gap", &summary.gaps, 1e3, "µs");
    report.add("markers missing", summary.markers.missing.to_string(), summary.markers.missing);
    report.add("largest packet", format!("{} bytes", summary.largest), summary.largest);
    report.counts(&summary.counts, others);
    report
}

/// The figures of audio.
pub(super) fn audio(summary: &AudioSummary, others: &Others) -> Report {
    let mut report = Report { rows: Vec::new() };
    report.spread("ts-df", &summary.delay_factor, 1e3, "µs");
    if let Some(samples) = summary.samples {
        report.add("samples a packet", samples.to_string(), samples);
    }
    report.spread("rtp offset", &summary.rtp_offset, 1.0, "samples");
    report.spread("packet gap", &summary.gaps, 1e3, "µs");
    let leaps = summary.discontinuities;
    report.add("time stamp leaps", leaps.to_string(), leaps);
    report.add("largest packet", format!("{} bytes", summary.largest), summary.largest);
    report.counts(&summary.counts, others);
    report
}
