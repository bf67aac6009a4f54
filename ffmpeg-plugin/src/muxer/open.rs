//! Opening an output: the stream determines the payload, and the options have to agree.

use super::sender::{Packets, Pictures, Sender};
use super::{Muxer, VIDEO_TICKS};
use crate::audio::Pcm;
use crate::config::{self, Payload};
use crate::context::{Context, Stream};
use crate::description::{DescribedAudio, DescribedVideo};
use crate::error::Error;
use crate::layout::Rational;
use crate::mesh::{Client, Connection};
use crate::options::Direction;
use crate::parameters::{Fields, Parameters};
use crate::settings::Settings;
use crate::values::{check_size, frame_rate, parse_rate, parse_size};
use crate::video::{self, Repacking};
use media::{FrameRate, Scan};
use std::ffi::c_int;

/// Opens an output of video.
pub(super) fn video(context: Context) -> Result<Muxer, Error> {
    let libav = context.libav();
    let stream = context.stream()?;
    let parameters = Parameters::of(context, stream)?;
    let (width, height) = parameters.size()?;
    let codec = parameters.codec();
    let mut format = if codec == libav.codecs.v210 {
        video::V210
    } else if codec == libav.codecs.wrapped || codec == libav.codecs.rawvideo {
        let name = parameters.pixel_format()?;
        let found = video::FORMATS.into_iter().find(|format| *format == name);
        found.ok_or_else(|| {
            let allowed = format!("{}; choose one with -pix_fmt", video::allowed());
            Error::option("pixel format of the stream", name, allowed)
        })?
    } else {
        return Err(Error::option(
            "codec of the stream",
            libav.call.codec_name(codec),
            "allowed: wrapped_avframe (the default), rawvideo, v210; choose one with -c:v",
        ));
    };
    let settings = Settings::of(context, Direction::Tx)?;
    if let Some(size) = &settings.video_size
        && parse_size(libav, size)? != (width, height)
    {
        let allowed = format!("the stream is {width}x{height}; scale it with -s");
        return Err(Error::option("video_size", size.as_str(), allowed));
    }
    if settings.pixel_format.as_deref() == Some(video::RFC4175) && format == video::UNPACKED {
        format = video::RFC4175;
    }
    if let Some(pixels) = &settings.pixel_format
        && video::format(pixels) != Some(format)
    {
        let how = match pixels.as_str() {
            video::V210 => "-c:v v210",
            video::RFC4175 => "-pix_fmt yuv422p10le",
            _ => "-pix_fmt",
        };
        let allowed = format!("the stream is {format}; convert it with {how}");
        return Err(Error::option("pixel_format", pixels.as_str(), allowed));
    }
    let rate = match &settings.frame_rate {
        Some(rate) => parse_rate(libav, rate)?,
        None => rate_of(stream).ok_or_else(|| {
            Error::option(
                "frame_rate",
                "none",
                "the stream has no frame rate; give it with -frame_rate",
            )
        })?,
    };
    let described = DescribedVideo::of(&settings)?;
    if let Some(described) = described {
        described.size("size of the stream", Some((width, height)))?;
        described.rate(Some(rate))?;
    }
    let scan = scan(context, &settings, described, parameters.fields()?, height)?;
    let repacking = Repacking::of(format, (width, height))?;

    let payload = Payload::Video { width, height, rate, format, scan };
    let connection = open(&settings, &payload)?;
    let bytes = connection.payload_size();
    check_size(libav, bytes, format, repacking.as_ref(), (width, height))?;
    let frames = if format == video::RFC4175 { video::UNPACKED } else { format };
    let packets = match libav.call.pixel_format(frames) {
        Some(format) if codec == libav.codecs.wrapped => {
            let (width, height) = (width as c_int, height as c_int);
            let pictures = Pictures { format, width, height };
            Packets::Wrapped { pictures, repacking, unpacked: Vec::new() }
        }
        _ => match repacking {
            Some(repacking) => Packets::Repacked(repacking),
            None => Packets::Raw,
        },
    };
    stream.set_time_base(VIDEO_TICKS, 1);
    Muxer::new(&settings, Sender::new(libav, connection, packets, VIDEO_TICKS))
}

