//! Connection configuration from a session description.

use super::Description;
use crate::{ConnectionConfig, Endpoint, SecondPath, SenderTiming};
use media::{Ancillary, Audio, ConfigError, Payload, SampleRate, Video};
use st2110::Transport;
use st2110::jpegxs::PacketMode;
use st2110::video::{
    Colorimetry, Colour, Depth, Packing, SampleRange, Sampling, TransferCharacteristic, WireFormat,
};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proto::Kind;
use st2110::audio::Coding;
use st2110::reference::MediaClockSource;
use st2110::sdp::{
    Document, Essence, Leg, Picture, SdpError, Stream, layout, packet_time, second_source,
};

const PATH: &str = "connection.st2110.sdp";

fn refused(error: &SdpError) -> ConfigError {
    ConfigError::invalid(PATH, error, "a description of one stream that the mesh carries")
}

/// Reads a description of one stream, maybe sent twice (`a=group:DUP`), in the terms of a
/// configuration.
///
/// Ancillary streams beside a video stream are left out: `connection.st2110.ancillary` says whether
/// they are wanted.
///
/// A receiver of a unicast stream listens at the address of `c=` and expects the sender that the
/// source filter names, or else `o=`. FFmpeg writes 127.0.0.1 there whoever it is, which says
/// nothing about a stream that goes elsewhere: then the sender is unspecified, and any will do
/// unless the configuration names one.
///
/// # Errors
/// Invalid, with the line of the description: it cannot be read, or has no stream or several that
/// are not copies of each other.
pub fn describe(text: &str, kind: Kind) -> Result<Description, ConfigError> {
    let document = Document::parse(text).map_err(|error| refused(&error))?;
    let streams = main_streams(&document).map_err(|error| refused(&error))?;
    let (first, second) = paths(&document, &streams)?;
    let origin = origin(&document);
    let leg = |stream: &Stream| {
        let leg = stream.leg;
        match kind {
            Kind::Source => (leg.destination, None, None),
            Kind::Receiver if leg.destination.is_multicast() => (leg.destination, leg.source, None),
            Kind::Receiver => {
                let anybody = match leg.destination {
                    IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
                    IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let told = origin.filter(|it| {
                    it.is_ipv4() == leg.destination.is_ipv4()
                        && (!it.is_loopback() || leg.destination.is_loopback())
                });
                let sender = leg.source.or(told).unwrap_or(anybody);
                let own = Some(leg.destination).filter(|own| !own.is_unspecified());
                (sender, None, own)
            }
        }
    };
    let (ip_addr, mcast_sip_addr, interface_ip_addr) = leg(first);
    let copy = copy(&document, first);
    // On one interface two copies to one place are one path. Whoever has two interfaces for them
    // says so in `secondPath`.
    let second = second.filter(|second| kind == Kind::Source || !second.is_on_the_path_of(first));
    let second = second.or(copy.as_ref());
    let (transport, wire_format, payload) = payload(&first.essence).map_err(|error| {
        let line = told_at(&document, first);
        refused(&SdpError { line, ..error })
    })?;
    Ok(Description {
        text: text.to_owned(),
        transport,
        ip_addr,
        port: first.leg.port,
        mcast_sip_addr,
        interface_ip_addr,
        payload_type: first.payload_type,
        ttl: first.leg.ttl.filter(|ttl| *ttl != 0),
        packing: match &first.essence {
            // General packing is the default of RFC 4175 senders.
            Essence::Video(video) => Some(video.packing.unwrap_or(Packing::General)),
            _ => None,
        },
        packet_mode: match &first.essence {
            Essence::Compressed(video) => {
                let slices = video.packet_mode == Some(1);
                Some(if slices { PacketMode::Slice } else { PacketMode::Codestream })
            }
            _ => None,
        },
        wire_format,
        second_path: second.map(|stream| {
            let (ip_addr, mcast_sip_addr, interface_ip_addr) = leg(stream);
            let path = SecondPath::new(ip_addr, stream.leg.port);
            SecondPath { mcast_sip_addr, interface_ip_addr, ..path }
        }),
        colour: first.essence.picture().map(colour).unwrap_or_default(),
        timing: match kind {
            // A sender's timing is its own: the document is what it goes by for the rest.
            Kind::Source => SenderTiming::default(),
            Kind::Receiver => timing(first),
        },
        rate: rate(&document, first),
        payload,
    })
}

/// All streams but those of ancillary data beside video.
fn main_streams(document: &Document) -> Result<Vec<Stream>, SdpError> {
    let mut streams = Stream::read_all(document)?;
    if streams.iter().any(|stream| stream.essence.picture().is_some()) {
        streams.retain(|stream| !matches!(stream.essence, Essence::Ancillary(_)));
    }
    Ok(streams)
}

/// The senders whose packets are not the stream's (`a=source-filter: excl`, RFC 4570), on each of
/// two paths. None of a text that does not describe a stream.
#[must_use]
pub fn excluded(text: &str) -> [Vec<IpAddr>; 2] {
    let Ok(document) = Document::parse(text) else { return Default::default() };
    let Ok(streams) = main_streams(&document) else { return Default::default() };
    let Ok((first, second)) = paths(&document, &streams) else { return Default::default() };
    [first, second.unwrap_or(first)].map(|stream| stream.excluded.clone())
}

/// Checks that a configuration agrees with the description in its `connection.st2110.sdp`, for
/// whoever did not read it from JSON. A configuration without one agrees.
///
/// # Errors
/// As [`describe`], and Incompatible at the first path that differs.
pub fn check_agreement(config: &ConnectionConfig, kind: Kind) -> Result<(), ConfigError> {
    let Endpoint::St2110(stream) = &config.endpoint else { return Ok(()) };
    let Some(text) = &stream.sdp else { return Ok(()) };
    describe(text, kind)?.check_agreement(config)
}

/// The one stream, and its copy if there is one.
fn paths<'a>(
    document: &Document,
    streams: &'a [Stream],
) -> Result<(&'a Stream, Option<&'a Stream>), ConfigError> {
    match streams {
        [stream] => Ok((stream, None)),
        [first, second] if first.is_copy_of(second, &document.session) => {
            if first.essence != second.essence || first.payload_type != second.payload_type {
                let found =
                    format!("SDP line {}: the second path carries something else", second.line);
                return Err(ConfigError::invalid(PATH, found, "two copies of one stream"));
            }
            Ok((first, Some(second)))
        }
        _ => {
            let lines: Vec<_> = streams.iter().map(|stream| stream.line.to_string()).collect();
            let found = format!("{} streams, at lines {}", streams.len(), lines.join(", "));
            let allowed = "a description of one stream, or of two that a=group:DUP joins";
            Err(ConfigError::invalid(PATH, found, allowed))
        }
    }
}

