//! A real cluster of etcd on one host.

use crate::process::Process;
use crate::wait;
use rustix::process::Signal;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Members on 127.0.0.1, each with a port for clients and one for the others. It ends with its test.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Option<Process>>,
    dir: TempDir,
}

const READY: &str = "ready to serve client requests";

/// The ports of a member, for clients and for the other members.
fn ports(number: usize) -> (usize, usize) {
    (2379 + 10 * number, 2380 + 10 * number)
}

fn local(port: usize) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Cluster {
    /// Starts so many members, by the command that runs a program on their host, and waits until they serve. `None`, with the
    /// reason on standard error, if etcd is not installed.
    ///
    /// # Panics
    /// In continuous integration, if it is not installed; and if it does not serve.
    #[must_use]
    pub fn start(members: usize, on_host: impl Fn(&str) -> Command) -> Option<Self> {
        if let Err(error) = Command::new("etcd").arg("--version").stdout(Stdio::null()).status() {
            let reason = format!("etcd (Debian package etcd-server): {error}");
            assert!(std::env::var_os("CI").is_none(), "{reason}");
            eprintln!("SKIPPED: {reason}");
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let mut cluster = Self { members: (0..members).map(|_| None).collect(), dir };
        for number in 0..members {
            cluster.start_member(number, &on_host);
        }
        cluster.wait();
        Some(cluster)
    }

    /// Starts a member that has not been started, or was killed.
    pub fn start_member(&mut self, number: usize, on_host: impl Fn(&str) -> Command) {
        let all = (0..self.members.len()).map(|i| format!("m{i}={}", local(ports(i).1)));
        let all = all.collect::<Vec<_>>().join(",");
        let (client, peer) = ports(number);
        let (client, peer, name) = (local(client), local(peer), format!("m{number}"));
        let mut command = on_host("etcd");
        command
            .args(["--name", &name, "--data-dir"])
            .arg(self.dir.path().join(&name))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &all, "--unsafe-no-fsync"]);
        self.members[number] = Some(Process::start("etcd", command, |_| false));
    }

    /// Waits until all members that run serve.
    ///
    /// # Panics
    /// If they do not.
    pub fn wait(&self) {
        for member in self.members.iter().flatten() {
            wait::until("etcd serves", || member.output().contains(READY));
        }
    }

    /// Kills a member.
    ///
    /// # Panics
    /// If it does not run.
    pub fn kill(&mut self, number: usize) {
        let mut member = self.members[number].take().expect("a member");
        member.signal(Signal::KILL);
        member.wait();
    }

    /// Where agents find it.
    #[must_use]
    pub fn url(&self) -> String {
        let all = (0..self.members.len()).map(|number| format!("127.0.0.1:{}", ports(number).0));
        format!("etcd://{}", all.collect::<Vec<_>>().join(","))
    }
}
