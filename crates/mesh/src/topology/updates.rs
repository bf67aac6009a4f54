//! Unconditional state updates. [`Topology::settle`] recomputes what depends on them.

use super::group::{Draining, Group};
use super::identifier::{BridgeId, ConnectionId, GroupId, ProxyId};
use super::model::{BridgeLink, BridgeSpec, Connection, Direction, Grant, GroupRecord, Proxy};
use super::port_table::Owner;
use super::{Member, ProxyState, Topology};
use config::Endpoint;
use proto::Kind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

impl Topology {
    /// Adds or changes a proxy. It has no lease: see [`Topology::set_lease`].
    pub fn put_proxy(&mut self, proxy: Proxy) {
        let id = proxy.id.clone();
        if let Some(state) = self.proxies.get_mut(&id) {
            state.lease = None;
            let same = state.proxy.rdma == proxy.rdma && state.proxy.extended == proxy.extended;
            if same && state.proxy.st2110 == proxy.st2110 {
                state.proxy = proxy;
                return;
            }
            // Grants for another address, or outside of the ranges, are void.
            self.drop_holds_of(&id);
            let groups = self.groups_of.get(&id).cloned().unwrap_or_default();
            for group in &groups {
                self.put_grant(group, &id, None);
            }
        }
        let state = ProxyState { proxy, generation: 0, lease: None };
        self.proxies.insert(id.clone(), state);
        for group in self.groups_of.get(&id).cloned().unwrap_or_default() {
            self.mark(&group, None);
        }
        self.touch(&id);
    }

    /// Removes a proxy and its connections. If it was lost instead of unregistered, bridges of
    /// other proxies to it are held until `hold`.
    pub fn remove_proxy(&mut self, id: &ProxyId, hold: Option<Instant>) {
        for group in self.groups_of.get(id).cloned().unwrap_or_default() {
            let members = self.groups.get(&group).and_then(|group| group.members.get(id));
            let ids: Vec<_> = members.into_iter().flat_map(|m| m.all().cloned()).collect();
            for id in ids {
                self.remove_connection(&id, hold);
            }
        }
        let granted = self.groups.iter().filter(|(_, group)| group.grants.contains_key(id));
        for group in granted.map(|(group, _)| group.clone()).collect::<Vec<_>>() {
            self.put_grant(&group, id, None);
        }
        self.drop_holds_of(id);
        if self.proxies.remove(id).is_some() {
            self.changed.insert(id.clone());
        }
    }

    /// Adds or changes a connection. The lower `order`, the older it is.
    pub fn put_connection(&mut self, connection: Connection, order: u64) {
        if let Some(old) = self.connections.get(&connection.id) {
            if old.connection == connection && old.order == order {
                return;
            }
            self.remove_connection(&connection.id.clone(), None);
        }
        let group = GroupId::new(connection.config.group_id());
        let (id, proxy) = (connection.id.clone(), connection.proxy.clone());
        let members = self.groups.entry(group.clone()).or_default();
        members.insert(&proxy, connection.kind, order, id.clone());
        self.groups_of.entry(proxy.clone()).or_default().insert(group.clone());
        self.mark(&group, None);
        self.connections.insert(id, Member { connection, group, order });
        self.touch(&proxy);
    }

    /// Removes a connection; `hold` as in [`Topology::remove_proxy`].
    pub fn remove_connection(&mut self, id: &ConnectionId, hold: Option<Instant>) {
        let Some(Member { connection, group, order }) = self.connections.remove(id) else { return };
        let proxy = connection.proxy;
        let members = self.groups.entry(group.clone()).or_default();
        let last = members.remove(&proxy, connection.kind, order, id);
        let sends = connection.kind == Kind::Source;
        if sends && matches!(connection.config.endpoint, Endpoint::St2110(_)) {
            members.draining = Some(Draining { proxy: proxy.clone(), until: None });
        }
        if last && let Some(groups) = self.groups_of.get_mut(&proxy) {
            groups.remove(&group);
            if groups.is_empty() {
                self.groups_of.remove(&proxy);
            }
        }
        if last && hold.is_none() {
            // It was not lost: its connections have ended.
            let held = self.holds.of_group(&group).filter(|spec| spec.proxy == proxy);
            for bridge in held.map(|spec| spec.id.clone()).collect::<Vec<_>>() {
                self.drop_hold(&group, &bridge);
            }
        }
        self.mark(&group, hold);
        self.touch(&proxy);
    }

    /// Sets or clears a group's record.
    pub fn put_record(&mut self, group: &GroupId, record: Option<GroupRecord>) {
        if record.is_none() && !self.groups.contains_key(group) {
            return;
        }
        self.groups.entry(group.clone()).or_default().record = record;
        self.mark(group, None);
    }

    /// Sets or clears a group's port at a proxy.
    pub fn put_grant(&mut self, group: &GroupId, destination: &ProxyId, grant: Option<Grant>) {
        if grant.is_none() && !self.groups.contains_key(group) {
            return;
        }
        let ip = self.rdma_ip(destination);
        let owner = Owner::Grant(group.clone(), destination.clone());
        let entry = self.groups.entry(group.clone()).or_default();
        let old = match &grant {
            Some(grant) => entry.grants.insert(destination.clone(), grant.clone()),
            None => entry.grants.remove(destination),
        };
        if old == grant {
            return;
        }
        if let (Some(ip), Some(old)) = (ip, &old) {
            self.ports.release(ip, old.port, old.endpoints, &owner);
        }
        if let (Some(ip), Some(new)) = (ip, &grant) {
            self.ports.claim(ip, new.port, new.endpoints, &owner);
        }
        self.mark(group, None);
    }

