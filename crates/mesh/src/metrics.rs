//! Measurements of connections and bridges, as proxies send them to the agent.

use crate::topology::ProxyId;
use std::collections::BTreeMap;

/// The most connections and bridges of one proxy that are remembered.
const MAX_PROVIDERS: usize = 20_000;

/// Measurements of a connection or bridge at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// Id of the connection or bridge.
    pub provider: String,
    /// Names and values.
    pub fields: Vec<(String, Value)>,
}

impl Metric {
    /// The value of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }
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

/// The latest of all.
#[derive(Debug, Default)]
pub struct Metrics {
    latest: BTreeMap<String, (ProxyId, Metric)>,
}

impl Metrics {
    /// Remembers what a proxy sent, in place of what it sent before.
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

    /// A connection or bridge is no more.
    pub fn forget(&mut self, provider: &str) {
        self.latest.remove(provider);
    }

    /// Keeps only those of which this is so.
    pub fn retain(&mut self, keep: impl Fn(&ProxyId, &str) -> bool) {
        self.latest.retain(|provider, (proxy, _)| keep(proxy, provider));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(provider: &str, count: u64) -> Metric {
        let fields = vec![("in".to_owned(), Value::Unsigned(count))];
        Metric { timestamp_ms: 0, provider: provider.into(), fields }
    }

    #[test]
    fn the_latest_counts() {
        let mut metrics = Metrics::default();
        metrics.put(&"p".into(), vec![metric("a", 1), metric("b", 1)]);
        metrics.put(&"p".into(), vec![metric("a", 2)]);
        assert_eq!(metrics.get("a").unwrap().field("in"), Some(&Value::Unsigned(2)));
        assert_eq!(metrics.get("a").unwrap().field("out"), None);
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
