//! Commands of the gRPC services to the exchange's thread.

use super::detail::Detail;
use crate::broker::registry::Refusal;
use config::ConnectionConfig;
use proto::Kind;
use proto::control::Group;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use tokio::sync::{oneshot, watch};

/// A question or an order.
#[derive(Debug)]
pub(crate) enum Command {
    /// The groups with their connections: one, or all.
    Snapshot { group: Option<String>, detailed: bool, reply: oneshot::Sender<Snapshot> },
    /// Returns the counts of the exchange.
    Totals { reply: oneshot::Sender<Totals> },
    /// End a connection. Answers whether there was one with that identifier.
    Delete { conn_id: String, reply: oneshot::Sender<bool> },
    /// End a connection, if there is one of that identifier, and tell its program why.
    End { conn_id: String, reason: &'static str },
    /// Outcome of a connection's placement in the mesh.
    Placed { conn_id: String, answer: Result<(), Refusal> },
    /// Passes on a group's format from the control plane; `None` if it knows no such group.
    Found { group: String, config: Option<Box<(Kind, ConnectionConfig)>> },
    /// Passes on the streams of groups from the control plane.
    Streams(HashMap<String, String>),
    /// End the exchange.
    Stop,
}

/// The state at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) groups: Vec<Group>,
    /// Whether there was an earlier reading from which rates could be computed.
    pub(crate) has_rates: bool,
    /// Details of connections by their identifiers, if they were asked for.
    pub(crate) details: HashMap<String, Detail>,
}

/// Returns the counts of the exchange.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) clients: usize,
    pub(crate) groups: usize,
    pub(crate) connections: usize,
    pub(crate) bridges: usize,
    pub(crate) refused_clients: u64,
}

/// The exchange has ended.
#[derive(Debug)]
pub(crate) struct Gone;

/// The way to the exchange's thread.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(super) commands: Sender<Command>,
    pub(super) wake: Arc<OwnedFd>,
    pub(super) version: watch::Receiver<u64>,
}

impl Handle {
    /// The groups with their connections: one, or all.
    pub(crate) async fn snapshot(&self, group: Option<String>) -> Result<Snapshot, Gone> {
        self.ask(|reply| Command::Snapshot { group, detailed: false, reply }).await
    }

    /// All groups, with all that is measured at their connections.
    pub(crate) async fn measure(&self) -> Result<Snapshot, Gone> {
        self.ask(|reply| Command::Snapshot { group: None, detailed: true, reply }).await
    }

    /// Returns the counts of the exchange.
    pub(crate) async fn totals(&self) -> Result<Totals, Gone> {
        self.ask(|reply| Command::Totals { reply }).await
    }

    /// Ends a connection. Returns whether there was one of that identifier.
    pub(crate) async fn delete(&self, conn_id: String) -> Result<bool, Gone> {
        self.ask(|reply| Command::Delete { conn_id, reply }).await
    }

    /// Ends a connection, if there is one of that identifier.
    pub(crate) fn end(&self, conn_id: String, reason: &'static str) {
        // If the exchange has ended, so has the connection.
        let _ = self.tell(Command::End { conn_id, reason });
    }

    /// Outcome of a connection's placement in the mesh.
    pub(crate) fn placed(&self, conn_id: String, answer: Result<(), Refusal>) {
        // If the exchange has ended, the answer is dropped.
        let _ = self.tell(Command::Placed { conn_id, answer });
    }

    /// Passes on a group's format from the control plane; `None` if it knows no such group.
    pub(crate) fn found(&self, group: String, config: Option<(Kind, ConnectionConfig)>) {
        // If the exchange has ended, the command is dropped.
        let _ = self.tell(Command::Found { group, config: config.map(Box::new) });
    }

    /// Passes on the streams of groups from the control plane.
    pub(crate) fn name_streams(&self, streams: HashMap<String, String>) {
        // If the exchange has ended, the command is dropped.
        let _ = self.tell(Command::Streams(streams));
    }

    /// Ends the exchange.
    pub(crate) fn stop(&self) {
        // It may have ended already.
        let _ = self.tell(Command::Stop);
    }

    /// Changes whenever a connection comes, goes or changes its state.
    pub(crate) fn version(&self) -> watch::Receiver<u64> {
        self.version.clone()
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Result<T, Gone> {
        let (reply, answer) = oneshot::channel();
        self.tell(command(reply))?;
        answer.await.map_err(|_| Gone)
    }

    fn tell(&self, command: Command) -> Result<(), Gone> {
        self.commands.send(command).map_err(|_| Gone)?;
        rustix::io::write(&self.wake, &1_u64.to_ne_bytes()).map_err(|_| Gone)?;
        Ok(())
    }
}
