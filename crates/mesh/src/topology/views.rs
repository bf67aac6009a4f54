//! Read-only views of the state.

use super::identifier::{BridgeId, ConnectionId, GroupId, ProxyId, StreamId};
use super::model::{BridgeLink, BridgeSpec, Connection, Desired, DesiredGroup, Direction, Proxy};
use super::{ProxyState, Topology};
use config::ConnectionConfig;
use proto::Kind;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// A group, as others see it.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its identifier.
    pub id: GroupId,
    /// Configuration that its members share.
    pub config: Arc<ConnectionConfig>,
    /// The proxy of its source, if it has one.
    pub source_proxy: Option<ProxyId>,
    /// Stream of its present or last source.
    pub stream: Option<StreamId>,
    /// Its connections, on all proxies.
    pub connections: Vec<ConnectionId>,
    /// Its bridges, on all proxies.
    pub bridges: Vec<BridgeId>,
    /// Reasons for which proxies lack bridges.
    pub problems: Vec<(ProxyId, String)>,
}

/// Format of a group, and the proxies of its members.
#[derive(Clone, Debug, PartialEq)]
pub struct FleetGroup {
    /// Its identifier.
    pub id: GroupId,
    /// Whether `config` is that of a source.
    pub kind: Kind,
    /// The configuration of its source; without one, that with which new members must be
    /// compatible.
    pub config: Arc<ConnectionConfig>,
    /// Stream of its present or last source.
    pub stream: Option<StreamId>,
    /// The proxies that have members, ordered by id.
    pub hosts: Vec<GroupHost>,
}

/// The members of a group on one proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHost {
    /// The proxy.
    pub proxy: ProxyId,
    /// Its address; empty if it is not known.
    pub address: String,
    /// Whether the group's source is there: a program, or the bridge that brings an ST 2110 stream
    /// in.
    pub source: bool,
    /// Programs that receive.
    pub receivers: usize,
}

/// A bridge, as others see it.
#[derive(Clone, Debug)]
pub struct BridgeView {
    /// Its specification.
    pub spec: Arc<BridgeSpec>,
    /// It is held.
    pub held: bool,
}

impl Topology {
    /// Desired state of a proxy; `None` if it is not registered.
    #[must_use]
    pub fn desired(&self, proxy: &ProxyId) -> Option<Desired> {
        let state = self.proxies.get(proxy)?;
        let held = self.holds.of_proxy(proxy);
        let mut ids = self.groups_of.get(proxy).cloned().unwrap_or_default();
        ids.extend(held.iter().map(|spec| spec.group.clone()));
        let (mut groups, mut bridges) = (Vec::with_capacity(ids.len()), Vec::new());
        for id in ids {
            let group = self.groups.get(&id);
            let derived = group.and_then(|group| group.bridges.get(proxy));
            let members = group.and_then(|group| group.members.get(proxy));
            let mut specs: Vec<_> =
                derived.into_iter().flat_map(|all| all.values()).cloned().collect();
            specs.extend(held.iter().filter(|spec| spec.group == id).cloned());
            specs.sort_by(|a, b| a.id.cmp(&b.id));
            groups.push(DesiredGroup {
                id,
                connections: members.into_iter().flat_map(|m| m.all().cloned()).collect(),
                bridges: specs.iter().map(|spec| spec.id.clone()).collect(),
                stream: group.and_then(|group| group.stream.clone()),
                bridges_pending: group
                    .is_some_and(|group| group.pending_at.as_ref() == Some(proxy)),
            });
            bridges.extend(specs);
        }
        Some(Desired {
            proxy: proxy.clone(),
            generation: state.generation,
            groups,
            bridges,
            removed: self.removals.of_proxy(proxy).cloned().collect(),
        })
    }

    /// The generation of a proxy's desired state; `None` if it is not registered.
    #[must_use]
    pub fn generation(&self, proxy: &ProxyId) -> Option<u64> {
        self.proxies.get(proxy).map(|state| state.generation)
    }

    /// All proxies, ordered by id, each with whether it is connected.
    pub fn proxies(&self) -> impl Iterator<Item = (&Proxy, bool)> {
        self.proxies.values().map(|state| (&state.proxy, state.lease.is_none()))
    }

    /// A proxy.
    #[must_use]
    pub fn proxy(&self, id: &ProxyId) -> Option<(&Proxy, bool)> {
        self.proxies.get(id).map(|ProxyState { proxy, lease, .. }| (proxy, lease.is_none()))
    }

    /// Time at which a silent proxy is lost; `None` while its command stream is open.
    #[must_use]
    pub fn lease(&self, id: &ProxyId) -> Option<Instant> {
        self.proxies.get(id)?.lease
    }

    /// All connections, ordered by id.
    pub fn connections(&self) -> impl Iterator<Item = &Connection> {
        self.connections.values().map(|member| &member.connection)
    }

    /// A connection.
    #[must_use]
    pub fn connection(&self, id: &ConnectionId) -> Option<&Connection> {
        self.connections.get(id).map(|member| &member.connection)
    }

