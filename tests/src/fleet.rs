//! A mesh of several hosts: an agent and three proxies.

use crate::agent::{self, Agent};
use crate::netns::Net;
use crate::proxy::Proxy;
use crate::role::{Role, Spec};
use crate::run::Run;
use crate::scrape::Scrape;
use crate::{config, wait};
use mcm_dp::client::Client;
use proto::control::{Bridge, BridgeDirection, BridgeState};
use rustix::process::Signal;
use serde_json::Value;
use std::sync::Arc;

/// The host on which the agent runs; the proxies have those before it.
pub const AGENT: usize = 4;

/// Hosts for three proxies and an agent, none of which is started with it.
#[derive(Debug)]
pub struct Fleet {
    /// The proxies of hosts 1 to 3.
    pub proxies: [Option<Proxy>; 3],
    /// The agent.
    pub agent: Option<Agent>,
    /// The run directories of hosts 1 to 3.
    pub runs: [Run; 3],
    /// The hosts.
    pub net: Net,
}

impl Fleet {
    /// `None` where there can be no hosts.
    #[must_use]
    pub fn new() -> Option<Self> {
        let net = Net::new(AGENT)?;
        let runs = [Run::new(), Run::new(), Run::new()];
        Some(Self { proxies: [None, None, None], agent: None, runs, net })
    }

    /// The same, with all of them running and registered.
    #[must_use]
    pub fn started() -> Option<Self> {
        let mut fleet = Self::new()?;
        fleet.start_agent();
        (1..=3).for_each(|host| fleet.start_proxy(host));
        fleet.wait_listed("media-proxy", "mediaProxy", 3);
        Some(fleet)
    }

    /// Starts the agent.
    pub fn start_agent(&mut self) {
        self.agent = Some(Agent::start(|program| self.net.command(AGENT, program)));
    }

    /// Starts the proxy of a host.
    pub fn start_proxy(&mut self, host: usize) {
        let options = ["-a", "10.77.0.4:50051", "-d", "kernel:eth0", "--metrics", "0.0.0.0:8003"];
        let run = &self.runs[host - 1];
        self.proxies[host - 1] = Some(self.net.proxy(host, run, &options));
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
    pub fn client(&self, host: usize) -> Arc<Client> {
        self.proxies[host - 1].as_ref().expect("a proxy").client()
    }

    /// What Prometheus would get from the proxy of a host.
    ///
    /// # Panics
    /// If it does not run.
    #[must_use]
    pub fn scrape(&self, host: usize) -> Scrape {
        let proxy = self.proxies[host - 1].as_ref().expect("a proxy");
        self.net.on(host, || proxy.scrape())
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

    /// Waits until a host has these bridges and no others, and all are active: their transport, whether they bring frames in, and
    /// the address at their other end.
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

    /// Waits until the agent knows so many of a kind.
    pub fn wait_listed(&self, kind: &str, key: &str, count: usize) {
        wait::until(&format!("{count} of {kind}"), || {
            self.net.on(AGENT, || agent::list(kind, key).len()) == count
        });
    }

    /// That nothing is left, anywhere.
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
        }
    }
}
