//! A result: a measurement of the ring beside that of its floor.

use serde::Serialize;
use std::fmt;

/// Unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Microseconds.
    Microseconds,
    /// Nanoseconds.
    Nanoseconds,
    /// Hand-offs or frames a second.
    PerSecond,
    /// 10⁹ bytes a second.
    GigabytesPerSecond,
    /// Percent: of one processor, or of all frames.
    Percent,
}

/// A measured value.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figure {
    /// Median of the samples or rounds.
    pub median: f64,
    /// 99th percentile, where there are samples enough.
    pub p99: Option<f64>,
}

/// Target of a case.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The ratio to the floor is at most this.
    RatioAtMost(f64),
    /// The ratio to the floor is at least this.
    RatioAtLeast(f64),
    /// The ring's figure is at most this.
    AtMost(f64),
    /// The ring's figure is at least this.
    AtLeast(f64),
    /// The ring's figure is at most by this greater than the floor's.
    AddsAtMost(f64),
}

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Case {
    /// The scenario's name.
    pub scenario: &'static str,
    /// The measured case.
    pub case: String,
    /// Of both figures.
    pub unit: Unit,
    /// The ring's figure.
    pub ring: Figure,
    /// Name of the floor.
    pub floor_name: &'static str,
    /// The floor's figure.
    pub floor: Figure,
    /// Ring by floor: the median over pairs of neighbouring rounds, or of the medians.
    pub ratio: f64,
    /// The target, if there is one.
    pub target: Option<Target>,
    /// Whether the target is met.
    pub met: Option<bool>,
}

impl Case {
    /// The same case with a target.
    #[must_use]
    pub(crate) fn wants(mut self, target: Target) -> Self {
        self.met = Some(match target {
            Target::RatioAtMost(most) => self.ratio <= most,
            Target::RatioAtLeast(least) => self.ratio >= least,
            Target::AtMost(most) => self.ring.median <= most,
            Target::AtLeast(least) => self.ring.median >= least,
            Target::AddsAtMost(most) => self.ring.median - self.floor.median <= most,
        });
        self.target = Some(target);
        self
    }

    /// Heads of the table that [`Display`](fmt::Display) prints the lines of.
    #[must_use]
    pub fn heading() -> String {
        format!(
            "{:<9} {:<34} {:>16} {:>16} {:>7}  {:<24} {}",
            "scenario", "case", "ring", "floor", "ratio", "floor is", "target"
        )
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Microseconds => "µs",
            Self::Nanoseconds => "ns",
            Self::PerSecond => "/s",
            Self::GigabytesPerSecond => "GB/s",
            Self::Percent => "%",
        })
    }
}

impl Figure {
    fn text(&self, unit: Unit) -> String {
        let number = |value: f64| match value {
            value if value >= 10_000.0 => format!("{:.0}k", value / 1000.0),
            value if value >= 100.0 => format!("{value:.0}"),
            value if value >= 10.0 => format!("{value:.1}"),
            value => format!("{value:.2}"),
        };
        match self.p99 {
            Some(p99) => format!("{}…{} {unit}", number(self.median), number(p99)),
            None => format!("{} {unit}", number(self.median)),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtMost(most) => write!(f, "ratio ≤ {most}"),
            Self::RatioAtLeast(least) => write!(f, "ratio ≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AddsAtMost(most) => write!(f, "floor + {most}"),
        }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ring, floor) = (self.ring.text(self.unit), self.floor.text(self.unit));
        let (scenario, case, ratio) = (self.scenario, &self.case, self.ratio);
        let name = self.floor_name;
        write!(f, "{scenario:<9} {case:<34} {ring:>16} {floor:>16} {ratio:>7.2}  {name:<24}")?;
        if let (Some(target), Some(met)) = (self.target, self.met) {
            write!(f, " {target}: {}", if met { "met" } else { "missed" })?;
        }
        Ok(())
    }
}
