//! Decisions that only one agent may make. Each is a transaction; an agent that comes second finds
//! the decision made.

use super::mirror::{grant_value, group_value};
use super::transaction::Transaction;
use super::{CATCH_UP, Etcd};
use crate::{Agent, Store};
use mesh::topology::{Grant, GroupId, ProxyId, Source, Wish};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Time for which a decision about another agent's proxy is left to that agent.
const DEFERENCE: Duration = Duration::from_millis(300);
/// Number of concurrent decisions.
const AT_A_TIME: usize = 32;

impl Agent {
    /// Decides, for ever.
    pub(super) async fn decide(self) {
        let Store::Etcd(etcd) = &self.0.store else { return };
        // Since when something has waited.
        let mut waiting: BTreeMap<(GroupId, Option<ProxyId>), Instant> = BTreeMap::new();
        loop {
            let nothing = waiting.is_empty();
            tokio::select! {
                () = etcd.undecided.notified() => {}
                () = tokio::time::sleep(DEFERENCE), if !nothing => {}
            }
            if !etcd.is_reachable() {
                continue;
            }
            let wishes = self.lock().topology.wishes();
            let now = Instant::now();
            let mut still = BTreeSet::new();
            let (mut tasks, room) = (JoinSet::new(), Arc::new(Semaphore::new(AT_A_TIME)));
            for wish in wishes {
                let concern = concern(&wish);
                let key = (wish.group().clone(), concern.clone());
                still.insert(key.clone());
                let since = *waiting.entry(key).or_insert(now);
                let ours = concern.is_none_or(|proxy| etcd.is_here(&proxy));
                if !ours && now - since < DEFERENCE {
                    continue;
                }
                let (agent, room) = (self.clone(), Arc::clone(&room));
                tasks.spawn(async move {
                    // The semaphore is never closed.
                    let _place = room.acquire_owned().await;
                    agent.carry_out(wish).await
                });
            }
            waiting.retain(|key, _| still.contains(key));
            let mut latest = 0;
            while let Some(done) = tasks.join_next().await {
                latest = latest.max(done.unwrap_or(0));
            }
            // A fulfilled wish disappears once the mirror sees it.
            let _shown = etcd.caught_up(latest, CATCH_UP).await;
        }
    }

    /// Tries to carry out a decision. Returns the store's revision after it.
    async fn carry_out(&self, wish: Wish) -> i64 {
        let Store::Etcd(etcd) = &self.0.store else { return 0 };
        let Some(transaction) = self.deciding(etcd, &wish) else { return 0 };
        match etcd.client.transact(transaction.request()).await {
            Ok(answer) => answer.header.map_or(0, |header| header.revision),
            Err(status) => {
                log::debug!("store: {}", status.message());
                self.lock().counters.store_errors += 1;
                0
            }
        }
    }

    /// The transaction for a decision; `None` if things have changed since.
    fn deciding(&self, etcd: &Etcd, wish: &Wish) -> Option<Transaction> {
        let mut state = self.lock();
        // Another agent may have been faster: what it has decided stays.
        if !state.topology.still_wishes(wish) {
            return None;
        }
        let revisions = etcd.revisions.lock();
        let keys = &etcd.keys;
        let start = Transaction::default();
        Some(match wish {
            Wish::Record { group, record } => {
                let revision = revisions.groups.get(group).copied().unwrap_or(0);
                let mut transaction = start.unchanged(&keys.group(group), revision);
                if let Some(Source::Ingress { proxy, .. }) = &record.source {
                    transaction = transaction.exists(&keys.proxy(proxy));
                }
                transaction.put(&keys.group(group), group_value(record), 0)
            }
            Wish::Forget { group } => {
                let revision = revisions.groups.get(group).copied()?;
                start
                    .unchanged(&keys.group(group), revision)
                    .none_but(&keys.connections(group), None)
                    .delete(&keys.group(group))
            }
            Wish::Grant { group, destination, grant } => {
                let (_, lease) = revisions.proxies.get(destination).copied()?;
                let key = keys.grant(group, destination);
                let revision = revisions.grants.get(&(group.clone(), destination.clone()));
                let ip = state.topology.proxy(destination)?.0.rdma.as_ref()?.dataplane_ip;
                let old = state.topology.grant(group, destination).map(ports).unwrap_or_default();
                let new = ports(grant);
                let mut transaction = start
                    .unchanged(&key, revision.copied().unwrap_or(0))
                    .leased(&keys.proxy(destination), lease);
                for port in new.difference(&old) {
                    transaction = transaction.absent(&keys.port(ip, *port));
                }
                for port in old.difference(&new) {
                    transaction = transaction.delete(&keys.port(ip, *port));
                }
                for port in &new {
                    let value = key.clone().into_bytes();
                    transaction = transaction.put(&keys.port(ip, *port), value, lease);
                }
                transaction.put(&key, grant_value(grant), lease)
            }
            Wish::Release { group, destination } => {
                let key = keys.grant(group, destination);
                let revision =
                    revisions.grants.get(&(group.clone(), destination.clone())).copied()?;
                let ip = state.topology.proxy(destination)?.0.rdma.as_ref()?.dataplane_ip;
                let old = state.topology.grant(group, destination).map(ports).unwrap_or_default();
                let start = start.unchanged(&key, revision).delete(&key);
                old.iter().fold(start, |all, port| all.delete(&keys.port(ip, *port)))
            }
        })
    }
}

/// The proxy whose agent should decide.
fn concern(wish: &Wish) -> Option<ProxyId> {
    match wish {
        Wish::Record { record, .. } => match &record.source {
            Some(Source::Ingress { proxy, .. }) => Some(proxy.clone()),
            _ => None,
        },
        Wish::Forget { .. } => None,
        Wish::Grant { destination, .. } | Wish::Release { destination, .. } => {
            Some(destination.clone())
        }
    }
}

fn ports(grant: &Grant) -> BTreeSet<u16> {
    (0..u16::from(grant.endpoints)).filter_map(|offset| grant.port.checked_add(offset)).collect()
}
