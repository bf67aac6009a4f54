//! Two hosts with a proxy each, for streams from one to the other.

use crate::drops::{loss, on_hosts};
use crate::host::{Host, Hosts};
use crate::net::Net;
use crate::proxy::Proxy;
use crate::run::Run;
use crate::wait;
use mcm::Client;
use proto::control::Bridge;

/// Two hosts with a proxy each: `a` on host 1, `b` on host 2. Their interfaces are eth0, and more
/// if there are more networks.
#[derive(Debug)]
pub struct Pair {
    /// A program of each proxy, in this process. They stay as long as the hosts: with a client its
    /// connections end.
    pub programs: [Client; 2],
    /// The proxy on host 1, which is 10.77.0.1.
    pub a: Proxy,
    /// The proxy on host 2, which is 10.77.0.2.
    pub b: Proxy,
    /// The hosts, and maybe more of them.
    pub net: Net,
    /// A directory for each proxy.
    pub runs: [Run; 2],
}

impl Pair {
    /// Proxies on the first two of so many hosts on so many networks; see [`Net::with_networks`]
    /// for `None`.
    #[must_use]
    pub fn new(hosts: usize, networks: usize) -> Option<Self> {
        Self::with_options(hosts, networks, [&["-i", "10.77.0.1"], &["-i", "10.77.0.2"]])
    }

    /// The same with these options for the proxies.
    #[must_use]
    pub fn with_options(hosts: usize, networks: usize, options: [&[&str]; 2]) -> Option<Self> {
        let net = Net::with_networks(hosts, networks)?;
        let runs = [Run::new(), Run::new()];
        let a = Proxy::on(net.host(1), &runs[0], options[0]);
        let b = Proxy::on(net.host(2), &runs[1], options[1]);
        let programs = [a.client(), b.client()];
        Some(Self { programs, a, b, net, runs })
    }

    /// Runs a test on such hosts; see [`on_hosts`].
    pub fn test(hosts: usize, networks: usize, test: impl Fn(&mut Self)) {
        on_hosts(|| Self::new(hosts, networks), test);
    }

    /// The bridges of a host.
    #[must_use]
    pub fn bridges(&self, host: usize) -> Vec<Bridge> {
        let proxy = if host == 1 { &self.a } else { &self.b };
        self.net.on(host, || proxy.control().bridges())
    }

    /// Waits until a host has so many bridges, and returns them.
    #[must_use]
    pub fn wait_bridges(&self, host: usize, count: usize) -> Vec<Bridge> {
        wait::some(&format!("{count} bridges on host {host}"), || {
            let bridges = self.bridges(host);
            (bridges.len() == count).then_some(bridges)
        })
    }

    /// Waits until neither host has bridges.
    pub fn wait_no_bridges(&self) {
        for host in [1, 2] {
            let _ = self.wait_bridges(host, 0);
        }
    }

    /// A counter of the one bridge of a host for a port.
    ///
    /// # Panics
    /// If there is no such bridge, or it has no such counter.
    #[must_use]
    pub fn counter(&self, host: usize, port: u16, name: &str) -> u64 {
        let bridges = self.bridges(host);
        let end = format!(":{port}");
        let bridge = bridges.iter().find(|bridge| bridge.remote.ends_with(&end));
        let bridge = bridge.unwrap_or_else(|| panic!("no bridge for port {port}: {bridges:?}"));
        let value = bridge.counters.get(name);
        *value.unwrap_or_else(|| panic!("no counter {name}: {bridge:?}"))
    }

    /// Waits until a counter has this value.
    #[track_caller]
    pub fn until_counter(&self, host: usize, port: u16, name: &str, value: u64) {
        let start = std::time::Instant::now();
        loop {
            let last = self.counter(host, port, name);
            if last == value {
                return;
            }
            if start.elapsed() >= wait::DEADLINE {
                loss(format!("{name} is {last} and not {value}: {:?}", self.bridges(host)));
            }
        }
    }
}

impl Hosts for Pair {
    fn hosts(&self) -> Vec<&Host> {
        self.net.hosts()
    }
}
