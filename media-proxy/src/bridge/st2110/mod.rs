//! ST 2110 bridges on the kernel's sockets.
//!
//! An egress bridge gives frames straight from the ring's slots to the engine of `st2110-net`,
//! which packetises them; an ingress bridge has packets placed straight into the slots of its own
//! ring.

pub(crate) mod analysis;
mod clock;
mod coding;
mod decoding;
mod description;
mod egress;
mod encoding;
mod feed;
mod figures;
mod ignored_options;
mod ingress;
mod interface;
pub(crate) mod refusals;
mod regions;
mod rtp_identities;
mod sdp_versions;
mod session;
mod sink;
mod stream;

pub(crate) use clock::HostClock;

use super::client::BridgeClient;
use super::engine::{Alarm, Bridge};
use crate::args::Args;
use mesh::topology::{BridgeSpec, Direction};
use st2110_net::engine::{Engine, EngineOptions};
use st2110_net::socket::Interface;
use std::sync::{Arc, OnceLock};

/// Starts ST 2110 bridges. All share the threads of one engine.
pub(crate) struct Network {
    client: Arc<BridgeClient>,
    interface: interface::Choice,
    identities: Arc<rtp_identities::RtpIdentities>,
    clock: HostClock,
    kernel_pacing: bool,
    versions: sdp_versions::SdpVersions,
    /// Made with the first bridge.
    engine: OnceLock<Engine>,
}

impl Network {
    pub(crate) fn new(args: &Args, client: Arc<BridgeClient>, clock: HostClock) -> Self {
        let interface = interface::Choice::new(args.device.clone(), args.st2110_ip);
        let (identities, versions) = (Arc::default(), sdp_versions::SdpVersions::default());
        let (kernel_pacing, engine) = (args.kernel_pacing, OnceLock::new());
        Self { client, interface, identities, clock, kernel_pacing, versions, engine }
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
                let (client, clock, versions) = (&self.client, &self.clock, &self.versions);
                let place =
                    egress::Place { engine, client, interface, identities, clock, versions };
                Box::new(egress::Egress::start(place, &stream, alarm)?)
            }
            Direction::Ingress => {
                Box::new(ingress::Ingress::start(engine, &self.client, &stream, interface, alarm)?)
            }
        })
    }
}
