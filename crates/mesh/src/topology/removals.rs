//! Connections that an administrator has removed.
//!
//! A proxy that had lost its agent would register them again. So the agent remembers each removal,
//! whether the proxy is connected or not, until the proxy reports that the connection has ended.

use super::Topology;
use super::identifier::{ConnectionId, ProxyId};
use std::collections::BTreeMap;
use std::time::Instant;

/// All removals with the time at which each is forgotten; `None`: when the proxy confirms it.
#[derive(Debug, Default)]
pub(super) struct Removals(BTreeMap<ProxyId, BTreeMap<ConnectionId, Option<Instant>>>);

impl Removals {
    pub(super) fn of_proxy(&self, proxy: &ProxyId) -> impl Iterator<Item = &ConnectionId> {
        self.0.get(proxy).into_iter().flat_map(BTreeMap::keys)
    }

    fn contain(&self, proxy: &ProxyId, connection: &ConnectionId) -> bool {
        self.0.get(proxy).is_some_and(|all| all.contains_key(connection))
    }

    /// Adds one. Returns whether it is new.
    fn add(&mut self, proxy: &ProxyId, connection: &ConnectionId, until: Option<Instant>) -> bool {
        let all = self.0.entry(proxy.clone()).or_default();
        all.insert(connection.clone(), until).is_none()
    }

    /// Removes one. Returns whether it was there.
    fn take(&mut self, proxy: &ProxyId, connection: &ConnectionId) -> bool {
        let Some(all) = self.0.get_mut(proxy) else { return false };
        let found = all.remove(connection).is_some();
        if all.is_empty() {
            self.0.remove(proxy);
        }
        found
    }

    fn over(&self, now: Instant) -> Vec<(ProxyId, ConnectionId)> {
        let all = self.0.iter().flat_map(|(proxy, all)| all.iter().map(move |one| (proxy, one)));
        all.filter(|(_, (_, until))| until.is_some_and(|until| until <= now))
            .map(|(proxy, (connection, _))| (proxy.clone(), connection.clone()))
            .collect()
    }

    fn next(&self) -> Option<Instant> {
        self.0.values().flat_map(BTreeMap::values).filter_map(|until| *until).min()
    }
}

impl Topology {
    /// Notes that an administrator has removed a connection of a proxy; it is refused until
    /// `until`, or until [`Topology::forget_removed`].
    pub fn put_removed(
        &mut self,
        proxy: &ProxyId,
        connection: &ConnectionId,
        until: Option<Instant>,
    ) {
        if self.removals.add(proxy, connection, until) {
            self.touch(proxy);
        }
    }

    /// Notes that a removed connection has ended. Returns whether there was one.
    pub fn forget_removed(&mut self, proxy: &ProxyId, connection: &ConnectionId) -> bool {
        let found = self.removals.take(proxy, connection);
        if found {
            self.touch(proxy);
        }
        found
    }

    /// Whether an administrator has removed this connection.
    #[must_use]
    pub fn is_removed(&self, proxy: &ProxyId, connection: &ConnectionId) -> bool {
        self.removals.contain(proxy, connection)
    }

    /// All connections that were removed, with their proxies.
    pub fn removed(&self) -> impl Iterator<Item = (&ProxyId, &ConnectionId)> {
        self.removals.0.iter().flat_map(|(proxy, all)| all.keys().map(move |one| (proxy, one)))
    }

    /// Forgets removals whose time is up. Returns when the next one is due.
    pub(super) fn forget_old_removals(&mut self, now: Instant) -> Option<Instant> {
        for (proxy, connection) in self.removals.over(now) {
            self.forget_removed(&proxy, &connection);
        }
        self.removals.next()
    }
}
