//! Where a connection leads.

use std::net::{IpAddr, SocketAddr};

use crate::error::{ConfigError, quoted};
use crate::names::named;
use crate::pixel::PixelFormat;

named! {
    /// The part of ST 2110 that carries a stream.
    #[derive(Default)]
    pub enum Transport {
        /// Uncompressed video, ST 2110-20.
        #[default]
        St2110_20 = "st2110-20",
        /// Compressed video, ST 2110-22.
        St2110_22 = "st2110-22",
        /// PCM audio, ST 2110-30.
        St2110_30 = "st2110-30",
    }
}

named! {
    /// How evenly packets leave the sender (ST 2110-21).
    #[derive(Default)]
    pub enum Pacing {
        /// Narrow sender.
        #[default]
        Narrow = "narrow",
    }
}

named! {
    /// Service type of a queue pair.
    #[derive(Default)]
    pub enum RdmaMode {
        /// Reliable connection.
        #[default]
        Rc = "RC",
        /// Unreliable datagram.
        Ud = "UD",
    }
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
    /// How evenly packets leave.
    pub pacing: Pacing,
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Layout of the pixels on the wire; only `yuv422p10rfc4175` exists, and only ST 2110-20 uses it.
    pub transport_pixel_format: PixelFormat,
}

impl St2110 {
    /// The default RTP payload type.
    pub const DEFAULT_PAYLOAD_TYPE: u8 = 112;

    /// A stream with the defaults of the configuration: ST 2110-20, narrow, payload type 112.
    pub fn new(ip_addr: IpAddr, port: u16) -> Self {
        Self {
            transport: Transport::default(),
            ip_addr,
            port,
            mcast_sip_addr: None,
            pacing: Pacing::default(),
            payload_type: Self::DEFAULT_PAYLOAD_TYPE,
            transport_pixel_format: PixelFormat::Yuv422p10Rfc4175,
        }
    }

    /// Reads an IPv4 or IPv6 address; `path` names the value in the error.
    pub fn parse_ip(path: &str, text: &str) -> Result<IpAddr, ConfigError> {
        text.trim()
            .parse()
            .map_err(|_| ConfigError::invalid(path, quoted(text), "an IPv4 or IPv6 address"))
    }
}

/// A stream between media proxies over libfabric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rdma {
    /// Service type.
    pub connection_mode: RdmaMode,
    /// Latency wanted at most, in nanoseconds; 0 is no wish.
    pub max_latency_ns: u32,
}

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A multipoint group: one source and any number of receivers.
    MultipointGroup {
        /// The group's name: 1 to 1024 bytes without control characters.
        urn: String,
    },
    /// An ST 2110 stream, which also makes a group on each node.
    St2110(St2110),
    /// A stream over libfabric.
    Rdma(Rdma),
}

impl Endpoint {
    /// The key of this kind in a configuration: `multipointGroup`, `st2110` or `rdma`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MultipointGroup { .. } => "multipointGroup",
            Self::St2110(_) => "st2110",
            Self::Rdma(_) => "rdma",
        }
    }

    /// The name under which the connections of one group find each other: the URN, `ip:port` (`[ip]:port` for IPv6), or `rdma`.
    pub fn group_id(&self) -> String {
        match self {
            Self::MultipointGroup { urn } => urn.clone(),
            Self::St2110(stream) => SocketAddr::new(stream.ip_addr, stream.port).to_string(),
            Self::Rdma(_) => "rdma".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names() {
        let stream = |ip: &str| Endpoint::St2110(St2110::new(ip.parse().unwrap(), 9002));
        assert_eq!(stream("224.0.0.1").group_id(), "224.0.0.1:9002");
        assert_eq!(stream("ff02::1").group_id(), "[ff02::1]:9002");
        let group = Endpoint::MultipointGroup { urn: "cam 1".into() };
        assert_eq!(group.group_id(), "cam 1");
    }

    #[test]
    fn names_are_read_back() {
        for value in Transport::ALL {
            assert_eq!(Transport::from_name(value.name()), Some(*value));
        }
        for value in RdmaMode::ALL {
            assert_eq!(RdmaMode::from_name(value.name()), Some(*value));
        }
        assert_eq!(Pacing::from_name("narrow"), Some(Pacing::Narrow));
    }

    #[test]
    fn an_address_is_not_a_host_name() {
        assert!(St2110::parse_ip("p", " 10.0.0.1 ").is_ok());
        for text in ["", "localhost", "10.0.0", "10.0.0.256", "1.2.3.4:5"] {
            assert_eq!(St2110::parse_ip("p", text).unwrap_err().path, "p", "{text}");
        }
    }
}
