//! A group: its members, and the state derived from them.

use super::identifier::{BridgeId, ConnectionId, ProxyId, StreamId};
use super::model::{BridgeSpec, Grant, GroupRecord};
use proto::Kind;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// The bridges of one proxy.
pub(super) type Bridges = BTreeMap<BridgeId, Arc<BridgeSpec>>;

#[derive(Debug, Default)]
pub(super) struct Group {
    /// `None` until it is known.
    pub(super) record: Option<GroupRecord>,
    /// Stream of its source. It stays when the source goes, until there is another: frames may
    /// still be in flight.
    pub(super) stream: Option<StreamId>,
    pub(super) members: BTreeMap<ProxyId, Members>,
    /// Ports at the proxies that receive.
    pub(super) grants: BTreeMap<ProxyId, Grant>,
    /// Derived: the bridges of each proxy.
    pub(super) bridges: BTreeMap<ProxyId, Bridges>,
    /// An egress bridge to the network that is ending, and may still send its remaining frames.
    pub(super) draining: Option<Draining>,
    /// Derived: the reasons for which a proxy lacks a bridge.
    pub(super) problems: BTreeMap<ProxyId, String>,
    /// The proxy of the source, if bridges from there wait for their ports to be decided.
    pub(super) pending_at: Option<ProxyId>,
}

/// A stream of a source that has left, of which packets may still come from the network.
#[derive(Clone, Debug)]
pub(super) struct Draining {
    /// Proxy of the bridge.
    pub(super) proxy: ProxyId,
    /// Time at which it has ended for certain; `None` before the next
    /// [`Topology::advance`](super::Topology::advance), which has the time.
    pub(super) until: Option<Instant>,
}

/// The members of a group on one proxy, each with its age: the lower, the older.
#[derive(Debug, Default)]
pub(super) struct Members {
    pub(super) sources: BTreeSet<(u64, ConnectionId)>,
    pub(super) receivers: BTreeSet<(u64, ConnectionId)>,
}

impl Members {
    fn of(&mut self, kind: Kind) -> &mut BTreeSet<(u64, ConnectionId)> {
        match kind {
            Kind::Source => &mut self.sources,
            Kind::Receiver => &mut self.receivers,
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &ConnectionId> {
        self.sources.iter().chain(&self.receivers).map(|(_, id)| id)
    }
}

impl Group {
    pub(super) fn insert(&mut self, proxy: &ProxyId, kind: Kind, order: u64, id: ConnectionId) {
        self.members.entry(proxy.clone()).or_default().of(kind).insert((order, id));
    }

    /// Removes a member. Returns whether its proxy has no other.
    pub(super) fn remove(
        &mut self,
        proxy: &ProxyId,
        kind: Kind,
        order: u64,
        id: &ConnectionId,
    ) -> bool {
        let Some(members) = self.members.get_mut(proxy) else { return true };
        members.of(kind).remove(&(order, id.clone()));
        let empty = members.sources.is_empty() && members.receivers.is_empty();
        if empty {
            self.members.remove(proxy);
        }
        empty
    }

    pub(super) fn receives_at(&self, proxy: &ProxyId) -> bool {
        self.members.get(proxy).is_some_and(|members| !members.receivers.is_empty())
    }

    /// The proxy and the id of the oldest receiver.
    pub(super) fn oldest_receiver(&self) -> Option<(&ProxyId, &ConnectionId)> {
        let first = |(proxy, members): (_, &'_ Members)| -> Option<_> {
            members.receivers.first().cloned().map(|first| (first, proxy))
        };
        let (_, proxy) = self.members.iter().filter_map(first).min()?;
        let (_, id) = self.members[proxy].receivers.first()?;
        Some((proxy, id))
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.record.is_none()
            && self.members.is_empty()
            && self.grants.is_empty()
            && self.bridges.is_empty()
    }
}
