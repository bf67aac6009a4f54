//! A host on this machine: a network namespace.
//!
//! Unix sockets are files and do not care about these namespaces, so a test can use the sockets of
//! programs on each of its hosts.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A network namespace with a loopback interface that is up. It is removed on drop.
#[derive(Debug)]
pub struct Host {
    name: String,
}

/// Things that have hosts.
pub trait Hosts {
    /// All of them, with those that only pass packets on.
    fn hosts(&self) -> Vec<&Host>;
}

impl Host {
    /// A new host. `label` is a part of its name.
    ///
    /// # Errors
    /// The reason why there can be no namespaces: no root, or no `ip`.
    pub fn new(label: &str) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mcm-{}-{count}-{label}", std::process::id());
        run("ip", &["netns", "add", &name])?;
        let host = Self { name };
        host.try_ip(&["link", "set", "lo", "up"])?;
        Ok(host)
    }

    /// The name of its namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs on it.
    #[must_use]
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a command on it to its end, and returns what it writes to its standard output.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        let args = [&["netns", "exec", &self.name, program], args].concat();
        run("ip", &args).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Runs `ip` for its interfaces, addresses and routes.
    ///
    /// # Panics
    /// If it fails.
    #[track_caller]
    pub fn ip(&self, args: &[&str]) {
        self.try_ip(args).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The same.
    ///
    /// # Errors
    /// The command and what it says.
    pub fn try_ip(&self, args: &[&str]) -> Result<(), String> {
        run("ip", &[&["-n", &self.name], args].concat()).map(drop)
    }

    /// Adds a cable: an interface of this name here, and another one on the other host. Both are
    /// still down.
    ///
    /// # Errors
    /// As [`Host::try_ip`].
    pub fn join(&self, interface: &str, other: &Self, its_interface: &str) -> Result<(), String> {
        self.try_ip(&[
            "link",
            "add",
            interface,
            "type",
            "veth",
            "peer",
            "name",
            its_interface,
            "netns",
            &other.name,
        ])
    }

    /// Gives rules to its packet filter, in the language of `nft`.
    ///
    /// # Panics
    /// If they are refused.
    #[track_caller]
    pub fn filter(&self, rules: &str) {
        let mut nft = self.command("nft");
        let child = nft.args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("ip");
        // A program that ends early says why.
        let _ = child.stdin.take().expect("its input").write_all(rules.as_bytes());
        let output = child.wait_with_output().expect("nft");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "nft (Debian package nftables): {stderr}\n{rules}");
    }

    /// Its namespace as a descriptor.
    ///
    /// # Errors
    /// The system's.
    pub fn namespace(&self) -> std::io::Result<File> {
        File::open(format!("/run/netns/{}", self.name))
    }

    /// Moves this thread to the host: sockets that it opens from now on are there.
    ///
    /// # Errors
    /// The system's.
    pub fn enter(&self) -> std::io::Result<()> {
        enter(&self.namespace()?)
    }

    /// Runs a part of the test on the host, on a thread of its own. Sockets that it opens stay
    /// there.
    ///
    /// # Panics
    /// If the part panics, or the host cannot be entered.
    pub fn on<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                self.enter().expect("the namespace of the host");
                act()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A namespace that is gone already needs no removal.
        let _ = run("ip", &["netns", "delete", &self.name]);
    }
}

/// Moves this thread to a namespace, see [`Host::namespace`].
///
/// # Errors
/// The system's.
pub fn enter(namespace: &File) -> std::io::Result<()> {
    let network = rustix::thread::LinkNameSpaceType::Network;
    Ok(rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(network))?)
}

/// Runs a command to its end, and returns its standard output.
fn run(program: &str, args: &[&str]) -> Result<String, String> {
    let said = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
    let command = format!("{program} {}", args.join(" "));
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{command}: {error}"))?;
    if output.status.success() {
        Ok(said(&output.stdout))
    } else {
        Err(format!("{command}: {}", said(&output.stderr).trim_end()))
    }
}
