//! Agents, proxies and REST clients for the tests.

#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod fleet;
pub(crate) mod original;
pub(crate) mod relay;
pub(crate) mod schema;

use config::{ConnectionConfig, Endpoint, St2110};
use media::{Payload, Video};
use mesh::AgentError;
use mesh::plane::remote::{AgentAddress, Agents};
use mesh::plane::{Accepted, Applied, ControlPlane, Listener, Registration, Remote};
use mesh::topology::{ConnectionId, Desired, Proxy, RdmaDevice, St2110Device};
use mesh_agent::Agent;
use mesh_agent::server::{Ports, Serving, serve};
use parking_lot::{Condvar, Mutex};
use proto::Kind;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use testkit::http::{self, Answer};
pub(crate) use testkit::wait::{DEADLINE, until};

pub(crate) fn local(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// An agent in this process, on a runtime of its own.
pub(crate) struct Server {
    runtime: Option<tokio::runtime::Runtime>,
    serving: Option<Serving>,
    pub(crate) proxies: SocketAddr,
    pub(crate) rest: SocketAddr,
}

impl Server {
    pub(crate) fn in_memory() -> Self {
        Self::start(0, || Ok(Agent::in_memory()), |ports| ports)
    }

    pub(crate) fn start(
        port: u16,
        agent: impl FnOnce() -> Result<Agent, AgentError> + Send,
        change: impl FnOnce(Ports) -> Ports,
    ) -> Self {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        let ports = Ports {
            proxies: local(port),
            rest: local(0),
            tls: None,
            trusted: daemon::Networks::default(),
            origins: Vec::new(),
        };
        let ports = change(ports);
        // The test may run in a runtime itself.
        let serving = std::thread::scope(|scope| {
            let started = async { serve(agent().unwrap(), ports).await.unwrap() };
            scope.spawn(|| runtime.block_on(started)).join().unwrap()
        });
        let (proxies, rest) = (serving.proxies, serving.rest);
        Self { runtime: Some(runtime), serving: Some(serving), proxies, rest }
    }

    /// Ends as a killed program does: every connection breaks.
    pub(crate) fn kill(self) {
        drop(self);
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Value) {
        request(self.rest, "GET", path)
    }

    pub(crate) fn list(&self, path: &str, name: &str) -> Vec<Value> {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{body}");
        body[name].as_array().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// An HTTP request. Returns the status and the body, which is JSON, or text.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str) -> (u16, Value) {
    let Answer { status, body, .. } = http::request(address, method, path, "").unwrap();
    let value = if body.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    };
    (status, value)
}

pub(crate) fn mesh(urn: &str) -> ConnectionConfig {
    let endpoint = Endpoint::MultipointGroup { urn: urn.into() };
    ConnectionConfig::new(endpoint, Payload::Video(Video::default()))
}

pub(crate) fn stream(port: u16) -> ConnectionConfig {
    let endpoint = Endpoint::St2110(St2110::new([239, 1, 1, 1].into(), port));
    ConnectionConfig::new(endpoint, Payload::Video(Video::default()))
}

pub(crate) fn proxy(number: u8) -> Proxy {
    Proxy {
        id: format!("p{number}").into(),
        sdk_api_port: 8002,
        st2110: Some(St2110Device {
            dataplane_ip: [192, 168, 0, number].into(),
            device: "kernel:eth0".into(),
        }),
        rdma: Some(RdmaDevice {
            dataplane_ip: [10, 0, 0, number].into(),
            ports: "9100-9999".parse().unwrap(),
        }),
        extended: true,
        registered_at: SystemTime::now(),
    }
}

/// Messages that a proxy has received.
#[derive(Default)]
pub(crate) struct Heard {
    state: Mutex<HeardState>,
    changed: Condvar,
}

#[derive(Default)]
pub(crate) struct HeardState {
    pub(crate) desired: Option<Desired>,
    /// The bridges of every desired state, one after the other.
    pub(crate) bridges: Vec<Vec<String>>,
    pub(crate) answers: Vec<(ConnectionId, Result<Accepted, AgentError>)>,
    pub(crate) removed: Vec<ConnectionId>,
    pub(crate) reachable: Option<bool>,
    unapplied: Vec<u64>,
}

impl Listener for Heard {
    fn registered(&self, connection: &ConnectionId, result: Result<Accepted, AgentError>) {
        self.state.lock().answers.push((connection.clone(), result));
        self.changed.notify_all();
    }

    fn desired(&self, desired: Desired) {
        let mut state = self.state.lock();
        state.unapplied.push(desired.generation);
        state.bridges.push(desired.bridges.iter().map(|spec| spec.id.to_string()).collect());
        state.desired = Some(desired);
        self.changed.notify_all();
    }

    fn removed(&self, connection: &ConnectionId) {
        self.state.lock().removed.push(connection.clone());
        self.changed.notify_all();
    }

    fn reachable(&self, reachable: bool) {
        self.state.lock().reachable = Some(reachable);
        self.changed.notify_all();
    }
}

/// A proxy that applies whatever it is told.
pub(crate) struct Node {
    pub(crate) plane: Arc<Remote>,
    pub(crate) heard: Arc<Heard>,
    stop: Arc<Mutex<bool>>,
    applier: Option<std::thread::JoinHandle<()>>,
}

impl Node {
    pub(crate) fn new(number: u8, agents: &[SocketAddr]) -> Self {
        Self::with(proxy(number), agents, None)
    }

    pub(crate) fn with(proxy: Proxy, agents: &[SocketAddr], tls: Option<daemon::TlsFiles>) -> Self {
        let heard = Arc::new(Heard::default());
        let addresses: Vec<AgentAddress> =
            agents.iter().map(|address| address.to_string().parse().unwrap()).collect();
        Self::start(proxy, Agents { addresses, tls }, heard)
    }

    pub(crate) fn start(proxy: Proxy, agents: Agents, heard: Arc<Heard>) -> Self {
        let listener = Arc::clone(&heard) as Arc<dyn Listener>;
        let plane = Arc::new(Remote::new(proxy, agents, listener).unwrap());
        let stop = Arc::new(Mutex::new(false));
        let applier = {
            let (plane, heard, stop) = (Arc::clone(&plane), Arc::clone(&heard), Arc::clone(&stop));
            std::thread::spawn(move || {
                while !*stop.lock() {
                    let mut state = heard.state.lock();
                    if state.unapplied.is_empty() {
                        heard.changed.wait_for(&mut state, Duration::from_millis(20));
                    }
                    let done = std::mem::take(&mut state.unapplied);
                    drop(state);
                    for generation in done {
                        plane.applied(Applied { generation, errors: Vec::new() });
                    }
                }
            })
        };
        Self { plane, heard, stop, applier: Some(applier) }
    }

    pub(crate) fn register(&self, id: &str, kind: Kind, config: &ConnectionConfig) {
        let config = config.clone();
        self.plane.register(Registration { id: id.into(), kind, config });
    }

    /// Registers, and waits for the answer.
    pub(crate) fn add(
        &self,
        id: &str,
        kind: Kind,
        config: &ConnectionConfig,
    ) -> Result<Accepted, AgentError> {
        let before = self.heard.state.lock().answers.len();
        self.register(id, kind, config);
        self.wait("an answer", |state| {
            state.answers[before..].iter().find(|(of, _)| of.as_str() == id).map(|(_, a)| a.clone())
        })
    }

    /// Waits until it has received a message.
    pub(crate) fn wait<T>(&self, what: &str, mut find: impl FnMut(&HeardState) -> Option<T>) -> T {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.heard.state.lock();
        loop {
            if let Some(found) = find(&state) {
                return found;
            }
            let late = self.heard.changed.wait_until(&mut state, deadline).timed_out();
            assert!(!late, "{what}: not within {DEADLINE:?}; {:?}", state.desired);
        }
    }

    pub(crate) fn wait_for_bridges(&self, count: usize) -> Desired {
        self.wait(&format!("{count} bridges"), |state| {
            state.desired.clone().filter(|desired| desired.bridges.len() == count)
        })
    }

    pub(crate) fn wait_reachable(&self, reachable: bool) {
        self.wait("agents within reach or not", |state| {
            (state.reachable == Some(reachable)).then_some(())
        });
    }

    pub(crate) fn with_state<T>(&self, look: impl FnOnce(&HeardState) -> T) -> T {
        look(&self.heard.state.lock())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        *self.stop.lock() = true;
        if let Some(applier) = self.applier.take() {
            applier.join().unwrap();
        }
    }
}
