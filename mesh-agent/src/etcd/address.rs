//! Addresses of etcd's members.

use mesh::AgentError;
use std::str::FromStr;

/// `etcd://host:port[,host:port…][/prefix]`, or `etcds://…` with TLS. Without a prefix it is "mcm".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAddress {
    tls: bool,
    members: Vec<String>,
    prefix: String,
}

impl StoreAddress {
    /// Whether connections are encrypted.
    #[must_use]
    pub fn uses_tls(&self) -> bool {
        self.tls
    }

    /// The members of the cluster, as URLs.
    pub(super) fn urls(&self) -> impl Iterator<Item = String> + '_ {
        let scheme = if self.tls { "https" } else { "http" };
        self.members.iter().map(move |member| format!("{scheme}://{member}"))
    }

    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }
}

impl FromStr for StoreAddress {
    type Err = AgentError;

    fn from_str(text: &str) -> Result<Self, AgentError> {
        let wrong = || AgentError::Invalid {
            field: "store",
            found: text.chars().take(64).collect(),
            allowed: "etcd://host:port[,host:port...][/prefix], etcds://...",
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let tls = match scheme {
            "etcd" => false,
            "etcds" => true,
            _ => return Err(wrong()),
        };
        let (members, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = if prefix.is_empty() { "mcm" } else { prefix.trim_end_matches('/') };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if prefix.is_empty() || !prefix.chars().all(plain) {
            return Err(wrong());
        }
        let member = |text: &str| {
            let (host, port) = text.rsplit_once(':')?;
            let fine = |c: char| c.is_ascii_alphanumeric() || "-_.:[]".contains(c);
            let good = !host.is_empty()
                && host.chars().all(fine)
                && port.parse::<u16>().is_ok_and(|p| p != 0);
            good.then(|| text.to_owned())
        };
        let members: Option<Vec<_>> = members.split(',').map(member).collect();
        Ok(Self { tls, members: members.ok_or_else(wrong)?, prefix: prefix.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let address: StoreAddress = "etcd://a:2379,[::1]:2380/fleet/1".parse().unwrap();
        assert_eq!(address.urls().collect::<Vec<_>>(), ["http://a:2379", "http://[::1]:2380"]);
        assert_eq!((address.prefix(), address.uses_tls()), ("fleet/1", false));
        let address: StoreAddress = "etcds://a:1".parse().unwrap();
        assert_eq!((address.prefix(), address.uses_tls()), ("mcm", true));
        for bad in
            ["", "etcd://", "etcd://a", "etcd://a:0", "http://a:1", "etcd://a:1,", "etcd://a:1/x y"]
        {
            assert!(bad.parse::<StoreAddress>().is_err(), "{bad}");
        }
    }
}
