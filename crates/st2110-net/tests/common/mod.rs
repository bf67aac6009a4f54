//! Two hosts made of network namespaces and a veth pair.
#![allow(dead_code, reason = "each test program uses a part")]

pub(crate) mod frames;
pub(crate) mod video;

use std::{
    fs::File,
    io::Write as _,
    net::SocketAddr,
    os::fd::AsFd as _,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// Two namespaces, `10.77.0.1` and `10.77.0.2` (and `fd77::1`, `fd77::2`), joined by a veth pair whose ends are both called `media0`; with
/// [`Hosts::second_path`] also `10.78.0.1` and `10.78.0.2` on `media1`.
pub(crate) struct Hosts {
    names: [String; 2],
}

impl Hosts {
    /// None, after saying why, where this cannot be done; in CI that is a failure.
    pub(crate) fn new(mtu: u32) -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if let Err(reason) = possible() {
            assert!(std::env::var_os("CI").is_none(), "network namespaces are needed: {reason}");
            eprintln!("SKIPPED: network namespaces are needed: {reason}");
            return None;
        }
        let id = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let hosts = Self { names: ["a", "b"].map(|side| format!("mcm-{id}-{side}")) };
        for name in &hosts.names {
            ip(&["netns", "add", name]);
            ip(&["-n", name, "link", "set", "lo", "up"]);
        }
        hosts.join("media0", mtu, ["10.77.0.1/24", "10.77.0.2/24"], ["fd77::1/64", "fd77::2/64"]);
        Some(hosts)
    }

    /// Adds a second pair of interfaces.
    pub(crate) fn second_path(&self, mtu: u32) {
        self.join("media1", mtu, ["10.78.0.1/24", "10.78.0.2/24"], ["fd78::1/64", "fd78::2/64"]);
    }

    fn join(&self, link: &str, mtu: u32, v4: [&str; 2], v6: [&str; 2]) {
        let [a, b] = &self.names;
        // Neighbours that are known: what a host sends while it asks for one is queued, and too much of it lost.
        let mac = ["02:4d:43:4d:00:01", "02:4d:43:4d:00:02"];
        ip(&[
            "-n", a, "link", "add", link, "address", mac[0], "type", "veth", "peer", "name", link,
            "address", mac[1], "netns", b,
        ]);
        for (side, name) in self.names.iter().enumerate() {
            ip(&["-n", name, "addr", "add", v4[side], "dev", link]);
            ip(&["-n", name, "addr", "add", v6[side], "dev", link, "nodad"]);
            ip(&["-n", name, "link", "set", link, "mtu", &mtu.to_string(), "up"]);
            for address in [v4[1 - side], v6[1 - side]] {
                let address = address.split('/').next().unwrap();
                ip(&["-n", name, "neigh", "add", address, "lladdr", mac[1 - side], "dev", link]);
            }
        }
        // IPv6 drops multicast until the kernel has noticed, in its own time, that there is a carrier.
        for name in &self.names {
            wait_for("IPv6 on the link", || {
                let arguments = ["-n", name, "-6", "route", "show", "table", "local", "dev", link];
                let output = Command::new("ip").args(arguments).output().unwrap();
                String::from_utf8_lossy(&output.stdout).contains("multicast")
            });
        }
    }

    /// Runs something on host 0 or 1. Sockets opened there stay there.
    pub(crate) fn on<T: Send>(&self, host: usize, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let file = File::open(format!("/run/netns/{}", self.names[host])).unwrap();
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            match thread.join() {
                Ok(value) => value,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Runs `ip` on a host.
    pub(crate) fn ip(&self, host: usize, arguments: &[&str]) {
        ip(&[&["-n", &self.names[host]], arguments].concat());
    }

    /// Runs `tc` on a host.
    pub(crate) fn tc(&self, host: usize, arguments: &[&str]) {
        run("tc", &[&["-n", &self.names[host]], arguments].concat());
    }

    /// Gives a host's packet filter these rules. None after saying why if there is no `nft`.
    pub(crate) fn filter(&self, host: usize, rules: &str) -> Option<()> {
        let child = Command::new("ip")
            .args(["netns", "exec", &self.names[host], "nft", "-f", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap();
        child.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr).into_owned();
            let missing = reason.contains("No such file") && reason.contains("nft\"");
            assert!(missing && std::env::var_os("CI").is_none(), "nft: {reason}\n{rules}");
            eprintln!("SKIPPED: nft is needed: {reason}");
            return None;
        }
        Some(())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in &self.names {
            Command::new("ip").args(["netns", "del", name]).stderr(Stdio::null()).status().ok();
        }
    }
}

fn possible() -> Result<(), String> {
    if !rustix::process::geteuid().is_root() {
        return Err("not root".into());
    }
    // Tests of one process try at the same time.
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!("mcm-{}-probe-{number}", std::process::id());
    let output = Command::new("ip")
        .args(["netns", "add", &name])
        .output()
        .map_err(|error| format!("ip: {error}"))?;
    Command::new("ip").args(["netns", "del", &name]).output().ok();
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

fn ip(arguments: &[&str]) {
    run("ip", arguments);
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An address of this host that no other test has, at a port that the kernel gives to nobody of its own accord.
pub(crate) fn local_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    SocketAddr::from(([127, high.max(1), low, u8::try_from(number).unwrap()], 20_000))
}

/// Waits for a condition, at most ten seconds.
pub(crate) fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < end, "not in ten seconds: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
