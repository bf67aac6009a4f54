//! A bridge from a group to the network.

use super::feed::RingFeed;
use super::figures::Sending as SendingFigures;
use super::paths;
use super::session::{self, Watch};
use super::stream::{Essence, Stream};
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::members::Members;
use crate::bridge::status::Figures;
use mcm_dp::client::{Connection, Direction};
use st2110_net::engine::Engine;
use st2110_net::send::{AudioSender, Identity, Sending, VideoSender};
use st2110_net::socket::Interface;
use std::sync::Arc;
use std::time::Duration;

/// How long frames may be sent that were put before the end.
const DRAIN: Duration = Duration::from_secs(2);

/// A receiver of its group whose frames go to the network.
pub(super) struct Egress {
    connection: Arc<Connection>,
    sending: Sending,
    watch: Watch,
    figures: Arc<SendingFigures>,
}

impl Egress {
    pub(super) fn start(
        engine: &Engine,
        members: &Members,
        stream: &Stream,
        interface: &Interface,
        alarm: Alarm,
    ) -> Result<Self, String> {
        let connection = members
            .join(Direction::Receive, &stream.config)
            .map_err(|error| format!("egress bridge: {error}"))?;
        let (watch, life) = session::pair(alarm);
        let feed =
            RingFeed { connection: Arc::clone(&connection), frame_size: stream.frame_size(), life };
        let identity = Identity::random(stream.endpoint.payload_type);
        let paths = paths::outgoing(&stream.endpoint, interface);
        let sending = match stream.essence {
            Essence::Video { video, picture, layout } => VideoSender {
                picture,
                layout,
                packing: stream.packing(),
                rate: video.rate,
                pacing: stream.pacing(),
                identity,
                paths,
            }
            .start(engine, feed),
            Essence::Audio { clock, packet_bytes } => {
                AudioSender { clock, packet_bytes, identity, paths }.start(engine, feed)
            }
        }
        .map_err(|error| format!("connection.st2110: {error}"))?;
        if !watch.started() {
            return Err("its session on the network has ended at once".into());
        }
        let local = paths::describe(&stream.endpoint, interface);
        let figures = Arc::new(SendingFigures::new(Arc::clone(sending.stats()), local));
        Ok(Self { connection, sending, watch, figures })
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
        self.sending.stop();
        self.connection.shutdown();
    }
}
