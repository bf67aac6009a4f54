//! Session descriptions of the streams of bridges.

use super::clock::HostClock;
use super::mac;
use super::stream::Stream;
use log::debug;
use st2110::pacing::SenderType;
use st2110::sdp::{Colour, Sender, compose};
use st2110_net::socket::Interface;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Of a stream that is sent from here. `None` where this host has no address to send from.
pub(super) fn of_sender(
    stream: &Stream,
    interface: &Interface,
    clock: &HostClock,
    pacing: SenderType,
    session: u32,
) -> Option<String> {
    let endpoint = &stream.endpoint;
    let own = |named: Option<IpAddr>, ip, port| {
        let named = named.or(match interface {
            Interface::Address(address) => Some(*address),
            Interface::Any | Interface::Name(_) => None,
        });
        named.or_else(|| routed(SocketAddr::new(ip, port)))
    };
    let address = own(endpoint.interface_ip_addr, endpoint.ip_addr, endpoint.port)?;
    let second = endpoint.second_path.and_then(|p| own(p.interface_ip_addr, p.ip_addr, p.port));
    let sender = Sender {
        session_id: session.into(),
        version: 1,
        name: stream.config.group_id(),
        address,
        second_address: second,
        clock: clock.of(mac::of_interface_with(address)).reference,
        pacing: match pacing {
            SenderType::Narrow => media::Pacing::Narrow,
            SenderType::NarrowLinear => media::Pacing::Linear,
            SenderType::Wide => media::Pacing::Wide,
        },
        colour: Colour::default(),
    };
    compose(&stream.config, &sender).map(|document| document.to_string())
}

/// Of a stream that comes from elsewhere: the description that was given for it.
pub(super) fn of_receiver(stream: &Stream) -> Option<String> {
    stream.endpoint.sdp.clone()
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
