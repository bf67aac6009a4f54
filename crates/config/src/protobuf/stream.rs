//! An ST 2110 stream on the wire, and back.

use super::{narrow, numbers as n, word};
use crate::{AncillaryStream, Codec, IncompleteFrames, SecondPath, SenderTiming, St2110};
use media::{ConfigError, PixelFormat, Word};
use proto::sdk;
use st2110::jpegxs::{BitsPerPixel, CodingQuality, PacketMode};
use st2110::pacing::SenderType;
use st2110::video::{
    Colorimetry, Colour, Depth, Packing, SampleRange, Sampling, TransferCharacteristic, WireFormat,
};
use std::net::IpAddr;
use std::time::Duration;

/// Writes a stream.
pub(super) fn stream_to_sdk(stream: &St2110) -> sdk::ConfigSt2110 {
    sdk::ConfigSt2110 {
        ip_addr: stream.ip_addr.to_string(),
        port: stream.port.into(),
        mcast_sip_addr: optional_to_sdk(stream.mcast_sip_addr),
        transport: n::transport_number(stream.transport),
        pacing: stream.pacing.name().to_owned(),
        payload_type: stream.payload_type.into(),
        transport_pixel_format: stream.transport_pixel_format.name().to_owned(),
        packing: stream.packing.name().to_owned(),
        packet_mode: stream.packet_mode.name().to_owned(),
        ttl: Some(stream.ttl.into()),
        dscp: Some(stream.dscp.into()),
        interface_ip_addr: optional_to_sdk(stream.interface_ip_addr),
        second_path: stream.second_path.map(|path| sdk::St2110Path {
            ip_addr: path.ip_addr.to_string(),
            port: path.port.into(),
            mcast_sip_addr: optional_to_sdk(path.mcast_sip_addr),
            interface_ip_addr: optional_to_sdk(path.interface_ip_addr),
            skew_ms: Some(u32::try_from(path.skew.as_millis()).unwrap_or(u32::MAX)),
        }),
        sdp: stream.sdp.clone().unwrap_or_default(),
        incomplete_frames: stream.incomplete_frames.name().to_owned(),
        codec: stream.codec.map(|codec| codec.name().to_owned()).unwrap_or_default(),
        bits_per_pixel_thousandths: stream.bits_per_pixel.thousandths(),
        quality: stream.quality.name().to_owned(),
        ancillary: stream.ancillary.map(|ancillary| sdk::St2110Ancillary {
            ip_addr: ancillary.ip_addr.to_string(),
            port: ancillary.port.into(),
            payload_type: ancillary.payload_type.into(),
        }),
        wire_format: stream.wire_format.map(|wire| sdk::WireFormat {
            sampling: wire.sampling.name().to_owned(),
            depth: wire.depth.bits() as u32,
        }),
        colorimetry: stream.colour.colorimetry.map(|word| word.to_string()).unwrap_or_default(),
        tcs: stream.colour.transfer.map(|word| word.to_string()).unwrap_or_default(),
        range: stream.colour.range.map(|word| word.to_string()).unwrap_or_default(),
        troff_us: stream.timing.troff,
        max_udp: stream.timing.max_udp.map(u32::from),
        media_clock_offset: stream.timing.media_clock_offset,
    }
}

