//! Bridges that stay up for a while although no known connection needs them.
//!
//! The proxy of the other end may only have lost its agent, or the agent has just started and does
//! not know all proxies yet. Frames flow on meanwhile.

use super::identifier::{BridgeId, GroupId, ProxyId};
use super::model::BridgeSpec;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

#[derive(Clone, Debug)]
pub(super) struct Hold {
    pub(super) spec: Arc<BridgeSpec>,
    pub(super) until: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Holds {
    by_group: BTreeMap<GroupId, BTreeMap<BridgeId, Hold>>,
    /// The proxy's bridges, with their groups.
    by_proxy: BTreeMap<ProxyId, BTreeMap<BridgeId, GroupId>>,
}

impl Holds {
    /// Adds a bridge, or extends its time. Returns whether it is new.
    pub(super) fn add(&mut self, spec: Arc<BridgeSpec>, until: Instant) -> bool {
        let id = spec.id.clone();
        self.by_proxy.entry(spec.proxy.clone()).or_default().insert(id.clone(), spec.group.clone());
        let group = self.by_group.entry(spec.group.clone()).or_default();
        group.insert(id, Hold { spec, until }).is_none()
    }

    pub(super) fn remove(&mut self, group: &GroupId, id: &BridgeId) -> Option<Arc<BridgeSpec>> {
        let members = self.by_group.get_mut(group)?;
        let hold = members.remove(id)?;
        if members.is_empty() {
            self.by_group.remove(group);
        }
        if let Some(bridges) = self.by_proxy.get_mut(&hold.spec.proxy) {
            bridges.remove(id);
            if bridges.is_empty() {
                self.by_proxy.remove(&hold.spec.proxy);
            }
        }
        Some(hold.spec)
    }

    pub(super) fn get(&self, group: &GroupId, id: &BridgeId) -> Option<&Hold> {
        self.by_group.get(group)?.get(id)
    }

    pub(super) fn of_group(&self, group: &GroupId) -> impl Iterator<Item = &Arc<BridgeSpec>> {
        self.by_group.get(group).into_iter().flat_map(|held| held.values().map(|hold| &hold.spec))
    }

    /// The bridges of a proxy, ordered by group and id.
    pub(super) fn of_proxy(&self, proxy: &ProxyId) -> Vec<Arc<BridgeSpec>> {
        let bridges = self.by_proxy.get(proxy).into_iter().flatten();
        let mut specs: Vec<_> = bridges
            .filter_map(|(id, group)| self.get(group, id))
            .map(|hold| Arc::clone(&hold.spec))
            .collect();
        specs.sort_by(|a, b| (&a.group, &a.id).cmp(&(&b.group, &b.id)));
        specs
    }

    /// The group of a held bridge of a proxy.
    pub(super) fn find(&self, proxy: &ProxyId, id: &BridgeId) -> Option<&GroupId> {
        self.by_proxy.get(proxy)?.get(id)
    }

    /// Those whose time is over.
    pub(super) fn over(&self, now: Instant) -> Vec<(GroupId, BridgeId)> {
        let all =
            self.by_group.iter().flat_map(|(group, held)| held.iter().map(move |h| (group, h)));
        all.filter(|(_, (_, hold))| hold.until <= now)
            .map(|(group, (id, _))| (group.clone(), id.clone()))
            .collect()
    }

    /// Time at which the next hold expires.
    pub(super) fn next(&self) -> Option<Instant> {
        self.by_group.values().flat_map(|held| held.values().map(|hold| hold.until)).min()
    }
}