    /// Time until which a proxy is considered alive without a sign of life; `None`: until it is
    /// reported lost.
    pub fn set_lease(&mut self, proxy: &ProxyId, until: Option<Instant>) {
        if let Some(state) = self.proxies.get_mut(proxy) {
            state.lease = until;
        }
    }

    /// Removes proxies whose lease has expired, and bridges and removals whose time is up. Returns
    /// when the next of them is due.
    pub fn advance(&mut self, now: Instant) -> Option<Instant> {
        let due = |state: &ProxyState| state.lease.is_some_and(|lease| lease <= now);
        let lost: Vec<_> =
            self.proxies.iter().filter(|(_, state)| due(state)).map(|(id, _)| id.clone()).collect();
        for proxy in &lost {
            self.remove_proxy(proxy, Some(now + Self::HOLD));
        }
        for (group, bridge) in self.holds.over(now) {
            self.drop_hold(&group, &bridge);
        }
        let removals = self.forget_old_removals(now);
        let drained = self.forget_drained(now);
        self.settle();
        let lease = self.proxies.values().filter_map(|state| state.lease).min();
        lease.into_iter().chain(self.holds.next()).chain(removals).chain(drained).min()
    }

    /// Forgets bridges to the network that have ended by now. Returns when the next one will have.
    fn forget_drained(&mut self, now: Instant) -> Option<Instant> {
        let (mut next, mut over) = (None, Vec::new());
        for (id, group) in &mut self.groups {
            let Some(draining) = &mut group.draining else { continue };
            let until = *draining.until.get_or_insert(now + Self::DRAIN);
            if until <= now {
                group.draining = None;
                over.push(id.clone());
            } else {
                next = Some(next.map_or(until, |next: Instant| next.min(until)));
            }
        }
        over.iter().for_each(|group| self.mark(group, None));
        next
    }

    /// Notes that a proxy runs a bridge. If no known connection needs it, it is held until `until`,
    /// because the connection may not be known yet.
    pub fn hold_running(&mut self, spec: BridgeSpec, until: Instant) {
        let group = self.groups.get(&spec.group);
        let of_proxy = group.and_then(|group| group.bridges.get(&spec.proxy));
        if !of_proxy.is_some_and(|bridges| bridges.contains_key(&spec.id)) {
            let group = spec.group.clone();
            self.add_hold(Arc::new(spec), until);
            self.mark(&group, None);
        }
    }

    /// Notes whether a proxy's bridge carries frames. A held one that does is held until `until`,
    /// one that does not ends at once.
    pub fn report_link(&mut self, proxy: &ProxyId, bridge: &BridgeId, up: bool, until: Instant) {
        let Some(group) = self.holds.find(proxy, bridge).cloned() else { return };
        let Some(spec) = self.holds.get(&group, bridge).map(|hold| Arc::clone(&hold.spec)) else {
            return;
        };
        if up {
            self.add_hold(spec, until);
        } else {
            self.drop_hold(&group, bridge);
        }
        self.settle();
    }

    /// Ends the hold of a bridge.
    pub fn end_hold(&mut self, group: &GroupId, bridge: &BridgeId) {
        self.drop_hold(group, bridge);
        self.settle();
    }

    pub(super) fn add_hold(&mut self, spec: Arc<BridgeSpec>, until: Instant) {
        if !self.proxies.contains_key(&spec.proxy) {
            return;
        }
        if let Some((ip, port, count)) = self.bound_ports(&spec) {
            self.ports.claim(ip, port, count, &Owner::Held(spec.id.clone()));
        }
        let proxy = spec.proxy.clone();
        if self.holds.add(spec, until) {
            self.touch(&proxy);
        }
    }

    pub(super) fn drop_hold(&mut self, group: &GroupId, bridge: &BridgeId) {
        let Some(spec) = self.holds.remove(group, bridge) else { return };
        if let Some((ip, port, count)) = self.bound_ports(&spec) {
            self.ports.release(ip, port, count, &Owner::Held(spec.id.clone()));
        }
        self.mark(group, None);
        self.touch(&spec.proxy.clone());
    }

    fn drop_holds_of(&mut self, proxy: &ProxyId) {
        for spec in self.holds.of_proxy(proxy) {
            self.drop_hold(&spec.group, &spec.id);
        }
    }

    /// The ports that an ingress bridge binds at its proxy.
    fn bound_ports(&self, spec: &BridgeSpec) -> Option<(IpAddr, u16, u8)> {
        match (&spec.link, spec.direction) {
            (BridgeLink::Rdma(link), Direction::Ingress) => {
                let count = spec.config.options.rdma.num_endpoints;
                Some((self.rdma_ip(&spec.proxy)?, link.port, count))
            }
            _ => None,
        }
    }

    pub(super) fn rdma_ip(&self, proxy: &ProxyId) -> Option<IpAddr> {
        Some(self.proxies.get(proxy)?.proxy.rdma.as_ref()?.dataplane_ip)
    }

    /// Recomputes all that depends on changes: makes open decisions, if they are made here, and
    /// derives the bridges.
    pub fn settle(&mut self) {
        while let Some((group, hold)) = self.dirty.pop_first() {
            if hold.is_some() {
                // Decisions depend on what is held.
                self.derive(&group, hold);
            }
            self.decide(&group);
            self.derive(&group, None);
            // The decision has marked the group as changed again.
            self.dirty.remove(&group);
            if self.groups.get(&group).is_some_and(Group::is_nothing) {
                self.groups.remove(&group);
            }
        }
    }
}