/// Reads a stream; what older peers leave out has its default. The rules are checked with the whole
/// configuration.
pub(super) fn stream_from_sdk(stream: &sdk::ConfigSt2110) -> Result<St2110, ConfigError> {
    let ip_addr = St2110::parse_ip("connection.st2110.ipAddr", &stream.ip_addr)?;
    let default = St2110::new(ip_addr, narrow("connection.st2110.port", stream.port)?);
    let number = |key: &str, value: Option<u32>, default: u8| {
        value.map_or(Ok(default), |value| narrow(&format!("connection.st2110.{key}"), value))
    };
    Ok(St2110 {
        transport: n::transport(stream.transport)?,
        mcast_sip_addr: optional("multicastSourceIpAddr", &stream.mcast_sip_addr)?,
        interface_ip_addr: optional("interfaceIpAddr", &stream.interface_ip_addr)?,
        second_path: stream.second_path.as_ref().map(second_path).transpose()?,
        pacing: word("connection.st2110.pacing", &stream.pacing, SenderType::from_name)?,
        packing: word("connection.st2110.packing", &stream.packing, Packing::from_name)?,
        packet_mode: word(
            "connection.st2110.packetMode",
            &stream.packet_mode,
            PacketMode::from_name,
        )?,
        payload_type: narrow("connection.st2110.payloadType", stream.payload_type)?,
        ttl: number("ttl", stream.ttl, default.ttl)?,
        dscp: number("dscp", stream.dscp, default.dscp)?,
        transport_pixel_format: if stream.transport_pixel_format.is_empty() {
            default.transport_pixel_format
        } else {
            let path = "connection.st2110.transportPixelFormat";
            word(path, &stream.transport_pixel_format, PixelFormat::from_name)?
        },
        wire_format: stream.wire_format.as_ref().map(wire_format).transpose()?,
        incomplete_frames: word(
            "connection.st2110.incompleteFrames",
            &stream.incomplete_frames,
            IncompleteFrames::from_name,
        )?,
        codec: word("connection.st2110.codec", &stream.codec, |name| {
            Codec::from_name(name).map(Some)
        })?,
        bits_per_pixel: match stream.bits_per_pixel_thousandths {
            0 => default.bits_per_pixel,
            thousandths => BitsPerPixel::from_thousandths(thousandths).ok_or_else(|| {
                let bits = f64::from(thousandths) / 1000.0;
                ConfigError::invalid("connection.st2110.bitsPerPixel", bits, "0.5 to 36")
            })?,
        },
        quality: word("connection.st2110.quality", &stream.quality, CodingQuality::from_name)?,
        ancillary: stream.ancillary.as_ref().map(ancillary).transpose()?,
        colour: colour(stream)?,
        timing: SenderTiming {
            troff: stream.troff_us,
            max_udp: stream
                .max_udp
                .map(|bytes| narrow("connection.st2110.maxUdp", bytes))
                .transpose()?,
            media_clock_offset: stream.media_clock_offset,
        },
        sdp: Some(&stream.sdp).filter(|text| !text.is_empty()).cloned(),
        ..default
    })
}

fn colour(stream: &sdk::ConfigSt2110) -> Result<Colour, ConfigError> {
    Ok(Colour {
        colorimetry: word("connection.st2110.colorimetry", &stream.colorimetry, |name| {
            Colorimetry::from_name(name).map(Some)
        })?,
        transfer: word("connection.st2110.tcs", &stream.tcs, |name| {
            TransferCharacteristic::from_name(name).map(Some)
        })?,
        range: word("connection.st2110.range", &stream.range, |name| {
            SampleRange::from_name(name).map(Some)
        })?,
    })
}

fn second_path(path: &sdk::St2110Path) -> Result<SecondPath, ConfigError> {
    Ok(SecondPath {
        ip_addr: St2110::parse_ip("connection.st2110.secondPath.ipAddr", &path.ip_addr)?,
        port: narrow("connection.st2110.secondPath.port", path.port)?,
        mcast_sip_addr: optional("secondPath.multicastSourceIpAddr", &path.mcast_sip_addr)?,
        interface_ip_addr: optional("secondPath.interfaceIpAddr", &path.interface_ip_addr)?,
        skew: path.skew_ms.map_or(SecondPath::DEFAULT_SKEW, |ms| Duration::from_millis(ms.into())),
    })
}

fn ancillary(stream: &sdk::St2110Ancillary) -> Result<AncillaryStream, ConfigError> {
    Ok(AncillaryStream {
        ip_addr: St2110::parse_ip("connection.st2110.ancillary.ipAddr", &stream.ip_addr)?,
        port: narrow("connection.st2110.ancillary.port", stream.port)?,
        payload_type: narrow("connection.st2110.ancillary.payloadType", stream.payload_type)?,
    })
}

fn wire_format(wire: &sdk::WireFormat) -> Result<WireFormat, ConfigError> {
    let path = "connection.st2110.sampling";
    let sampling = Sampling::from_name(&wire.sampling).ok_or_else(|| {
        let known: Vec<_> = Sampling::ALL.iter().map(|sampling| sampling.name()).collect();
        ConfigError::invalid(path, format!("\"{}\"", wire.sampling), known.join(", "))
    })?;
    let depth = Depth::from_bits(wire.depth).ok_or_else(|| {
        ConfigError::invalid("connection.st2110.depth", wire.depth, Depth::words())
    })?;
    Ok(WireFormat { sampling, depth })
}

fn optional_to_sdk(address: Option<IpAddr>) -> String {
    address.map(|address| address.to_string()).unwrap_or_default()
}

/// An address, or none if the text is empty.
fn optional(key: &str, text: &str) -> Result<Option<IpAddr>, ConfigError> {
    if text.is_empty() {
        return Ok(None);
    }
    St2110::parse_ip(&format!("connection.st2110.{key}"), text).map(Some)
}
