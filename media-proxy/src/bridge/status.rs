//! A bridge's status, as tools show it.

use super::statistics::BridgeStatistics;
use config::Endpoint;
use mesh::topology::{BridgeId, BridgeLink, BridgeSpec};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Counts and measurements of a running bridge, which cost it nothing to read.
pub(crate) trait Figures: Send + Sync {
    /// Address at this end, as far as there is one.
    fn local(&self) -> String;

    /// Counts since the start, and the last measurements.
    fn statistics(&self) -> BridgeStatistics;

    /// Whether frames that its group's source puts now reach the other end.
    fn is_linked(&self) -> bool {
        true
    }

    /// Degradations, as text: each is logged once. More may follow later.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Degradations of all bridges on the same threads. The code that starts the threads logs them,
    /// once for all.
    fn shortfall(&self) -> Option<String> {
        None
    }

    /// Why no frames can be carried though the bridge runs; `None` where they can, or where only
    /// frames would tell.
    fn no_link(&self) -> Option<String> {
        None
    }

    /// CPU time of threads that work for this bridge alone; `None` where it shares its threads with
    /// others.
    fn cpu_time(&self) -> Option<Duration> {
        None
    }

    /// The session description (SDP, RFC 8866) of an ST 2110 stream.
    fn sdp(&self) -> Option<String>;
}

/// Condition of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Active,
    /// It could not start, or has broken down; it will be tried again.
    Failed(String),
    Stopping,
}

/// A bridge as tools show it.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) spec: Arc<BridgeSpec>,
    pub(crate) phase: Phase,
    /// Since when it has been wanted.
    pub(crate) since: Instant,
    /// Its connection, once it has one.
    pub(crate) conn_id: String,
    pub(crate) figures: Option<Arc<dyn Figures>>,
}

impl Row {
    /// Its transport: "rdma", "st2110-20" and so on.
    pub(crate) fn kind(&self) -> &'static str {
        match (&self.spec.link, &self.spec.config.endpoint) {
            (BridgeLink::St2110, Endpoint::St2110(stream)) => stream.transport.name(),
            (BridgeLink::St2110, _) => "st2110",
            (BridgeLink::Rdma(_), _) => "rdma",
        }
    }
}

/// All bridges. Any thread reads; one thread writes.
#[derive(Clone, Default)]
pub(crate) struct Table(Arc<Mutex<BTreeMap<BridgeId, Row>>>);

impl Table {
    /// The bridges in the order of their identifiers.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.lock().values().cloned().collect()
    }

    /// Has just these bridges.
    #[cfg(test)]
    pub(crate) fn fill(&self, rows: Vec<Row>) {
        *self.lock() = rows.into_iter().map(|row| (row.spec.id.clone(), row)).collect();
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<BridgeId, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let rows = self.lock();
        f.debug_map().entries(rows.iter().map(|(id, row)| (id, &row.phase))).finish()
    }
}
