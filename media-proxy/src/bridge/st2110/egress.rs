//! A bridge from a group to the network.

use super::feed::RingFeed;
use super::figures::Sending as SendingFigures;
use super::identities::Identities;
use super::session::{self, Watch};
use super::stream::{Essence, Stream};
use super::{description, paths};
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::members::Members;
use crate::bridge::status::Figures;
use mcm_dp::client::{Connection, Direction};
use st2110_net::engine::Engine;
use st2110_net::send::{AncillarySender, AudioSender, Identity, Rider, Sending, VideoSender};
use st2110_net::socket::Interface;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long frames may be sent that were put before the end.
const DRAIN: Duration = Duration::from_secs(2);

/// A receiver of its group whose frames go to the network.
pub(super) struct Egress {
    connection: Arc<Connection>,
    sending: Sending,
    destination: SocketAddr,
    identity: Identity,
    identities: Arc<Identities>,
    watch: Watch,
    figures: Arc<SendingFigures>,
}

/// What all egress bridges share.
pub(super) struct Place<'a> {
    pub(super) engine: &'a Engine,
    pub(super) members: &'a Members,
    pub(super) interface: &'a Interface,
    pub(super) identities: Arc<Identities>,
}

impl Egress {
    pub(super) fn start(place: Place<'_>, stream: &Stream, alarm: Alarm) -> Result<Self, String> {
        let Place { engine, members, interface, identities } = place;
        let connection = members
            .join(Direction::Receive, &stream.config)
            .map_err(|error| format!("egress bridge: {error}"))?;
        let (watch, life) = session::pair(alarm);
        let feed =
            RingFeed { connection: Arc::clone(&connection), frame_size: stream.frame_size(), life };
        let destination = SocketAddr::new(stream.endpoint.ip_addr, stream.endpoint.port);
        let identity = identities.take(destination, stream.endpoint.payload_type);
        let paths = paths::outgoing(&stream.endpoint, interface);
        let mut pacing = stream.pacing();
        let sending = match stream.essence {
            Essence::Video { video, picture, layout } => {
                let rider = stream
                    .endpoint
                    .ancillary
                    .zip(paths::outgoing_rider(&stream.endpoint, interface));
                let ancillary = rider.map(|(rider, paths)| Rider {
                    identity: Identity::random(rider.payload_type),
                    paths,
                });
                let sender = VideoSender {
                    picture,
                    layout,
                    packing: stream.packing(),
                    rate: video.rate,
                    pacing,
                    identity,
                    paths,
                    ancillary,
                };
                pacing = sender.sender_type().unwrap_or(pacing);
                sender.start(engine, feed)
            }
            Essence::Audio { transport, audio } => {
                AudioSender { transport, audio, identity, paths }.start(engine, feed)
            }
            Essence::Ancillary(ancillary) => {
                AncillarySender { ancillary, identity, paths }.start(engine, feed)
            }
        }
        .map_err(|error| format!("connection.st2110: {error}"))?;
        if !watch.started() {
            return Err("its session on the network has ended at once".into());
        }
        let local = paths::describe(&stream.endpoint, interface);
        let sdp = description::of_sender(stream, interface, pacing, identity.ssrc);
        let figures = Arc::new(SendingFigures::new(&sending, local, sdp));
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
