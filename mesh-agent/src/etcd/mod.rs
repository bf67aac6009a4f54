//! The state of a fleet in etcd, which any number of agents share.
//!
//! Each agent mirrors all keys into its [`Topology`](mesh::topology::Topology) and tells its
//! proxies what follows. A group's source and ports are decided by transactions that compare the
//! agent's view with the store, so that only one agent decides. A proxy's keys are bound to its
//! lease, which the agent that serves its command stream keeps alive.

mod address;
mod client;
mod decide;
mod keys;
mod leases;
mod mirror;
mod requests;
mod transaction;

pub use address::StoreAddress;

use client::Client;
use daemon::TlsFiles;
use keys::Keys;
use leases::Here;
use mesh::AgentError;
use mesh::topology::{GroupId, ProxyId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Longest wait of a request for the mirror to catch up with its changes.
const CATCH_UP: Duration = Duration::from_secs(1);

/// The store, as one agent uses it.
pub(super) struct Etcd {
    client: Client,
    keys: Keys,
    revisions: Mutex<Revisions>,
    /// The store's revision that the mirror shows; 0 while it shows nothing certain.
    mirrored: watch::Sender<i64>,
    /// Proxies that this agent keeps alive.
    here: Mutex<BTreeMap<ProxyId, Here>>,
    /// There may be something to decide.
    undecided: Notify,
}

/// Revisions that transactions compare with.
#[derive(Default)]
pub(super) struct Revisions {
    /// Revision of the last change, and lease.
    proxies: BTreeMap<ProxyId, (i64, i64)>,
    groups: BTreeMap<GroupId, i64>,
    grants: BTreeMap<(GroupId, ProxyId), i64>,
}

impl Etcd {
    pub(super) fn new(address: StoreAddress, tls: Option<&TlsFiles>) -> Result<Self, AgentError> {
        Ok(Self {
            client: Client::new(&address, tls)?,
            keys: Keys::new(address.prefix()),
            revisions: Mutex::default(),
            mirrored: watch::Sender::new(0),
            here: Mutex::default(),
            undecided: Notify::new(),
        })
    }

    /// Whether the mirror is up to date, as far as that can be known.
    pub(super) fn is_reachable(&self) -> bool {
        *self.mirrored.borrow() > 0
    }

    /// Waits for a while until the mirror shows a revision.
    async fn caught_up(&self, revision: i64, time: Duration) -> bool {
        let mut mirrored = self.mirrored.subscribe();
        let wait = mirrored.wait_for(|shown| *shown >= revision);
        matches!(tokio::time::timeout(time, wait).await, Ok(Ok(_)))
    }

    /// A proxy is here, until then if that is given.
    pub(super) fn proxy_is_here(&self, proxy: &ProxyId, until: Option<Instant>) {
        if let Some(here) = self.here.lock().get_mut(proxy) {
            here.until = until;
        }
    }

    fn is_here(&self, proxy: &ProxyId) -> bool {
        self.here.lock().contains_key(proxy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_has_a_majority_again_is_found_within_three_seconds() {
        // Two of three are enough: a call that has just begun fails, and then one to the member
        // that stays away.
        assert!((client::CALL_TIMEOUT + mirror::PAUSE) * 2 < Duration::from_secs(3));
    }
}
