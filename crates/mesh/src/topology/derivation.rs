//! The bridges that follow from a group's members, source and ports.

use super::Topology;
use super::decisions::{Origin, link_ids};
use super::group::Bridges;
use super::identifier::{BridgeId, GroupId, ProxyId};
use super::model::{BridgeLink, BridgeSpec, Direction, RdmaLink, bridge_id};
use config::Endpoint;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

/// Derived state of each proxy.
#[derive(Default)]
struct Plan {
    bridges: BTreeMap<ProxyId, Bridges>,
    problems: BTreeMap<ProxyId, String>,
    /// A port is still to be decided.
    pending: bool,
}

/// Why a proxy gets no bridge.
enum Missing {
    /// It will have one as soon as its port is decided.
    Port(String),
    Possibility(String),
}

impl From<String> for Missing {
    fn from(why: String) -> Self {
        Self::Possibility(why)
    }
}

impl Plan {
    fn add(&mut self, spec: BridgeSpec) {
        self.bridges.entry(spec.proxy.clone()).or_default().insert(spec.id.clone(), Arc::new(spec));
    }
}

impl Topology {
    /// Derives a group's bridges again. Those that are no longer needed are held until `hold`.
    pub(super) fn derive(&mut self, id: &GroupId, hold: Option<Instant>) {
        let origin = self.origin(id);
        let mut plan = origin.as_ref().map(|origin| self.plan(id, origin)).unwrap_or_default();
        let Some(group) = self.groups.get_mut(id) else { return };
        let old = std::mem::take(&mut group.bridges);
        // A bridge that stays as it was stays the same object.
        for (proxy, bridges) in &mut plan.bridges {
            for (bridge, spec) in bridges {
                if let Some(same) =
                    old.get(proxy).and_then(|old| old.get(bridge)).filter(|s| *s == spec)
                {
                    *spec = Arc::clone(same);
                }
            }
        }
        group.bridges.clone_from(&plan.bridges);
        group.problems = plan.problems;
        let pending_at = origin.as_ref().filter(|_| plan.pending).map(|it| it.proxy.clone());
        let was_pending = std::mem::replace(&mut group.pending_at, pending_at.clone());
        let proxies: BTreeSet<_> = old.keys().chain(plan.bridges.keys()).cloned().collect();
        if was_pending != pending_at {
            was_pending.iter().chain(&pending_at).for_each(|proxy| self.touch(proxy));
        }
        let Some(group) = self.groups.get_mut(id) else { return };
        let stream = origin.as_ref().map(|origin| origin.stream.clone());
        if stream.is_some() && stream != group.stream {
            group.stream = stream;
            let members: Vec<_> = group.members.keys().cloned().collect();
            members.iter().for_each(|proxy| self.touch(proxy));
        }
        for proxy in proxies {
            let (before, after) = (old.get(&proxy), plan.bridges.get(&proxy));
            if before == after {
                continue;
            }
            self.touch(&proxy);
            let gone = before.into_iter().flatten();
            for (bridge, spec) in
                gone.filter(|(bridge, _)| !after.is_some_and(|a| a.contains_key(*bridge)))
            {
                if let Some(until) = hold
                    && self.may_go_on(spec, origin.as_ref())
                {
                    log::debug!("bridge {bridge} of group {id} goes on for a while");
                    self.add_hold(Arc::clone(spec), until);
                }
            }
        }
        let held: Vec<_> = self.holds.of_group(id).cloned().collect();
        for spec in held {
            let planned = plan.bridges.get(&spec.proxy).is_some_and(|b| b.contains_key(&spec.id));
            if planned || !self.may_go_on(&spec, origin.as_ref()) || self.in_the_way(&spec) {
                self.drop_hold(id, &spec.id);
            }
        }
    }

