//! The control plane of a fleet: a client of any one of several agents.

mod calls;
mod channel;
mod client;
mod original;
mod pulse;
mod registrations;
mod search;
mod session;

pub use channel::AgentAddress;
pub use channel::client_tls;

use super::{Applied, ControlPlane, GroupsAnswer, Listener, Registration};
use crate::error::AgentError;
use crate::metrics::Metric;
use crate::topology::{ConnectionId, GroupId, Proxy};
use client::Client;
use daemon::TlsFiles;
use search::Candidates;
use std::sync::Arc;
use std::thread;
use tokio::sync::mpsc;

/// Addresses of the agents, and credentials for them.
#[derive(Clone, Debug)]
pub struct Agents {
    /// Their addresses. One is in use at a time; when it is lost, the next is tried.
    pub addresses: Vec<AgentAddress>,
    /// Credentials of this proxy for mutual TLS; without them connections are not encrypted.
    pub tls: Option<TlsFiles>,
}

/// The control plane of a proxy in a fleet. Dropping it ends it; agents then consider the proxy
/// lost.
///
/// While no agent can be reached, the last desired state stays, connections are accepted as far as
/// this host alone can decide, and everything is registered again as soon as an agent is back.
pub struct Remote {
    commands: mpsc::UnboundedSender<Command>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Command of the proxy.
enum Command {
    Register(Box<Registration>),
    Unregister(ConnectionId),
    Applied(Applied),
    Metrics(Vec<Metric>),
    FindGroups(Option<GroupId>, GroupsAnswer),
}

impl Remote {
    /// Starts to look for an agent.
    ///
    /// # Errors
    /// Credentials that cannot be used, or no thread to be had.
    pub fn new(
        proxy: Proxy,
        agents: Agents,
        listener: Arc<dyn Listener>,
    ) -> Result<Self, AgentError> {
        let endpoints = channel::endpoints(&agents)?;
        let setup =
            |error: std::io::Error| AgentError::Setup(format!("mesh agent's client: {error}"));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(setup)?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let client = Client::new(proxy, Candidates::new(endpoints), listener, inbox);
        let thread = thread::Builder::new()
            .name("mesh-agent".into())
            .spawn(move || runtime.block_on(client.run()))
            .map_err(setup)?;
        Ok(Self { commands, thread: Some(thread) })
    }

    fn send(&self, command: Command) {
        // The thread ends only when this end of the channel does.
        let _delivered = self.commands.send(command);
    }
}

impl ControlPlane for Remote {
    fn register(&self, registration: Registration) {
        self.send(Command::Register(Box::new(registration)));
    }

    fn unregister(&self, connection: &ConnectionId) {
        self.send(Command::Unregister(connection.clone()));
    }

    fn applied(&self, outcome: Applied) {
        self.send(Command::Applied(outcome));
    }

    fn find_groups(&self, group: Option<GroupId>, answer: GroupsAnswer) {
        self.send(Command::FindGroups(group, answer));
    }

    fn metrics(&self, metrics: Vec<Metric>) {
        self.send(Command::Metrics(metrics));
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        let (closed, _) = mpsc::unbounded_channel();
        self.commands = closed;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!("mesh agent's client ended by a panic");
        }
    }
}
