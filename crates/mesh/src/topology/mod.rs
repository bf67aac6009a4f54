//! Assigns connections to groups, and derives the bridges that they need.
//!
//! A state machine without I/O: calls change it, time is an argument, and [`Topology::desired`]
//! returns the bridges that a proxy must have. The rules:
//!
//! * A group has one source. In an ST 2110 group without a sending program, an ingress bridge is
//!   the source. It runs at the proxy whose receiver is the oldest, stays while there is a
//!   receiver, and gives way to a program that sends. After a program on another host it begins
//!   only when that host's egress bridge has ended, so that no frame comes twice.
//! * An ST 2110 group whose source is a program has an egress bridge at the source's proxy.
//!   Receivers get the stream from the ring or from the mesh, not back from the network.
//! * An RDMA egress bridge at the source's proxy sends to an ingress bridge at each other proxy
//!   that has a receiver.
//! * A bridge that is no longer needed ends at once, except for a bridge to a proxy that was lost
//!   instead of removed: see [`Topology::HOLD`].
//! * An error in one group does not affect another.

mod decisions;
mod derivation;
mod group;
mod holds;
mod identifier;
mod model;
mod port_table;
mod ports;
mod removals;
mod requests;
mod updates;
mod views;

#[cfg(test)]
mod tests;

pub use decisions::Wish;
pub use identifier::{BridgeId, ConnectionId, GroupId, ProxyId, StreamId};
pub use model::{
    BridgeLink, BridgeSpec, Connection, Desired, DesiredGroup, Direction, Grant, GroupRecord,
    Proxy, RdmaDevice, RdmaLink, SessionKey, Source, St2110Device,
};
pub use ports::PortRanges;
pub use views::{BridgeView, FleetGroup, GroupHost, GroupView};

use group::Group;
use holds::Holds;
use port_table::PortTable;
use removals::Removals;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Where sources and ports of groups are decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decides {
    /// This state machine, at once.
    Here,
    /// In a store: the caller carries out [`Topology::wishes`] and reports the outcome.
    Elsewhere,
}

/// The state of a fleet. See the [module](self).
pub struct Topology {
    decides: Decides,
    random: Box<dyn FnMut() -> SessionKey + Send>,
    proxies: BTreeMap<ProxyId, ProxyState>,
    connections: BTreeMap<ConnectionId, Member>,
    groups: BTreeMap<GroupId, Group>,
    groups_of: BTreeMap<ProxyId, BTreeSet<GroupId>>,
    ports: PortTable,
    holds: Holds,
    removals: Removals,
    generation: u64,
    order: u64,
    changed: BTreeSet<ProxyId>,
    /// Changed groups, and the time until which their superfluous bridges are held.
    dirty: BTreeMap<GroupId, Option<Instant>>,
    /// Groups with open decisions in the store.
    wishful: BTreeSet<GroupId>,
}

#[derive(Debug)]
struct ProxyState {
    proxy: Proxy,
    generation: u64,
    /// Time at which it is lost; `None` while its command stream is open.
    lease: Option<Instant>,
}

#[derive(Debug)]
struct Member {
    connection: Connection,
    group: GroupId,
    /// The lower, the older.
    order: u64,
}

impl Topology {
    /// Time for which a bridge stays after the proxy at its other end was lost, or after its proxy
    /// reported it to an agent that does not know its purpose yet.
    pub const HOLD: Duration = Duration::from_secs(5);

    /// Time from the decision that an egress bridge to the network ends to its last packet: two
    /// seconds for the remaining frames, and some time for the message.
    pub const DRAIN: Duration = Duration::from_millis(2500);

    /// Time for which a removal by an administrator is remembered if the proxy never confirms the
    /// end of the connection.
    pub const REMOVED: Duration = Duration::from_secs(3600);

    /// An empty fleet. `random` returns unguessable session keys.
    pub fn new(decides: Decides, random: impl FnMut() -> SessionKey + Send + 'static) -> Self {
        Self {
            decides,
            random: Box::new(random),
            proxies: BTreeMap::new(),
            connections: BTreeMap::new(),
            groups: BTreeMap::new(),
            groups_of: BTreeMap::new(),
            ports: PortTable::default(),
            holds: Holds::default(),
            removals: Removals::default(),
            generation: 0,
            order: 0,
            changed: BTreeSet::new(),
            dirty: BTreeMap::new(),
            wishful: BTreeSet::new(),
        }
    }

    /// The proxies whose desired state has changed since the last call, and those that are gone.
    pub fn take_changed(&mut self) -> BTreeSet<ProxyId> {
        std::mem::take(&mut self.changed)
    }

    fn touch(&mut self, proxy: &ProxyId) {
        if let Some(state) = self.proxies.get_mut(proxy) {
            self.generation += 1;
            state.generation = self.generation;
            self.changed.insert(proxy.clone());
        }
    }

    /// Marks a group as changed for the next [`Topology::settle`]; superfluous bridges are held
    /// until `hold`.
    fn mark(&mut self, group: &GroupId, hold: Option<Instant>) {
        let entry = self.dirty.entry(group.clone()).or_default();
        *entry = (*entry).max(hold);
    }
}

impl std::fmt::Debug for Topology {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Topology")
            .field("proxies", &self.proxies.len())
            .field("connections", &self.connections.len())
            .field("groups", &self.groups.len())
            .finish_non_exhaustive()
    }
}
