//! The network paths of a stream: one, or two with ST 2022-7.

use media::{SecondPath, St2110};
use st2110_net::socket::{Interface, ReceiverOptions, SenderOptions};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// One way of a stream through the network.
#[derive(Clone, Copy)]
struct Path {
    ip: IpAddr,
    port: u16,
    source: Option<IpAddr>,
    interface: Option<IpAddr>,
}

fn of(stream: &St2110) -> impl Iterator<Item = Path> {
    let first = Path {
        ip: stream.ip_addr,
        port: stream.port,
        source: stream.mcast_sip_addr,
        interface: stream.interface_ip_addr,
    };
    let second = stream.second_path.map(|path| Path {
        ip: path.ip_addr,
        port: path.port,
        source: path.mcast_sip_addr,
        interface: path.interface_ip_addr,
    });
    std::iter::once(first).chain(second)
}

fn interface(path: &Path, usual: &Interface) -> Interface {
    path.interface.map_or_else(|| usual.clone(), Interface::Address)
}

/// How to send the ancillary data that ride with video, if there are any: on the paths of the video.
pub(super) fn outgoing_rider(stream: &St2110, usual: &Interface) -> Option<Vec<SenderOptions>> {
    Some(outgoing(&rider(stream)?, usual))
}

/// How to receive the ancillary data that ride with video.
pub(super) fn incoming_rider(stream: &St2110, usual: &Interface) -> Option<Vec<ReceiverOptions>> {
    Some(incoming(&rider(stream)?, usual))
}

/// The stream of ancillary data that ride with video. Where there are two paths, each goes the way of the video's, at the port of its own.
fn rider(stream: &St2110) -> Option<St2110> {
    let ancillary = stream.ancillary?;
    let second_path = stream.second_path.map(|path| SecondPath { port: ancillary.port, ..path });
    Some(St2110 {
        ip_addr: ancillary.ip_addr,
        port: ancillary.port,
        payload_type: ancillary.payload_type,
        second_path,
        ancillary: None,
        ..stream.clone()
    })
}

/// How to send a stream.
pub(super) fn outgoing(stream: &St2110, usual: &Interface) -> Vec<SenderOptions> {
    let options = |path: Path| SenderOptions {
        interface: interface(&path, usual),
        ttl: stream.ttl,
        dscp: stream.dscp,
        ..SenderOptions::new(SocketAddr::new(path.ip, path.port))
    };
    of(stream).map(options).collect()
}

/// How to receive a stream: at a multicast group, or from a unicast sender at any address of the interface.
pub(super) fn incoming(stream: &St2110, usual: &Interface) -> Vec<ReceiverOptions> {
    let options = |path: Path| {
        let (address, source) = if path.ip.is_multicast() {
            (path.ip, path.source)
        } else {
            let any: IpAddr = match path.ip {
                IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
            };
            (any, Some(path.ip).filter(|ip| !ip.is_unspecified()))
        };
        ReceiverOptions {
            sources: source.into_iter().collect(),
            interface: interface(&path, usual),
            ..ReceiverOptions::new(address, path.port)
        }
    };
    of(stream).map(options).collect()
}

/// The interfaces of a stream's paths in words.
pub(super) fn describe(stream: &St2110, usual: &Interface) -> String {
    let names: Vec<_> = of(stream).map(|path| interface(&path, usual).to_string()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(ip: &str) -> St2110 {
        St2110::new(ip.parse().unwrap(), 5004)
    }

    #[test]
    fn multicast_is_joined_with_its_filter() {
        let filtered = St2110 { mcast_sip_addr: Some([10, 0, 0, 9].into()), ..stream("239.1.1.1") };
        let options = incoming(&filtered, &Interface::Any);
        assert_eq!(options[0].address, filtered.ip_addr);
        assert_eq!(options[0].sources, [IpAddr::from([10, 0, 0, 9])]);
        assert!(incoming(&stream("239.1.1.1"), &Interface::Any)[0].sources.is_empty());
    }

    #[test]
    fn unicast_is_taken_from_its_sender_alone() {
        let options = incoming(&stream("10.0.0.9"), &Interface::Any);
        assert_eq!(options[0].address, IpAddr::from([0, 0, 0, 0]));
        assert_eq!(options[0].sources, [IpAddr::from([10, 0, 0, 9])]);
        assert!(incoming(&stream("0.0.0.0"), &Interface::Any)[0].sources.is_empty());
        let six = incoming(&stream("fd00::9"), &Interface::Any);
        assert!(six[0].address.is_ipv6() && six[0].address.is_unspecified());
    }

    #[test]
    fn each_path_has_its_interface() {
        let second = SecondPath {
            ip_addr: [239, 2, 2, 2].into(),
            port: 6000,
            mcast_sip_addr: None,
            interface_ip_addr: Some([10, 2, 0, 1].into()),
        };
        let stream = St2110 { second_path: Some(second), ttl: 7, dscp: 46, ..stream("239.1.1.1") };
        let usual = Interface::Name("eth0".into());
        let options = outgoing(&stream, &usual);
        assert_eq!(options.len(), 2);
        assert_eq!((options[0].ttl, options[1].dscp), (7, 46));
        assert_eq!(options[0].interface, usual);
        assert_eq!(options[1].interface, Interface::Address([10, 2, 0, 1].into()));
        assert_eq!(options[1].destination, "239.2.2.2:6000".parse().unwrap());
        assert_eq!(describe(&stream, &usual), "kernel:eth0, 10.2.0.1");
    }
}
