//! Where a connection leads.

use std::net::SocketAddr;

use crate::stream::St2110;
use media::named;

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

    /// The name under which the connections of one group find each other: the URN, `ip:port`
    /// (`[ip]:port` for IPv6), or `rdma`.
    ///
    /// Several senders may use one multicast group and port, and a source filter (SSM) says which
    /// of them is meant. So it is part of the name, `source@ip:port`: streams of two senders never
    /// share a group. A unicast address has one stream whatever the filter says.
    pub fn group_id(&self) -> String {
        match self {
            Self::MultipointGroup { urn } => urn.clone(),
            Self::St2110(stream) => {
                let destination = SocketAddr::new(stream.ip_addr, stream.port);
                match stream.mcast_sip_addr.filter(|_| stream.ip_addr.is_multicast()) {
                    Some(source) => format!("{source}@{destination}"),
                    None => destination.to_string(),
                }
            }
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
        let filtered = |ip: &str, source: &str| {
            let mut stream = St2110::new(ip.parse().unwrap(), 9002);
            stream.mcast_sip_addr = Some(source.parse().unwrap());
            Endpoint::St2110(stream).group_id()
        };
        assert_eq!(filtered("232.0.0.1", "10.0.0.1"), "10.0.0.1@232.0.0.1:9002");
        assert_eq!(filtered("232.0.0.1", "10.0.0.2"), "10.0.0.2@232.0.0.1:9002");
        assert_eq!(filtered("ff3e::1", "2001:db8::1"), "2001:db8::1@[ff3e::1]:9002");
        assert_eq!(filtered("10.0.0.1", "10.0.0.2"), "10.0.0.1:9002", "no filter of unicast");
        let group = Endpoint::MultipointGroup { urn: "cam 1".into() };
        assert_eq!(group.group_id(), "cam 1");
    }

    #[test]
    fn names_are_read_back() {
        for value in RdmaMode::ALL {
            assert_eq!(RdmaMode::from_name(value.name()), Some(*value));
        }
    }
}
