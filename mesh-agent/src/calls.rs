//! Requests of proxies and operators, with the state in memory or in etcd.

use super::{Agent, REGISTERED, Store};
use daemon::rate_limited_log::RateLimitedLog;
use mesh::AgentError;
use mesh::metrics::Metric;
use mesh::topology::{
    BridgeId, BridgeSpec, Connection, ConnectionId, FleetGroup, GroupId, Proxy, ProxyId, Topology,
};
use mesh::wire;
use proto::mediaproxy as pb;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Instant, SystemTime};

/// A registration of a proxy, with its connections and bridges.
pub(crate) struct Arrival {
    pub(crate) proxy: Proxy,
    /// Its address.
    pub(crate) from: Option<IpAddr>,
    /// All of its connections; `None` from an older proxy, which does not list them.
    pub(crate) connections: Option<Vec<Connection>>,
    pub(crate) running: Vec<BridgeSpec>,
}

/// Refusals, which a proxy can cause as often as it likes.
static REFUSED: RateLimitedLog = RateLimitedLog::new();
/// Refused connections of one registration that the log names.
const LOGGED: usize = 3;

/// Connections of an arrival that were refused, and why.
pub(crate) type Refused = Vec<(ConnectionId, AgentError)>;

impl Agent {
    /// A proxy registers.
    pub(crate) async fn register_proxy(
        &self,
        request: &pb::RegisterMediaProxyRequest,
        from: Option<IpAddr>,
    ) -> Result<(ProxyId, Refused), AgentError> {
        let extension = request.extension.as_ref();
        let id = match extension.map(|extension| extension.proxy_id.as_str()) {
            Some(id) if !id.is_empty() => wire::identifier("proxyId", id)?.into(),
            _ => ProxyId::new(media::random::identifier()),
        };
        let proxy = wire::proxy(id.clone(), request, SystemTime::now())?;
        let mut refused = Vec::new();
        let mut running = Vec::new();
        let mut connections = None;
        if let Some(extension) = extension {
            for message in &extension.running {
                match wire::bridge(&id, message, None) {
                    Ok(spec) => running.push(spec),
                    Err(error) => {
                        REFUSED.warn(&format!("media proxy {id}: running bridge: {error}"));
                    }
                }
            }
            let all = connections.insert(Vec::with_capacity(extension.connections.len()));
            for request in &extension.connections {
                let request =
                    pb::RegisterConnectionRequest { proxy_id: id.to_string(), ..request.clone() };
                match self.read_connection(&request) {
                    Ok(connection) => all.push(connection),
                    Err(error) => refused.push((request.conn_id.as_str().into(), error)),
                }
            }
        }
        let arrival = Arrival { proxy, from, connections, running };
        refused.extend(match &self.0.store {
            Store::Memory => self.arrive(arrival),
            Store::Etcd(_) => self.arrive_in_store(arrival).await?,
        });
        let mut state = self.lock();
        state.counters.registrations += 1;
        state.counters.refusals += refused.len() as u64;
        self.expect_within(&mut state, &id, REGISTERED);
        log::info!("media proxy {id} registered");
        for (connection, error) in refused.iter().take(LOGGED) {
            REFUSED.warn(&format!("connection {connection} of media proxy {id} refused: {error}"));
        }
        if refused.len() > LOGGED {
            let more = refused.len() - LOGGED;
            REFUSED.warn(&format!("{more} more connections of media proxy {id} refused"));
        }
        Ok((id, refused))
    }

    fn arrive(&self, arrival: Arrival) -> Refused {
        let Arrival { proxy, from, connections, running } = arrival;
        let (id, mut refused) = (proxy.id.clone(), Vec::new());
        let mut state = self.lock();
        state.note_address(&id, from);
        state.topology.register_proxy(proxy, running, Instant::now());
        if let Some(connections) = connections {
            for gone in superfluous(&state.topology, &id, &connections) {
                state.topology.remove_connection(&gone, None);
            }
            state.topology.settle();
            for connection in connections {
                let id = connection.id.clone();
                if let Err(error) = state.topology.register_connection(connection) {
                    refused.push((id, error));
                }
            }
        }
        self.publish(&mut state);
        refused
    }

    fn read_connection(
        &self,
        request: &pb::RegisterConnectionRequest,
    ) -> Result<Connection, AgentError> {
        let id = if request.conn_id.is_empty() {
            ConnectionId::new(media::random::identifier())
        } else {
            wire::identifier("connId", &request.conn_id)?.into()
        };
        let known = self.lock().topology.connection(&id).map(|known| known.registered_at);
        wire::connection(id, request, known.unwrap_or_else(SystemTime::now))
    }

