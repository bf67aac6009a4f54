//! The session description of a connection.

use std::net::IpAddr;

use crate::{ConnectionConfig, Endpoint, SenderTiming, St2110};
use media::{Audio, AudioFormat, Payload, Scan, Video};
use st2110::Transport;
use st2110::pacing::SenderType;

use st2110::audio::Coding;
use st2110::reference::{MediaClockSource, ReferenceClock};
use st2110::sdp::{
    AncillaryEssence, AudioEssence, CompressedEssence, Document, Essence, Leg, Picture, Stream,
    VideoEssence, address_kind, fill, ptime,
};

/// What a description says about a sender beside its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Number of the session, for `o=`.
    pub session_id: u64,
    /// Number of this version of the description, for `o=`: it grows when the description changes.
    pub version: u64,
    /// Name of the session, for `s=`.
    pub name: String,
    /// Address that packets come from.
    pub address: IpAddr,
    /// Address that packets of the second path come from.
    pub second_address: Option<IpAddr>,
    /// What its clock follows.
    pub clock: ReferenceClock,
    /// The sender type that is kept to, which may be wider than the configured one.
    pub pacing: SenderType,
}

/// How a description calls the paths of a stream, and those of the ancillary data beside it.
const MIDS: [[&str; 2]; 2] =
    [["primary", "secondary"], ["ancillary-primary", "ancillary-secondary"]];

/// The description of the stream that a source with this configuration sends. `None` if it sends
/// none: for other connections, and a payload that does not fit the transport.
///
/// If the configuration has a description itself (`connection.st2110.sdp`), that is a template: its
/// lines and parameters stay, known or not, but for what the mesh decides.
#[must_use]
pub fn compose(config: &ConnectionConfig, sender: &Sender) -> Option<Document> {
    let Endpoint::St2110(stream) = &config.endpoint else { return None };
    let addresses = [sender.address, sender.second_address.unwrap_or(sender.address)];
    let leg = |path: usize, ip, port| leg(ip, port, stream.ttl, Some(addresses[path]));
    let sent = Stream {
        line: 0,
        mid: None,
        leg: leg(0, stream.ip_addr, stream.port),
        payload_type: stream.payload_type,
        bandwidth: bandwidth(config, stream),
        essence: essence(config, stream, Some(sender))?,
        excluded: Vec::new(),
        reference_clocks: vec![sender.clock.clone()],
        media_clock: Some(MediaClockSource::direct(0)),
    };
    let streams = with_paths(config, stream, sent, leg);
    let origin = format!("- {} {}", sender.session_id, sender.version);
    let document = assemble(&origin, sender.address, &sender.name, &streams);
    let template = stream.sdp.as_deref().and_then(|text| Document::parse(text).ok());
    Some(match template {
        Some(template) => fill(&template, &document, streams[0].1.len()),
        None => document,
    })
}

/// The description of the stream that a receiver with this configuration expects, as far as that
/// tells it: nothing of the sender's clock, type and packing. `own` are the addresses at which it
/// receives unicast streams, on each path.
///
/// `None` as with [`compose`].
#[must_use]
pub fn compose_expected(config: &ConnectionConfig, own: [IpAddr; 2]) -> Option<Document> {
    let Endpoint::St2110(stream) = &config.endpoint else { return None };
    let filters = [stream.mcast_sip_addr, stream.second_path.and_then(|path| path.mcast_sip_addr)];
    let leg = |path: usize, ip: IpAddr, port| match ip.is_multicast() {
        true => leg(ip, port, stream.ttl, filters[path]),
        false => leg(own[path], port, stream.ttl, Some(ip).filter(|ip| !ip.is_unspecified())),
    };
    let offset = stream.timing.media_clock_offset;
    let expected = Stream {
        line: 0,
        mid: None,
        leg: leg(0, stream.ip_addr, stream.port),
        payload_type: stream.payload_type,
        bandwidth: None,
        essence: essence(config, stream, None)?,
        excluded: Vec::new(),
        reference_clocks: Vec::new(),
        media_clock: offset.map(MediaClockSource::direct),
    };
    let streams = with_paths(config, stream, expected, leg);
    Some(assemble("- 0 0", own[0], &config.group_id(), &streams))
}

