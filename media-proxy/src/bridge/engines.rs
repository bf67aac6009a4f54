//! The kinds of bridges that this proxy supports.

use super::client::BridgeClient;
use super::engine::{Alarm, Bridge, Engine};
use super::rdma::{Wires, Workers};
use super::st2110::{HostClock, Network};
use crate::args::Args;
use mesh::topology::{BridgeLink, BridgeSpec};
use std::sync::Arc;

/// Starts each bridge with the engine of its kind.
pub(crate) struct Engines {
    network: Network,
    wires: Wires,
}

impl Engines {
    pub(crate) fn new(
        args: &Args,
        client: Arc<BridgeClient>,
        clock: HostClock,
        workers: Workers,
    ) -> Self {
        let wires = Wires::new(args, Arc::clone(&client), workers);
        Self { network: Network::new(args, client, clock), wires }
    }
}

impl Engine for Engines {
    fn start(&self, spec: &BridgeSpec, alarm: Alarm) -> Result<Box<dyn Bridge>, String> {
        match &spec.link {
            BridgeLink::St2110 => self.network.start(spec, alarm),
            BridgeLink::Rdma(link) => self.wires.start(spec, link, alarm),
        }
    }
}
