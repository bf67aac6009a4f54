//! Opening of sending sessions from a connection's configuration.

use config::{ConnectionConfig, Endpoint};
use media::Payload;
use st2110::Transport;

use super::{AncillarySender, AssociatedAncillary, AudioSender, Identity, Sending, VideoSender};
use crate::{
    Error, FrameFeed,
    configured::{self, codestream_sender},
    engine::Engine,
    socket::Interface,
};

/// Starts to send the stream of a configuration as `identity`. It leaves by `interface` where the
/// configuration names none. `limit` is the largest size of a frame's codestreams in bytes; with
/// other payloads it says nothing.
///
/// A stream of JPEG XS (ST 2110-22) is sent as the feed gives it: nothing is encoded here.
///
/// # Errors
/// The configuration has no ST 2110 stream, its transport does not carry its payload, the stream
/// cannot be sent, or a socket cannot be opened.
pub fn open<F: FrameFeed>(
    engine: &Engine,
    config: &ConnectionConfig,
    interface: &Interface,
    identity: Identity,
    limit: usize,
    feed: F,
) -> Result<Sending, Error> {
    let Endpoint::St2110(stream) = &config.endpoint else {
        return Err(Error::no_stream(config));
    };
    let paths = configured::outgoing(stream, interface);
    match (stream.transport, &config.payload) {
        (Transport::St2110_20, Payload::Video(video)) => {
            let (picture, layout) =
                configured::picture(config)?.ok_or_else(|| Error::not_carried(stream, config))?;
            let sender = VideoSender {
                picture,
                layout,
                packing: stream.packing,
                rate: video.rate,
                pacing: stream.pacing,
                identity,
                paths,
                ancillary: configured::associated_ancillary(stream).map(|associated| {
                    AssociatedAncillary {
                        identity: Identity::random(associated.payload_type),
                        paths: configured::outgoing(&associated, interface),
                    }
                }),
            };
            sender.start(engine, feed)
        }
        (Transport::St2110_22, Payload::Video(video)) => {
            codestream_sender(stream, video, limit, identity, interface).start(engine, feed)
        }
        (transport @ (Transport::St2110_30 | Transport::St2110_31), Payload::Audio(audio)) => {
            AudioSender { transport, audio: *audio, identity, paths }.start(engine, feed)
        }
        (Transport::St2110_40, Payload::Ancillary(ancillary)) => {
            AncillarySender { ancillary: *ancillary, identity, paths }.start(engine, feed)
        }
        _ => Err(Error::not_carried(stream, config)),
    }
}
