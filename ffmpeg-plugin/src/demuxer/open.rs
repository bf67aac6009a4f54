//! Opening an input: settles the format and tells FFmpeg.

use super::{Demuxer, Frames, WaitingForFrames};
use crate::audio::Pcm;
use crate::clock::{Growing, RECEIVED, Unit};
use crate::config::{self, Payload};
use crate::context::Context;
use crate::description::{DescribedAudio, DescribedVideo};
use crate::error::Error;
use crate::group::{Told, ask};
use crate::layout::Rational;
use crate::libav::Libav;
use crate::mesh::{Client, Connection};
use crate::options::Direction;
use crate::parameters;
use crate::settings::Settings;
use crate::values::{check_size, parse_rate, parse_size};
use crate::video::{self, Repacking};
use media::FrameRate;
use serde_json::Value;
use std::ffi::c_int;
use std::time::Duration;

/// Default format, if neither the user nor the mesh determines it.
const DEFAULT_SIZE: (u32, u32) = (1920, 1080);
const DEFAULT_FORMAT: &str = "yuv422p10le";
const DEFAULT_RATE: FrameRate = FrameRate { num: 25, den: 1 };
const DEFAULT_CHANNELS: u32 = 2;
const DEFAULT_SAMPLE_RATE: u32 = 48_000;

/// Ticks of a video frame, where its rate is below [`FAST`].
const FRAME_TICKS: u32 = 1000;
/// Frames per second from which FFmpeg takes the unit of the times for the frame rate, if it may
/// not look at frames first. So a frame lasts one tick there.
const FAST: u32 = 70;

/// Opens an input of video.
pub(super) fn video(context: Context) -> Result<Demuxer, Error> {
    let libav = context.libav();
    let settings = Settings::of(context, Direction::Rx)?;
    let client = Client::new()?;
    let payload = video_payload(context, &client, &settings)?;
    let Payload::Video { width, height, rate, format, ref scan } = payload else {
        return Err(Error::Data("no video".into()));
    };
    let repacking = Repacking::of(format, (width, height))?;

    let connection = open(client, &settings, &payload)?;
    let bytes = connection.payload_size();
    check_size(libav, bytes, format, repacking.as_ref(), (width, height))?;
    let stream = context.new_stream()?;
    let (codec, pixels) = match format {
        video::V210 => (libav.codecs.v210, None),
        video::RFC4175 => (libav.codecs.rawvideo, Some(video::UNPACKED)),
        format => (libav.codecs.rawvideo, Some(format)),
    };
    let interlaced = scan.as_deref() == Some("interlaced");
    parameters::set_video(context, stream, codec, (width, height), pixels, interlaced)?;
    let frame_ticks = frame_ticks(rate);
    let unit = Unit { ticks: rate.num * frame_ticks, seconds: rate.den };
    stream.set_time_base(unit.ticks, unit.seconds);
    stream.set_frame_rate(Rational { num: rate.num as c_int, den: rate.den as c_int });
    Ok(Demuxer {
        carried: None,
        connection,
        frames: Frames::Video { bytes, repacking: repacking.filter(|it| !it.is_none()) },
        timeline: RECEIVED.join(),
        times: Growing::default(),
        unit,
        duration: i64::from(frame_ticks),
        waiting: WaitingForFrames::new(
            &settings,
            Duration::from_secs_f64(f64::from(rate.den) / f64::from(rate.num)),
        )?,
    })
}

/// The format: from the user and the session description, completed by the mesh and then by
/// defaults.
fn video_payload(context: Context, client: &Client, settings: &Settings) -> Result<Payload, Error> {
    let libav = context.libav();
    let mut size =
        settings.video_size.as_deref().map(|size| parse_size(libav, size)).transpose()?;
    let mut rate =
        settings.frame_rate.as_deref().map(|rate| parse_rate(libav, rate)).transpose()?;
    let format = settings.pixel_format.as_deref().map(pixel_format).transpose()?;
    let mut scan = settings.scan.clone();
    let mut default_format = DEFAULT_FORMAT;
    if let Some(described) = DescribedVideo::of(settings)? {
        size = Some(described.size("video_size", size)?);
        rate = described.rate(rate)?;
        scan = Some(described.scan(scan.as_deref())?);
        default_format = pixel_format(described.pixel_format())?;
    }
    let made =
        |size: Option<(u32, u32)>, rate: Option<FrameRate>, format: Option<&'static str>, scan| {
            let (width, height) = size.unwrap_or(DEFAULT_SIZE);
            let rate = rate.unwrap_or(DEFAULT_RATE);
            Payload::Video { width, height, rate, format: format.unwrap_or(default_format), scan }
        };
    let default = made(size, rate, format, scan.clone());
    let told = Told::of(&[size.is_some(), rate.is_some(), format.is_some()]);
    let Some(group) = ask(context, client, settings, told, &default)? else { return Ok(default) };
    let carried = group.of_kind("video")?;
    let text = |key: &str| carried[key].as_str().unwrap_or_default();
    Ok(made(
        size.or(number(carried, "width").zip(number(carried, "height"))),
        rate.or(text("fps").parse().ok()),
        Some(match format {
            Some(format) => format,
            None => pixel_format(text("pixelFormat"))?,
        }),
        scan.or(carried["scan"].as_str().map(str::to_owned)),
    ))
}

