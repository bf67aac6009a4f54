//! Session descriptions of the streams of bridges.

use super::clock::HostClock;
use super::sdp_versions::SdpVersions;
use super::stream::Stream;
use config::sdp::{Sender, compose, compose_expected};
use log::debug;
use st2110::pacing::SenderType;
use st2110_net::socket::Interface;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Of a stream that is sent from here. `None` where this host has no address to send from.
pub(super) fn of_sender(
    stream: &Stream,
    interface: &Interface,
    clock: &HostClock,
    pacing: SenderType,
    session: u32,
    versions: &SdpVersions,
) -> Option<String> {
    let [address, second] = own_addresses(stream, interface);
    let address = address?;
    let sender = Sender {
        session_id: session.into(),
        version: 0,
        name: stream.config.group_id(),
        address,
        second_address: second,
        clock: clock.of(Interface::Address(address).mac()).reference,
        pacing,
    };
    let version = versions.of(&compose(&stream.config, &sender)?);
    compose(&stream.config, &Sender { version, ..sender }).map(|document| document.to_string())
}

/// Of a stream that comes from elsewhere: the description that was given for it, or else what its
/// configuration says. `None` where this host has no address to receive at.
pub(super) fn of_receiver(stream: &Stream, interface: &Interface) -> Option<String> {
    if let Some(given) = &stream.endpoint.sdp {
        return Some(given.clone());
    }
    let [first, second] = own_addresses(stream, interface);
    let first = first?;
    let expected = compose_expected(&stream.config, [first, second.unwrap_or(first)]);
    expected.map(|document| document.to_string())
}

/// The addresses of this host on both paths of a stream.
fn own_addresses(stream: &Stream, interface: &Interface) -> [Option<IpAddr>; 2] {
    let own = |named: Option<IpAddr>, ip, port| {
        let named = named.or(match interface {
            Interface::Address(address) => Some(*address),
            Interface::Any | Interface::Name(_) => None,
        });
        named.or_else(|| routed(SocketAddr::new(ip, port)))
    };
    let endpoint = &stream.endpoint;
    let second = endpoint.second_path;
    [
        own(endpoint.interface_ip_addr, endpoint.ip_addr, endpoint.port),
        second.and_then(|path| own(path.interface_ip_addr, path.ip_addr, path.port)),
    ]
}

/// The address from which this host would send there.
fn routed(destination: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if destination.is_ipv4() { [0; 4].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect(destination)?;
        socket.local_addr()
    });
    socket
        .inspect_err(|error| debug!("own address towards {destination}: {error}"))
        .ok()
        .map(|own| own.ip())
}
