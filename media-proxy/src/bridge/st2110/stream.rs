//! What a bridge's configuration means to the engine.

use media::{
    Ancillary, Audio, Codec, ConnectionConfig, Endpoint, IncompleteFrames, Payload, St2110,
    Transport, Video,
};
use st2110::pacing::SenderType;
use st2110::video::{Depth, FrameLayout, Packing, Picture, Sampling, Scan, WireFormat};
use st2110_net::Incomplete;

/// A stream that this version can carry.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) config: ConnectionConfig,
    pub(super) endpoint: St2110,
    pub(super) essence: Essence,
}

/// What the stream consists of.
#[derive(Clone, Debug)]
pub(super) enum Essence {
    /// ST 2110-20.
    Video { video: Video, picture: Picture, layout: FrameLayout },
    /// ST 2110-30 and -31.
    Audio { transport: Transport, audio: Audio },
    /// ST 2110-40.
    Ancillary(Ancillary),
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
            (Transport::St2110_20, Payload::Video(video)) => essence_of_video(endpoint, *video)?,
            (transport @ (Transport::St2110_30 | Transport::St2110_31), Payload::Audio(audio)) => {
                Essence::Audio { transport, audio: *audio }
            }
            (Transport::St2110_40, Payload::Ancillary(ancillary)) => Essence::Ancillary(*ancillary),
            (transport, payload) => {
                let codec = match endpoint.codec {
                    Some(Codec::JpegXs) => " encoded by the mesh",
                    _ => "",
                };
                let kind = payload.kind();
                return Err(format!(
                    "connection.st2110.transport: {transport} with payload {kind}{codec} is not in this version"
                ));
            }
        };
        Ok(Self { config: config.clone(), endpoint: endpoint.clone(), essence })
    }

    /// Bytes of a frame, where the format says.
    pub(super) fn frame_size(&self) -> Option<usize> {
        match &self.essence {
            Essence::Video { video, .. } => video.frame_size().ok(),
            // A buffer may hold several packets, or as much as there is.
            Essence::Audio { .. } | Essence::Ancillary(_) => None,
        }
    }

    /// The wish for the sender's type.
    pub(super) fn pacing(&self) -> SenderType {
        match self.endpoint.pacing {
            media::Pacing::Narrow => SenderType::Narrow,
            media::Pacing::Linear => SenderType::NarrowLinear,
            media::Pacing::Wide => SenderType::Wide,
        }
    }

    /// What becomes of frames with gaps.
    pub(super) fn incomplete(&self) -> Incomplete {
        match self.endpoint.incomplete_frames {
            IncompleteFrames::Deliver => Incomplete::Deliver,
            IncompleteFrames::Repeat => Incomplete::Repeat,
            IncompleteFrames::Drop => Incomplete::Drop,
        }
    }

    /// How rows are cut into packets.
    pub(super) fn packing(&self) -> Packing {
        match self.endpoint.packing {
            media::Packing::Gpm => Packing::General,
            media::Packing::Bpm => Packing::Block,
        }
    }
}

fn essence_of_video(endpoint: &St2110, video: Video) -> Result<Essence, String> {
    let format = match endpoint.wire_format {
        Some(wire) => wire_format(wire)?,
        None => wire_format(media::WireFormat::of(video.pixel_format))?,
    };
    let scan = match video.scan {
        media::Scan::Progressive => Scan::Progressive,
        media::Scan::Interlaced => Scan::Interlaced,
        media::Scan::Psf => Scan::Psf,
    };
    let picture =
        Picture::new(format, video.width, video.height, scan).map_err(|error| error.to_string())?;
    let layout = FrameLayout::Mesh(video.pixel_format);
    Ok(Essence::Video { video, picture, layout })
}

fn wire_format(wire: media::WireFormat) -> Result<WireFormat, String> {
    let refused = || {
        format!(
            "wire format {} with {} bits: 4:2:2, 4:2:0, 4:4:4 and RGB with 8, 10 or 12 bits are allowed",
            wire.sampling, wire.depth
        )
    };
    let sampling = match wire.sampling {
        media::Sampling::YCbCr444 => Sampling::YCbCr444,
        media::Sampling::YCbCr422 => Sampling::YCbCr422,
        media::Sampling::YCbCr420 => Sampling::YCbCr420,
        media::Sampling::Rgb => Sampling::Rgb,
        media::Sampling::Key => return Err(refused()),
    };
    let depth = Depth::ALL.into_iter().find(|depth| depth.bits() == usize::from(wire.depth));
    Ok(WireFormat { sampling, depth: depth.ok_or_else(refused)? })
}
