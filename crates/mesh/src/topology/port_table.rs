//! Claimed ports and their owners.

use super::identifier::{BridgeId, GroupId, ProxyId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Owner of a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A group, to receive at this proxy.
    Grant(GroupId, ProxyId),
    /// An ingress bridge that is held.
    Held(BridgeId),
}

/// The claimed ports of all addresses. Proxies on one host may share an address, and then its
/// ports.
#[derive(Debug, Default)]
pub(super) struct PortTable(BTreeMap<IpAddr, BTreeMap<u16, BTreeSet<Owner>>>);

impl PortTable {
    pub(super) fn claim(&mut self, ip: IpAddr, first: u16, count: u8, owner: &Owner) {
        let ports = self.0.entry(ip).or_default();
        for port in run(first, count) {
            ports.entry(port).or_default().insert(owner.clone());
        }
    }

    pub(super) fn release(&mut self, ip: IpAddr, first: u16, count: u8, owner: &Owner) {
        let Some(ports) = self.0.get_mut(&ip) else { return };
        for port in run(first, count) {
            if let Some(owners) = ports.get_mut(&port) {
                owners.remove(owner);
                if owners.is_empty() {
                    ports.remove(&port);
                }
            }
        }
        if ports.is_empty() {
            self.0.remove(&ip);
        }
    }

    /// Whether the port is free, or claimed only by the bridge that wants it.
    pub(super) fn is_free(&self, ip: IpAddr, port: u16, wanted_by: &BridgeId) -> bool {
        let owners = self.0.get(&ip).and_then(|ports| ports.get(&port));
        owners.is_none_or(|owners| {
            owners.iter().all(|owner| matches!(owner, Owner::Held(id) if id == wanted_by))
        })
    }

    /// All grants with their ports, for checks.
    #[cfg(test)]
    pub(super) fn grants(&self) -> impl Iterator<Item = (IpAddr, u16, &BTreeSet<Owner>)> {
        self.0
            .iter()
            .flat_map(|(ip, ports)| ports.iter().map(|(port, owners)| (*ip, *port, owners)))
    }
}

fn run(first: u16, count: u8) -> impl Iterator<Item = u16> {
    (0..u16::from(count)).filter_map(move |offset| first.checked_add(offset))
}
