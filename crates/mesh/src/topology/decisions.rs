//! Decisions about a group that only one agent may make: its source and its ports.

use super::identifier::{BridgeId, GroupId, ProxyId, StreamId};
use super::model::{Direction, Grant, GroupRecord, SessionKey, Source, bridge_id};
use super::{Decides, Topology};
use config::{ConnectionConfig, Endpoint};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// An open decision, with a proposal that is valid as far as is known here.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// The group's record should become this.
    Record {
        /// The group.
        group: GroupId,
        /// The wanted record.
        record: GroupRecord,
    },
    /// The group has no members: its record should go.
    Forget {
        /// The group.
        group: GroupId,
    },
    /// The group needs ports at a proxy; another grant that it has there is replaced.
    Grant {
        /// The group.
        group: GroupId,
        /// The proxy that receives.
        destination: ProxyId,
        /// The proposal.
        grant: Grant,
    },
    /// The group does not need its ports at a proxy any more.
    Release {
        /// The group.
        group: GroupId,
        /// The proxy that received.
        destination: ProxyId,
    },
}

impl Wish {
    /// The group that it concerns.
    #[must_use]
    pub fn group(&self) -> &GroupId {
        match self {
            Self::Record { group, .. }
            | Self::Forget { group }
            | Self::Grant { group, .. }
            | Self::Release { group, .. } => group,
        }
    }
}

/// Origin of a group's frames.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) proxy: ProxyId,
    pub(super) config: Arc<ConnectionConfig>,
    /// An ST 2110 ingress bridge rather than a program.
    pub(super) ingress: bool,
    pub(super) stream: StreamId,
}

impl Topology {
    /// All open decisions. Empty where decisions are made here. No two of them want the same port.
    pub fn wishes(&mut self) -> Vec<Wish> {
        let groups: Vec<_> = self.wishful.iter().cloned().collect();
        let (mut wishes, mut spoken_for) = (Vec::new(), BTreeSet::new());
        for group in groups {
            let of_group = self.wishes_of(&group, &mut spoken_for);
            if of_group.is_empty() {
                self.wishful.remove(&group);
            }
            wishes.extend(of_group);
        }
        wishes
    }

    /// Whether a decision is still open.
    pub fn still_wishes(&mut self, wish: &Wish) -> bool {
        let now = self.wishes_of(wish.group(), &mut BTreeSet::new());
        now.iter().any(|now| match (now, wish) {
            (
                Wish::Grant { destination, grant, .. },
                Wish::Grant { destination: to, grant: proposal, .. },
            ) => {
                // The port is what this wish proposes, and the store knows whether it is free.
                destination == to
                    && (&grant.source, grant.endpoints) == (&proposal.source, proposal.endpoints)
            }
            _ => now == wish,
        })
    }

    /// Makes the decisions about a group, or notes that some are open.
    pub(super) fn decide(&mut self, group: &GroupId) {
        if self.decides == Decides::Elsewhere {
            if self.wishes_of(group, &mut BTreeSet::new()).is_empty() {
                self.wishful.remove(group);
            } else {
                self.wishful.insert(group.clone());
            }
            return;
        }
        // A record, then grants that follow from it; twice if a port has to be given back before it
        // can be granted.
        loop {
            let wishes = self.wishes_of(group, &mut BTreeSet::new());
            if wishes.is_empty() {
                return;
            }
            for wish in wishes {
                match wish {
                    Wish::Record { group, record } => self.put_record(&group, Some(record)),
                    Wish::Forget { group } => self.put_record(&group, None),
                    Wish::Grant { group, destination, grant } => {
                        self.put_grant(&group, &destination, Some(grant));
                    }
                    Wish::Release { group, destination } => {
                        self.put_grant(&group, &destination, None);
                    }
                }
            }
        }
    }

    /// The group's source, if there still is one.
    pub(super) fn origin(&self, id: &GroupId) -> Option<Origin> {
        self.origin_of(id, self.groups.get(id)?.record.as_ref()?)
    }

    /// The same, if the group had this record.
    pub(super) fn origin_of(&self, id: &GroupId, record: &GroupRecord) -> Option<Origin> {
        let group = self.groups.get(id)?;
        match record.source.as_ref()? {
            Source::Connection(source) => {
                let member = self.connections.get(source).filter(|member| &member.group == id)?;
                let connection = &member.connection;
                (connection.kind == proto::Kind::Source).then(|| Origin {
                    proxy: connection.proxy.clone(),
                    config: Arc::clone(&connection.config),
                    ingress: false,
                    stream: source.as_str().into(),
                })
            }
            Source::Ingress { proxy, config } => group.receives_at(proxy).then(|| Origin {
                proxy: proxy.clone(),
                config: Arc::clone(config),
                ingress: true,
                stream: bridge_id(id, proxy, Direction::Ingress, None).as_str().into(),
            }),
        }
    }

