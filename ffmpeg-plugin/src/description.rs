//! The format that a session description (SDP) gives, beside the options.

use crate::audio::Pcm;
use crate::config::{self, Way};
use crate::error::Error;
use crate::options::Direction;
use crate::settings::Settings;
use ::config::Kind;
use ::config::sdp::{Description, describe, read_sdp_file};
use media::{Audio, FrameRate, Payload, Scan, Video};
use st2110::Transport;
use std::fmt::Display;

/// Reads the description that the option `sdp` names, into the settings. A file is read this once:
/// what FFmpeg is told and what the mesh gets is the same, whatever becomes of the file meanwhile.
pub(crate) fn read(settings: &mut Settings, direction: Direction) -> Result<(), Error> {
    if config::way(settings)? != Way::St2110 {
        return Ok(());
    }
    let Some(sdp) = &settings.stream.sdp else { return Ok(()) };
    let refuse = |error: media::ConfigError| {
        Error::option("sdp", error.found, format!("allowed: {}", error.allowed))
    };
    let file;
    let text = if is_text(sdp) {
        sdp
    } else {
        file = read_sdp_file(sdp).map_err(refuse)?;
        &file
    };
    let kind = match direction {
        Direction::Tx => Kind::Source,
        Direction::Rx => Kind::Receiver,
    };
    settings.stream.description = Some(describe(text, kind).map_err(refuse)?);
    Ok(())
}

/// Whether this is a description instead of the name of a file. FFmpeg writes a heading before
/// those that it prints.
fn is_text(sdp: &str) -> bool {
    let start = sdp.trim_start();
    start.starts_with("v=") || start.starts_with("SDP:")
}

/// Of a video that is described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DescribedVideo<'a> {
    description: &'a Description,
    video: Video,
}

impl<'a> DescribedVideo<'a> {
    /// `None` without a description. One of something else is refused.
    pub(crate) fn of(settings: &'a Settings) -> Result<Option<Self>, Error> {
        let Some(description) = &settings.stream.description else { return Ok(None) };
        match description.payload {
            Payload::Video(video) => Ok(Some(Self { description, video })),
            other => Err(wrong_kind(other, "video")),
        }
    }

    /// Width and height; those that were given are the same.
    pub(crate) fn size(
        &self,
        name: &'static str,
        given: Option<(u32, u32)>,
    ) -> Result<(u32, u32), Error> {
        let text = |(width, height)| format!("{width}x{height}");
        let size = (self.video.width, self.video.height);
        agree(name, given.map(text), text(size))?;
        Ok(size)
    }

    /// Frames a second, if the description tells them; those that were given are the same.
    pub(crate) fn rate(&self, given: Option<FrameRate>) -> Result<Option<FrameRate>, Error> {
        let Some(rate) = self.description.rate else { return Ok(given) };
        agree("frame_rate", given, rate)?;
        Ok(Some(rate))
    }

    /// The scan; an option must agree.
    pub(crate) fn scan(&self, given: Option<&str>) -> Result<String, Error> {
        // A word that is none is the mesh's to refuse.
        agree("scan", given.and_then(Scan::from_name), self.video.scan)?;
        Ok(given.unwrap_or(self.video.scan.name()).to_owned())
    }

    /// Pixels in memory, on which descriptions have no say: those that are most like the ones on
    /// the wire.
    pub(crate) fn pixel_format(&self) -> &'static str {
        self.video.pixel_format.name()
    }
}

/// Of audio that is described.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DescribedAudio {
    transport: Transport,
    audio: Audio,
}

impl DescribedAudio {
    /// `None` without a description. One of something else is refused.
    pub(crate) fn of(settings: &Settings) -> Result<Option<Self>, Error> {
        let Some(description) = &settings.stream.description else { return Ok(None) };
        match description.payload {
            Payload::Audio(audio) => Ok(Some(Self { transport: description.transport, audio })),
            other => Err(wrong_kind(other, "audio")),
        }
    }

    /// Channels; those that were given are as many.
    pub(crate) fn channels(&self, name: &'static str, given: Option<u32>) -> Result<u32, Error> {
        let channels = u32::from(self.audio.channels);
        agree(name, given, channels)?;
        Ok(channels)
    }

    /// Samples a second; those that were given are as many.
    pub(crate) fn sample_rate(&self, name: &'static str, given: Option<u32>) -> Result<u32, Error> {
        let rate = self.audio.sample_rate.hz();
        agree(name, given, rate)?;
        Ok(rate)
    }

    /// The sample format: that on the wire, which has to be one of this device. `None` if the
    /// samples of AES3 signals may be had in any format that the mesh makes of them.
    pub(crate) fn pcm(&self, given: Option<Pcm>, formats: &[Pcm]) -> Result<Option<Pcm>, Error> {
        if self.transport != Transport::St2110_30 {
            return Ok(given);
        }
        let name = self.audio.format.name();
        let pcm = formats.iter().copied().find(|pcm| pcm.name() == name).ok_or_else(|| {
            let allowed = format!("this device has {}; mcm_audio has others", Pcm::names(formats));
            Error::option("sdp", format!("samples of {name}"), allowed)
        })?;
        agree("sample_format", given.map(Pcm::name), pcm.name())?;
        Ok(Some(pcm))
    }

    /// The packet time on the wire, if the mesh has that one, else 1 ms. A receiver may have
    /// another one in memory.
    pub(crate) fn packet_time(&self) -> &'static str {
        self.audio.packet_time.name()
    }
}

/// Refuses what was given and is not what the description says.
fn agree<T: PartialEq + Display>(
    name: &'static str,
    given: Option<T>,
    described: T,
) -> Result<(), Error> {
    match given {
        Some(given) if given != described => {
            Err(Error::option(name, given.to_string(), format!("the SDP says {described}")))
        }
        _ => Ok(()),
    }
}

fn wrong_kind(found: Payload, needed: &str) -> Error {
    let device = match found {
        Payload::Video(_) => "; use the device mcm",
        Payload::Audio(_) => "; use the device mcm_audio",
        Payload::Ancillary(_) | Payload::Blob => "",
    };
    let found = format!("a stream of {}", found.kind());
    Error::option("sdp", found, format!("this device needs one of {needed}{device}"))
}

#[cfg(test)]
mod tests;
