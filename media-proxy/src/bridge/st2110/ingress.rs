//! A bridge from the network into a group.

use super::figures::Receiving as ReceivingFigures;
use super::paths;
use super::regions::Regions;
use super::session::{self, Watch};
use super::sink::RingSink;
use super::stream::{Essence, Stream};
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::members::Members;
use crate::bridge::status::Figures;
use mcm_dp::client::{Connection, Direction};
use media::{ConnectionConfig, Delivery, EndOfStream, IncompleteFrames, Options};
use st2110_net::Incomplete;
use st2110_net::engine::Engine;
use st2110_net::receive::{Origin, Receiving, VideoReceiver};
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
        let sink = RingSink { connection: Arc::clone(&connection), regions, life };
        let paths = paths::incoming(&stream.endpoint, interface);
        let origin = Origin::new(paths, stream.endpoint.payload_type);
        let receiving = match stream.essence {
            Essence::Video { video, picture, layout } => {
                let incomplete = match stream.endpoint.incomplete_frames {
                    IncompleteFrames::Deliver => Incomplete::Deliver,
                    IncompleteFrames::Repeat => Incomplete::Repeat,
                    IncompleteFrames::Drop => Incomplete::Drop,
                };
                let rate = video.rate;
                VideoReceiver { picture, layout, rate, origin, incomplete }.start(engine, sink)
            }
            Essence::Audio { .. } => return Err("audio cannot be received yet".into()),
        }
        .map_err(|error| format!("connection.st2110: {error}"))?;
        if !watch.started() {
            return Err("its session on the network has ended at once".into());
        }
        let local = paths::describe(&stream.endpoint, interface);
        let figures = Arc::new(ReceivingFigures::new(Arc::clone(receiving.stats()), local));
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
