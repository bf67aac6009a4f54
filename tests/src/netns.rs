//! Hosts on one machine: network namespaces, joined by a bridge.
//!
//! Unix sockets are files and independent of network namespaces: a test is a program on each of its
//! hosts.

use crate::process::Process;
use crate::run::Run;
use std::os::fd::AsFd;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// Why there can be no hosts here; `None` if there can.
fn hindrance() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("network namespaces need root".into());
    }
    match Command::new("ip").arg("-V").output() {
        Ok(_) => None,
        Err(error) => Some(format!("ip (Debian package iproute2): {error}")),
    }
}

/// Hosts on one network, or several. They and the networks go when this is dropped.
#[derive(Debug)]
pub struct Net {
    hub: String,
    hosts: Vec<String>,
}

impl Net {
    /// So many hosts, with addresses 10.77.0.1, 10.77.0.2 and so on. `None`, with the reason on standard error, where that is not possible.
    ///
    /// # Panics
    /// In continuous integration, if it is not possible; and if a command fails.
    #[must_use]
    pub fn new(hosts: usize) -> Option<Self> {
        Self::with_networks(hosts, 1)
    }

    /// The same with several networks, which are joined nowhere: each host has eth0 with 10.77.0.N, eth1 with 10.78.0.N and so on.
    ///
    /// # Panics
    /// As [`Net::new`].
    #[must_use]
    pub fn with_networks(hosts: usize, networks: usize) -> Option<Self> {
        if let Some(reason) = hindrance() {
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            eprintln!("SKIPPED: {reason}");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("mcm-{}-{count}", std::process::id());
        let mut net = Self { hub: format!("{prefix}-hub"), hosts: Vec::new() };
        ip(&["netns", "add", &net.hub]);
        let hub = net.hub.clone();
        let on_hub = |args: &[&str]| ip(&[&["-n", &hub], args].concat());
        for network in 0..networks {
            on_hub(&["link", "add", &format!("hub{network}"), "type", "bridge"]);
            on_hub(&["link", "set", &format!("hub{network}"), "up"]);
        }
        for number in 1..=hosts {
            let host = format!("{prefix}-{number}");
            ip(&["netns", "add", &host]);
            net.hosts.push(host.clone());
            let on_host = |args: &[&str]| ip(&[&["-n", &host], args].concat());
            on_host(&["link", "set", "lo", "up"]);
            for network in 0..networks {
                let (port, eth) = (format!("port{number}-{network}"), format!("eth{network}"));
                on_hub(&["link", "add", &port, "type", "veth", "peer", &eth, "netns", &host]);
                on_hub(&["link", "set", &port, "master", &format!("hub{network}"), "up"]);
                let address = format!("10.{}.0.{number}/24", 77 + network);
                on_host(&["address", "add", &address, "dev", &eth]);
                on_host(&["link", "set", &eth, "up"]);
            }
            on_host(&["route", "add", "224.0.0.0/4", "dev", "eth0"]);
        }
        Some(net)
    }

    /// A command that runs on a host; the first is number 1.
    #[must_use]
    pub fn command(&self, host: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.hosts[host - 1]]).arg(program);
        command
    }

    /// A command that goes before others when the machine is busy, as far as that is permitted: it stands for another machine, and one
    /// that sends and receives as if it had nothing else to do.
    #[must_use]
    pub fn urgent(&self, host: usize, program: impl AsRef<std::ffi::OsStr>) -> Command {
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
    pub fn run(&self, host: usize, name: &str, args: &[&str]) -> String {
        let Output { status, stdout, stderr } =
            self.command(host, name).args(args).output().expect("ip");
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{name} {}: {stderr}", args.join(" "));
        String::from_utf8_lossy(&stdout).into_owned()
    }

    /// Runs something of the test itself on a host: sockets that it opens stay there.
    ///
    /// # Panics
    /// If it panics, or the namespace cannot be entered.
    pub fn on<T: Send>(&self, host: usize, act: impl FnOnce() -> T + Send) -> T {
        self.inside(&self.hosts[host - 1], act)
    }

    /// The namespaces of all hosts, and that of the networks between them.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.hosts.iter().chain([&self.hub]).map(String::as_str)
    }

    /// What `tc` says of the queues in a namespace; nothing where there is no `tc`.
    pub(crate) fn queues(&self, namespace: &str) -> String {
        let output = Command::new("tc").args(["-n", namespace, "-s", "qdisc"]).output();
        output.map_or_else(|_| String::new(), |it| String::from_utf8_lossy(&it.stdout).into_owned())
    }

    /// Runs something in a namespace.
    pub(crate) fn inside<T: Send>(&self, namespace: &str, act: impl FnOnce() -> T + Send) -> T {
        let place = format!("/run/netns/{namespace}");
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let namespace = std::fs::File::open(place).expect("the namespace");
                let kind = rustix::thread::LinkNameSpaceType::Network;
                rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind))
                    .expect("a thread may enter the namespace");
                act()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Takes a host off the first network, or puts it back. The host itself does not see that.
    pub fn connect(&self, host: usize, connected: bool) {
        let (port, master) = (format!("port{host}-0"), ["master", "hub0"]);
        let how = if connected { &master[..] } else { &["nomaster"] };
        ip(&[&["-n", &self.hub, "link", "set", &port], how].concat());
    }

    /// Cuts a host off from packets of these kinds, in both directions, as `nft` describes them: `iifname eth0`, `tcp dport 50051`.
    /// Ends what an earlier call did.
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
        self.run(host, "nft", &[&script]);
    }

    /// Cuts a host off from all others.
    pub fn cut_off(&self, host: usize) {
        self.cut(host, &["iifname eth0", "oifname eth0"]);
    }

    /// Ends [`Net::cut`].
    pub fn heal(&self, host: usize) {
        // To add it first makes it sure that it can be deleted.
        self.run(host, "nft", &["add table inet mcm-cut; delete table inet mcm-cut"]);
    }

    /// A proxy on a host, which serves a run directory of its own.
    #[must_use]
    pub fn proxy(&self, host: usize, run: &Run, options: &[&str]) -> crate::proxy::Proxy {
        let mut command = self.command(host, crate::program::media_proxy());
        command.args(options);
        crate::proxy::Proxy::start_by(command, run)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in self.hosts.iter().chain([&self.hub]) {
            // What is gone already need not go.
            let _ = Command::new("ip").args(["netns", "delete", name]).output();
        }
    }
}

fn ip(args: &[&str]) {
    let Output { status, stderr, .. } = Command::new("ip").args(args).output().expect("ip");
    assert!(status.success(), "ip {}: {}", args.join(" "), String::from_utf8_lossy(&stderr));
}
