//! Names of the keys in etcd.

use mesh::topology::{ConnectionId, GroupId, ProxyId};
use std::net::IpAddr;

/// Names of the state's keys.
pub(super) struct Keys {
    prefix: String,
}

/// Meaning of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    Proxy(ProxyId),
    Connection(GroupId, ConnectionId),
    Group(GroupId),
    Grant(GroupId, ProxyId),
    /// A connection that an administrator has removed.
    Removal(ProxyId, ConnectionId),
    /// A port; the grant tells its purpose.
    Port,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// Prefix of all keys.
    pub(super) fn all(&self) -> String {
        format!("{}/", self.prefix)
    }

    pub(super) fn proxy(&self, proxy: &ProxyId) -> String {
        format!("{}/proxies/{proxy}", self.prefix)
    }

    /// Prefix of the keys of a group's connections.
    pub(super) fn connections(&self, group: &GroupId) -> String {
        format!("{}/connections/{}/", self.prefix, escape(group.as_str()))
    }

    pub(super) fn connection(&self, group: &GroupId, connection: &ConnectionId) -> String {
        format!("{}{connection}", self.connections(group))
    }

    pub(super) fn group(&self, group: &GroupId) -> String {
        format!("{}/groups/{}", self.prefix, escape(group.as_str()))
    }

    pub(super) fn grant(&self, group: &GroupId, destination: &ProxyId) -> String {
        format!("{}/grants/{}/{destination}", self.prefix, escape(group.as_str()))
    }

    pub(super) fn removal(&self, proxy: &ProxyId, connection: &ConnectionId) -> String {
        format!("{}/removals/{proxy}/{connection}", self.prefix)
    }

    pub(super) fn port(&self, ip: IpAddr, port: u16) -> String {
        format!("{}/ports/{ip}/{port}", self.prefix)
    }

    /// Parses a key; `None` for one of another program.
    pub(super) fn read(&self, key: &[u8]) -> Option<Key> {
        let rest = std::str::from_utf8(key).ok()?.strip_prefix(&self.all())?;
        let mut parts = rest.split('/');
        let key = match (parts.next()?, parts.next()?, parts.next()) {
            ("proxies", id, None) => Key::Proxy(id.into()),
            ("connections", group, Some(id)) => Key::Connection(unescape(group)?.into(), id.into()),
            ("groups", group, None) => Key::Group(unescape(group)?.into()),
            ("grants", group, Some(proxy)) => Key::Grant(unescape(group)?.into(), proxy.into()),
            ("removals", proxy, Some(id)) => Key::Removal(proxy.into(), id.into()),
            ("ports", _, Some(_)) => Key::Port,
            _ => return None,
        };
        parts.next().is_none().then_some(key)
    }
}

/// The first key after all that begin with this.
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    // Prefixes are ASCII here: the last byte is never 255.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

/// A group's name, with characters escaped that have a meaning in a key.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
            let (high, low) = (digit(rest.next())?, digit(rest.next())?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back() {
        let keys = Keys::new("mcm");
        for name in ["cam", "239.1.1.1:5004", "a/b c%ä", "[ff02::1]:5004"] {
            let group = GroupId::from(name);
            for (key, meaning) in [
                (keys.group(&group), Key::Group(group.clone())),
                (keys.connection(&group, &"c".into()), Key::Connection(group.clone(), "c".into())),
                (keys.grant(&group, &"p".into()), Key::Grant(group.clone(), "p".into())),
            ] {
                assert_eq!(keys.read(key.as_bytes()), Some(meaning), "{key}");
            }
        }
        assert_eq!(keys.read(keys.proxy(&"p".into()).as_bytes()), Some(Key::Proxy("p".into())));
        let removal = keys.removal(&"p".into(), &"c".into());
        assert_eq!(keys.read(removal.as_bytes()), Some(Key::Removal("p".into(), "c".into())));
        let port = keys.port([10, 0, 0, 1].into(), 9100);
        assert_eq!(keys.read(port.as_bytes()), Some(Key::Port));
        for other in [
            "",
            "mcm",
            "mcm/x/y",
            "mcm/proxies",
            "mcm/proxies/a/b",
            "mcm/groups/%Z1",
            "other/proxies/a",
        ] {
            assert_eq!(keys.read(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn ends_of_prefixes() {
        assert_eq!(end_of("a/"), b"a0");
    }
}
