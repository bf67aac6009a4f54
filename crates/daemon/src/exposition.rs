//! Measurements in the text format of Prometheus, version 0.0.4.
//!
//! A text consists of *families*: metrics of one name, with one explanation and one type, that
//! differ in their labels. What is measured is kept elsewhere; here it is only written down.
//!
//! ```
//! use daemon::exposition::{Exposition, Kind};
//!
//! let mut text = Exposition::default();
//! let mut frames = text.family("mcm_frames_total", Kind::Counter, "Frames.");
//! frames.sample(&[("group", "camera \"1\"")], 60_u64);
//! assert_eq!(
//!     text.finish(),
//!     "# HELP mcm_frames_total Frames.\n# TYPE mcm_frames_total counter\nmcm_frames_total{group=\"camera \\\"1\\\"\"} 60\n"
//! );
//! ```

use std::fmt::{Display, Formatter, Write};

/// The format's media type, for the header `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows. Its name ends with `_total`.
    Counter,
    /// Any value.
    Gauge,
    /// Counts of values up to bounds.
    Histogram,
}

impl Kind {
    /// Its word in the format.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// A value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A count, written with all its digits.
    Whole(u64),
    /// Anything else.
    Real(f64),
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Whole(value as u64)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Whole(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl Display for Value {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(value) => write!(f, "{value}"),
            Self::Real(value) if value.is_nan() => f.write_str("NaN"),
            Self::Real(f64::INFINITY) => f.write_str("+Inf"),
            Self::Real(f64::NEG_INFINITY) => f.write_str("-Inf"),
            Self::Real(value) => write!(f, "{value}"),
        }
    }
}

/// Names and values of labels.
pub type Labels<'a> = [(&'a str, &'a str)];

/// A text that grows.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// A family that is being written. It is left out if it has no samples.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
    kind: Kind,
    help: &'a str,
    begun: bool,
}

impl Exposition {
    /// A new family. Each name may come once.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &'a str) -> Family<'a> {
        debug_assert!(is_name(name), "{name}");
        debug_assert_eq!(name.ends_with("_total"), kind == Kind::Counter, "{name}");
        debug_assert!(!self.text.contains(&format!("# TYPE {name} ")), "{name} twice");
        Family { text: &mut self.text, name, kind, help, begun: false }
    }

    /// A family of one sample without labels.
    pub fn single(&mut self, name: &str, kind: Kind, help: &str, value: impl Into<Value>) {
        self.family(name, kind, help).sample(&[], value);
    }

    /// The whole text.
    #[must_use]
    pub fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Adds a sample.
    pub fn sample(&mut self, labels: &Labels<'_>, value: impl Into<Value>) {
        debug_assert_ne!(self.kind, Kind::Histogram, "{}", self.name);
        self.begin();
        self.line("", labels, None, value.into());
    }

    /// Adds a histogram: how many values there were up to each bound and above the one before, the
    /// last count being that of values above all bounds; and the sum of all.
    ///
    /// # Panics
    /// If there is not one count more than bounds.
    pub fn histogram(
        &mut self,
        labels: &Labels<'_>,
        bounds: &[f64],
        counts: &[u64],
        sum: impl Into<Value>,
    ) {
        debug_assert_eq!(self.kind, Kind::Histogram, "{}", self.name);
        assert_eq!(counts.len(), bounds.len() + 1, "{}", self.name);
        self.begin();
        let mut total = 0_u64;
        for (bound, count) in bounds.iter().copied().chain([f64::INFINITY]).zip(counts) {
            total = total.saturating_add(*count);
            self.line("_bucket", labels, Some(bound), total.into());
        }
        self.line("_sum", labels, None, sum.into());
        self.line("_count", labels, None, total.into());
    }

    fn begin(&mut self) {
        if !std::mem::replace(&mut self.begun, true) {
            let (name, kind) = (self.name, self.kind.word());
            let help = self.help.replace('\\', "\\\\").replace('\n', "\\n");
            self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        }
    }

    fn line(&mut self, suffix: &str, labels: &Labels<'_>, bound: Option<f64>, value: Value) {
        let name = self.name;
        self.write(format_args!("{name}{suffix}"));
        let mut separator = '{';
        for (name, text) in labels {
            debug_assert!(is_name(name) && !name.contains(':'), "{name}");
            self.write(format_args!("{separator}{name}=\"{}\"", Escaped(text)));
            separator = ',';
        }
        if let Some(bound) = bound {
            self.write(format_args!("{separator}le=\"{}\"", Value::Real(bound)));
            separator = ',';
        }
        let end = if separator == ',' { "}" } else { "" };
        self.write(format_args!("{end} {value}\n"));
    }

    fn write(&mut self, text: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

/// A label's value as the format wants it.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for c in self.0.chars() {
            match c {
                '\\' => f.write_str("\\\\")?,
                '"' => f.write_str("\\\"")?,
                '\n' => f.write_str("\\n")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    name.chars().all(fine) && name.starts_with(|c: char| !c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_heads_and_samples() {
        let mut text = Exposition::default();
        text.family("mcm_nothing", Kind::Gauge, "Not there.");
        let mut gauge = text.family("mcm_up", Kind::Gauge, "Back\\slash\nand line.");
        gauge.sample(&[], true);
        gauge.sample(&[("a", "1"), ("b", "")], -0.5);
        text.single("mcm_big_total", Kind::Counter, "Big.", u64::MAX);
        assert_eq!(
            text.finish(),
            "# HELP mcm_up Back\\\\slash\\nand line.\n# TYPE mcm_up gauge\nmcm_up 1\nmcm_up{a=\"1\",b=\"\"} -0.5\n\
             # HELP mcm_big_total Big.\n# TYPE mcm_big_total counter\nmcm_big_total 18446744073709551615\n"
        );
    }

    #[test]
    fn labels_cannot_break_out() {
        let mut text = Exposition::default();
        text.family("m", Kind::Gauge, "").sample(&[("l", "a\"} 1\nx{y=\"\\")], 2_u64);
        let text = text.finish();
        assert!(text.ends_with("m{l=\"a\\\"} 1\\nx{y=\\\"\\\\\"} 2\n"), "{text}");
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn histograms_add_up() {
        let mut text = Exposition::default();
        let mut family = text.family("m_seconds", Kind::Histogram, "Times.");
        family.histogram(&[("l", "x")], &[0.001, 0.01], &[1, 2, 3], 0.5);
        family.histogram(&[], &[], &[7], 0.0);
        let text = text.finish();
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "m_seconds_bucket{l=\"x\",le=\"0.001\"} 1",
                "m_seconds_bucket{l=\"x\",le=\"0.01\"} 3",
                "m_seconds_bucket{l=\"x\",le=\"+Inf\"} 6",
                "m_seconds_sum{l=\"x\"} 0.5",
                "m_seconds_count{l=\"x\"} 6",
                "m_seconds_bucket{le=\"+Inf\"} 7",
                "m_seconds_sum 0",
                "m_seconds_count 7",
            ]
        );
    }

    #[test]
    fn values_that_are_no_numbers() {
        let shown =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-6].map(|v| Value::from(v).to_string());
        assert_eq!(shown, ["NaN", "+Inf", "-Inf", "0.000001"]);
    }
}
