//! Two hosts joined by a cable.
#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod frames;
pub(crate) mod video;

use std::{
    net::SocketAddr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
};

pub(crate) use testkit::wait::until as wait_for;
use testkit::{host::Host, wait};

/// Two hosts, `10.77.0.1` and `10.77.0.2` (and `fd77::1`, `fd77::2`), joined by a cable whose ends
/// are both called `media0`; with [`Hosts::second_path`] also `10.78.0.1` and `10.78.0.2` on
/// `media1`.
pub(crate) struct Hosts(pub(crate) [Host; 2]);

impl Hosts {
    /// None, after saying why, where this cannot be done; in CI that is a failure.
    pub(crate) fn new(mtu: u32) -> Option<Self> {
        let hosts = match (Host::new("a"), Host::new("b")) {
            (Ok(a), Ok(b)) => Self([a, b]),
            (Err(reason), _) | (_, Err(reason)) => {
                testkit::skip(&format!("network namespaces: {reason}"));
                return None;
            }
        };
        hosts.join("media0", mtu, ["10.77.0.1/24", "10.77.0.2/24"], ["fd77::1/64", "fd77::2/64"]);
        Some(hosts)
    }

    /// Adds a second pair of interfaces.
    pub(crate) fn second_path(&self, mtu: u32) {
        self.join("media1", mtu, ["10.78.0.1/24", "10.78.0.2/24"], ["fd78::1/64", "fd78::2/64"]);
    }

    fn join(&self, link: &str, mtu: u32, v4: [&str; 2], v6: [&str; 2]) {
        let [a, b] = &self.0;
        a.join(link, b, link).unwrap();
        // Neighbours that are known: what a host sends while it asks for one is queued, and too
        // much of it lost.
        let mac = ["02:4d:43:4d:00:01", "02:4d:43:4d:00:02"];
        for (side, host) in self.0.iter().enumerate() {
            host.ip(&["link", "set", link, "address", mac[side]]);
            host.ip(&["addr", "add", v4[side], "dev", link]);
            host.ip(&["addr", "add", v6[side], "dev", link, "nodad"]);
            host.ip(&["link", "set", link, "mtu", &mtu.to_string(), "up"]);
            for address in [v4[1 - side], v6[1 - side]] {
                let address = address.split('/').next().unwrap();
                host.ip(&["neigh", "add", address, "lladdr", mac[1 - side], "dev", link]);
            }
        }
        // IPv6 drops multicast until the kernel has noticed, in its own time, that there is a
        // carrier.
        for host in &self.0 {
            wait::until("IPv6 on the link", || {
                let routes = ["-n", host.name(), "-6", "route", "show", "table", "local"];
                let output = Command::new("ip").args(routes).args(["dev", link]).output().unwrap();
                String::from_utf8_lossy(&output.stdout).contains("multicast")
            });
        }
    }

    /// Runs something on host 0 or 1. Sockets opened there stay there.
    pub(crate) fn on<T: Send>(&self, host: usize, work: impl FnOnce() -> T + Send) -> T {
        self.0[host].on(work)
    }

    /// Runs `ip` on a host.
    pub(crate) fn ip(&self, host: usize, arguments: &[&str]) {
        self.0[host].ip(arguments);
    }

    /// Runs `tc` on a host.
    pub(crate) fn tc(&self, host: usize, arguments: &[&str]) {
        self.0[host].run("tc", arguments);
    }

    /// Gives a host's packet filter these rules.
    pub(crate) fn filter(&self, host: usize, rules: &str) {
        self.0[host].filter(rules);
    }
}

impl testkit::host::Hosts for Hosts {
    fn hosts(&self) -> Vec<&Host> {
        self.0.iter().collect()
    }
}

/// An address of this host that no other test has, at a port that the kernel gives to nobody of its
/// own accord.
pub(crate) fn local_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::from(([127, high.max(1), low, u8::try_from(number).unwrap()], 20_000))
}
