//! Measurements for Prometheus.

mod bridges;
pub(super) mod connections;
mod process;
mod proxy;
mod server;

pub(crate) use server::serve;

use crate::bridge::{HostClock, Row, Table};
use crate::broker::exchange::{Gone, Handle, Snapshot, Totals};
use crate::observe::control::Identity;
use daemon::exposition::Exposition;
pub(super) use process::Process;
use st2110::reference::ClockState;
use std::sync::{Arc, Mutex, PoisonError};

/// So many connections, and so many bridges, are shown one by one: a scrape must not become too
/// large for anybody.
const MAX_SHOWN: usize = 2000;

/// What measurements are taken from.
#[derive(Clone)]
pub(crate) struct Collector {
    exchange: Handle,
    bridges: Table,
    clock: HostClock,
    identity: Identity,
    process: Arc<Mutex<Process>>,
}

impl Collector {
    pub(crate) fn new(
        exchange: Handle,
        bridges: Table,
        clock: HostClock,
        identity: Identity,
    ) -> Self {
        Self { exchange, bridges, clock, identity, process: Arc::default() }
    }

    /// All of it, in the format of Prometheus.
    async fn text(&self) -> Result<String, Gone> {
        let (snapshot, totals) = (self.exchange.measure().await?, self.exchange.totals().await?);
        let collector = self.clone();
        // It may be long, and others want their answers meanwhile.
        let text = tokio::task::spawn_blocking(move || collector.write(snapshot, totals));
        text.await.map_err(|_| Gone)
    }

    fn write(&self, snapshot: Snapshot, totals: Totals) -> String {
        let (rows, clock) = (self.bridges.rows(), self.clock.state());
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        text((&self.identity, totals, &clock), snapshot, &rows, &mut process)
    }
}

/// The text of a proxy, its connections, bridges and process.
pub(super) fn text(
    (identity, totals, clock): (&Identity, Totals, &ClockState),
    mut snapshot: Snapshot,
    rows: &[Row],
    process: &mut Process,
) -> String {
    let mut out = Exposition::default();
    super::bridges::stop_unlinked(&mut snapshot.groups, rows);
    proxy::write(&mut out, identity, totals, clock);
    connections::write(&mut out, &snapshot, rows);
    bridges::write(&mut out, &snapshot.groups, rows);
    process.write(&mut out);
    out.finish()
}