/// A stream, and the one of ancillary data that ride with it if there is one, with their paths.
/// `leg` is told the number of the path, the address and the port.
fn with_paths(
    config: &ConnectionConfig,
    stream: &St2110,
    first: Stream,
    leg: impl Fn(usize, IpAddr, u16) -> Leg,
) -> Vec<(Stream, Vec<Leg>)> {
    let mut legs = vec![leg(0, stream.ip_addr, stream.port)];
    legs.extend(stream.second_path.map(|path| leg(1, path.ip_addr, path.port)));
    let mut streams = vec![(first.clone(), legs)];
    if let (Some(ancillary), Payload::Video(video)) = (&stream.ancillary, &config.payload) {
        let beside = Stream {
            payload_type: ancillary.payload_type,
            bandwidth: None,
            essence: ancillary_essence(video.rate),
            ..first
        };
        let mut legs = vec![leg(0, ancillary.ip_addr, ancillary.port)];
        // On the second path they go where the video goes.
        legs.extend(stream.second_path.map(|path| leg(1, path.ip_addr, ancillary.port)));
        streams.push((beside, legs));
    }
    streams
}

/// A description of streams, each on one or two paths. `origin` is what `o=` has before the
/// address.
fn assemble(origin: &str, address: IpAddr, name: &str, streams: &[(Stream, Vec<Leg>)]) -> Document {
    let mut document = Document::default();
    let session = &mut document.session;
    session.push('v', 0);
    session.push('o', format_args!("{origin} IN {} {address}", address_kind(address)));
    // One line, and not empty (RFC 8866 §5.3).
    let name: String = name.chars().filter(|c| !c.is_control()).collect();
    session.push('s', if name.is_empty() { " " } else { &name });
    session.push('t', "0 0");
    for ((stream, legs), mids) in streams.iter().zip(MIDS) {
        if legs.len() > 1 {
            session.push_attribute("group", format_args!("DUP {}", mids.join(" ")));
        }
        for (leg, mid) in legs.iter().zip(mids) {
            let mid = (legs.len() > 1).then(|| mid.to_owned());
            document.media.push(Stream { mid, leg: *leg, ..stream.clone() }.section());
        }
    }
    document
}

fn leg(destination: IpAddr, port: u16, ttl: u8, source: Option<IpAddr>) -> Leg {
    let multicast = destination.is_multicast();
    Leg {
        destination,
        ttl: (multicast && destination.is_ipv4()).then_some(ttl),
        port,
        source: source.filter(|source| source.is_ipv4() == destination.is_ipv4()),
    }
}

/// What the stream carries. Without a sender, what only that decides stays open.
fn essence(config: &ConnectionConfig, stream: &St2110, sender: Option<&Sender>) -> Option<Essence> {
    match (stream.transport, &config.payload) {
        (Transport::St2110_20, Payload::Video(video)) => {
            let mut picture = picture(config, stream, video, sender)?;
            picture.ssn = Some("ST2110-20:2017".to_owned());
            let packing = sender.map(|_| stream.packing);
            Some(Essence::Video(VideoEssence { picture, packing, others: Vec::new() }))
        }
        (Transport::St2110_22, Payload::Video(video)) => {
            let mut picture = picture(config, stream, video, sender)?;
            picture.ssn = Some("ST2110-22:2019".to_owned());
            Some(Essence::Compressed(CompressedEssence {
                picture,
                packet_mode: sender.map(|_| stream.packet_mode.parameter()),
                trans_mode: sender.map(|_| 1),
                others: Vec::new(),
            }))
        }
        (Transport::St2110_30 | Transport::St2110_31, Payload::Audio(audio)) => {
            let mut essence = audio_essence(stream.transport, audio)?;
            // Which channels these are is not in a configuration; of what is sent something has to
            // be said.
            essence.channel_order = essence.channel_order.filter(|_| sender.is_some());
            Some(Essence::Audio(essence))
        }
        (Transport::St2110_40, Payload::Ancillary(ancillary)) => {
            Some(ancillary_essence(ancillary.rate))
        }
        _ => None,
    }
}