/// Line of what a stream carries: size and samples of pictures, or rate and channels of audio.
fn told_at(document: &Document, stream: &Stream) -> usize {
    let name = if stream.essence.picture().is_some() { "fmtp" } else { "rtpmap" };
    let section = document.media.iter().find(|section| section.number() == stream.line);
    let told = section.and_then(|section| section.attribute(name));
    told.map_or(stream.line, |(line, _)| line)
}

/// The second path of a stream that is described once and has two senders.
fn copy(document: &Document, stream: &Stream) -> Option<Stream> {
    let section = document.media.iter().find(|section| section.number() == stream.line)?;
    let source = second_source(&document.session, section, stream.leg)?;
    Some(Stream { leg: Leg { source: Some(source), ..stream.leg }, ..stream.clone() })
}

/// The address of `o=`, if it is one of a host.
fn origin(document: &Document) -> Option<IpAddr> {
    let text = document.session.line('o')?.value.split_ascii_whitespace().nth(5)?.parse().ok()?;
    Some(text).filter(|ip: &IpAddr| !ip.is_unspecified() && !ip.is_multicast())
}

/// The frame rate: of the parameters, or of `a=framerate`, which GStreamer's descriptions have.
fn rate(document: &Document, stream: &Stream) -> Option<media::FrameRate> {
    let own = match &stream.essence {
        Essence::Ancillary(ancillary) => ancillary.rate,
        essence => essence.picture().and_then(|picture| picture.rate),
    };
    let section = document.media.iter().find(|section| section.number() == stream.line);
    own.or_else(|| section?.attribute("framerate")?.1.trim().parse().ok())
}

