//! The network interfaces that this host has at present.

use std::net::IpAddr;

use nix::{ifaddrs::getifaddrs, net::if_::if_nametoindex, sys::socket::SockaddrStorage};

/// An interface with one of its addresses. Interfaces with several have as many entries.
#[derive(Clone, Debug)]
pub(super) struct Present {
    /// The kernel's number; 0 if the interface has just gone.
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) address: Option<Address>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Ip(IpAddr),
    Mac([u8; 6]),
}

impl Present {
    pub(super) fn ip(&self) -> Option<IpAddr> {
        match self.address {
            Some(Address::Ip(ip)) => Some(ip),
            Some(Address::Mac(_)) | None => None,
        }
    }
}

/// The entries of all interfaces. None if the kernel does not list them.
pub(super) fn present() -> Vec<Present> {
    let entries = getifaddrs().into_iter().flatten();
    let present = entries.map(|entry| Present {
        index: if_nametoindex(entry.interface_name.as_str()).unwrap_or(0),
        address: entry.address.as_ref().and_then(address),
        name: entry.interface_name,
    });
    present.collect()
}

fn address(found: &SockaddrStorage) -> Option<Address> {
    let v4 = || found.as_sockaddr_in().map(|address| Address::Ip(address.ip().into()));
    let v6 = || found.as_sockaddr_in6().map(|address| Address::Ip(address.ip().into()));
    let mac = || found.as_link_addr().and_then(|address| address.addr()).map(Address::Mac);
    v4().or_else(v6).or_else(mac)
}