fn picture(
    config: &ConnectionConfig,
    stream: &St2110,
    video: &Video,
    sender: Option<&Sender>,
) -> Option<Picture> {
    let wire = config.wire_format()?;
    let colour = &stream.colour;
    // A sender's description must say both.
    let usual = |word: &str| sender.map(|_| word.to_owned());
    Some(Picture {
        sampling: Some(wire.sampling.name().to_owned()),
        depth: Some(wire.depth.to_string()),
        rate: Some(video.rate),
        scan: video.scan,
        colorimetry: colour.colorimetry.map_or_else(|| usual("BT709"), |it| Some(it.to_string())),
        tcs: colour.transfer.map_or_else(|| usual("SDR"), |it| Some(it.to_string())),
        range: colour.range.map(|range| range.to_string()),
        par: sender.and_then(|_| non_square(video)),
        tp: sender.map(|sender| sender.pacing.parameter().to_owned()),
        troff: stream.timing.troff.filter(|_| sender.is_none()),
        // A sender that keeps to the standard limit does not say so.
        max_udp: stream
            .timing
            .max_udp
            .filter(|limit| sender.is_none() || *limit > SenderTiming::STANDARD_MAX_UDP)
            .map(u32::from),
        ..Picture::new(video.width, video.height)
    })
}

/// Standard definition has pixels that are not square; 4:3 is meant (BT.601).
fn non_square(video: &Video) -> Option<(u32, u32)> {
    let interlaced = video.scan == Scan::Interlaced;
    match (video.width, video.height) {
        (720, 576) if interlaced => Some((12, 11)),
        (720, 486 | 480) if interlaced => Some((10, 11)),
        _ => None,
    }
}

fn audio_essence(transport: Transport, audio: &Audio) -> Option<AudioEssence> {
    let coding = match (transport, audio.format) {
        (Transport::St2110_31, _) => Coding::Am824,
        (_, AudioFormat::PcmS8) => Coding::L8,
        (_, AudioFormat::PcmS16be) => Coding::L16,
        (_, AudioFormat::PcmS24be) => Coding::L24,
        (_, AudioFormat::Am824) => return None,
    };
    let order = match (coding, audio.channels) {
        (Coding::Am824, n) => format!("SMPTE2110.({})", vec!["AES3"; usize::from(n / 2)].join(",")),
        (_, 1) => "SMPTE2110.(M)".to_owned(),
        (_, 2) => "SMPTE2110.(ST)".to_owned(),
        (_, n) => format!("SMPTE2110.(U{n:02})"),
    };
    Some(AudioEssence {
        coding,
        rate: audio.sample_rate.hz(),
        channels: audio.channels,
        ptime: ptime(audio.packet_time).parse().ok(),
        max_ptime: None,
        frame_count: None,
        channel_order: Some(order),
        others: Vec::new(),
    })
}

fn ancillary_essence(rate: media::FrameRate) -> Essence {
    Essence::Ancillary(AncillaryEssence {
        rate: Some(rate),
        ssn: Some("ST2110-40:2018".to_owned()),
        ..AncillaryEssence::default()
    })
}

/// Kilobits a second of compressed video, which ST 2110-22 §7 demands: the encoder's budget, and
/// the headers of packets.
fn bandwidth(config: &ConnectionConfig, stream: &St2110) -> Option<u64> {
    let (Transport::St2110_22, Payload::Video(video)) = (stream.transport, &config.payload) else {
        return None;
    };
    let pixels = u64::from(video.width) * u64::from(video.height);
    let frame = match config.codec()? {
        crate::Codec::JpegXs => stream.bits_per_pixel.frame_size(pixels),
        crate::Codec::Application => u64::from(config.payload_size()),
    };
    // 40 bytes of headers for each 1400 of payload.
    let bits = (frame + frame.div_ceil(1400) * 40) * 8;
    let second = u128::from(bits) * u128::from(video.rate.num) / u128::from(video.rate.den.max(1));
    u64::try_from(second.div_ceil(1000)).ok()
}
