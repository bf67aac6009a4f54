//! A bridge from a group to the network.

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
use mcm::{Connection, Direction};
use st2110_net::configured::{self, codestream_sender};
use st2110_net::engine::{Engine, Priority};
use st2110_net::send::{AncillarySender, AudioSender, Identity, Rider, Sending, VideoSender};
use st2110_net::socket::Interface;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long frames may be sent that were put before the end. The feed takes no later ones.
const DRAIN: Duration = Duration::from_secs(2);

/// A receiver of its group whose frames go to the network.
pub(super) struct Egress {
    connection: Arc<Connection>,
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
        let connection = client
            .join(Direction::Receive, &stream.config)
            .map_err(|error| format!("egress bridge: {error}"))?;
        let (watch, life) = session::pair(alarm);
        let destination = SocketAddr::new(stream.endpoint.ip_addr, stream.endpoint.port);
        let identity = identities.take(destination, stream.endpoint.payload_type);
        let usual = interface;
        let endpoint = &stream.endpoint;
        let paths = configured::outgoing(endpoint, usual);
        let mut pacing = endpoint.pacing;
        let ring = |life| RingFeed {
            connection: Arc::clone(&connection),
            frame_size: stream.frame_size(),
            life,
        };
        let mut codec = None;
        let sending = match &stream.essence {
            Essence::Video { video, picture, layout } => {
                let ancillary = configured::rider(endpoint).map(|rider| Rider {
                    identity: Identity::random(rider.payload_type),
                    paths: configured::outgoing(&rider, usual),
                });
                let sender = VideoSender {
                    picture: *picture,
                    layout: *layout,
                    packing: endpoint.packing,
                    rate: video.rate,
                    pacing,
                    identity,
                    paths,
                    ancillary,
                };
                pacing = sender.sender_type().unwrap_or(pacing);
                sender.start(engine, ring(life))
            }
            Essence::Codestreams(video) => {
                let limit = connection.payload_size();
                let sender = codestream_sender(endpoint, video, limit, identity, usual);
                pacing = sender.sender_type();
                sender.start(engine, ring(life))
            }
            Essence::Coded(coding) => {
                let counts = Arc::<CodecCounts>::default();
                codec = Some(Arc::clone(&counts));
                let (feed, limit) = encoding::start(coding, Arc::clone(&connection), counts, life)?;
                let sender = codestream_sender(endpoint, &coding.video, limit, identity, usual);
                pacing = sender.sender_type();
                sender.start(engine, feed)
            }
            Essence::Audio { transport, audio } => {
                let (transport, audio) = (*transport, *audio);
                AudioSender { transport, audio, identity, paths }.start(engine, ring(life))
            }
            Essence::Ancillary(ancillary) => {
                let ancillary = *ancillary;
                AncillarySender { ancillary, identity, paths }.start(engine, ring(life))
            }
        }
        .map_err(|error| format!("connection.st2110: {error}"))?;
        if !watch.started() {
            return Err("its session on the network has ended at once".into());
        }
        let [priority, _] = engine.priorities();
        let session = identity.ssrc;
        let facts = Facts {
            codec,
            local: configured::describe(endpoint, usual),
            sdp: description::of_sender(stream, interface, clock, pacing, session, versions),
            remarks: ignored_options::of_sender(endpoint),
            shortfall: priority.and_then(Priority::shortfall),
        };
        let figures = Arc::new(SendingFigures::new(&sending, facts));
        Ok(Self { connection, sending, destination, identity, identities, watch, figures })
    }
}

impl Bridge for Egress {
    fn connection(&self) -> String {
        self.connection.id()
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
        self.connection.shutdown();
    }
}
