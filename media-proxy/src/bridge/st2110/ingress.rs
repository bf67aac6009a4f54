//! A bridge from the network into a group.

use super::figures::Receiving as ReceivingFigures;
use super::regions::Regions;
use super::session::{self, Watch};
use super::sink::RingSink;
use super::stream::{Essence, Stream};
use super::{description, paths};
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::members::Members;
use crate::bridge::status::Figures;
use mcm_dp::client::{Connection, Direction};
use media::{ConnectionConfig, Delivery, EndOfStream, Options};
use st2110_net::engine::Engine;
use st2110_net::receive::{AncillaryReceiver, AudioReceiver, Origin, Receiving, VideoReceiver};
use st2110_net::socket::Interface;
use std::sync::Arc;

/// The source of its group, whose frames come from the network.
pub(super) struct Ingress {
    connection: Arc<Connection>,
    receiving: Receiving,
    watch: Watch,
    figures: Arc<ReceivingFigures>,
}

impl Ingress {
    pub(super) fn start(
        engine: &Engine,
        members: &Members,
        stream: &Stream,
        interface: &Interface,
        alarm: Alarm,
    ) -> Result<Self, String> {
        // The network waits for nobody, and the stream does not end because this bridge does.
        let options = Options {
            delivery: Some(Delivery::Live),
            end_of_stream: Some(EndOfStream::Wait),
            wait_for_receivers: 0,
            ..stream.config.options
        };
        let config = ConnectionConfig { options, ..stream.config.clone() };
        let connection = members
            .join(Direction::Send, &config)
            .map_err(|error| format!("ingress bridge: {error}"))?;
        let (watch, life) = session::pair(alarm);
        let regions = Regions::new(&stream.config.payload);
        let connected = Arc::clone(&connection);
        let sink = RingSink { connection: connected, regions, first: true, life };
        let paths = paths::incoming(&stream.endpoint, interface);
        let origin = Origin::new(paths, stream.endpoint.payload_type);
        let incomplete = stream.incomplete();
        let receiving = match stream.essence {
            Essence::Video { video, picture, layout } => {
                let rate = video.rate;
                let rider = stream
                    .endpoint
                    .ancillary
                    .zip(paths::incoming_rider(&stream.endpoint, interface));
                let ancillary = rider.map(|(rider, paths)| Origin::new(paths, rider.payload_type));
                let receiver =
                    VideoReceiver { picture, layout, rate, origin, incomplete, ancillary };
                receiver.start(engine, sink)
            }
            Essence::Audio { transport, audio } => {
                AudioReceiver { transport, audio, origin, incomplete }.start(engine, sink)
            }
            Essence::Ancillary(ancillary) => {
                let limit = connection.payload_size();
                AncillaryReceiver { ancillary, limit, origin, incomplete }.start(engine, sink)
            }
        }
        .map_err(|error| format!("connection.st2110: {error}"))?;
        if !watch.started() {
            return Err("its session on the network has ended at once".into());
        }
        let local = paths::describe(&stream.endpoint, interface);
        let sdp = description::of_receiver(stream);
        let figures = Arc::new(ReceivingFigures::new(&receiving, local, sdp));
        Ok(Self { connection, receiving, watch, figures })
    }
}

impl Bridge for Ingress {
    fn connection(&self) -> String {
        self.connection.id()
    }

    fn figures(&self) -> Arc<dyn Figures> {
        Arc::clone(&self.figures) as Arc<dyn Figures>
    }

    fn stop(self: Box<Self>) {
        self.watch.end();
        self.receiving.stop();
        self.connection.shutdown();
    }
}
