//! From JSON to an ST 2110 stream.

use std::net::IpAddr;

use crate::connection::ConnectionConfig;
use crate::endpoint::Endpoint;
use crate::json::connection::{milliseconds, only_one};
use crate::json::document::{Members, Node};
use crate::rules;
use crate::sdp::{self, Description};
use crate::sender_timing::SenderTiming;
use crate::stream::{AncillaryStream, SecondPath, St2110};
use media::{ConfigError, PixelFormat, Word};
use proto::Kind;
use st2110::jpegxs::BitsPerPixel;
use st2110::video::{Colour, Depth, Sampling, WireFormat};

type Result<T> = std::result::Result<T, ConfigError>;

/// How older programs write things that have a newer name, too.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spelling {
    /// Whether `transportPixelFormat` is there. Its one value asks for 4:2:2 with 10 bits on the
    /// wire, which is the default only for pixel formats that have as much.
    transport_pixel_format: bool,
    /// Whether the address is called `remoteIpAddr`, as in release 25.03, and not `ipAddr`, as in
    /// 25.09.
    remote_ip_addr: bool,
    /// Whether the port is called `remotePort` and not `port`.
    remote_port: bool,
}

impl Spelling {
    /// Makes the wish explicit where it is not what would happen anyway.
    pub(crate) fn apply(self, config: &mut ConnectionConfig) -> Result<()> {
        const ASKED: WireFormat = WireFormat::YCBCR_422_10;
        let Some(wire) = config.wire_format() else { return Ok(()) };
        let Endpoint::St2110(stream) = &mut config.endpoint else { return Ok(()) };
        if !self.transport_pixel_format || wire == ASKED {
            return Ok(());
        }
        if stream.wire_format.is_some() {
            return Err(ConfigError::incompatible(
                "connection.st2110.transportPixelFormat",
                stream.transport_pixel_format,
                format!("none beside {wire}"),
            ));
        }
        stream.wire_format = Some(ASKED);
        Ok(())
    }

    /// The same error, at the path that the configuration has.
    pub(crate) fn as_written(self, error: ConfigError) -> ConfigError {
        match error.path.as_str() {
            "connection.st2110.ipAddr" if self.remote_ip_addr => {
                error.at("connection.st2110.remoteIpAddr")
            }
            "connection.st2110.port" if self.remote_port => {
                error.at("connection.st2110.remotePort")
            }
            _ => error,
        }
    }
}

/// The stream, what its session description says, and how the configuration writes it.
pub(crate) fn read_stream(
    members: &mut Members<'_, '_>,
    kind: Kind,
) -> Result<(St2110, Option<Description>, Spelling)> {
    let described = match only_one(members, &["sdp", "sdpFile"])? {
        Some(("sdp", node)) => Some(sdp::describe(node.text()?, kind)?),
        Some((_, node)) => {
            let text = sdp::read_sdp_file(node.text()?)?;
            Some(sdp::describe(&text, kind).map_err(|error| error.at(node.path()))?)
        }
        None => None,
    };
    let ip_addr = only_one(members, &["ipAddr", "remoteIpAddr"])?;
    let port = only_one(members, &["port", "remotePort"])?;
    let mut spelling = Spelling {
        transport_pixel_format: false,
        remote_ip_addr: matches!(ip_addr, Some(("remoteIpAddr", _))),
        remote_port: matches!(port, Some(("remotePort", _))),
    };
    let ip_addr = ip_addr.map(|(_, node)| address(&node)).transpose()?;
    let port = port.map(|(_, node)| read_port(&node)).transpose()?;
    let default = match &described {
        Some(description) => {
            let mut stream = description.stream();
            stream.ip_addr = ip_addr.unwrap_or(stream.ip_addr);
            stream.port = port.unwrap_or(stream.port);
            stream
        }
        None => {
            let missing =
                |key, allowed| ConfigError::invalid(members.path_of(key), "nothing", allowed);
            let ip_addr = ip_addr.ok_or_else(|| missing("ipAddr", "an IPv4 or IPv6 address"))?;
            St2110::new(ip_addr, port.ok_or_else(|| missing("port", "a UDP port"))?)
        }
    };
    let pixels =
        members.get("transportPixelFormat").map(|node| node.word::<PixelFormat>()).transpose()?;
    let stream = St2110 {
        transport: members.get_or("transport", default.transport, Node::word)?,
        mcast_sip_addr: optional_address(members, "multicastSourceIpAddr", default.mcast_sip_addr)?,
        interface_ip_addr: optional_address(members, "interfaceIpAddr", default.interface_ip_addr)?,
        second_path: members.get_or("secondPath", default.second_path, |node| {
            node.object(|members| read_second_path(members, &default)).map(Some)
        })?,
        pacing: members.get_or("pacing", default.pacing, Node::word)?,
        packing: members.get_or("packing", default.packing, Node::word)?,
        packet_mode: members.get_or("packetMode", default.packet_mode, Node::word)?,
        payload_type: members
            .get_or("payloadType", default.payload_type, |n| n.integer(rules::PAYLOAD_TYPE))?,
        ttl: members.get_or("ttl", default.ttl, |n| n.integer(rules::TTL))?,
        dscp: members.get_or("dscp", default.dscp, |n| n.integer(rules::DSCP))?,
        transport_pixel_format: pixels.unwrap_or(default.transport_pixel_format),
        wire_format: read_wire_format(members, default.wire_format)?,
        incomplete_frames: members.get_or(
            "incompleteFrames",
            default.incomplete_frames,
            Node::word,
        )?,
        codec: members.get("codec").map(|node| node.word()).transpose()?,
        bits_per_pixel: members.get_or("bitsPerPixel", default.bits_per_pixel, |node| {
            let number = node.number_text().and_then(|text| text.parse().ok());
            let bits: f64 = number.ok_or_else(|| node.refuse("a number from 0.5 to 36"))?;
            BitsPerPixel::from_bits(bits)
                .ok_or_else(|| ConfigError::invalid(node.path(), bits, "0.5 to 36"))
        })?,
        quality: members.get_or("quality", default.quality, Node::word)?,
        ancillary: members
            .get("ancillary")
            .map(|node| node.object(|members| read_ancillary_stream(members, &default)))
            .transpose()?,
        colour: Colour {
            colorimetry: optional_word(members, "colorimetry", default.colour.colorimetry)?,
            transfer: optional_word(members, "tcs", default.colour.transfer)?,
            range: optional_word(members, "range", default.colour.range)?,
        },
        timing: read_timing(members, default.timing)?,
        ..default
    };
    spelling.transport_pixel_format = pixels.is_some();
    Ok((stream, described, spelling))
}

