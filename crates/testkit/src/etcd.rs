//! A cluster of etcd on one host.

use crate::process::Process;
use crate::{ports, wait};
use rustix::process::Signal;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Up to five members on 127.0.0.1, each with a port for clients and one for the others. They end
/// with their test.
#[derive(Debug)]
pub struct Cluster {
    members: Vec<Option<Process>>,
    first_port: u16,
    dir: TempDir,
}

const READY: &str = "ready to serve client requests";

fn local(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

impl Cluster {
    /// Starts so many members, by the command that runs a program on their host, and waits until
    /// they serve. `None`, with the reason on standard error, if etcd is not installed.
    ///
    /// # Panics
    /// In continuous integration, if it is not installed; and if it does not serve.
    #[must_use]
    pub fn start(members: usize, on_host: impl Fn(&str) -> Command) -> Option<Self> {
        if let Err(error) = Command::new("etcd").arg("--version").stdout(Stdio::null()).status() {
            crate::skip(&format!("etcd (Debian package etcd-server): {error}"));
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        let members = (0..members).map(|_| None).collect();
        let mut cluster = Self { members, first_port: ports::free_block(), dir };
        for number in 0..cluster.members.len() {
            cluster.start_member(number, &on_host);
        }
        cluster.wait();
        Some(cluster)
    }

    /// Starts a member that has not been started, or was killed.
    pub fn start_member(&mut self, number: usize, on_host: impl Fn(&str) -> Command) {
        let all = (0..self.members.len()).map(|i| format!("m{i}={}", local(self.ports(i)[1])));
        let all = all.collect::<Vec<_>>().join(",");
        let ([client, peer], name) = (self.ports(number).map(local), format!("m{number}"));
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

    /// The ports for clients, one per member.
    pub fn client_ports(&self) -> impl Iterator<Item = u16> {
        (0..self.members.len()).map(|number| self.ports(number)[0])
    }

    /// The ports of a member: for clients, and for the other members.
    fn ports(&self, number: usize) -> [u16; 2] {
        let client = self.first_port + 2 * number as u16;
        [client, client + 1]
    }

    /// Its members' addresses for clients, as `etcd://HOST:PORT,HOST:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        let all =
            (0..self.members.len()).map(|number| format!("127.0.0.1:{}", self.ports(number)[0]));
        format!("etcd://{}", all.collect::<Vec<_>>().join(","))
    }
}
