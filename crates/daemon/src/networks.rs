//! Networks that an administrator trusts.

use std::fmt::{Display, Formatter};
use std::net::IpAddr;
use std::str::FromStr;

/// Addresses whose programs may call without a certificate: "10.1.0.0/16,fd00::/8". By default none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<(IpAddr, u8)>);

/// What is no list of networks.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "found '{0}'; allowed: networks such as 10.1.0.0/16,fd00::/8, with no bits set after the prefix"
)]
pub struct NetworksError(String);

impl Networks {
    /// Whether an address is in one of them.
    #[must_use]
    pub fn contain(&self, ip: IpAddr) -> bool {
        let (bits, width) = bits(ip.to_canonical());
        self.0.iter().any(|(network, prefix)| {
            let (network, of_network) = self::bits(*network);
            width == of_network && head(bits, *prefix, width) == network
        })
    }
}

/// The address as a number, and how many bits it has.
fn bits(ip: IpAddr) -> (u128, u8) {
    match ip {
        IpAddr::V4(ip) => (u32::from(ip).into(), 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    }
}

/// The first `prefix` bits of so many, the others zero.
fn head(bits: u128, prefix: u8, width: u8) -> u128 {
    let rest = u32::from(width - prefix);
    bits.checked_shr(rest).and_then(|head| head.checked_shl(rest)).unwrap_or(0)
}

impl FromStr for Networks {
    type Err = NetworksError;

    fn from_str(text: &str) -> Result<Self, NetworksError> {
        let network = |text: &str| {
            let (ip, prefix) = text.trim().split_once('/')?;
            let (ip, prefix) = (ip.parse::<IpAddr>().ok()?, prefix.parse::<u8>().ok()?);
            let (bits, width) = bits(ip);
            (prefix <= width && head(bits, prefix, width) == bits).then_some((ip, prefix))
        };
        let all: Option<Vec<_>> = text.split(',').map(network).collect();
        all.map(Self).ok_or_else(|| NetworksError(text.escape_debug().to_string()))
    }
}

impl Display for Networks {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (i, (ip, prefix)) in self.0.iter().enumerate() {
            write!(f, "{}{ip}/{prefix}", if i == 0 { "" } else { "," })?;
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