    /// Whether a bridge that no connection needs may stay: the group has no other source.
    fn may_go_on(&self, spec: &BridgeSpec, origin: Option<&Origin>) -> bool {
        origin.is_none_or(|origin| &origin.proxy == spec.source_proxy())
    }

    /// Whether a bridge that is needed sends to where this one sends: the lost proxy has a
    /// successor.
    fn in_the_way(&self, spec: &BridgeSpec) -> bool {
        let (Some(link), Direction::Egress) = (spec.rdma(), spec.direction) else { return false };
        let group = self.groups.get(&spec.group).and_then(|group| group.bridges.get(&spec.proxy));
        let mut needed = group.into_iter().flat_map(|bridges| bridges.values());
        needed.any(|other| {
            let other = other.rdma().filter(|_| other.direction == Direction::Egress);
            other.is_some_and(|other| (other.remote_ip, other.port) == (link.remote_ip, link.port))
        })
    }

    fn plan(&self, id: &GroupId, origin: &Origin) -> Plan {
        let mut plan = Plan::default();
        let Some(group) = self.groups.get(id) else { return plan };
        if matches!(origin.config.endpoint, Endpoint::St2110(_)) {
            let direction = if origin.ingress { Direction::Ingress } else { Direction::Egress };
            plan.add(BridgeSpec {
                id: bridge_id(id, &origin.proxy, direction, None),
                group: id.clone(),
                proxy: origin.proxy.clone(),
                direction,
                config: Arc::clone(&origin.config),
                link: BridgeLink::St2110,
            });
        }
        let destinations = group
            .members
            .keys()
            .filter(|proxy| **proxy != origin.proxy && group.receives_at(proxy));
        for destination in destinations {
            match self.link(id, origin, destination) {
                Ok([egress, ingress]) => {
                    plan.add(egress);
                    plan.add(ingress);
                }
                Err(Missing::Port(problem)) => {
                    plan.pending = true;
                    plan.problems.insert(destination.clone(), problem);
                }
                Err(Missing::Possibility(problem)) => {
                    plan.problems.insert(destination.clone(), problem);
                }
            }
        }
        plan
    }

    /// The two bridges from the source to a proxy.
    fn link(
        &self,
        id: &GroupId,
        origin: &Origin,
        to: &ProxyId,
    ) -> Result<[BridgeSpec; 2], Missing> {
        let endpoints = origin.config.options.rdma.num_endpoints;
        let grant = self.groups.get(id).and_then(|group| group.grants.get(to));
        let grant = grant.filter(|g| g.source == origin.proxy && g.endpoints == endpoints);
        let Some(grant) = grant else {
            self.find_port(id, origin, to, |_, _| false)?;
            return Err(Missing::Port(format!("a port at media proxy {to} is being allocated")));
        };
        let gone = |proxy: &ProxyId| format!("media proxy {proxy} has no address for streams");
        let source_ip = self.rdma_ip(&origin.proxy).ok_or_else(|| gone(&origin.proxy))?;
        let ip = self.rdma_ip(to).ok_or_else(|| gone(to))?;
        let extended = [&origin.proxy, to]
            .into_iter()
            .all(|proxy| self.proxies.get(proxy).is_some_and(|state| state.proxy.extended));
        let (ingress, egress) = link_ids(id, &origin.proxy, to);
        let spec =
            |bridge: BridgeId, proxy: &ProxyId, direction, peer: &ProxyId, remote_ip| BridgeSpec {
                id: bridge,
                group: id.clone(),
                proxy: proxy.clone(),
                direction,
                config: Arc::clone(&origin.config),
                link: BridgeLink::Rdma(RdmaLink {
                    peer: peer.clone(),
                    remote_ip,
                    port: grant.port,
                    session_key: extended.then_some(grant.key),
                }),
            };
        Ok([
            spec(egress, &origin.proxy, Direction::Egress, to, ip),
            spec(ingress, to, Direction::Ingress, &origin.proxy, source_ip),
        ])
    }
}
