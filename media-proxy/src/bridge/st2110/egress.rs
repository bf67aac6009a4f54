//! Egress bridges: from a group to the network.

use super::clock::HostClock;
use super::coding::CodecCounts;
use super::feed::RingFeed;
use super::figures::{Facts, Sending as SendingFigures};
use super::rtp_identities::RtpIdentities;
use super::sdp_versions::SdpVersions;
use super::session::{self, Watch};
use super::stream::{Essence, Stream};
use super::{description, encoding, ignored_options};
use crate::bridge::client::BridgeClient;
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::status::Figures;
use mcm::Receiver;
use st2110_net::configured;
use st2110_net::engine::{Engine, Priority};
use st2110_net::send::{self, Identity, Sending};
use st2110_net::socket::Interface;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long frames may be sent that were put before the end. The feed takes no later ones.
const DRAIN: Duration = Duration::from_secs(2);

/// A receiver of its group whose frames go to the network.
pub(super) struct Egress {
    receiver: Arc<Receiver>,
    sending: Sending,
    destination: SocketAddr,
    identity: Identity,
    identities: Arc<RtpIdentities>,
    watch: Watch,
    figures: Arc<SendingFigures>,
}

/// What all egress bridges share.
pub(super) struct Place<'a> {
    pub(super) engine: &'a Engine,
    pub(super) client: &'a BridgeClient,
    pub(super) interface: &'a Interface,
    pub(super) identities: Arc<RtpIdentities>,
    pub(super) clock: &'a HostClock,
    pub(super) versions: &'a SdpVersions,
}

impl Egress {
    pub(super) fn start(place: Place<'_>, stream: &Stream, alarm: Alarm) -> Result<Self, String> {
        let Place { engine, client, interface, identities, clock, versions } = place;
        let receiver =
            client.receive(&stream.config).map_err(|error| format!("egress bridge: {error}"))?;
        let receiver = Arc::new(receiver);
        let (watch, life) = session::pair(alarm);
        let destination = SocketAddr::new(stream.endpoint.ip_addr, stream.endpoint.port);
        let identity = identities.take(destination, stream.endpoint.payload_type);
        let ring = |life| RingFeed {
            receiver: Arc::clone(&receiver),
            frame_size: stream.frame_size(),
            life,
        };
        let mut codec = None;
        let config = &stream.config;
        let sending = match &stream.essence {
            Essence::Coded(coding) => {
                let counts = Arc::<CodecCounts>::default();
                codec = Some(Arc::clone(&counts));
                let (feed, limit) = encoding::start(coding, Arc::clone(&receiver), counts, life)?;
                send::open(engine, config, interface, identity, limit, feed)
            }
            _ => {
                let limit = receiver.payload_size();
                send::open(engine, config, interface, identity, limit, ring(life))
            }
        }
        .map_err(|error| format!("connection.st2110: {error}"))?;
        if !watch.started() {
            return Err("its session on the network has ended at once".into());
        }
        let [priority, _] = engine.priorities();
        let endpoint = &stream.endpoint;
        let pacing = sending.sender_type().unwrap_or(endpoint.pacing);
        let session = identity.ssrc;
        let facts = Facts {
            codec,
            local: configured::describe(endpoint, interface),
            sdp: description::of_sender(stream, interface, clock, pacing, session, versions),
            remarks: ignored_options::of_sender(endpoint),
            shortfall: priority.and_then(Priority::shortfall),
        };
        let figures = Arc::new(SendingFigures::new(&sending, facts));
        Ok(Self { receiver, sending, destination, identity, identities, watch, figures })
    }
}

impl Bridge for Egress {
    fn connection(&self) -> String {
        self.receiver.id()
    }

    fn figures(&self) -> Arc<dyn Figures> {
        Arc::clone(&self.figures) as Arc<dyn Figures>
    }

    fn stop(self: Box<Self>) {
        self.watch.end();
        self.watch.wait(DRAIN);
        let stats = Arc::clone(self.sending.stats());
        self.sending.stop();
        self.identities.keep(self.destination, self.identity, stats.get().packets);
        self.receiver.shutdown();
    }
}
