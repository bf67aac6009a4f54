//! Leases of the proxies whose command streams this agent serves.

use super::Etcd;
use crate::{Agent, Store};
use mesh::topology::ProxyId;
use proto::etcd as pb;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tonic::Status;

/// Seconds that a lease lives without its agent: the time for a proxy of a dead agent to find
/// another. etcd accepts no less.
pub(super) const TIME_TO_LIVE: i64 = 2;
const INTERVAL: Duration = Duration::from_millis(500);

/// A proxy that this agent keeps alive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    pub(super) lease: i64,
    /// The revision at which this agent registered it.
    pub(super) revision: i64,
    /// Time at which it is lost; `None` while its command stream is open.
    pub(super) until: Option<Instant>,
}

impl Agent {
    /// Keeps leases alive, for ever.
    pub(crate) async fn keep_leases(self) {
        let Store::Etcd(etcd) = &self.0.store else { return };
        loop {
            if let Err(status) = self.keep_leases_at_one_member(etcd).await {
                log::debug!("store: leases: {}", status.message());
                self.lock().counters.store_errors += 1;
            }
            tokio::time::sleep(INTERVAL / 5).await;
        }
    }

    async fn keep_leases_at_one_member(&self, etcd: &Etcd) -> Result<(), Status> {
        let (ids, mut answers) = etcd.client.keep_alive().await?;
        let member = etcd.client.member();
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                _ = ticks.tick() => {
                    self.let_go(etcd);
                    if etcd.client.member() != member {
                        return Err(Status::unavailable("another member is in use"));
                    }
                    let leases: Vec<_> = etcd.here.lock().values().map(|here| here.lease).collect();
                    if leases.is_empty() {
                        heard = Instant::now();
                    }
                    if heard.elapsed() > 3 * INTERVAL {
                        return Err(Status::unavailable("no answer about leases"));
                    }
                    for id in leases {
                        if ids.try_send(pb::LeaseKeepAliveRequest { id }).is_err() {
                            // The limit of pending requests is reached.
                            break;
                        }
                    }
                }
                answer = answers.message() => {
                    let Some(answer) = answer? else { return Ok(()) };
                    heard = Instant::now();
                    if answer.ttl <= 0 {
                        self.lease_gone(etcd, answer.id);
                    }
                }
            }
        }
    }

    /// Handles an expired lease. A proxy that is still there registers again.
    fn lease_gone(&self, etcd: &Etcd, lease: i64) {
        let gone: Vec<_> = {
            let mut here = etcd.here.lock();
            let gone: Vec<_> = here
                .iter()
                .filter(|(_, here)| here.lease == lease)
                .map(|(id, _)| id.clone())
                .collect();
            for proxy in &gone {
                here.remove(proxy);
            }
            gone
        };
        let mut state = self.lock();
        for proxy in gone {
            log::warn!("media proxy {proxy}: its lease has run out in the store");
            if let Some(session) = state.sessions.remove(&proxy) {
                session.wake.notify_one();
            }
        }
    }

    /// Drops proxies that have not come back in time, unless they have found another agent.
    fn let_go(&self, etcd: &Etcd) {
        let now = Instant::now();
        let lost: BTreeMap<ProxyId, Here> = {
            let mut here = etcd.here.lock();
            let over = |here: &Here| here.until.is_some_and(|until| until <= now);
            let lost: BTreeMap<_, _> =
                here.iter().filter(|(_, h)| over(h)).map(|(id, h)| (id.clone(), *h)).collect();
            here.retain(|_, here| !over(here));
            lost
        };
        for (proxy, here) in lost {
            let known = etcd.revisions.lock().proxies.get(&proxy).copied();
            if known.is_some_and(|(revision, _)| revision == here.revision) {
                log::warn!("media proxy {proxy} lost");
                self.lock().counters.lost_proxies += 1;
                let agent = self.clone();
                tokio::spawn(async move {
                    if let Store::Etcd(etcd) = &agent.0.store
                        && let Err(status) = etcd.client.revoke_lease(here.lease).await
                    {
                        // It runs out by itself.
                        log::debug!("store: {}", status.message());
                    }
                });
            }
        }
    }
}
