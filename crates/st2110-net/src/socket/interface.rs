//! Network interfaces of this host, by name or address.

use std::{fmt, net::IpAddr, str::FromStr};

use super::{
    name::{family, needs_scope, unspecified},
    present::{Address, Present, present},
};
use crate::Error;

/// Which interface a flow leaves or enters by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Interface {
    /// The one that the kernel's routes say.
    #[default]
    Any,
    /// The one with this address.
    Address(IpAddr),
    /// The one of this name; written `kernel:NAME`.
    Name(String),
}

impl FromStr for Interface {
    type Err = Error;

    /// Reads an address of this host or `kernel:NAME`; nothing stands for [`Interface::Any`].
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::Any);
        }
        let invalid = || Error::Invalid {
            field: "interface",
            found: format!("{text:?}"),
            accepted: "an IP address or kernel:NAME with a name of 1 to 15 bytes".into(),
        };
        if let Some(name) = text.strip_prefix("kernel:") {
            if name.is_empty() || name.len() > 15 || name.contains(['/', '\0', ' ']) {
                return Err(invalid());
            }
            return Ok(Self::Name(name.into()));
        }
        text.parse().map(Self::Address).map_err(|_| invalid())
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => write!(f, "kernel:{name}"),
        }
    }
}

/// What [`Interface::resolve`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Resolved {
    /// The kernel's number; 0 for any.
    pub(super) index: u32,
    /// The interface's name, if one was chosen.
    pub(super) name: Option<String>,
    /// An address of the wanted family; unspecified for any.
    pub(super) address: IpAddr,
}

impl Interface {
    /// Checks that this host has the interface, before anything is sent or received by it.
    ///
    /// # Errors
    /// It has not; the error lists the interfaces and addresses that there are.
    pub fn check(&self) -> Result<(), Error> {
        let peer = match self {
            Self::Address(address) => *address,
            Self::Any | Self::Name(_) => IpAddr::from([0, 0, 0, 0]),
        };
        match self.resolve(peer) {
            // A name is that of an interface, whatever addresses it has.
            Err(error @ Error::NoInterface { .. }) => Err(error),
            _ => Ok(()),
        }
    }

    /// The address that it has for traffic with `peer`; unspecified for any interface.
    ///
    /// # Errors
    /// The interface is not on this host, or has no such address.
    pub fn address(&self, peer: IpAddr) -> Result<IpAddr, Error> {
        self.resolve(peer).map(|resolved| resolved.address)
    }

    /// Its hardware address. `None` for any interface, one that is not on this host, and one
    /// without hardware, as the loopback interface.
    pub fn mac(&self) -> Option<[u8; 6]> {
        let present = present();
        let index = present.iter().find(|entry| self.is(entry))?.index;
        let own = present.iter().filter(|entry| entry.index == index);
        own.filter_map(|entry| match entry.address {
            Some(Address::Mac(mac)) => Some(mac),
            _ => None,
        })
        .find(|mac| *mac != [0; 6])
    }

    /// Whether an entry of the host's list is that of this interface.
    fn is(&self, entry: &Present) -> bool {
        match self {
            Self::Any => false,
            Self::Address(address) => entry.ip() == Some(*address),
            Self::Name(name) => entry.name == *name,
        }
    }

    /// Looks the interface up, for traffic with `peer`.
    pub(super) fn resolve(&self, peer: IpAddr) -> Result<Resolved, Error> {
        if *self == Self::Any {
            return Ok(Resolved { index: 0, name: None, address: unspecified(peer) });
        }
        let present = present();
        let Some(first) = present.iter().find(|entry| self.is(entry)) else {
            return Err(Error::NoInterface { value: self.to_string(), present: list(&present) });
        };
        // A peer with a link-local address is best talked to from such an address, others from a
        // global one.
        let address = match self {
            Self::Address(address) if address.is_ipv4() == peer.is_ipv4() => Some(*address),
            _ => {
                let mut candidates: Vec<IpAddr> = present
                    .iter()
                    .filter(|entry| entry.index == first.index)
                    .filter_map(Present::ip)
                    .filter(|address| address.is_ipv4() == peer.is_ipv4())
                    .collect();
                candidates.sort_by_key(|address| needs_scope(*address) != needs_scope(peer));
                candidates.first().copied()
            }
        };
        match address {
            Some(address) => {
                Ok(Resolved { index: first.index, name: Some(first.name.clone()), address })
            }
            None => Err(Error::NoAddress { value: self.to_string(), family: family(peer), peer }),
        }
    }
}

/// The interfaces and addresses of this host in words.
fn list(present: &[Present]) -> String {
    let mut words: Vec<String> = Vec::new();
    for entry in present {
        let name = format!("kernel:{}", entry.name);
        if !words.contains(&name) {
            words.push(name);
        }
        if let Some(address) = entry.ip() {
            words.push(address.to_string());
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_three_ways_to_say_it() {
        assert_eq!("".parse::<Interface>().unwrap(), Interface::Any);
        assert_eq!("kernel:eth0".parse::<Interface>().unwrap(), Interface::Name("eth0".into()));
        let address = Interface::Address(Ipv4Addr::new(10, 0, 0, 1).into());
        assert_eq!("10.0.0.1".parse::<Interface>().unwrap(), address);
        for bad in ["eth0", "kernel:", "kernel:a/b", "kernel:sixteen-bytes-xx", "0000:af:01.0"] {
            let message = bad.parse::<Interface>().unwrap_err().to_string();
            assert!(message.contains(bad) && message.contains("kernel:NAME"), "{message}");
        }
    }

    #[test]
    fn loopback_is_found_by_name_and_address() {
        let peer = Ipv4Addr::LOCALHOST.into();
        let by_name = Interface::Name("lo".into()).resolve(peer).unwrap();
        assert_eq!(by_name.address, peer);
        assert_eq!(Interface::Address(peer).resolve(peer).unwrap(), by_name);
        assert_ne!(by_name.index, 0);
    }

    #[test]
    fn hardware_addresses_are_those_of_the_interface() {
        let none = [Interface::Any, Interface::Name("none0".into()), Interface::Name("lo".into())];
        let none = none.into_iter().chain(["127.0.0.1", "192.0.2.1"].map(|ip| ip.parse().unwrap()));
        for interface in none {
            assert_eq!(interface.mac(), None, "{interface}");
        }
        for entry in present() {
            let Some(Address::Mac(mac)) = entry.address else { continue };
            let expected = Some(mac).filter(|mac| *mac != [0; 6]);
            assert_eq!(Interface::Name(entry.name.clone()).mac(), expected, "{}", entry.name);
            let ips = present().into_iter().filter(|other| other.index == entry.index);
            for ip in ips.filter_map(|other| other.ip()) {
                assert_eq!(Interface::Address(ip).mac(), expected, "{ip}");
            }
        }
    }

    #[test]
    fn what_is_not_there_is_listed() {
        let peer = Ipv4Addr::LOCALHOST.into();
        let error = Interface::Name("none0".into()).resolve(peer).unwrap_err().to_string();
        assert!(
            error.contains("kernel:none0")
                && error.contains("kernel:lo")
                && error.contains("127.0.0.1"),
            "{error}"
        );
    }
}