/// The words that a configuration has as well. Others are kept in the document alone.
fn colour(picture: &Picture) -> Colour {
    let transfer = picture.tcs.as_deref();
    Colour {
        colorimetry: picture.colorimetry.as_deref().and_then(Colorimetry::from_name),
        transfer: transfer.and_then(TransferCharacteristic::from_name),
        range: picture.range.as_deref().and_then(SampleRange::from_name),
    }
}

fn timing(stream: &Stream) -> SenderTiming {
    let (troff, max_udp) = match &stream.essence {
        Essence::Ancillary(ancillary) => (ancillary.troff, None),
        essence => {
            essence.picture().map_or((None, None), |picture| (picture.troff, picture.max_udp))
        }
    };
    SenderTiming {
        troff,
        // No datagram is larger.
        max_udp: max_udp.filter(|bytes| *bytes != 0).map(|b| u16::try_from(b).unwrap_or(u16::MAX)),
        media_clock_offset: match stream.media_clock {
            Some(MediaClockSource::Direct { offset, .. }) => Some(offset),
            _ => None,
        },
    }
}

/// Sampling and depth in the mesh's terms.
fn wire_format(picture: &Picture) -> Result<WireFormat, SdpError> {
    let text = picture.sampling.as_deref();
    let text = text.ok_or_else(|| SdpError::missing(0, "sampling", "ST 2110-20 §7.2"))?;
    let sampling = Sampling::from_name(&layout(text)).ok_or_else(|| {
        let allowed = "YCbCr-4:4:4, YCbCr-4:2:2, YCbCr-4:2:0, RGB and KEY are possible";
        SdpError::value(0, "sampling", text, allowed)
    })?;
    let text = picture.depth.as_deref();
    let text = text.ok_or_else(|| SdpError::missing(0, "depth", "ST 2110-20 §7.2"))?;
    let depth = Depth::from_name(text)
        .ok_or_else(|| SdpError::value(0, "depth", text, "8, 10, 12 and 16 are possible"))?;
    Ok(WireFormat { sampling, depth })
}

type Carried = (Transport, Option<WireFormat>, Payload);

fn payload(essence: &Essence) -> Result<Carried, SdpError> {
    let video = |picture: &Picture| {
        let wire = wire_format(picture)?;
        let video = Video {
            width: picture.width,
            height: picture.height,
            rate: picture.rate.unwrap_or_default(),
            pixel_format: wire.pixel_format(),
            scan: picture.scan,
        };
        Ok((Some(wire), Payload::Video(video)))
    };
    Ok(match essence {
        Essence::Video(essence) => {
            let (wire, payload) = video(&essence.picture)?;
            (Transport::St2110_20, wire, payload)
        }
        Essence::Compressed(essence) => {
            let (wire, payload) = video(&essence.picture)?;
            (Transport::St2110_22, wire, payload)
        }
        Essence::Audio(audio) => {
            let rate = SampleRate::from_hz(audio.rate).ok_or_else(|| {
                let allowed = "48000, 96000 and 44100 are possible";
                SdpError::value(0, "the sample rate", &audio.rate.to_string(), allowed)
            })?;
            if !(1..=64).contains(&audio.channels) {
                let found = audio.channels.to_string();
                return Err(SdpError::value(0, "channels", &found, "1 to 64 are possible"));
            }
            let counted = audio.frame_count.map(|n| f64::from(n) * 1000.0 / f64::from(audio.rate));
            let told = audio.ptime.or(counted).and_then(|time| packet_time(time, rate));
            let packet_time = told.unwrap_or(match rate {
                SampleRate::Hz44100 => media::PacketTime::Ms1_09,
                _ => media::PacketTime::Ms1,
            });
            let aes3 = audio.coding == Coding::Am824;
            let payload = Audio {
                channels: audio.channels,
                sample_rate: rate,
                format: audio.coding.natural(),
                packet_time,
            };
            let transport = if aes3 { Transport::St2110_31 } else { Transport::St2110_30 };
            (transport, None, Payload::Audio(payload))
        }
        Essence::Ancillary(ancillary) => {
            let rate = ancillary.rate.unwrap_or_default();
            let payload = Ancillary { rate, ..Ancillary::default() };
            (Transport::St2110_40, None, Payload::Ancillary(payload))
        }
    })
}

#[cfg(test)]
#[path = "describe_tests.rs"]
mod tests;
