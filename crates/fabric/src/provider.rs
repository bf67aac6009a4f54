//! Providers: libfabric's drivers for one kind of network each.

use crate::error::FabricError;
use libfabric_sys::fi_version_of;
use std::ffi::CStr;
use std::fmt;
use std::net::SocketAddrV4;
use std::str::FromStr;

/// A kind of network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// TCP, on any network.
    Tcp,
    /// RDMA: InfiniBand, RoCE, iWARP.
    Verbs,
    /// Shared memory between processes of one host. For tests.
    Shm,
}

impl Provider {
    /// The name in libfabric of this version.
    pub(crate) fn library_name(self, version: u32) -> &'static CStr {
        match self {
            // The provider for TCP that has reliable datagrams itself was called net before it took
            // the other's place. The other way of 1.17, tcp with ofi_rxm above it, crashes the
            // process after a peer has died.
            Self::Tcp if version < fi_version_of(1, 18) => c"net",
            Self::Tcp => c"tcp",
            Self::Verbs => c"verbs;ofi_rxm",
            Self::Shm => c"shm",
        }
    }

    pub(crate) fn missing(self) -> FabricError {
        let hint = match self {
            Self::Tcp => {
                "this build of libfabric has no provider tcp (1.17: net) for reliable datagrams, or the variable FI_PROVIDER excludes \
                 it; see 'fi_info -t FI_EP_RDM'"
            }
            Self::Verbs => {
                "there is no RDMA device with an IP address, or no driver for it; install rdma-core and \
                 ibverbs-providers, see 'rdma link' and 'fi_info -p verbs'"
            }
            Self::Shm => {
                "this build of libfabric has no shm provider, or the variable FI_PROVIDER excludes it; see 'fi_info -p shm'"
            }
        };
        FabricError::Provider { provider: self, hint }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Verbs => "verbs",
            Self::Shm => "shm",
        })
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "tcp" => Ok(Self::Tcp),
            "verbs" => Ok(Self::Verbs),
            "shm" => Ok(Self::Shm),
            _ => Err(format!("provider {text:?} is not known, accepted are \"tcp\" and \"verbs\"")),
        }
    }
}

/// Address of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// For [`Provider::Tcp`] and [`Provider::Verbs`].
    Inet(SocketAddrV4),
    /// For [`Provider::Shm`]: a name, and the number of the endpoint.
    Shm(String, u16),
}

impl Address {
    /// The address of the `index`-th endpoint after this one: the next ports, or numbers. Port 0,
    /// any, stays 0.
    pub fn offset(&self, index: usize) -> Result<Self, FabricError> {
        let beyond = |value: u16| {
            let sum = u16::try_from(index).ok().and_then(|index| value.checked_add(index));
            sum.ok_or(FabricError::Parameter {
                name: "the last endpoint's port",
                value: usize::from(value) + index,
                accepted: "1 to 65535",
            })
        };
        Ok(match self {
            Self::Inet(address) if address.port() == 0 => Self::Inet(*address),
            Self::Inet(address) => {
                Self::Inet(SocketAddrV4::new(*address.ip(), beyond(address.port())?))
            }
            Self::Shm(name, number) => Self::Shm(name.clone(), beyond(*number)?),
        })
    }

    pub(crate) fn check(&self, provider: Provider) -> Result<(), FabricError> {
        let wanted = match (provider, self) {
            (Provider::Tcp | Provider::Verbs, Self::Inet(_)) => return Ok(()),
            (Provider::Shm, Self::Shm(name, _))
                if !name.is_empty()
                    && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') =>
            {
                return Ok(());
            }
            (Provider::Shm, _) => "a name of letters, digits and '-'",
            (Provider::Tcp | Provider::Verbs, _) => "an IPv4 address with a port",
        };
        Err(FabricError::AddressForm { provider, address: self.clone(), wanted })
    }

    /// The bytes that libfabric takes for the address.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Inet(address) => {
                // struct sockaddr_in: family in the host's order, port and address in the
                // network's, 8 zero bytes.
                let mut bytes = (libc::AF_INET as u16).to_ne_bytes().to_vec();
                bytes.extend(address.port().to_be_bytes());
                bytes.extend(address.ip().octets());
                bytes.extend([0; 8]);
                bytes
            }
            Self::Shm(name, number) => format!("fi_ns://{name}:{number}\0").into_bytes(),
        }
    }

    /// The address in bytes that libfabric gave.
    pub(crate) fn from_sockaddr(bytes: &[u8]) -> Option<Self> {
        let family = u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?);
        let port = u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?);
        let ip: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
        (i32::from(family) == libc::AF_INET).then(|| Self::Inet(SocketAddrV4::new(ip.into(), port)))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inet(address) => address.fmt(f),
            Self::Shm(name, number) => write!(f, "{name}:{number}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(text: &str) -> Address {
        Address::Inet(text.parse().unwrap())
    }

    #[test]
    fn tcp_means_reliable_datagrams_over_tcp_whatever_the_version() {
        assert_eq!(Provider::Tcp.library_name(fi_version_of(1, 17)), c"net");
        assert_eq!(Provider::Tcp.library_name(fi_version_of(2, 1)), c"tcp");
    }

    #[test]
    fn addresses_go_there_and_back() {
        let address = inet("192.0.2.7:9002");
        let bytes = address.bytes();
        assert_eq!((bytes.len(), &bytes[2..8]), (16, &[0x23, 0x2a, 192, 0, 2, 7][..]));
        assert_eq!(Address::from_sockaddr(&bytes), Some(address));
        assert_eq!(Address::from_sockaddr(&bytes[..7]), None);
    }

    #[test]
    fn endpoints_have_consecutive_ports() {
        assert_eq!(inet("127.0.0.1:9000").offset(3).unwrap(), inet("127.0.0.1:9003"));
        assert_eq!(inet("127.0.0.1:0").offset(3).unwrap(), inet("127.0.0.1:0"));
        assert!(inet("127.0.0.1:65530").offset(6).is_err());
    }

    #[test]
    fn addresses_of_another_kind_are_refused() {
        assert!(inet("127.0.0.1:1").check(Provider::Shm).is_err());
        assert!(Address::Shm("a/b".into(), 0).check(Provider::Shm).is_err());
        assert!(Address::Shm("a".into(), 0).check(Provider::Tcp).is_err());
        assert!(inet("127.0.0.1:1").check(Provider::Verbs).is_ok());
    }
}