    /// A connection registers.
    pub(crate) async fn register_connection(
        &self,
        request: &pb::RegisterConnectionRequest,
    ) -> Result<ConnectionId, AgentError> {
        let result = match self.read_connection(request) {
            Ok(connection) => self.add_connection(connection).await,
            Err(error) => Err(error),
        };
        let mut state = self.lock();
        state.counters.registrations += 1;
        if let Err(error) = &result {
            state.counters.refusals += 1;
            REFUSED.warn(&format!("media proxy {}: {error}", request.proxy_id.escape_debug()));
        }
        result
    }

    async fn add_connection(&self, connection: Connection) -> Result<ConnectionId, AgentError> {
        let id = connection.id.clone();
        match &self.0.store {
            Store::Memory => {
                let mut state = self.lock();
                state.topology.register_connection(connection)?;
                self.publish(&mut state);
            }
            Store::Etcd(_) => self.connect_in_store(connection).await?,
        }
        Ok(id)
    }

    /// A connection goes.
    pub(crate) async fn unregister_connection(
        &self,
        proxy: &ProxyId,
        id: &ConnectionId,
    ) -> Result<(), AgentError> {
        match &self.0.store {
            Store::Memory => {
                let mut state = self.lock();
                state.topology.unregister_connection(proxy, id)?;
                self.publish(&mut state);
            }
            Store::Etcd(_) => self.disconnect_in_store(proxy, id).await?,
        }
        self.lock().metrics.forget(id.as_str());
        Ok(())
    }

    /// Removes a connection on behalf of an administrator: its proxy ends it, and cannot register
    /// it again.
    pub(crate) async fn delete_connection(&self, id: &ConnectionId) -> Result<(), AgentError> {
        match &self.0.store {
            Store::Memory => {
                let mut state = self.lock();
                state.topology.delete_connection(id, Instant::now())?;
                self.publish(&mut state);
            }
            Store::Etcd(_) => self.delete_in_store(id).await?,
        }
        self.lock().metrics.forget(id.as_str());
        log::info!("connection {id} removed by an administrator");
        Ok(())
    }

    /// A proxy goes.
    pub(crate) async fn unregister_proxy(&self, proxy: &ProxyId) -> Result<(), AgentError> {
        match &self.0.store {
            Store::Memory => self.lock().topology.unregister_proxy(proxy)?,
            Store::Etcd(_) => self.leave_store(proxy).await?,
        }
        let mut state = self.lock();
        state.metrics.retain(|of, _| of != proxy);
        if let Some(session) = state.sessions.get(proxy) {
            session.wake.notify_one();
        }
        self.publish(&mut state);
        log::info!("media proxy {proxy} unregistered");
        Ok(())
    }

    /// Formats of the fleet's groups and hosts of their members: one group, or all.
    pub(crate) fn fleet_groups(&self, id: Option<&GroupId>) -> Vec<FleetGroup> {
        let state = self.lock();
        let mut groups: Vec<_> = match id {
            Some(id) => state.topology.fleet_group(id).into_iter().collect(),
            None => state.topology.fleet_groups().collect(),
        };
        for host in groups.iter_mut().flat_map(|group| &mut group.hosts) {
            if let (true, Some(ip)) = (host.address.is_empty(), state.addresses.get(&host.proxy)) {
                host.address = ip.to_string();
            }
        }
        groups
    }

    /// Takes measurements of a proxy's connections and bridges.
    pub(crate) fn send_metrics(
        &self,
        proxy: &ProxyId,
        metrics: Vec<Metric>,
    ) -> Result<(), AgentError> {
        let mut state = self.lock();
        if state.topology.proxy(proxy).is_none() {
            return Err(AgentError::UnknownProxy(proxy.clone()));
        }
        let until = Instant::now() + Topology::HOLD;
        for metric in &metrics {
            if let Some(up) = metric.measured.linked {
                let bridge = BridgeId::from(metric.provider.as_str());
                state.topology.report_link(proxy, &bridge, up, until);
            }
        }
        state.metrics.put(proxy, metrics);
        let [_, connections, _, bridges] = state.topology.counts();
        if state.metrics.len() > 2 * (connections + bridges) + 1000 {
            let known = known_providers(&state.topology);
            state.metrics.retain(|_, provider| known.contains(provider));
        }
        self.publish(&mut state);
        Ok(())
    }
}

/// The connections of a proxy that it does not name any more.
pub(super) fn superfluous(
    topology: &Topology,
    proxy: &ProxyId,
    named: &[Connection],
) -> Vec<ConnectionId> {
    let named: BTreeSet<_> = named.iter().map(|connection| &connection.id).collect();
    let known = topology.connections_of(proxy).map(|connection| &connection.id);
    known.filter(|id| !named.contains(id)).cloned().collect()
}

fn known_providers(topology: &Topology) -> BTreeSet<String> {
    let connections = topology.connections().map(|connection| connection.id.to_string());
    connections.chain(topology.bridges().map(|view| view.spec.id.to_string())).collect()
}
