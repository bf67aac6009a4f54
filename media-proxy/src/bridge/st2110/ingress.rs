//! Ingress bridges: from the network into a group.

use super::coding::CodecCounts;
use super::figures::{Facts, Receiving as ReceivingFigures};
use super::regions::Regions;
use super::session::{self, Watch};
use super::sink::RingSink;
use super::stream::{Essence, Stream};
use super::{decoding, description, ignored_options};
use crate::bridge::client::BridgeClient;
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::status::Figures;
use config::{ConnectionConfig, Delivery, Endpoint, Options};
use mcm::{Source, bridge};
use st2110_net::IncompleteFrames;
use st2110_net::configured;
use st2110_net::engine::{Engine, Priority};
use st2110_net::receive::{self, Receiving};
use st2110_net::socket::Interface;
use std::sync::Arc;

/// Room for the headers of a frame's codestreams.
const HEADERS: usize = 4096;

/// The source of its group, whose frames come from the network.
pub(super) struct Ingress {
    source: Arc<Source>,
    receiving: Receiving,
    watch: Watch,
    figures: Arc<ReceivingFigures>,
}

impl Ingress {
    pub(super) fn start(
        engine: &Engine,
        client: &BridgeClient,
        stream: &Stream,
        interface: &Interface,
        alarm: Alarm,
    ) -> Result<Self, String> {
        // The network does not wait for receivers.
        let options = Options {
            delivery: Some(Delivery::Live),
            wait_for_receivers: 0,
            ..stream.config.options
        };
        let mut config = ConnectionConfig { options, ..stream.config.clone() };
        let two_paths = stream.endpoint.second_path.is_some();
        if let (Essence::Video(video), true) = (&stream.essence, two_paths) {
            let frames = configured::open_frames(&stream.endpoint, video.rate, interface);
            let frames = u16::try_from(frames).unwrap_or(u16::MAX);
            config.queue_capacity = config.queue_capacity.max(frames);
        }
        let source = client.relay(&config).map_err(|error| format!("ingress bridge: {error}"))?;
        let source = Arc::new(source);
        let (watch, life) = session::pair(alarm);
        let ring = |life| RingSink {
            source: Arc::clone(&source),
            regions: Regions::new(&stream.config.payload),
            first: true,
            life,
        };
        let mut codec = None;
        let receiving = match &stream.essence {
            Essence::Coded(coding) => {
                let counts = Arc::<CodecCounts>::default();
                codec = Some(Arc::clone(&counts));
                // No encoder makes pictures much larger than they are.
                let limit = coding.frame_size() / 8 * 9 + HEADERS;
                let metadata = config.max_metadata_size as usize;
                let ring = Arc::clone(&source);
                let sink = decoding::start(coding, ring, metadata, counts, life)?;
                receive::open(engine, &decodable(&stream.config), interface, limit, sink)
            }
            _ => {
                let limit = source.payload_size();
                receive::open(engine, &stream.config, interface, limit, ring(life))
            }
        }
        .map_err(|error| format!("connection.st2110: {error}"))?;
        if !watch.started() {
            return Err("its session on the network has ended at once".into());
        }
        let [_, priority] = engine.priorities();
        let endpoint = &stream.endpoint;
        let facts = Facts {
            codec,
            local: configured::describe(endpoint, interface),
            sdp: description::of_receiver(stream, interface),
            remarks: ignored_options::of_receiver(endpoint),
            shortfall: priority.and_then(Priority::shortfall),
        };
        let figures = Arc::new(ReceivingFigures::new(&receiving, &stream.essence, facts));
        Ok(Self { source, receiving, watch, figures })
    }
}

/// The configuration of a stream that is decoded: an incomplete codestream cannot be, so the last
/// whole one takes its place.
fn decodable(config: &ConnectionConfig) -> ConnectionConfig {
    let mut config = config.clone();
    if let Endpoint::St2110(stream) = &mut config.endpoint
        && stream.incomplete_frames == IncompleteFrames::Deliver
    {
        stream.incomplete_frames = IncompleteFrames::Repeat;
    }
    config
}

impl Bridge for Ingress {
    fn connection(&self) -> String {
        self.source.id()
    }

    fn figures(&self) -> Arc<dyn Figures> {
        Arc::clone(&self.figures) as Arc<dyn Figures>
    }

    fn stop(self: Box<Self>) {
        self.watch.end();
        self.receiving.stop();
        // The network knows no end of a stream, and so there is none when a bridge ends.
        bridge::leave(&self.source);
    }
}