fn pixel_format(name: &str) -> Result<&'static str, Error> {
    video::format(name).ok_or_else(|| Error::option("pixel_format", name, video::allowed()))
}

fn number(carried: &Value, key: &str) -> Option<u32> {
    carried[key].as_u64().and_then(|number| u32::try_from(number).ok())
}

/// Opens an input of audio.
pub(super) fn audio(context: Context, formats: &'static [Pcm]) -> Result<Demuxer, Error> {
    let settings = Settings::of(context, Direction::Rx)?;
    let client = Client::new()?;
    let payload = audio_payload(context, &client, &settings, formats)?;
    let Payload::Audio { channels, sample_rate, pcm, .. } = payload else {
        return Err(Error::Data("no audio".into()));
    };
    let connection = open(client, &settings, &payload)?;
    let stream = context.new_stream()?;
    let libav: &Libav = context.libav();
    let codec = pcm.codec(&libav.codecs);
    parameters::set_audio(context, stream, codec, channels as c_int, sample_rate as c_int)?;
    let unit = Unit { ticks: sample_rate, seconds: 1 };
    stream.set_time_base(unit.ticks, unit.seconds);
    Ok(Demuxer {
        carried: None,
        connection,
        frames: Frames::Audio { sample: pcm.bytes() * channels as usize },
        timeline: RECEIVED.join(),
        times: Growing::default(),
        unit,
        duration: 0,
        waiting: WaitingForFrames::new(&settings, Duration::ZERO)?,
    })
}

/// As for video.
fn audio_payload(
    context: Context,
    client: &Client,
    settings: &Settings,
    formats: &'static [Pcm],
) -> Result<Payload, Error> {
    let named = settings.sample_format.as_deref().map(|name| Pcm::named(name, formats));
    let mut only = match formats {
        [only] => Some(*only),
        _ => named.transpose()?,
    };
    let (mut channels, mut sample_rate) = (settings.channels, settings.sample_rate);
    let ptime = settings.ptime.clone();
    let mut described_ptime = None;
    if let Some(described) = DescribedAudio::of(settings)? {
        channels = Some(described.channels("channels", channels)?);
        sample_rate = Some(described.sample_rate("sample_rate", sample_rate)?);
        only = described.pcm(only, formats)?;
        described_ptime = Some(described.packet_time());
    }
    let made = |channels: Option<u32>,
                sample_rate: Option<u32>,
                pcm: Option<Pcm>,
                ptime: Option<String>| {
        let sample_rate = sample_rate.unwrap_or(DEFAULT_SAMPLE_RATE);
        let default_ptime = described_ptime.unwrap_or_else(|| config::default_ptime(sample_rate));
        Payload::Audio {
            channels: channels.unwrap_or(DEFAULT_CHANNELS),
            sample_rate,
            pcm: pcm.unwrap_or(formats[0]),
            ptime: ptime.unwrap_or_else(|| default_ptime.to_owned()),
        }
    };
    let default = made(channels, sample_rate, only, ptime.clone());
    let mut given = vec![channels.is_some(), sample_rate.is_some(), ptime.is_some()];
    if formats.len() > 1 {
        given.push(only.is_some());
    }
    let told = Told::of(&given);
    let Some(group) = ask(context, client, settings, told, &default)? else { return Ok(default) };
    let carried = group.of_kind("audio")?;
    let text = |key: &str| carried[key].as_str();
    Ok(made(
        channels.or(number(carried, "channels")),
        sample_rate.or(number(carried, "sampleRate")),
        only.or(text("format").map(|name| Pcm::named(name, formats)).transpose()?),
        ptime.or(text("packetTime").map(str::to_owned)),
    ))
}

fn open(client: Client, settings: &Settings, payload: &Payload) -> Result<Connection, Error> {
    client.connect(Direction::Rx, &config::connection(settings, Direction::Rx, payload)?)
}

/// Ticks of a frame in the unit of its stream, which FFmpeg keeps as integers of 31 bits.
fn frame_ticks(rate: FrameRate) -> u32 {
    let fits = rate.num <= i32::MAX as u32 / FRAME_TICKS;
    if fits && rate.num / rate.den < FAST { FRAME_TICKS } else { 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_a_frame_are_fine_and_fit() {
        let ticks = |num, den| frame_ticks(FrameRate::new(num, den).unwrap());
        assert_eq!([ticks(25, 1), ticks(60000, 1001), ticks(120, 1)], [1000, 1000, 1]);
        assert_eq!(ticks(2_200_001, 65_521), 1);
    }
}
