//! ST 2110 bridges on the kernel's sockets.
//!
//! An egress bridge gives frames straight from the ring's slots to the engine of `st2110-net`, which packetises them; an ingress
//! bridge has packets placed straight into the slots of its own ring.

mod clock;
mod coding;
mod decoding;
mod description;
mod egress;
mod encoding;
mod feed;
mod figures;
mod identities;
mod ingress;
mod interface;
pub(crate) mod judgement;
pub(crate) mod refusals;
mod regions;
mod remarks;
mod session;
mod sink;
mod stream;
mod versions;

pub(crate) use clock::HostClock;

use super::engine::{Alarm, Bridge};
use super::members::Members;
use crate::args::Args;
use mesh::topology::{BridgeSpec, Direction};
use st2110_net::engine::{Engine, EngineOptions};
use st2110_net::socket::Interface;
use std::sync::{Arc, OnceLock};

/// Starts ST 2110 bridges. All share the threads of one engine.
pub(crate) struct Network {
    members: Arc<Members>,
    interface: interface::Choice,
    identities: Arc<identities::Identities>,
    clock: HostClock,
    kernel_pacing: bool,
    versions: versions::Versions,
    /// Made with the first bridge.
    engine: OnceLock<Engine>,
}

impl Network {
    pub(crate) fn new(args: &Args, members: Arc<Members>, clock: HostClock) -> Self {
        let interface = interface::Choice::new(args.device.clone(), args.st2110_ip);
        let (identities, versions) = (Arc::default(), versions::Versions::default());
        let (kernel_pacing, engine) = (args.kernel_pacing, OnceLock::new());
        Self { members, interface, identities, clock, kernel_pacing, versions, engine }
    }

    /// Starts a bridge.
    ///
    /// # Errors
    /// Why it cannot start.
    pub(crate) fn start(&self, spec: &BridgeSpec, alarm: Alarm) -> Result<Box<dyn Bridge>, String> {
        let engine = self.engine.get_or_init(|| {
            let (clock, kernel_pacing) = (self.clock.time(), self.kernel_pacing);
            Engine::new(EngineOptions { clock, kernel_pacing, ..EngineOptions::default() })
        });
        let stream = stream::Stream::of(&spec.config)?;
        let interface: &Interface = self.interface.get();
        self.clock.announce(interface);
        Ok(match spec.direction {
            Direction::Egress => {
                let identities = Arc::clone(&self.identities);
                let (members, clock, versions) = (&self.members, &self.clock, &self.versions);
                let place =
                    egress::Place { engine, members, interface, identities, clock, versions };
                Box::new(egress::Egress::start(place, &stream, alarm)?)
            }
            Direction::Ingress => {
                Box::new(ingress::Ingress::start(engine, &self.members, &stream, interface, alarm)?)
            }
        })
    }
}