    /// The open decisions about one group. Ports that other decisions want are not proposed, and
    /// proposed ones are added to them.
    fn wishes_of(&mut self, id: &GroupId, spoken_for: &mut BTreeSet<(IpAddr, u16)>) -> Vec<Wish> {
        let Some(group) = self.groups.get(id) else { return Vec::new() };
        let mut wishes = Vec::new();
        let origin = self.origin(id);
        if group.members.is_empty() && group.record.is_some() {
            wishes.push(Wish::Forget { group: id.clone() });
        } else if let (None, Some(record)) = (&origin, &group.record) {
            let source = self.new_ingress(id);
            if record.source != source {
                let record = GroupRecord { source, ..record.clone() };
                wishes.push(Wish::Record { group: id.clone(), record });
                // Ports follow from the source.
                return wishes;
            }
        }
        let Some(group) = self.groups.get(id) else { return wishes };
        for (destination, grant) in &group.grants {
            let wanted = origin.as_ref().is_some_and(|origin| {
                &origin.proxy != destination && group.receives_at(destination)
            });
            if !wanted && !self.is_held(id, &grant.source, destination) {
                let (group, destination) = (id.clone(), destination.clone());
                wishes.push(Wish::Release { group, destination });
            }
        }
        let Some(origin) = origin else { return wishes };
        let mut wanted = Vec::new();
        for destination in group.members.keys() {
            if destination == &origin.proxy || !group.receives_at(destination) {
                continue;
            }
            let endpoints = origin.config.options.rdma.num_endpoints;
            let old = group.grants.get(destination);
            if old.is_some_and(|old| old.source == origin.proxy && old.endpoints == endpoints) {
                continue;
            }
            let claimed = |ip, port| spoken_for.contains(&(ip, port));
            match self.find_port(id, &origin, destination, claimed) {
                Ok((port, key)) => {
                    if let Some(ip) = self.rdma_ip(destination) {
                        let run = 0..u16::from(endpoints);
                        spoken_for.extend(run.filter_map(|i| Some((ip, port.checked_add(i)?))));
                    }
                    wanted.push((destination.clone(), port, endpoints, key));
                }
                Err(_) if old.is_some() => {
                    let (group, destination) = (id.clone(), destination.clone());
                    wishes.push(Wish::Release { group, destination });
                }
                // Shown as a problem of the group.
                Err(_) => {}
            }
        }
        for (destination, port, endpoints, key) in wanted {
            let key = key.unwrap_or_else(|| (self.random)());
            let grant = Grant { source: origin.proxy.clone(), port, endpoints, key };
            wishes.push(Wish::Grant { group: id.clone(), destination, grant });
        }
        wishes
    }

    /// The ingress bridge that should be the source of a group without one.
    fn new_ingress(&self, id: &GroupId) -> Option<Source> {
        let group = self.groups.get(id)?;
        let record = group.record.as_ref()?;
        if !matches!(record.definition.endpoint, Endpoint::St2110(_)) {
            return None;
        }
        // Frames may still come from a source that is only out of touch.
        let held = self.holds.of_group(id).next();
        if let Some(held) = held {
            let proxy = held.source_proxy();
            let runs = group.receives_at(proxy)
                && self.holds.get(id, &bridge_id(id, proxy, Direction::Ingress, None)).is_some();
            return runs.then(|| Source::Ingress {
                proxy: proxy.clone(),
                config: Arc::clone(&held.config),
            });
        }
        let (proxy, receiver) = group.oldest_receiver()?;
        // On the same host the one bridge waits for the other.
        if group.draining.as_ref().is_some_and(|draining| &draining.proxy != proxy) {
            return None;
        }
        let config = Arc::clone(&self.connections.get(receiver)?.connection.config);
        Some(Source::Ingress { proxy: proxy.clone(), config })
    }

    fn is_held(&self, group: &GroupId, source: &ProxyId, destination: &ProxyId) -> bool {
        let (ingress, egress) = link_ids(group, source, destination);
        self.holds.get(group, &ingress).or_else(|| self.holds.get(group, &egress)).is_some()
    }

    /// A free port for the bridge from the source to a proxy, not in `claimed`; the present port
    /// and its key if such a bridge is running.
    pub(super) fn find_port(
        &self,
        group: &GroupId,
        origin: &Origin,
        destination: &ProxyId,
        claimed: impl Fn(IpAddr, u16) -> bool,
    ) -> Result<(u16, Option<SessionKey>), String> {
        let device = |proxy: &ProxyId| {
            let state = self.proxies.get(proxy);
            let state = state.ok_or_else(|| format!("media proxy {proxy} is not registered"))?;
            let rdma = state.proxy.rdma.as_ref();
            rdma.ok_or_else(|| {
                format!("media proxy {proxy} has no address for streams to other proxies")
            })
        };
        device(&origin.proxy)?;
        let device = device(destination)?;
        let endpoints = origin.config.options.rdma.num_endpoints;
        let (ingress, egress) = link_ids(group, &origin.proxy, destination);
        let ip = device.dataplane_ip;
        let free = |port| self.ports.is_free(ip, port, &ingress) && !claimed(ip, port);
        let held = self.holds.get(group, &ingress).or_else(|| self.holds.get(group, &egress));
        if let Some(link) = held.and_then(|hold| hold.spec.rdma())
            && device.ports.contain(link.port, endpoints)
            && (0..u16::from(endpoints)).all(|offset| free(link.port + offset))
        {
            return Ok((link.port, link.session_key));
        }
        match device.ports.lowest_free(endpoints, free) {
            Some(port) => Ok((port, None)),
            None => Err(format!(
                "media proxy {destination} has no {endpoints} free consecutive ports in {}",
                device.ports
            )),
        }
    }
}

/// The ids of the ingress bridge at the destination and the egress bridge at the source.
pub(super) fn link_ids(
    group: &GroupId,
    source: &ProxyId,
    destination: &ProxyId,
) -> (BridgeId, BridgeId) {
    (
        bridge_id(group, destination, Direction::Ingress, Some(source)),
        bridge_id(group, source, Direction::Egress, Some(destination)),
    )
}