    /// The connections of a proxy, ordered by group.
    pub fn connections_of(&self, proxy: &ProxyId) -> impl Iterator<Item = &Connection> {
        let groups = self.groups_of.get(proxy).into_iter().flatten();
        let members = groups.filter_map(|id| self.groups.get(id)?.members.get(proxy));
        members.flat_map(super::group::Members::all).filter_map(|id| self.connection(id))
    }

    /// All groups that have members, ordered by id.
    pub fn groups(&self) -> impl Iterator<Item = GroupView> + '_ {
        self.groups.keys().filter_map(|id| self.group(id))
    }

    /// A group, if it has members.
    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<GroupView> {
        let group = self.groups.get(id)?;
        let record = group.record.as_ref()?;
        let held = self.holds.of_group(id).map(|spec| spec.id.clone());
        let derived = group.bridges.values().flat_map(|bridges| bridges.keys().cloned());
        Some(GroupView {
            id: id.clone(),
            config: Arc::clone(&record.definition),
            source_proxy: self.origin(id).map(|origin| origin.proxy),
            stream: group.stream.clone(),
            connections: group.members.values().flat_map(|m| m.all().cloned()).collect(),
            bridges: derived.chain(held).collect(),
            problems: group.problems.clone().into_iter().collect(),
        })
    }

    /// All groups that have members, ordered by id, each with its format and hosts.
    pub fn fleet_groups(&self) -> impl Iterator<Item = FleetGroup> + '_ {
        self.groups.keys().filter_map(|id| self.fleet_group(id))
    }

    /// The same, of one group.
    #[must_use]
    pub fn fleet_group(&self, id: &GroupId) -> Option<FleetGroup> {
        let group = self.groups.get(id)?;
        let record = group.record.as_ref()?;
        let origin = self.origin(id);
        let sends = |proxy: &ProxyId| origin.as_ref().is_some_and(|origin| &origin.proxy == proxy);
        let hosts = group.members.iter().map(|(proxy, members)| GroupHost {
            proxy: proxy.clone(),
            address: self.rdma_ip(proxy).map(|ip| ip.to_string()).unwrap_or_default(),
            source: sends(proxy),
            receivers: members.receivers.len(),
        });
        let hosts: Vec<_> = hosts.collect();
        let program = origin.as_ref().is_some_and(|origin| !origin.ingress);
        Some(FleetGroup {
            id: id.clone(),
            kind: if program { Kind::Source } else { Kind::Receiver },
            config: origin.map_or_else(|| Arc::clone(&record.definition), |origin| origin.config),
            stream: group.stream.clone(),
            hosts,
        })
    }

    /// All bridges, ordered by group.
    pub fn bridges(&self) -> impl Iterator<Item = BridgeView> + '_ {
        let held: BTreeSet<_> = self.proxies.keys().collect();
        let held = held.into_iter().flat_map(|proxy| self.holds.of_proxy(proxy));
        let held = held.map(|spec| BridgeView { spec, held: true });
        let groups = self.groups.values().flat_map(|group| group.bridges.values());
        let derived = groups.flat_map(|bridges| bridges.values());
        derived.map(|spec| BridgeView { spec: Arc::clone(spec), held: false }).chain(held)
    }

    /// Whether a bridge is derived from connections, instead of being held.
    #[must_use]
    pub fn is_needed(&self, spec: &BridgeSpec) -> bool {
        let group = self.groups.get(&spec.group).and_then(|group| group.bridges.get(&spec.proxy));
        group.is_some_and(|bridges| bridges.contains_key(&spec.id))
    }

    /// Time since which a bridge is needed: its source and the first receiver behind it have been
    /// there. `None` if it is not needed.
    #[must_use]
    pub fn needed_since(&self, spec: &BridgeSpec) -> Option<SystemTime> {
        let group = self.groups.get(&spec.group)?;
        let at = |id: &ConnectionId| self.connection(id).map(|it| it.registered_at);
        let source = match &group.record.as_ref()?.source {
            Some(super::Source::Connection(id)) => at(id),
            _ => None,
        };
        let receiving = match (&spec.link, spec.direction) {
            (BridgeLink::Rdma(link), Direction::Egress) => Some(&link.peer),
            (_, Direction::Ingress) => Some(&spec.proxy),
            (BridgeLink::St2110, Direction::Egress) => None,
        };
        let members = receiving.and_then(|proxy| group.members.get(proxy));
        let receivers = members.into_iter().flat_map(|members| &members.receivers);
        let receiver = receivers.filter_map(|(_, id)| at(id)).min();
        source.max(receiver)
    }

    /// The record of a group, its members and grants gone or not: what a store compares with.
    #[must_use]
    pub fn record(&self, id: &GroupId) -> Option<&super::GroupRecord> {
        self.groups.get(id)?.record.as_ref()
    }

    /// The ports that a group has at a proxy.
    #[must_use]
    pub fn grant(&self, group: &GroupId, destination: &ProxyId) -> Option<&super::Grant> {
        self.groups.get(group)?.grants.get(destination)
    }

    /// Numbers of proxies, connections, groups and bridges.
    #[must_use]
    pub fn counts(&self) -> [usize; 4] {
        let bridges = self.groups.values().flat_map(|group| group.bridges.values());
        let bridges = bridges.map(std::collections::BTreeMap::len).sum();
        [self.proxies.len(), self.connections.len(), self.groups.len(), bridges]
    }
}
