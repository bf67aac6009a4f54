//! The session description of a connection.

use std::net::IpAddr;

use media::{
    Audio, AudioFormat, ConnectionConfig, Endpoint, Pacing, Payload, Scan, St2110, Transport, Video,
};

use super::audio::ptime;
use super::document::Document;
use super::value::address_kind;
use super::{
    AncillaryEssence, AudioEssence, CompressedEssence, Essence, Leg, Picture, Stream, VideoEssence,
};
use crate::audio::Coding;
use crate::reference::{MediaClockSource, ReferenceClock};

/// What the colours of a picture mean. The mesh does not look at it; a description must say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colour {
    /// `colorimetry`.
    pub colorimetry: String,
    /// `TCS`.
    pub tcs: String,
}

impl Default for Colour {
    /// BT709 and SDR.
    fn default() -> Self {
        Self { colorimetry: "BT709".to_owned(), tcs: "SDR".to_owned() }
    }
}

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
    pub pacing: Pacing,
    /// Colours.
    pub colour: Colour,
}

/// The description of the stream that a source with this configuration sends. `None` if it sends none: for other connections, and a
/// payload that does not fit the transport.
#[must_use]
pub fn compose(config: &ConnectionConfig, sender: &Sender) -> Option<Document> {
    let Endpoint::St2110(stream) = &config.endpoint else { return None };
    let essence = essence(config, stream, sender)?;
    let mut document = Document::default();
    let session = &mut document.session;
    let kind = address_kind(sender.address);
    session.push('v', 0);
    session.push(
        'o',
        format_args!("- {} {} IN {kind} {}", sender.session_id, sender.version, sender.address),
    );
    // One line, and not empty (RFC 8866 §5.3).
    let name: String = sender.name.chars().filter(|c| !c.is_control()).collect();
    session.push('s', if name.is_empty() { " " } else { &name });
    session.push('t', "0 0");
    if stream.second_path.is_some() {
        session.push_attribute("group", "DUP primary secondary");
    }
    let first = Stream {
        line: 0,
        mid: stream.second_path.is_some().then(|| "primary".to_owned()),
        leg: leg(stream.ip_addr, stream.port, stream.ttl, sender.address),
        payload_type: stream.payload_type,
        bandwidth: bandwidth(config, stream),
        essence,
        reference_clocks: vec![sender.clock.clone()],
        media_clock: Some(MediaClockSource::Direct { offset: 0 }),
    };
    document.media.push(first.section());
    if let Some(path) = &stream.second_path {
        let address = sender.second_address.unwrap_or(sender.address);
        let second = Stream {
            mid: Some("secondary".to_owned()),
            leg: leg(path.ip_addr, path.port, stream.ttl, address),
            ..first.clone()
        };
        document.media.push(second.section());
    }
    if let (Some(ancillary), Payload::Video(video)) = (&stream.ancillary, &config.payload) {
        let beside = Stream {
            mid: None,
            leg: leg(ancillary.ip_addr, ancillary.port, stream.ttl, sender.address),
            payload_type: ancillary.payload_type,
            bandwidth: None,
            essence: ancillary_essence(video.rate),
            ..first
        };
        document.media.push(beside.section());
    }
    Some(document)
}

fn leg(destination: IpAddr, port: u16, ttl: u8, source: IpAddr) -> Leg {
    let multicast = destination.is_multicast();
    Leg {
        destination,
        ttl: (multicast && destination.is_ipv4()).then_some(ttl),
        port,
        source: Some(source).filter(|source| source.is_ipv4() == destination.is_ipv4()),
    }
}

fn essence(config: &ConnectionConfig, stream: &St2110, sender: &Sender) -> Option<Essence> {
    match (stream.transport, &config.payload) {
        (Transport::St2110_20, Payload::Video(video)) => {
            let mut picture = picture(config, video, sender)?;
            picture.ssn = Some("ST2110-20:2017".to_owned());
            let packing = Some(stream.packing);
            Some(Essence::Video(VideoEssence { picture, packing, others: Vec::new() }))
        }
        (Transport::St2110_22, Payload::Video(video)) => {
            let mut picture = picture(config, video, sender)?;
            picture.ssn = Some("ST2110-22:2019".to_owned());
            Some(Essence::Compressed(CompressedEssence {
                picture,
                packet_mode: Some(0),
                trans_mode: Some(1),
                others: Vec::new(),
            }))
        }
        (Transport::St2110_30 | Transport::St2110_31, Payload::Audio(audio)) => {
            audio_essence(stream.transport, audio).map(Essence::Audio)
        }
        (Transport::St2110_40, Payload::Ancillary(ancillary)) => {
            Some(ancillary_essence(ancillary.rate))
        }
        _ => None,
    }
}

fn picture(config: &ConnectionConfig, video: &Video, sender: &Sender) -> Option<Picture> {
    let wire = config.wire_format()?;
    Some(Picture {
        sampling: Some(wire.sampling.name().to_owned()),
        depth: Some(wire.depth.to_string()),
        rate: Some(video.rate),
        scan: video.scan,
        colorimetry: Some(sender.colour.colorimetry.clone()),
        tcs: Some(sender.colour.tcs.clone()),
        par: non_square(video),
        tp: Some(
            match sender.pacing {
                Pacing::Narrow => "2110TPN",
                Pacing::Linear => "2110TPNL",
                Pacing::Wide => "2110TPW",
            }
            .to_owned(),
        ),
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

/// Kilobits a second of compressed video, which ST 2110-22 §7 demands: the encoder's budget, and the headers of packets.
fn bandwidth(config: &ConnectionConfig, stream: &St2110) -> Option<u64> {
    let (Transport::St2110_22, Payload::Video(video)) = (stream.transport, &config.payload) else {
        return None;
    };
    let pixels = u64::from(video.width) * u64::from(video.height);
    let frame = match config.codec()? {
        media::Codec::JpegXs => stream.bits_per_pixel.frame_size(pixels),
        media::Codec::Application => u64::from(config.payload_size()),
    };
    // 40 bytes of headers for each 1400 of payload.
    let bits = (frame + frame.div_ceil(1400) * 40) * 8;
    let second = u128::from(bits) * u128::from(video.rate.num) / u128::from(video.rate.den.max(1));
    u64::try_from(second.div_ceil(1000)).ok()
}
