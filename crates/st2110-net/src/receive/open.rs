//! Opening of receiving sessions from a connection's configuration.

use config::{ConnectionConfig, Endpoint};
use media::Payload;
use st2110::Transport;

use super::{AncillaryReceiver, AudioReceiver, Receiving, VideoReceiver};
use crate::{
    Error, FrameSink,
    configured::{self, codestream_receiver},
    engine::Engine,
    socket::Interface,
};

/// Starts to receive the stream of a configuration. It arrives at `interface` where the
/// configuration names none. `limit` is the largest size in bytes of a frame's codestreams, or of a
/// frame's block of ancillary data; with other payloads it says nothing.
///
/// A stream of JPEG XS (ST 2110-22) is given to the sink as it comes: nothing is decoded here.
///
/// # Errors
/// The configuration has no ST 2110 stream, its transport does not carry its payload, the stream
/// cannot be received, or a socket cannot be opened.
pub fn open<S: FrameSink>(
    engine: &Engine,
    config: &ConnectionConfig,
    interface: &Interface,
    limit: usize,
    sink: S,
) -> Result<Receiving, Error> {
    let Endpoint::St2110(stream) = &config.endpoint else {
        return Err(Error::no_stream(config));
    };
    let origin = configured::origin(stream, interface);
    let incomplete = stream.incomplete_frames;
    match (stream.transport, &config.payload) {
        (Transport::St2110_20, Payload::Video(video)) => {
            let (picture, layout) =
                configured::picture(config)?.ok_or_else(|| Error::not_carried(stream, config))?;
            let ancillary = configured::associated_ancillary(stream)
                .map(|associated| configured::origin(&associated, interface));
            let rate = video.rate;
            VideoReceiver { picture, layout, rate, origin, incomplete, ancillary }
                .start(engine, sink)
        }
        (Transport::St2110_22, Payload::Video(video)) => {
            codestream_receiver(stream, video, limit, interface).start(engine, sink)
        }
        (transport @ (Transport::St2110_30 | Transport::St2110_31), Payload::Audio(audio)) => {
            AudioReceiver { transport, audio: *audio, origin, incomplete }.start(engine, sink)
        }
        (Transport::St2110_40, Payload::Ancillary(ancillary)) => {
            let ancillary = *ancillary;
            AncillaryReceiver { ancillary, limit, origin, incomplete }.start(engine, sink)
        }
        _ => Err(Error::not_carried(stream, config)),
    }
}
