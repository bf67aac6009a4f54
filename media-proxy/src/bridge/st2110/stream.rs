//! The stream of a bridge, read from its configuration.

use super::coding::Coding;
use config::{Codec, ConnectionConfig, Endpoint, St2110};
use media::{Payload, Video};
use st2110::Transport;
use st2110_net::configured::picture;

/// A stream that this version can carry.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) config: ConnectionConfig,
    pub(super) endpoint: St2110,
    pub(super) essence: Essence,
}

/// The essence of a stream, as far as bridges differ by it.
#[derive(Clone, Debug)]
pub(super) enum Essence {
    /// ST 2110-20.
    Video(Video),
    /// ST 2110-22, of which the program has the codestreams.
    Codestreams,
    /// ST 2110-22, encoded and decoded here.
    Coded(Coding),
    /// ST 2110-30 and -31.
    Audio,
    /// ST 2110-40.
    Ancillary,
}

impl Stream {
    /// Reads a configuration that has been validated.
    ///
    /// # Errors
    /// What this version cannot carry.
    pub(super) fn of(config: &ConnectionConfig) -> Result<Self, String> {
        let Endpoint::St2110(endpoint) = &config.endpoint else {
            return Err(format!(
                "connection.{}: an ST 2110 bridge needs st2110",
                config.endpoint.kind()
            ));
        };
        let essence = match (endpoint.transport, &config.payload) {
            (Transport::St2110_20, Payload::Video(video)) => {
                picture(config).map_err(|error| error.to_string())?;
                Essence::Video(*video)
            }
            (Transport::St2110_22, Payload::Video(video)) => match config.codec() {
                Some(Codec::Application) => Essence::Codestreams,
                _ => Essence::Coded(Coding::of(endpoint, *video)?),
            },
            (Transport::St2110_30 | Transport::St2110_31, Payload::Audio(_)) => Essence::Audio,
            (Transport::St2110_40, Payload::Ancillary(_)) => Essence::Ancillary,
            (transport, payload) => {
                let kind = payload.kind();
                return Err(format!(
                    "connection.st2110.transport: {transport} does not carry payload {kind}"
                ));
            }
        };
        Ok(Self { config: config.clone(), endpoint: endpoint.clone(), essence })
    }

    /// Bytes of a frame, where the format says.
    pub(super) fn frame_size(&self) -> Option<usize> {
        match &self.essence {
            Essence::Video(video) => video.frame_size().ok(),
            // A buffer may hold several packets, or as much as there is.
            Essence::Codestreams | Essence::Coded(_) | Essence::Audio | Essence::Ancillary => None,
        }
    }
}
