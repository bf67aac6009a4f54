//! What connections and bridges measure, as proxies send it to agents.

use crate::topology::ProxyId;
use daemon::exposition::Kind::{self, Counter, Gauge};
use std::collections::BTreeMap;

/// Limit of connections and bridges of one proxy whose measurements are kept.
const MAX_PROVIDERS: usize = 20_000;

/// Measurements of a connection or bridge at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metric {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Id of the connection or bridge.
    pub provider: String,
    /// What was measured.
    pub measured: Measured,
}

/// A measured value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, such as a state.
    Text(String),
    /// A count.
    Unsigned(u64),
    /// A rate.
    Real(f64),
    /// Yes or no.
    Bool(bool),
}

/// A field of [`Measured`]: its names, and how it is read and written.
pub struct Field {
    /// Its name in the messages of proxies.
    pub name: &'static str,
    /// Its name in the REST API.
    pub rest: &'static str,
    /// What the REST API shows before anything was measured; `None` of fields that agents of the
    /// original do not have.
    pub unmeasured: Option<Value>,
    /// The metric of Prometheus, if there is one.
    pub family: Option<Family>,
    /// Its value; `None` while the proxy has not sent it.
    pub get: fn(&Measured) -> Option<Value>,
    /// Takes a value over, unless it is of another type.
    pub set: fn(&mut Measured, Value),
}

/// A metric of Prometheus.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The unit of its samples.
    pub unit: &'static str,
    /// Its help text.
    pub help: &'static str,
}

