//! Network interfaces of this host, by name or address.

use std::{ffi::CStr, fmt, net::IpAddr, ptr, str::FromStr};

use super::name::{Name, family, needs_scope, unspecified};
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
    /// Whether this host has it, before anything is sent or received by it.
    ///
    /// # Errors
    /// It has not; what there is instead is told.
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

    /// Looks the interface up, for traffic with `peer`.
    pub(super) fn resolve(&self, peer: IpAddr) -> Result<Resolved, Error> {
        if *self == Self::Any {
            return Ok(Resolved { index: 0, name: None, address: unspecified(peer) });
        }
        let present = present();
        let mut same = present.iter().filter(|entry| match self {
            Self::Any => false,
            Self::Address(address) => entry.address == Some(*address),
            Self::Name(name) => entry.name == *name,
        });
        let Some(first) = same.next() else {
            return Err(Error::NoInterface { value: self.to_string(), present: list(&present) });
        };
        // A peer that is only valid on its link is best talked to from such an address, others from a global one.
        let address = match self {
            Self::Address(address) if address.is_ipv4() == peer.is_ipv4() => Some(*address),
            _ => {
                let mut candidates: Vec<IpAddr> = present
                    .iter()
                    .filter(|entry| entry.index == first.index)
                    .filter_map(|entry| entry.address)
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

struct Present {
    index: u32,
    name: String,
    address: Option<IpAddr>,
}

fn list(present: &[Present]) -> String {
    let mut words: Vec<String> = Vec::new();
    for entry in present {
        let name = format!("kernel:{}", entry.name);
        if !words.contains(&name) {
            words.push(name);
        }
        if let Some(address) = entry.address {
            words.push(address.to_string());
        }
    }
    words.join(", ")
}

/// The interfaces with their addresses, one entry for each address and at least one for each interface.
fn present() -> Vec<Present> {
    let mut first: *mut libc::ifaddrs = ptr::null_mut();
    // SAFETY: the call fills in a list that is freed below.
    if unsafe { libc::getifaddrs(&raw mut first) } != 0 {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut next = first;
    while !next.is_null() {
        // SAFETY: an element of the list that getifaddrs made and nobody has freed yet.
        let entry = unsafe { &*next };
        next = entry.ifa_next;
        // SAFETY: each element has a name that ends with a zero byte.
        let name = unsafe { CStr::from_ptr(entry.ifa_name) };
        // SAFETY: as above.
        let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
        found.push(Present {
            index,
            name: name.to_string_lossy().into_owned(),
            address: address(entry),
        });
    }
    // SAFETY: the list's head, freed once.
    unsafe { libc::freeifaddrs(first) };
    found
}

fn address(entry: &libc::ifaddrs) -> Option<IpAddr> {
    if entry.ifa_addr.is_null() {
        return None;
    }
    // SAFETY: a socket address that getifaddrs made; every kind begins with its family.
    let len = match i32::from(unsafe { (*entry.ifa_addr).sa_family }) {
        libc::AF_INET => size_of::<libc::sockaddr_in>(),
        libc::AF_INET6 => size_of::<libc::sockaddr_in6>(),
        _ => return None,
    };
    let mut name = Name::empty();
    // SAFETY: the family says how many bytes there are, and a sockaddr_storage has room for them.
    unsafe {
        ptr::copy_nonoverlapping(
            entry.ifa_addr.cast::<u8>(),
            (&raw mut name.storage).cast::<u8>(),
            len,
        );
    }
    name.to_socket().map(|address| address.ip())
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
