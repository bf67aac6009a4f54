//! The local address from which streams to other proxies leave this host.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// The address that the system would send from. No packet is sent.
pub(super) fn local_address(remote: Ipv4Addr) -> Result<Ipv4Addr, String> {
    let address = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        // Any port: connecting a datagram socket only asks the routing table.
        socket.connect((remote, 9))?;
        socket.local_addr()
    });
    match address {
        Ok(SocketAddr::V4(address)) => Ok(*address.ip()),
        Ok(other) => Err(format!("no IPv4 address towards {remote}, but {other}")),
        Err(error) => Err(format!("no way to {remote}: {error}; --rdma_ip says what to send from")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_oneself_is_known() {
        assert_eq!(local_address(Ipv4Addr::LOCALHOST), Ok(Ipv4Addr::LOCALHOST));
    }
}
