//! Hosts on one network, or on several.

use crate::host::{Host, Hosts};
use crate::process::Process;
use std::ffi::OsStr;
use std::process::Command;

/// Hosts on one network, or several. They and the networks go when this is dropped.
#[derive(Debug)]
pub struct Net {
    hub: Host,
    hosts: Vec<Host>,
}

impl Net {
    /// So many hosts, with addresses 10.77.0.1, 10.77.0.2 and so on. `None`, with the reason on
    /// standard error, where that is not possible.
    ///
    /// # Panics
    /// In continuous integration, if it is not possible; and if a command fails.
    #[must_use]
    pub fn new(hosts: usize) -> Option<Self> {
        Self::with_networks(hosts, 1)
    }

    /// The same with several networks, which are joined nowhere: each host has eth0 with 10.77.0.N,
    /// eth1 with 10.78.0.N and so on.
    ///
    /// # Panics
    /// As [`Net::new`].
    #[must_use]
    pub fn with_networks(hosts: usize, networks: usize) -> Option<Self> {
        let hub = match Host::new("hub") {
            Ok(hub) => hub,
            Err(reason) => {
                crate::skip(&format!(
                    "network namespaces (root, Debian package iproute2): {reason}"
                ));
                return None;
            }
        };
        for network in 0..networks {
            hub.ip(&["link", "add", &format!("hub{network}"), "type", "bridge"]);
            hub.ip(&["link", "set", &format!("hub{network}"), "up"]);
        }
        let mut net = Self { hub, hosts: Vec::new() };
        for number in 1..=hosts {
            let host = Host::new(&number.to_string()).expect("another host");
            for network in 0..networks {
                let (port, eth) = (format!("port{number}-{network}"), format!("eth{network}"));
                net.hub.join(&port, &host, &eth).expect("a cable");
                net.hub.ip(&["link", "set", &port, "master", &format!("hub{network}"), "up"]);
                let address = format!("10.{}.0.{number}/24", 77 + network);
                host.ip(&["address", "add", &address, "dev", &eth]);
                host.ip(&["link", "set", &eth, "up"]);
            }
            host.ip(&["route", "add", "224.0.0.0/4", "dev", "eth0"]);
            net.hosts.push(host);
        }
        Some(net)
    }

    /// A host; the first is number 1.
    #[must_use]
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number - 1]
    }

    /// A command that runs on a host.
    #[must_use]
    pub fn command(&self, host: usize, program: impl AsRef<OsStr>) -> Command {
        self.host(host).command(program)
    }

    /// A command that goes before others when the machine is busy, as far as that is permitted: it
    /// stands for another machine, and one that sends and receives as if it had nothing else to do.
    #[must_use]
    pub fn urgent(&self, host: usize, program: impl AsRef<OsStr>) -> Command {
        let mut command = self.command(host, "nice");
        command.args(["-n", "-20"]).arg(program);
        command
    }

    /// A process on a host.
    #[must_use]
    pub fn start(&self, host: usize, name: &str, args: &[&str]) -> Process {
        let mut command = self.command(host, name);
        command.args(args);
        Process::start(name, command, |_| false)
    }

    /// Runs a command on a host to its end, and returns what it writes.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn run(&self, host: usize, name: &str, args: &[&str]) -> String {
        self.host(host).run(name, args)
    }

    /// Runs a part of the test on a host; see [`Host::on`].
    pub fn on<T: Send>(&self, host: usize, act: impl FnOnce() -> T + Send) -> T {
        self.host(host).on(act)
    }

    /// Takes a host off the first network, or puts it back. The host itself does not see that.
    pub fn connect(&self, host: usize, connected: bool) {
        let (port, master) = (format!("port{host}-0"), ["master", "hub0"]);
        let how = if connected { &master[..] } else { &["nomaster"] };
        self.hub.ip(&[&["link", "set", &port], how].concat());
    }

    /// Cuts a host off from packets of these kinds, in both directions, as `nft` describes them:
    /// `iifname eth0`, `tcp dport 50051`. Ends what an earlier call did.
    pub fn cut(&self, host: usize, kinds: &[&str]) {
        self.heal(host);
        let mut script = String::from("add table inet mcm-cut\n");
        for hook in ["input", "output"] {
            let chain = format!("chain inet mcm-cut {hook}");
            script.push_str(&format!("add {chain} {{ type filter hook {hook} priority 0; }}\n"));
            for kind in kinds {
                script.push_str(&format!("add rule inet mcm-cut {hook} {kind} drop\n"));
            }
        }
        self.host(host).filter(&script);
    }

    /// Cuts a host off from all others.
    pub fn cut_off(&self, host: usize) {
        self.cut(host, &["iifname eth0", "oifname eth0"]);
    }

    /// Ends [`Net::cut`].
    pub fn heal(&self, host: usize) {
        // A table that is not there cannot be deleted.
        self.host(host).filter("add table inet mcm-cut; delete table inet mcm-cut");
    }
}

impl Hosts for Net {
    fn hosts(&self) -> Vec<&Host> {
        self.hosts.iter().chain([&self.hub]).collect()
    }
}
