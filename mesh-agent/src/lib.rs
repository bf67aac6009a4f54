//! The agent: its services, independent of where the state is kept.

mod calls;
mod etcd;
pub mod proxy_service;
pub mod rest;
pub mod server;
mod session;

pub use etcd::StoreAddress;
pub use session::Outcome;

use daemon::TlsFiles;
use etcd::Etcd;
use mesh::AgentError;
use mesh::metrics::Metrics;
use mesh::topology::{Decides, ProxyId, SessionKey, Topology};
use parking_lot::{Mutex, MutexGuard};
use session::Session;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Time for a proxy whose command stream has ended to come back before it is lost.
const GRACE: Duration = Duration::from_secs(1);
/// Time for a proxy to open its command stream after its registration.
const REGISTERED: Duration = Duration::from_secs(3);

/// An agent. Cheap to share.
#[derive(Clone)]
pub struct Agent(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    store: Store,
    /// Wakes the timer after a change that may be due sooner.
    due: Notify,
}

/// Storage of the state.
enum Store {
    /// Here alone.
    Memory,
    /// In etcd; the topology here mirrors it.
    Etcd(Box<Etcd>),
}

/// The agent's state.
pub(crate) struct State {
    pub(crate) topology: Topology,
    pub(crate) metrics: Metrics,
    pub(crate) sessions: BTreeMap<ProxyId, Session>,
    pub(crate) counters: Counters,
    /// Addresses of the proxies.
    pub(crate) addresses: BTreeMap<ProxyId, IpAddr>,
    next_session: u64,
}

/// Counters since the agent's start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    /// Calls of proxies that were answered with an error.
    pub(crate) failed_calls: u64,
    pub(crate) registrations: u64,
    pub(crate) refusals: u64,
    pub(crate) applied: u64,
    pub(crate) apply_errors: u64,
    pub(crate) lost_proxies: u64,
    pub(crate) store_errors: u64,
}

impl State {
    /// Notes a proxy's address, and forgets those of proxies that are gone.
    pub(crate) fn note_address(&mut self, proxy: &ProxyId, from: Option<IpAddr>) {
        if let Some(ip) = from {
            self.addresses.insert(proxy.clone(), ip.to_canonical());
        }
        if self.addresses.len() > 2 * self.topology.counts()[0] + 100 {
            let topology = &self.topology;
            self.addresses.retain(|known, _| known == proxy || topology.proxy(known).is_some());
        }
    }
}

impl Agent {
    /// An agent that keeps its state in memory. Must be called within a tokio runtime.
    #[must_use]
    pub fn in_memory() -> Self {
        let agent = Self::new(Store::Memory, Decides::Here);
        tokio::spawn(agent.clone().watch_due());
        agent
    }

    /// An agent of many, whose common state is in etcd. Must be called within a tokio runtime. It
    /// starts at once; while the store cannot be reached, registrations fail with a reason.
    ///
    /// # Errors
    /// Credentials that cannot be used.
    pub fn on_etcd(address: StoreAddress, tls: Option<&TlsFiles>) -> Result<Self, AgentError> {
        let agent = Self::new(Store::Etcd(Box::new(Etcd::new(address, tls)?)), Decides::Elsewhere);
        tokio::spawn(agent.clone().watch_due());
        tokio::spawn(agent.clone().mirror());
        Ok(agent)
    }

    fn new(store: Store, decides: Decides) -> Self {
        let state = State {
            topology: Topology::new(decides, SessionKey::random),
            metrics: Metrics::default(),
            sessions: BTreeMap::new(),
            counters: Counters::default(),
            addresses: BTreeMap::new(),
            next_session: 0,
        };
        Self(Arc::new(Inner { state: Mutex::new(state), store, due: Notify::new() }))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock()
    }

    /// Whether the store answers.
    #[must_use]
    pub fn store_is_reachable(&self) -> bool {
        match &self.0.store {
            Store::Memory => true,
            Store::Etcd(etcd) => etcd.is_reachable(),
        }
    }

    /// Sends the proxies their changed desired states. Call it after each change, under the lock.
    pub(crate) fn publish(&self, state: &mut State) {
        for proxy in state.topology.take_changed() {
            if let Some(session) = state.sessions.get(&proxy) {
                session.wake.notify_one();
            }
        }
        self.0.due.notify_one();
    }

    /// Removes what is due, for ever.
    async fn watch_due(self) {
        loop {
            let next = {
                let mut state = self.lock();
                let before = state.topology.counts()[0];
                let next = state.topology.advance(Instant::now());
                let lost = before - state.topology.counts()[0];
                if lost > 0 {
                    log::warn!("{lost} media proxies lost");
                    state.counters.lost_proxies += lost as u64;
                }
                for proxy in state.topology.take_changed() {
                    if let Some(session) = state.sessions.get(&proxy) {
                        session.wake.notify_one();
                    }
                }
                next
            };
            let next = next.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => {}
                () = self.0.due.notified() => {}
            }
        }
    }
}
