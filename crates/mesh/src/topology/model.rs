//! The model: proxies, connections and bridges.

use super::identifier::{BridgeId, ConnectionId, GroupId, ProxyId, StreamId};
use super::ports::PortRanges;
use config::ConnectionConfig;
use proto::Kind;
use ring::digest::{Context, SHA256};
use std::fmt::{Debug, Formatter};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// A media proxy, as it registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its identifier.
    pub id: ProxyId,
    /// TCP port of its SDK.
    pub sdk_api_port: u16,
    /// Its ST 2110 device; `None` if it has none.
    pub st2110: Option<St2110Device>,
    /// Its device for streams to other proxies; `None` if it has none.
    pub rdma: Option<RdmaDevice>,
    /// It understands the extended set-up of RDMA bridges: credits and session keys.
    pub extended: bool,
    /// Time of its registration.
    pub registered_at: SystemTime,
}

/// The network device of a proxy that carries ST 2110 streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct St2110Device {
    /// Its address.
    pub dataplane_ip: IpAddr,
    /// PCI address, or `kernel:NAME`, `native_af_xdp:NAME`.
    pub device: String,
}

/// The network device of a proxy that carries streams to other proxies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RdmaDevice {
    /// Its address.
    pub dataplane_ip: IpAddr,
    /// Ports on which this proxy receives.
    pub ports: PortRanges,
}

/// A connection of a program to its proxy.
#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    /// Its identifier.
    pub id: ConnectionId,
    /// The proxy that serves it.
    pub proxy: ProxyId,
    /// Whether the program sends into the group or receives from it.
    pub kind: Kind,
    /// Its validated configuration.
    pub config: Arc<ConnectionConfig>,
    /// Time of its first registration.
    pub registered_at: SystemTime,
}

/// Direction of frames through a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the network into the group: on its proxy the bridge is the group's source.
    Ingress,
    /// From the group to the network: on its proxy the bridge is a receiver of the group.
    Egress,
}

impl Direction {
    /// The word that existing peers use.
    #[must_use]
    pub const fn wire(self) -> &'static str {
        match self {
            Self::Ingress => "rx",
            Self::Egress => "tx",
        }
    }
}

/// Secret by which each end of an RDMA bridge recognises the other that the agent has named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionKey(pub [u8; 32]);

impl SessionKey {
    /// A new key.
    #[must_use]
    pub fn random() -> Self {
        Self(media::random::bytes())
    }
}

impl Debug for SessionKey {
    /// Keys are not for logs.
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey")
    }
}

/// A bridge that a proxy must have.
#[derive(Clone, Debug, PartialEq)]
pub struct BridgeSpec {
    /// Its identifier.
    pub id: BridgeId,
    /// The group that it belongs to.
    pub group: GroupId,
    /// The proxy that has it.
    pub proxy: ProxyId,
    /// Direction of the frames.
    pub direction: Direction,
    /// The configuration of the connection or bridge that is the group's source. For an ST 2110
    /// bridge it names the stream.
    pub config: Arc<ConnectionConfig>,
    /// Its other end.
    pub link: BridgeLink,
}

/// The network end of a bridge.
#[derive(Clone, Debug, PartialEq)]
pub enum BridgeLink {
    /// The ST 2110 stream that the configuration names.
    St2110,
    /// Another proxy, over libfabric. Provider and number of endpoints stand in the configuration.
    Rdma(RdmaLink),
}

/// The other end of an RDMA bridge.
#[derive(Clone, Debug, PartialEq)]
pub struct RdmaLink {
    /// The proxy there.
    pub peer: ProxyId,
    /// Its address. An egress bridge sends to it.
    pub remote_ip: IpAddr,
    /// Port at the receiving end, the first of as many as there are endpoints: an ingress bridge
    /// binds it, an egress bridge sends to it.
    pub port: u16,
    /// Session key, if both ends understand the extended form. `None`: only frames on the wire.
    pub session_key: Option<SessionKey>,
}

impl BridgeSpec {
    /// The proxy of the group's source, if this bridge links two proxies.
    pub(crate) fn source_proxy(&self) -> &ProxyId {
        match (&self.link, self.direction) {
            (BridgeLink::Rdma(link), Direction::Ingress) => &link.peer,
            _ => &self.proxy,
        }
    }

    /// The RDMA link, if it is one.
    #[must_use]
    pub fn rdma(&self) -> Option<&RdmaLink> {
        match &self.link {
            BridgeLink::Rdma(link) => Some(link),
            BridgeLink::St2110 => None,
        }
    }
}

/// The identifier of a bridge: 32 hexadecimal digits.
pub(super) fn bridge_id(
    group: &GroupId,
    proxy: &ProxyId,
    direction: Direction,
    peer: Option<&ProxyId>,
) -> BridgeId {
    let mut context = Context::new(&SHA256);
    let peer = peer.map_or("", ProxyId::as_str);
    for part in [group.as_str(), proxy.as_str(), direction.wire(), peer] {
        // With lengths, so that no two lists of parts give the same bytes.
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part.as_bytes());
    }
    let digest = context.finish();
    BridgeId::new(
        digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    )
}

/// Desired state of a proxy, as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Desired {
    /// The proxy.
    pub proxy: ProxyId,
    /// Grows with each change of this proxy's desired state.
    pub generation: u64,
    /// The groups that have a connection or a bridge there, ordered by their id.
    pub groups: Vec<DesiredGroup>,
    /// All bridges, in the order of `groups`.
    pub bridges: Vec<Arc<BridgeSpec>>,
    /// Connections that an administrator has removed: the proxy ends them.
    pub removed: Vec<ConnectionId>,
}

/// One group in the desired state of a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredGroup {
    /// The group.
    pub id: GroupId,
    /// Its connections on this proxy.
    pub connections: Vec<ConnectionId>,
    /// Its bridges on this proxy.
    pub bridges: Vec<BridgeId>,
    /// Stream of its present or last source; `None` if there has been no source.
    pub stream: Option<StreamId>,
    /// There will be more bridges from this proxy, once their ports have been decided.
    pub bridges_pending: bool,
}

/// Source of a group's frames.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A connection.
    Connection(ConnectionId),
    /// An ST 2110 ingress bridge.
    Ingress {
        /// The proxy that has it.
        proxy: ProxyId,
        /// The configuration of the receiver for which it was made.
        config: Arc<ConnectionConfig>,
    },
}

/// Record of a group beside its members: the part on which all agents must agree.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRecord {
    /// The configuration with which new members must be compatible: the first member's.
    pub definition: Arc<ConnectionConfig>,
    /// The source; it may be gone already.
    pub source: Option<Source>,
}

/// A port for an RDMA bridge, granted to a group at the receiving proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The sending proxy.
    pub source: ProxyId,
    /// First port at the receiver's address.
    pub port: u16,
    /// Number of consecutive ports, 1 to 8.
    pub endpoints: u8,
    /// For the extended set-up.
    pub key: SessionKey,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_follow_from_what_is_connected() {
        let id = |group: &str, proxy: &str, direction, peer: Option<&str>| {
            bridge_id(&group.into(), &proxy.into(), direction, peer.map(ProxyId::from).as_ref())
        };
        let base = id("g", "p", Direction::Ingress, None);
        assert_eq!(base, id("g", "p", Direction::Ingress, None));
        assert_eq!(base.as_str().len(), 32);
        for other in [
            id("h", "p", Direction::Ingress, None),
            id("gp", "", Direction::Ingress, None),
            id("g", "p", Direction::Egress, None),
            id("g", "p", Direction::Ingress, Some("q")),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", SessionKey([7; 32])), "SessionKey");
    }
}