/// Declares the fields: type, name in messages, name in REST, what REST shows before anything was
/// measured, and the metric of Prometheus, if there is one.
macro_rules! fields {
    ($(
        $(#[$doc:meta])*
        $field:ident: $type:ty, $name:literal, $rest:literal, $unmeasured:expr
            $(, $family:literal $kind:ident $unit:literal $help:literal)?;
    )*) => {
        /// What is measured at a connection or bridge. A proxy of another version may send less.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Measured {
            $($(#[$doc])* pub $field: Option<$type>,)*
        }

        /// All fields of [`Measured`].
        pub const FIELDS: &[Field] = &[$(Field {
            name: $name,
            rest: $rest,
            unmeasured: $unmeasured,
            family: fields!(@family $($family, $kind, $unit, $help)?),
            get: |measured| measured.$field.clone().map(<$type as Typed>::value),
            set: |measured, value| {
                if let Some(value) = <$type as Typed>::typed(value) {
                    measured.$field = Some(value);
                }
            },
        },)*];
    };
    (@family) => { None };
    (@family $name:literal, $kind:ident, $unit:literal, $help:literal) => {
        Some(Family { name: $name, kind: $kind, unit: $unit, help: $help })
    };
}

fields! {
    /// Condition, in a word.
    state: String, "state", "state", Some(Value::Text(String::new()));
    /// Whether frames can flow.
    linked: bool, "link", "linked", Some(Value::Bool(false)),
        "mcm_linked" Gauge "0, 1" "Whether the connection or bridge carries frames.";
    /// Payload bytes that came to the proxy; of ST 2110 bridges, bytes of packets.
    inbound: u64, "in", "inbound", Some(Value::Unsigned(0)),
        "mcm_inbound_bytes_total" Counter "bytes" "Bytes that came in.";
    /// Payload bytes that left the proxy; of ST 2110 bridges, bytes of packets.
    outbound: u64, "out", "outbound", Some(Value::Unsigned(0)),
        "mcm_outbound_bytes_total" Counter "bytes" "Bytes that went out.";
    /// Frames that got through.
    succeeded: u64, "strn", "trnSucceeded", Some(Value::Unsigned(0)),
        "mcm_transactions_succeeded_total" Counter "frames" "Frames that got through.";
    /// Frames that a receiver missed, or that a bridge did not carry.
    failed: u64, "ftrn", "trnFailed", Some(Value::Unsigned(0)),
        "mcm_transactions_failed_total" Counter "frames" "Frames that did not.";
    /// Lost connections and refused messages of a bridge.
    errors: u64, "err", "errors", Some(Value::Unsigned(0)),
        "mcm_errors_total" Counter "errors" "Errors.";
    /// Those since the last time.
    errors_delta: u64, "errd", "errorsDelta", Some(Value::Unsigned(0));
    /// Frames a second.
    fps: f64, "tps", "tps", Some(Value::Real(0.0)),
        "mcm_transactions_per_second" Gauge "1/s" "Frames a second.";
    /// Mbit/s that come in.
    inbound_mbit: f64, "inbw", "inBandwidthMbit", Some(Value::Real(0.0)),
        "mcm_inbound_mbit_per_second" Gauge "Mbit/s" "Bandwidth that comes in.";
    /// Mbit/s that go out.
    outbound_mbit: f64, "outbw", "outBandwidthMbit", Some(Value::Real(0.0)),
        "mcm_outbound_mbit_per_second" Gauge "Mbit/s" "Bandwidth that goes out.";
    /// The connection's program.
    program: String, "program", "program", None;
    /// Its process, as its host sees it.
    pid: u64, "pid", "pid", None;
    /// Frames that wait for a receiver; of a source, the most that wait for one of its receivers.
    queue: u64, "queue", "queueDepth", None;
    /// Room in the queue, in frames.
    capacity: u64, "capacity", "queueCapacity", None;
    /// Frames that a receiver has taken and not given back.
    held: u64, "held", "heldFrames", None;
    /// How often a source waited for a receiver.
    waits: u64, "waits", "waits", None;
    /// Connections of a bridge to the other proxy that were lost.
    losses: u64, "losses", "linkLosses", None;
}

/// The type of a field.
trait Typed: Sized {
    fn value(self) -> Value;

    /// The value, unless it is of another type; either kind of number is taken for the other.
    fn typed(value: Value) -> Option<Self>;
}

impl Typed for String {
    fn value(self) -> Value {
        Value::Text(self)
    }

    fn typed(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl Typed for bool {
    fn value(self) -> Value {
        Value::Bool(self)
    }

    fn typed(value: Value) -> Option<Self> {
        if let Value::Bool(yes) = value { Some(yes) } else { None }
    }
}

impl Typed for u64 {
    fn value(self) -> Value {
        Value::Unsigned(self)
    }

    fn typed(value: Value) -> Option<Self> {
        match value {
            Value::Unsigned(number) => Some(number),
            Value::Real(number) if number >= 0.0 => Some(number as Self),
            _ => None,
        }
    }
}

impl Typed for f64 {
    fn value(self) -> Value {
        Value::Real(self)
    }

    fn typed(value: Value) -> Option<Self> {
        match value {
            Value::Real(number) if number.is_finite() => Some(number),
            Value::Unsigned(number) => Some(number as Self),
            _ => None,
        }
    }
}

impl Measured {
    /// The fields that there are, by their names in messages.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, Value)> {
        FIELDS.iter().filter_map(|field| Some((field.name, (field.get)(self)?)))
    }

    /// Takes a field of a message over. Unknown names and values of other types are ignored: they
    /// are those of a proxy of another version.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some(field) = FIELDS.iter().find(|field| field.name == name) {
            (field.set)(self, value);
        }
    }

    /// The fields as the REST API shows them.
    pub fn rest(&self) -> impl Iterator<Item = (&'static str, Value)> {
        FIELDS.iter().filter_map(|field| {
            Some((field.rest, (field.get)(self).or_else(|| field.unmeasured.clone())?))
        })
    }

    /// From the fields that the REST API shows.
    #[must_use]
    pub fn from_rest(shown: impl Fn(&str) -> Option<Value>) -> Self {
        let mut measured = Self::default();
        for field in FIELDS {
            if let Some(value) = shown(field.rest) {
                (field.set)(&mut measured, value);
            }
        }
        measured
    }
}

/// The latest of all.
#[derive(Debug, Default)]
pub struct Metrics {
    latest: BTreeMap<String, (ProxyId, Metric)>,
}

impl Metrics {
    /// Replaces a proxy's measurements by new ones.
    pub fn put(&mut self, proxy: &ProxyId, metrics: Vec<Metric>) {
        for metric in metrics {
            if self.latest.len() < MAX_PROVIDERS || self.latest.contains_key(&metric.provider) {
                self.latest.insert(metric.provider.clone(), (proxy.clone(), metric));
            }
        }
    }

    /// The last measurements of a connection or bridge.
    #[must_use]
    pub fn get(&self, provider: &str) -> Option<&Metric> {
        self.latest.get(provider).map(|(_, metric)| metric)
    }

    /// All, ordered by connection and bridge.
    pub fn all(&self) -> impl Iterator<Item = &Metric> {
        self.latest.values().map(|(_, metric)| metric)
    }

    /// Number of connections and bridges.
    #[must_use]
    pub fn len(&self) -> usize {
        self.latest.len()
    }

    /// Whether nothing has been measured.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.latest.is_empty()
    }

    /// Drops the measurements of a connection or bridge that has ended.
    pub fn forget(&mut self, provider: &str) {
        self.latest.remove(provider);
    }

    /// Keeps only the measurements for which the predicate holds.
    pub fn retain(&mut self, keep: impl Fn(&ProxyId, &str) -> bool) {
        self.latest.retain(|provider, (proxy, _)| keep(proxy, provider));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(provider: &str, count: u64) -> Metric {
        let measured = Measured { inbound: Some(count), ..Measured::default() };
        Metric { timestamp_ms: 0, provider: provider.into(), measured }
    }

    #[test]
    fn values_of_other_types_are_ignored() {
        let mut measured = Measured::default();
        for (name, value) in [
            ("state", Value::Bool(true)),
            ("link", Value::Unsigned(1)),
            ("in", Value::Real(f64::NAN)),
            ("out", Value::Text("7".into())),
            ("inbw", Value::Real(f64::INFINITY)),
            ("of another version", Value::Unsigned(1)),
        ] {
            measured.set(name, value);
        }
        assert_eq!(measured, Measured::default());
        measured.set("strn", Value::Real(7.0));
        measured.set("tps", Value::Unsigned(50));
        assert_eq!((measured.succeeded, measured.fps), (Some(7), Some(50.0)));
    }

    #[test]
    fn every_field_is_documented() {
        let documentation = include_str!("../../../docs/observability.md");
        let (_, section) = documentation.split_once("## What agents are told").unwrap();
        let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
        let names: Vec<_> = rows.filter_map(|row| row.split(" |").next()).collect();
        for field in FIELDS {
            let name = format!("`{}`", field.name);
            assert!(names.iter().any(|names| names.split(", ").any(|it| it == name)), "{name}");
            if let Some(Family { name, kind, unit, .. }) = field.family {
                let row = format!("\n| `{name}` | {} | {unit} |", kind.word());
                assert!(documentation.contains(&row), "{row}");
            }
        }
    }

    #[test]
    fn the_latest_counts() {
        let mut metrics = Metrics::default();
        metrics.put(&"p".into(), vec![metric("a", 1), metric("b", 1)]);
        metrics.put(&"p".into(), vec![metric("a", 2)]);
        assert_eq!(metrics.get("a"), Some(&metric("a", 2)));
        metrics.retain(|_, provider| provider != "b");
        assert_eq!(metrics.all().count(), 1);
        metrics.forget("a");
        assert!(metrics.get("a").is_none());
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut metrics = Metrics::default();
        let many = (0..MAX_PROVIDERS + 10).map(|n| metric(&n.to_string(), 0)).collect();
        metrics.put(&"p".into(), many);
        assert_eq!(metrics.all().count(), MAX_PROVIDERS);
    }
}
