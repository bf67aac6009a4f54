//! Two hosts on this machine: network namespaces joined by a veth pair. Without the right to make them, loopback.

use crate::error::BenchError;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::process::Command;
use std::thread;

/// Where sockets are opened.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// None is loopback.
    names: Option<[String; 2]>,
}

impl Hosts {
    /// Two namespaces, or loopback if there is no right to make any.
    pub(crate) fn new() -> Result<Self, BenchError> {
        let id = std::process::id();
        let hosts = Self { names: Some(["a", "b"].map(|side| format!("mcm-{id}-{side}"))) };
        let Some([a, b]) = &hosts.names else { return Ok(hosts) };
        if ip(&["netns", "add", a]).is_err() {
            return Ok(Self { names: None });
        }
        ip(&["netns", "add", b])?;
        ip(&[
            "-n", a, "link", "add", "media0", "type", "veth", "peer", "name", "media0", "netns", b,
        ])?;
        for (name, address) in [(a, "10.77.0.1/24"), (b, "10.77.0.2/24")] {
            ip(&["-n", name, "addr", "add", address, "dev", "media0"])?;
            ip(&["-n", name, "link", "set", "media0", "up"])?;
        }
        Ok(hosts)
    }

    /// The address of the second host.
    pub(crate) const fn address(&self) -> IpAddr {
        IpAddr::V4(if self.names.is_some() {
            Ipv4Addr::new(10, 77, 0, 2)
        } else {
            Ipv4Addr::LOCALHOST
        })
    }

    /// Runs something on host 0 or 1. Sockets that it opens stay there.
    pub(crate) fn on<T: Send>(
        &self,
        host: usize,
        run: impl FnOnce() -> Result<T, BenchError> + Send,
    ) -> Result<T, BenchError> {
        let Some(names) = &self.names else { return run() };
        let enter = || {
            let file = File::open(format!("/run/netns/{}", names[host]))?;
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .map_err(BenchError::system("setns"))?;
            run()
        };
        thread::scope(|scope| match scope.spawn(enter).join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        })
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for name in self.names.iter().flatten() {
            // There may be nothing to take away.
            ip(&["netns", "del", name]).ok();
        }
    }
}

fn ip(arguments: &[&str]) -> Result<(), BenchError> {
    let command = format!("ip {}", arguments.join(" "));
    let output = Command::new("ip").args(arguments).output();
    let reason = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(BenchError::Network { command, reason })
}
