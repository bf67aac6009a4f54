//! A real `mesh-agent`.

use crate::process::Process;
use crate::program;
use serde_json::Value;
use std::net::Ipv4Addr;
use std::process::Command;
use testkit::http;

/// Address for media proxies.
pub const PROXY_PORT: u16 = 50051;
/// Address of the REST API.
pub const REST_PORT: u16 = 8100;

const SERVES: &str = "listening on 0.0.0.0:8100 for REST";

/// An agent with the usual ports, which are free on a host that a test has made.
#[derive(Debug)]
pub struct Agent {
    process: Process,
}

impl Agent {
    /// Starts an agent with these options, and waits until it serves. `on_host` makes a command
    /// that runs a program on the agent's host.
    ///
    /// # Panics
    /// If it does not.
    #[must_use]
    pub fn start(
        on_host: impl FnOnce(&std::path::Path) -> Command,
        options: impl IntoIterator<Item = impl AsRef<std::ffi::OsStr>>,
    ) -> Self {
        let mut command = on_host(program::mesh_agent());
        command.args(options);
        let mut process = Process::start("mesh-agent", command, |_| false);
        process.until_line(SERVES);
        Self { process }
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its process.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Objects of one kind, such as `bridge`, with their state, from the agent on this host.
///
/// # Panics
/// If it does not answer.
#[must_use]
pub fn list(kind: &str, key: &str) -> Vec<Value> {
    let (status, body) = request(Ipv4Addr::LOCALHOST, "GET", &format!("/{kind}?status&config"));
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    body[key].as_array().expect("a list").clone()
}

/// Asks the agent at an address. Returns the status and the body.
///
/// # Panics
/// If it does not answer.
#[must_use]
pub fn request(agent: Ipv4Addr, method: &str, path: &str) -> (u16, String) {
    let answer = http::request((agent, REST_PORT).into(), method, path, "");
    let answer = answer.expect("an answer of the agent");
    (answer.status, answer.body)
}
