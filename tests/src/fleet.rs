//! A mesh of several hosts: an agent and three proxies.

use crate::agent::{self, Agent};
use crate::etcd::Cluster;
use crate::net::Net;
use crate::proxy::Proxy;
use crate::role::{Order, Report, Role, Spec};
use crate::run::Run;
use crate::scrape::Scrape;
use crate::{config, program, wait};
use mcm::Client;
use proto::control::{Bridge, BridgeDirection, BridgeState, Group};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// The host on which the agent runs; the proxies have those before it.
pub const AGENT: usize = 4;

/// Hosts for three proxies and an agent, none of which is started with it.
#[derive(Debug)]
pub struct Fleet {
    /// The proxies of hosts 1 to 3.
    pub proxies: [Option<Proxy>; 3],
    /// The agent.
    pub agent: Option<Agent>,
    /// Address of the agent's store on its host; `None`: in memory.
    pub store: Option<Cluster>,
    /// The run directories of hosts 1 to 3.
    pub runs: [Run; 3],
    /// Variables of the environment of proxies that are started from now on.
    pub environment: Vec<(&'static str, &'static str)>,
    /// The hosts.
    pub net: Net,
}

impl Fleet {
    /// `None` where there can be no hosts.
    #[must_use]
    pub fn new() -> Option<Self> {
        let net = Net::new(AGENT)?;
        let runs = [Run::new(), Run::new(), Run::new()];
        let environment = Vec::new();
        Some(Self { proxies: [None, None, None], agent: None, store: None, runs, environment, net })
    }

    /// The same, with all of them running and registered.
    #[must_use]
    pub fn started() -> Option<Self> {
        Self::new().map(Self::start)
    }

    /// The same, with an agent whose state is in a cluster of so many members of etcd.
    #[must_use]
    pub fn started_on_etcd(members: usize) -> Option<Self> {
        let mut fleet = Self::new()?;
        fleet.store = Some(Cluster::start(members, |program| fleet.net.command(AGENT, program))?);
        Some(fleet.start())
    }

    /// Starts agent and proxies.
    #[must_use]
    pub fn start(mut self) -> Self {
        let fleet = &mut self;
        fleet.start_agent();
        (1..=3).for_each(|host| fleet.start_proxy(host));
        fleet.wait_listed("media-proxy", "mediaProxy", 3);
        self
    }

    /// Starts the agent.
    pub fn start_agent(&mut self) {
        let mut options = vec!["--allow=10.77.0.0/24".to_owned()];
        options.extend(self.store.as_ref().map(|store| format!("--store={}", store.url())));
        self.agent = Some(Agent::start(|program| self.net.command(AGENT, program), options));
    }

    /// Starts the proxy of a host.
    pub fn start_proxy(&mut self, host: usize) {
        let options = ["-a", "10.77.0.4:50051", "-d", "kernel:eth0", "--metrics", "0.0.0.0:8003"];
        let run = &self.runs[host - 1];
        let mut command = self.net.command(host, program::media_proxy());
        command.args(options).envs(self.environment.iter().copied());
        self.proxies[host - 1] = Some(Proxy::start_by(command, run));
    }

