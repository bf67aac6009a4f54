//! Simulated hosts for network benchmarks: namespaces, each with a cable to the first.

use crate::error::BenchError;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Command, Stdio};
use std::thread;

/// The first host and its neighbours; without the right to make namespaces all of them are this
/// host.
#[derive(Debug)]
pub(crate) struct Hosts {
    names: Vec<String>,
}

impl Hosts {
    /// One host and so many neighbours.
    pub(crate) fn new(neighbours: usize) -> Result<Self, BenchError> {
        let name = |host| format!("mcm-{}-bench-{host}", std::process::id());
        let mut hosts = Self { names: Vec::new() };
        for host in 0..=neighbours {
            if !ip(&["netns", "add", &name(host)]) {
                hosts.remove();
                return Ok(hosts);
            }
            hosts.names.push(name(host));
        }
        for (neighbour, own) in hosts.names.iter().enumerate().skip(1) {
            let (first, cable) = (&hosts.names[0], format!("cable{neighbour}"));
            let [near, far] = [1, 2].map(|end| format!("10.89.{neighbour}.{end}/24"));
            let steps: [&[&str]; 8] = [
                &[
                    "link", "add", &cable, "netns", first, "type", "veth", "peer", "name", &cable,
                    "netns", own,
                ],
                &["-n", own, "link", "set", "lo", "up"],
                &["-n", first, "link", "set", "lo", "up"],
                &["-n", first, "address", "add", &near, "dev", &cable],
                &["-n", own, "address", "add", &far, "dev", &cable],
                &["-n", first, "link", "set", &cable, "mtu", "9000", "up"],
                &["-n", own, "link", "set", &cable, "mtu", "9000", "up"],
                &["-n", own, "route", "replace", "default", "via", &format!("10.89.{neighbour}.1")],
            ];
            if let Some(step) = steps.iter().find(|step| !ip(step)) {
                return Err(BenchError::Receiver(format!("ip {} fails", step.join(" "))));
            }
        }
        Ok(hosts)
    }

    /// Whether they are hosts of their own.
    pub(crate) fn are_apart(&self) -> bool {
        !self.names.is_empty()
    }

    /// Addresses of the first host and of a neighbour on the cable between them.
    pub(crate) fn addresses(&self, neighbour: usize) -> [Ipv4Addr; 2] {
        if !self.are_apart() {
            return [Ipv4Addr::LOCALHOST; 2];
        }
        [1, 2].map(|end| Ipv4Addr::new(10, 89, neighbour as u8, end))
    }

    /// From now on this thread opens its sockets on a host; 0 is the first.
    pub(crate) fn enter(&self, host: usize) -> Result<(), BenchError> {
        let Some(name) = self.names.get(host) else { return Ok(()) };
        let namespace = File::open(format!("/run/netns/{name}"))?;
        let network = Some(rustix::thread::LinkNameSpaceType::Network);
        rustix::thread::move_into_link_name_space(namespace.as_fd(), network)
            .map_err(BenchError::system("setns"))
    }

    /// Runs something on a host. Sockets that it opens stay there.
    pub(crate) fn on<T: Send>(
        &self,
        host: usize,
        run: impl FnOnce() -> Result<T, BenchError> + Send,
    ) -> Result<T, BenchError> {
        let there = || self.enter(host).and_then(|()| run());
        thread::scope(|scope| match scope.spawn(there).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }

    fn remove(&mut self) {
        for name in self.names.drain(..) {
            ip(&["netns", "delete", &name]);
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        self.remove();
    }
}

fn ip(arguments: &[&str]) -> bool {
    let mut ip = Command::new("ip");
    ip.args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    ip.status().is_ok_and(|status| status.success())
}
