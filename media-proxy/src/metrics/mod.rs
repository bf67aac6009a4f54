//! What this proxy measures, for Prometheus and for the mesh agent. `docs/observability.md` lists all of it.
//!
//! Everything is read when somebody asks: from shared memory, from counters of bridges and from the kernel.

mod bridges;
mod connections;
#[cfg(test)]
mod golden;
mod names;
mod paths;
mod process;
mod proxy;
mod report;
mod server;

pub(crate) use report::report;
pub(crate) use server::serve;

use crate::bridge::{HostClock, Table};
use crate::control_service::Identity;
use crate::exchange::{Gone, Handle, Snapshot, Totals};
use daemon::exposition::Exposition;
use process::Process;
use std::sync::{Arc, Mutex, PoisonError};

/// So many connections, and so many bridges, are shown one by one: a scrape must not become too large for anybody.
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

    fn write(&self, mut snapshot: Snapshot, totals: Totals) -> String {
        let mut out = Exposition::default();
        let rows = self.bridges.rows();
        crate::bridge_view::stop_unlinked(&mut snapshot.groups, &rows);
        proxy::write(&mut out, &self.identity, totals, &self.clock.state());
        connections::write(&mut out, &snapshot, &rows);
        bridges::write(&mut out, &snapshot.groups, &rows);
        self.process.lock().unwrap_or_else(PoisonError::into_inner).write(&mut out);
        out.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_documented() {
        let documentation = include_str!("../../../docs/observability.md");
        let bridges = names::FAMILIES.iter().map(|family| family.name);
        let all = bridges.chain(paths::names()).chain(connections::names());
        for name in all {
            assert!(documentation.contains(&format!("\n| `{name}` |")), "{name}");
        }
    }
}
