//! The ST 2110 stream that a connection leads to.

use std::net::IpAddr;
use std::time::Duration;

use crate::sender_timing::SenderTiming;
use media::text::quoted;
use media::{ConfigError, PixelFormat, named};
use st2110::Transport;
use st2110::jpegxs::{BitsPerPixel, CodingQuality, PacketMode};
use st2110::pacing::SenderType;
use st2110::video::{Colour, Packing, WireFormat};

named! {
    /// What becomes of a frame of which packets were lost. It is counted in any case.
    #[derive(Default)]
    pub enum IncompleteFrames {
        /// It is delivered, marked, with a map of what is missing.
        #[default]
        Deliver = "deliver",
        /// The gaps show what the last frame had there.
        Repeat = "repeat",
        /// It is not delivered.
        Drop = "drop",
    }
}

named! {
    /// Who encodes and decodes the frames of an ST 2110-22 stream.
    pub enum Codec {
        /// The mesh, with libSvtJpegxs: buffers hold raw frames of the payload's pixel format.
        JpegXs = "jpegxs",
        /// The program: each buffer holds one codestream, as long as its payload length says.
        Application = "application",
    }
}

/// The second path of a stream that is sent twice (ST 2022-7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecondPath {
    /// As [`St2110::ip_addr`].
    pub ip_addr: IpAddr,
    /// As [`St2110::port`].
    pub port: u16,
    /// As [`St2110::mcast_sip_addr`].
    pub mcast_sip_addr: Option<IpAddr>,
    /// As [`St2110::interface_ip_addr`].
    pub interface_ip_addr: Option<IpAddr>,
    /// Receivers only: how far the paths may be apart, in whole milliseconds up to
    /// [`SecondPath::MAX_SKEW`].
    pub skew: Duration,
}

impl SecondPath {
    /// The default skew: that of class A receivers (ST 2022-7:2019 §6).
    pub const DEFAULT_SKEW: Duration = Duration::from_millis(10);
    /// The greatest skew: that of class C receivers.
    pub const MAX_SKEW: Duration = Duration::from_millis(450);

    /// A path with the default skew, at the usual interface and from any sender.
    pub const fn new(ip_addr: IpAddr, port: u16) -> Self {
        let (mcast_sip_addr, interface_ip_addr) = (None, None);
        Self { ip_addr, port, mcast_sip_addr, interface_ip_addr, skew: Self::DEFAULT_SKEW }
    }
}

/// An ST 2110-40 stream whose packets ride as metadata of the frames of a video stream. Its paths
/// and its time are those of the video.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AncillaryStream {
    /// As [`St2110::ip_addr`].
    pub ip_addr: IpAddr,
    /// As [`St2110::port`].
    pub port: u16,
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
}

impl AncillaryStream {
    /// The default RTP payload type.
    pub const DEFAULT_PAYLOAD_TYPE: u8 = 113;
}

/// An ST 2110 stream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct St2110 {
    /// Part of the standard that carries the stream.
    pub transport: Transport,
    /// Of a source: the destination. Of a receiver: the multicast group or the unicast sender.
    pub ip_addr: IpAddr,
    /// Of a source: the destination's UDP port. Of a receiver: the local UDP port. Not zero.
    pub port: u16,
    /// Receivers only: take packets of the multicast group from this sender only (IGMPv3, MLDv2).
    pub mcast_sip_addr: Option<IpAddr>,
    /// Address of the interface to send from or to receive at; `None`: that of the proxy.
    pub interface_ip_addr: Option<IpAddr>,
    /// The second path of ST 2022-7, if there is one.
    pub second_path: Option<SecondPath>,
    /// How evenly packets leave.
    pub pacing: SenderType,
    /// How rows are cut into packets, ST 2110-20 only.
    pub packing: Packing,
    /// How codestreams are cut into packets, for a source of ST 2110-22. A receiver learns it from
    /// the packets.
    pub packet_mode: PacketMode,
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Time to live of packets, in routers: 1 to 255.
    pub ttl: u8,
    /// Differentiated services code point of packets, 0 to 63.
    pub dscp: u8,
    /// Layout of the pixels on the wire, as the established API has it: only `yuv422p10rfc4175`.
    /// What else the wire can carry is [`St2110::wire_format`].
    pub transport_pixel_format: PixelFormat,
    /// Sampling and depth on the wire, ST 2110-20 and -22 only; `None`: as the pixel format in
    /// memory, see [`WireFormat::of`].
    pub wire_format: Option<WireFormat>,
    /// What becomes of frames with gaps; receivers only.
    pub incomplete_frames: IncompleteFrames,
    /// Who encodes, ST 2110-22 only; `None`: see [`crate::ConnectionConfig::codec`].
    pub codec: Option<Codec>,
    /// Size of encoded frames, for a source with codec `jpegxs`.
    pub bits_per_pixel: BitsPerPixel,
    /// What the encoder prefers, for a source with codec `jpegxs`.
    pub quality: CodingQuality,
    /// The ancillary stream that rides with the frames, ST 2110-20 and -22 only.
    pub ancillary: Option<AncillaryStream>,
    /// What the colours mean, for descriptions of ST 2110-20 and -22.
    pub colour: Colour,
    /// What is known of the sender's timing; receivers only.
    pub timing: SenderTiming,
    /// The session description from which the fields above were filled in, as it was given.
    pub sdp: Option<String>,
}

impl St2110 {
    /// The default RTP payload type.
    pub const DEFAULT_PAYLOAD_TYPE: u8 = 112;
    /// The default time to live.
    pub const DEFAULT_TTL: u8 = 64;
    /// The default code point: AF41, what AES67 and ST 2110 users give to media.
    pub const DEFAULT_DSCP: u8 = 34;

    /// A stream with the defaults of the configuration: ST 2110-20, narrow, payload type 112.
    pub fn new(ip_addr: IpAddr, port: u16) -> Self {
        Self {
            transport: Transport::default(),
            ip_addr,
            port,
            mcast_sip_addr: None,
            interface_ip_addr: None,
            second_path: None,
            pacing: SenderType::default(),
            packing: Packing::default(),
            packet_mode: PacketMode::default(),
            payload_type: Self::DEFAULT_PAYLOAD_TYPE,
            ttl: Self::DEFAULT_TTL,
            dscp: Self::DEFAULT_DSCP,
            transport_pixel_format: PixelFormat::Yuv422p10Rfc4175,
            wire_format: None,
            incomplete_frames: IncompleteFrames::default(),
            codec: None,
            bits_per_pixel: BitsPerPixel::default(),
            quality: CodingQuality::default(),
            ancillary: None,
            colour: Colour::default(),
            timing: SenderTiming::default(),
            sdp: None,
        }
    }

    /// Reads an IPv4 or IPv6 address; `path` names the value in the error.
    pub fn parse_ip(path: &str, text: &str) -> Result<IpAddr, ConfigError> {
        text.trim()
            .parse()
            .map_err(|_| ConfigError::invalid(path, quoted(text), "an IPv4 or IPv6 address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for value in IncompleteFrames::ALL {
            assert_eq!(IncompleteFrames::from_name(value.name()), Some(*value));
        }
        for value in Codec::ALL {
            assert_eq!(Codec::from_name(value.name()), Some(*value));
        }
    }

    #[test]
    fn an_address_is_not_a_host_name() {
        assert!(St2110::parse_ip("p", " 10.0.0.1 ").is_ok());
        for text in ["", "localhost", "10.0.0", "10.0.0.256", "1.2.3.4:5"] {
            assert_eq!(St2110::parse_ip("p", text).unwrap_err().path, "p", "{text}");
        }
    }
}