fn optional_word<W: Word>(
    members: &mut Members<'_, '_>,
    key: &'static str,
    default: Option<W>,
) -> Result<Option<W>> {
    members.get_or(key, default, |node| node.word().map(Some))
}

fn read_timing(members: &mut Members<'_, '_>, default: SenderTiming) -> Result<SenderTiming> {
    Ok(SenderTiming {
        troff: members.get_or("troffMicroseconds", default.troff, |node| {
            node.integer(SenderTiming::TROFF).map(Some)
        })?,
        max_udp: members.get_or("maxUdp", default.max_udp, |node| {
            node.integer(SenderTiming::MAX_UDP).map(Some)
        })?,
        media_clock_offset: members.get_or(
            "mediaClockOffset",
            default.media_clock_offset,
            |node| node.integer(0..=u32::MAX).map(Some),
        )?,
    })
}

/// A port. Configurations of release 25.03 have it as a text, too.
fn read_port(node: &Node<'_, '_>) -> Result<u16> {
    match node.text() {
        Ok(text) => text
            .trim()
            .parse()
            .ok()
            .filter(|port| rules::PORT.contains(port))
            .ok_or_else(|| node.refuse("a port from 1 to 65535")),
        Err(_) => node.integer(rules::PORT),
    }
}

fn address(node: &Node<'_, '_>) -> Result<IpAddr> {
    St2110::parse_ip(node.path(), node.text()?)
}

/// An address, or none: existing programs write "" for that.
fn optional_address(
    members: &mut Members<'_, '_>,
    key: &'static str,
    default: Option<IpAddr>,
) -> Result<Option<IpAddr>> {
    members.get_or(key, default, |node| match node.text()? {
        "" => Ok(None),
        _ => address(node).map(Some),
    })
}

fn read_second_path(members: &mut Members<'_, '_>, first: &St2110) -> Result<SecondPath> {
    let described = first.second_path;
    // A description whose paths differ in nothing but the interface describes one.
    let same = first.sdp.is_some().then_some(first.ip_addr);
    let ip_addr = match described.map(|path| path.ip_addr).or(same) {
        Some(described) => members.get_or("ipAddr", described, address)?,
        None => address(&members.require("ipAddr", "an IPv4 or IPv6 address")?)?,
    };
    let port = described.map_or(first.port, |path| path.port);
    let filter = match described {
        Some(path) => path.mcast_sip_addr,
        None => first.sdp.is_some().then_some(first.mcast_sip_addr).flatten(),
    };
    let interface = described.and_then(|path| path.interface_ip_addr);
    let skew = |node: &Node<'_, '_>| milliseconds(node, rules::SKEW_MS);
    Ok(SecondPath {
        ip_addr,
        port: members.get_or("port", port, |n| n.integer(rules::PORT))?,
        mcast_sip_addr: optional_address(members, "multicastSourceIpAddr", filter)?,
        interface_ip_addr: optional_address(members, "interfaceIpAddr", interface)?,
        skew: members.get_or("skewMilliseconds", SecondPath::DEFAULT_SKEW, skew)?,
    })
}

fn read_ancillary_stream(members: &mut Members<'_, '_>, video: &St2110) -> Result<AncillaryStream> {
    let payload_type = AncillaryStream::DEFAULT_PAYLOAD_TYPE;
    Ok(AncillaryStream {
        ip_addr: members.get_or("ipAddr", video.ip_addr, address)?,
        port: members.require("port", "a UDP port")?.integer(rules::PORT)?,
        payload_type: members
            .get_or("payloadType", payload_type, |n| n.integer(rules::PAYLOAD_TYPE))?,
    })
}

/// `sampling` and `depth`, both or none.
fn read_wire_format(
    members: &mut Members<'_, '_>,
    default: Option<WireFormat>,
) -> Result<Option<WireFormat>> {
    let depth = |node: &Node<'_, '_>| {
        let depth = node.integer(0..=u32::MAX).ok().and_then(Depth::from_bits);
        depth.ok_or_else(|| node.refuse(Depth::words()))
    };
    match (members.get("sampling"), members.get("depth")) {
        (None, None) => Ok(default),
        (Some(sampling), Some(bits)) => {
            let sampling: Sampling = sampling.word()?;
            Ok(Some(WireFormat { sampling, depth: depth(&bits)? }))
        }
        (Some(_), None) => {
            Err(ConfigError::invalid(members.path_of("depth"), "nothing", Depth::words()))
        }
        (None, Some(_)) => Err(ConfigError::invalid(
            members.path_of("sampling"),
            "nothing",
            "a value beside depth",
        )),
    }
}
