//! The control plane of a single host, in the proxy's own process.

use super::{Accepted, Applied, ControlPlane, GroupsAnswer, Listener, Registration};
use crate::metrics::{Metric, Metrics};
use crate::topology::{
    Connection, ConnectionId, Decides, GroupId, Proxy, ProxyId, SessionKey, Topology,
};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// The control plane in the proxy itself, for one proxy alone.
pub struct Embedded {
    proxy: ProxyId,
    listener: Arc<dyn Listener>,
    state: Mutex<State>,
}

struct State {
    topology: Topology,
    metrics: Metrics,
    applied: Option<Applied>,
}

impl Embedded {
    /// The control plane of this proxy. The listener gets an empty desired state at once.
    pub fn new(proxy: Proxy, listener: Arc<dyn Listener>) -> Self {
        let id = proxy.id.clone();
        let mut topology = Topology::new(Decides::Here, SessionKey::random);
        topology.register_proxy(proxy, Vec::new(), Instant::now());
        let state = State { topology, metrics: Metrics::default(), applied: None };
        let plane = Self { proxy: id, listener, state: Mutex::new(state) };
        plane.listener.reachable(true);
        plane.tell(&mut plane.state.lock());
        plane
    }

    /// Reads the state, for operators and tools.
    pub fn with_topology<T>(&self, look: impl FnOnce(&Topology) -> T) -> T {
        look(&self.state.lock().topology)
    }

    /// Outcome of the last desired state; `None` before the first.
    pub fn last_applied(&self) -> Option<Applied> {
        self.state.lock().applied.clone()
    }

    /// The last measurements of each connection and bridge.
    pub fn last_metrics(&self) -> Vec<Metric> {
        self.state.lock().metrics.all().cloned().collect()
    }

    /// Called under the lock, so that desired states arrive in order.
    fn tell(&self, state: &mut State) {
        if state.topology.take_changed().contains(&self.proxy)
            && let Some(desired) = state.topology.desired(&self.proxy)
        {
            self.listener.desired(desired);
        }
    }
}

impl ControlPlane for Embedded {
    fn register(&self, registration: Registration) {
        let Registration { id, kind, config } = registration;
        let mut state = self.state.lock();
        let known = state.topology.connection(&id).map(|connection| connection.registered_at);
        let result = state.topology.register_connection(Connection {
            id: id.clone(),
            proxy: self.proxy.clone(),
            kind,
            config: Arc::new(config),
            registered_at: known.unwrap_or_else(SystemTime::now),
        });
        self.listener.registered(&id, result.map(|()| Accepted::Member));
        self.tell(&mut state);
    }

    fn unregister(&self, connection: &ConnectionId) {
        let mut state = self.state.lock();
        // A refused connection is unknown here; its proxy need not keep track of that.
        if state.topology.unregister_connection(&self.proxy, connection).is_ok() {
            state.metrics.forget(connection.as_str());
            self.tell(&mut state);
        }
    }

    fn applied(&self, outcome: Applied) {
        for error in &outcome.errors {
            log::warn!("desired state {}: {error}", outcome.generation);
        }
        self.state.lock().applied = Some(outcome);
    }

    fn find_groups(&self, _group: Option<GroupId>, answer: GroupsAnswer) {
        // There are no other hosts.
        answer(None);
    }

    fn metrics(&self, metrics: Vec<Metric>) {
        self.state.lock().metrics.put(&self.proxy, metrics);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Measured;
    use crate::topology::Desired;
    use crate::{AgentError, topology::BridgeLink};
    use config::{ConnectionConfig, Endpoint, St2110};
    use media::{Payload, Video};
    use proto::Kind;

    #[derive(Default)]
    struct Heard {
        desired: Mutex<Vec<Desired>>,
        registered: Mutex<Vec<(ConnectionId, Result<Accepted, AgentError>)>>,
    }

    impl Listener for Heard {
        fn registered(&self, connection: &ConnectionId, result: Result<Accepted, AgentError>) {
            self.registered.lock().push((connection.clone(), result));
        }
        fn desired(&self, desired: Desired) {
            self.desired.lock().push(desired);
        }
        fn removed(&self, connection: &ConnectionId) {
            panic!("nobody removes {connection}");
        }
        fn reachable(&self, reachable: bool) {
            assert!(reachable);
        }
    }

    fn proxy() -> Proxy {
        Proxy {
            id: "p".into(),
            sdk_api_port: 8002,
            st2110: None,
            rdma: None,
            extended: true,
            registered_at: SystemTime::now(),
        }
    }

    fn registration(id: &str, kind: Kind) -> Registration {
        let endpoint = Endpoint::St2110(St2110::new([239, 0, 0, 1].into(), 5004));
        let config = ConnectionConfig::new(endpoint, Payload::Video(Video::default()));
        Registration { id: id.into(), kind, config }
    }

    #[test]
    fn the_proxy_hears_what_it_must_have() {
        let heard = Arc::new(Heard::default());
        let plane = Embedded::new(proxy(), Arc::clone(&heard) as Arc<dyn Listener>);
        assert!(heard.desired.lock()[0].bridges.is_empty());
        plane.register(registration("r", Kind::Receiver));
        let desired = heard.desired.lock().last().unwrap().clone();
        assert_eq!(desired.bridges[0].link, BridgeLink::St2110);
        assert_eq!(heard.registered.lock()[0], ("r".into(), Ok(Accepted::Member)));
        let count = heard.desired.lock().len();
        plane.register(registration("r", Kind::Receiver));
        assert_eq!(heard.desired.lock().len(), count, "nothing has changed");
        plane.register(registration("s", Kind::Source));
        plane.register(registration("t", Kind::Source));
        let refused = heard.registered.lock().last().unwrap().1.clone().unwrap_err();
        assert_eq!(refused.mesh_err(), 1008);
        for id in ["r", "s", "t"] {
            plane.unregister(&id.into());
        }
        let desired = heard.desired.lock().last().unwrap().clone();
        assert!(desired.groups.is_empty() && desired.bridges.is_empty());
    }

    #[test]
    fn outcomes_and_measurements_can_be_seen() {
        let plane = Embedded::new(proxy(), Arc::new(Heard::default()));
        let outcome = Applied { generation: 3, errors: vec!["no".into()] };
        plane.applied(outcome.clone());
        assert_eq!(plane.last_applied(), Some(outcome));
        let measured = Measured { inbound: Some(7), ..Measured::default() };
        let metric = Metric { timestamp_ms: 1, provider: "r".into(), measured };
        plane.metrics(vec![metric.clone()]);
        assert_eq!(plane.last_metrics(), [metric]);
    }
}
