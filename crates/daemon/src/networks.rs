//! Networks that an administrator trusts.

use ipnet::IpNet;
use std::fmt::{Display, Formatter};
use std::net::IpAddr;
use std::str::FromStr;

/// Addresses whose programs may call without a certificate: "10.1.0.0/16,fd00::/8". By default
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// A text that is not a list of networks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("accepted are networks such as 10.1.0.0/16,fd00::/8, with no bits set after the prefix")]
pub struct NetworksError;

impl Networks {
    /// Whether an address is in one of them.
    #[must_use]
    pub fn contain(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip.to_canonical()))
    }
}

impl FromStr for Networks {
    type Err = NetworksError;

    fn from_str(text: &str) -> Result<Self, NetworksError> {
        let network = |text: &str| {
            let network = text.trim().parse::<IpNet>().ok()?;
            (network == network.trunc()).then_some(network)
        };
        text.split(',').map(network).collect::<Option<_>>().map(Self).ok_or(NetworksError)
    }
}

impl Display for Networks {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (i, network) in self.0.iter().enumerate() {
            write!(f, "{}{network}", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_networks() {
        let networks: Networks = "10.1.0.0/16, fd00::/8,192.168.1.7/32".parse().unwrap();
        for (ip, inside) in [
            ("10.1.255.3", true),
            ("10.2.0.1", false),
            ("::ffff:10.1.0.1", true),
            ("fd12::1", true),
            ("fe80::1", false),
            ("192.168.1.7", true),
            ("192.168.1.6", false),
        ] {
            assert_eq!(networks.contain(ip.parse().unwrap()), inside, "{ip}");
        }
        let all: Networks = "0.0.0.0/0".parse().unwrap();
        assert!(all.contain([1, 2, 3, 4].into()));
        assert!(!all.contain("::1".parse().unwrap()));
        assert!("::/0".parse::<Networks>().unwrap().contain("2001:db8::1".parse().unwrap()));
        assert!(!Networks::default().contain([127, 0, 0, 1].into()));
        assert_eq!(networks.to_string(), "10.1.0.0/16,fd00::/8,192.168.1.7/32");
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "10.0.0.1", "10.0.0.1/8", "10.0.0.0/33", "x/8", "10.0.0.0/8,"] {
            assert!(text.parse::<Networks>().is_err(), "{text}");
        }
    }
}