    /// Kills the proxy of a host.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill_proxy(&mut self, host: usize) {
        self.proxies[host - 1].as_mut().expect("a proxy").end(Signal::KILL);
    }

    /// Kills the agent.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill_agent(&mut self) {
        self.agent.as_mut().expect("an agent").process_mut().kill();
    }

    /// A program on a host. It waits for its proxy.
    #[must_use]
    pub fn role(&self, host: usize, spec: impl FnOnce(Value) -> Spec) -> Role {
        Role::start(&spec(config::client(&self.runs[host - 1].socket())).patience(60_000))
    }

    /// A source of frames of random length, for ever.
    #[must_use]
    pub fn source(&self, host: usize, connection: &Value, who: u64) -> Role {
        self.role(host, |client| Spec::source(client, connection.clone(), who).pause(3000))
    }

    /// A receiver.
    #[must_use]
    pub fn receiver(&self, host: usize, connection: &Value) -> Role {
        self.role(host, |client| Spec::receiver(client, connection.clone()))
    }

    /// A client of the proxy of a host, in this process.
    ///
    /// # Panics
    /// If it does not run.
    #[must_use]
    pub fn client(&self, host: usize) -> Client {
        self.proxies[host - 1].as_ref().expect("a proxy").client()
    }

    /// The measurements of a host's proxy, as Prometheus gets them.
    ///
    /// # Panics
    /// If it does not run.
    #[must_use]
    pub fn scrape(&self, host: usize) -> Scrape {
        let proxy = self.proxies[host - 1].as_ref().expect("a proxy");
        self.net.on(host, || proxy.scrape())
    }

    /// A group as the proxy of a host sees it.
    ///
    /// # Panics
    /// If the proxy does not run.
    #[must_use]
    pub fn group(&self, host: usize, id: &str) -> Option<Group> {
        let proxy = self.proxies[host - 1].as_ref().expect("a proxy");
        self.net.on(host, || proxy.control().group(id))
    }

    /// The bridges of a host.
    ///
    /// # Panics
    /// If it does not run.
    #[must_use]
    pub fn bridges(&self, host: usize) -> Vec<Bridge> {
        let proxy = self.proxies[host - 1].as_ref().expect("a proxy");
        self.net.on(host, || proxy.control().bridges())
    }

    /// Waits for a star from host 1 to both others, and that there is nothing else.
    ///
    /// # Panics
    /// If that never happens.
    #[track_caller]
    pub fn wait_star(&self) {
        self.wait_bridges(1, &[("rdma", false, "10.77.0.2"), ("rdma", false, "10.77.0.3")]);
        self.wait_bridges(2, &[("rdma", true, "10.77.0.1")]);
        self.wait_bridges(3, &[("rdma", true, "10.77.0.1")]);
    }

    /// Waits until a host has these bridges and no others, and all are active: their transport,
    /// whether they bring frames in, and the address at their other end.
    ///
    /// # Panics
    /// If that never happens.
    #[track_caller]
    pub fn wait_bridges(&self, host: usize, wanted: &[(&str, bool, &str)]) {
        let mut seen = Vec::new();
        let mut look = || {
            seen = self.bridges(host);
            let mut left: Vec<_> = wanted.to_vec();
            for bridge in &seen {
                let ingress = bridge.direction == BridgeDirection::Ingress as i32;
                let fits = |(transport, incoming, remote): &(&str, bool, &str)| {
                    bridge.transport == *transport
                        && *incoming == ingress
                        && bridge.remote.contains(remote)
                };
                let Some(at) = left.iter().position(fits) else { return false };
                left.remove(at);
            }
            left.is_empty() && seen.iter().all(|it| it.state == BridgeState::Active as i32)
        };
        let start = std::time::Instant::now();
        while !look() {
            std::thread::sleep(std::time::Duration::from_millis(10));
            if start.elapsed() > wait::DEADLINE {
                panic!("host {host} should have {wanted:?}, and has {seen:#?}");
            }
        }
    }

    /// The agent's objects of one kind.
    #[must_use]
    pub fn list(&self, kind: &str, key: &str) -> Vec<Value> {
        self.net.on(AGENT, || agent::list(kind, key))
    }

    /// Whether the agent is ready.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.net.on(AGENT, || agent::request(Ipv4Addr::LOCALHOST, "GET", "/health").0 == 200)
    }

    /// Waits until the agent knows so many of a kind.
    #[track_caller]
    pub fn wait_listed(&self, kind: &str, key: &str, count: usize) {
        wait::until(&format!("{count} of {kind}"), || self.list(kind, key).len() == count);
    }

    /// The ports of bridges on which a host listens.
    #[must_use]
    pub fn bridge_ports(&self, host: usize) -> Vec<u16> {
        let sockets = self.net.run(host, "ss", &["-Hltun"]);
        let port = |line: &str| line.split_whitespace().nth(4)?.rsplit_once(':')?.1.parse().ok();
        sockets.lines().filter_map(port).filter(|port| (9100..=9999).contains(port)).collect()
    }

    /// That nothing is left, anywhere: no group, no connection, no bridge, no port.
    #[track_caller]
    pub fn wait_empty(&self) {
        for (kind, key) in [
            ("bridge", "bridge"),
            ("connection", "connection"),
            ("multipoint-group", "multipointGroup"),
        ] {
            self.wait_listed(kind, key, 0);
        }
        for host in 1..=3 {
            self.wait_bridges(host, &[]);
            wait::until("no port of a bridge is left", || self.bridge_ports(host).is_empty());
        }
    }
}

/// A group whose source waits for receivers that are slow because this machine is busy. By itself
/// it would do so for 100 ms.
#[must_use]
pub fn group(name: &str) -> Value {
    let patience = json!({ "options": { "stallTimeoutMilliseconds": 20_000 } });
    config::with(config::blob(name, 60_000), patience)
}

/// Stops the source, waits until all receivers have its last frame, and ends them. No receiver may
/// have missed a frame since it began to receive.
///
/// # Panics
/// If somebody has.
#[track_caller]
pub fn finish(mut source: Role, receivers: Vec<Role>) -> Vec<Report> {
    source.order(Order::Sleep);
    let end = source.until("the source stands still", |report| report.asleep);
    let mut reports = Vec::new();
    for mut receiver in receivers {
        receiver.until("the last frame", |report| report.index + 1 == end.frames);
        reports.push(receiver.end());
    }
    source.end();
    for report in &reports {
        assert_eq!((report.told_missed, report.reason.as_str()), (0, ""), "{report:?}");
    }
    reports
}