/// Frames a second of a stream. Where packets are copied from raw video, all that tells is the unit
/// of their times: a frame.
fn rate_of(stream: Stream) -> Option<FrameRate> {
    const HIGHEST: u32 = 300;
    let unit = stream.time_base();
    let of_unit = || frame_rate(Rational { num: unit.den, den: unit.num });
    frame_rate(stream.frame_rate())
        .or_else(|| of_unit().filter(|rate| rate.num / rate.den <= HIGHEST))
}

/// Heights of pictures that are often interlaced.
const OFTEN_INTERLACED: [u32; 4] = [480, 486, 576, 1080];

/// The scan: from the option, else the session description, else the stream.
fn scan(
    context: Context,
    settings: &Settings,
    described: Option<DescribedVideo>,
    fields: Fields,
    height: u32,
) -> Result<Option<String>, Error> {
    const INTERLACED: &str = Scan::Interlaced.name();
    let given = settings.scan.as_deref();
    let asked = match described {
        Some(described) => Some(described.scan(given)?),
        None => settings.scan.clone(),
    };
    if let Some(asked) = asked.as_deref().filter(|asked| *asked != INTERLACED)
        && given.is_none()
        && fields.are_there()
    {
        let allowed = format!(
            "the SDP says {asked}; deinterlace it with -vf bwdif, or give -scan {asked} to send it as it is"
        );
        return Err(Error::option("scan of the stream", INTERLACED, allowed));
    }
    let scan = asked.or_else(|| fields.are_there().then(|| INTERLACED.to_owned()));
    // The first field of the mesh and of ST 2110 has the first line: the other order would play
    // time backwards in each frame.
    if scan.as_deref() == Some(INTERLACED) && fields == Fields::BottomFirst {
        let allowed = "the stream's bottom field comes first; convert it with -vf fieldorder=tff";
        return Err(Error::option("scan", INTERLACED, allowed));
    }
    if scan.is_none() && fields == Fields::Unknown && OFTEN_INTERLACED.contains(&height) {
        context.log_warning(
            "the stream does not say whether it is interlaced: it is sent as progressive; -scan says otherwise",
        );
    }
    Ok(scan)
}

/// Opens an output of audio.
pub(super) fn audio(context: Context, formats: &'static [Pcm]) -> Result<Muxer, Error> {
    let stream = context.stream()?;
    let parameters = Parameters::of(context, stream)?;
    let codecs = &context.libav().codecs;
    let pcm = Pcm::of_codec(parameters.codec(), codecs, formats).ok_or_else(|| {
        let allowed = format!("{}; choose one with -c:a", Pcm::allowed(formats));
        let found = context.libav().call.codec_name(parameters.codec());
        Error::option("codec of the stream", found, allowed)
    })?;
    let settings = Settings::of(context, Direction::Tx)?;
    if let Some(name) = &settings.sample_format
        && Pcm::named(name, formats)? != pcm
    {
        let allowed = format!("the stream is {}; convert it with -c:a", pcm.name());
        return Err(Error::option("sample_format", name.as_str(), allowed));
    }
    let (channels, sample_rate) = parameters.audio()?;
    let asked = [
        ("channels", settings.channels, channels),
        ("sample_rate", settings.sample_rate, sample_rate),
    ];
    for (name, asked, found) in asked {
        if let Some(asked) = asked.filter(|asked| *asked != found) {
            let how = if name == "channels" { "-ac" } else { "-ar" };
            let allowed = format!("the stream has {found}; convert it with {how}");
            return Err(Error::option(name, asked.to_string(), allowed));
        }
    }
    let mut default_ptime = config::default_ptime(sample_rate);
    if let Some(described) = DescribedAudio::of(&settings)? {
        described.channels("channels of the stream", Some(channels))?;
        described.sample_rate("sample rate of the stream", Some(sample_rate))?;
        described.pcm(Some(pcm), formats)?;
        default_ptime = described.packet_time();
    }
    let ptime = settings.ptime.clone().unwrap_or_else(|| default_ptime.to_owned());
    let connection = open(&settings, &Payload::Audio { channels, sample_rate, pcm, ptime })?;
    stream.set_time_base(sample_rate, 1);
    let sample = pcm.bytes() * channels as usize;
    let packets = Packets::Audio { sample };
    Muxer::new(&settings, Sender::new(context.libav(), connection, packets, sample_rate))
}

fn open(settings: &Settings, payload: &Payload) -> Result<Connection, Error> {
    let configuration = config::connection(settings, Direction::Tx, payload)?;
    Client::new()?.connect(Direction::Tx, &configuration)
}
