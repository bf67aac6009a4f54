//! Connections as the session knows them.

use crate::OpenError;
use crate::peer::{Outgoing, Peer};
use parking_lot::Mutex;
use proto::exchange::Announce;

/// A connection as the session knows it.
#[derive(Debug)]
pub(super) struct Entry {
    key: u32,
    config: proto::sdk::ConnectionConfig,
    pub(super) peer: Peer,
    /// Empty until the proxy has given it.
    conn_id: Mutex<String>,
    answer: Mutex<Option<Result<(), OpenError>>>,
}

impl Entry {
    pub(super) fn new(key: u32, config: proto::sdk::ConnectionConfig, peer: Peer) -> Self {
        Self { key, config, peer, conn_id: Mutex::default(), answer: Mutex::default() }
    }

    /// The number by which this process and the proxy speak of it.
    pub(super) fn key(&self) -> u32 {
        self.key
    }

    /// The identifier that the proxy has given it.
    pub(super) fn id(&self) -> String {
        self.conn_id.lock().clone()
    }

    /// Whether the proxy has not taken it on yet.
    pub(super) fn is_new(&self) -> bool {
        self.conn_id.lock().is_empty()
    }

    /// Takes the identifier in that the proxy has given.
    pub(super) fn name(&self, conn_id: String) {
        *self.conn_id.lock() = conn_id;
    }

    /// Keeps the proxy's answer for the thread that waits for it.
    pub(super) fn answer(&self, answer: Result<(), OpenError>) {
        *self.answer.lock() = Some(answer);
    }

    pub(super) fn take_answer(&self) -> Option<Result<(), OpenError>> {
        self.answer.lock().take()
    }

    /// The message that makes the proxy begin or go on with this connection.
    pub(super) fn announce(&self) -> Result<Outgoing, OpenError> {
        self.peer.announce(Announce {
            key: self.key,
            conn_id: self.id(),
            config: Some(self.config.clone()),
            ring_id: Vec::new(),
            receivers: Vec::new(),
        })
    }

    /// Ends the connection from the proxy's side. The origin of a stream ends it with that, a
    /// bridge does not.
    pub(super) fn close(&self, reason: &'static str) {
        match &self.peer {
            Peer::Source(peer) if peer.source.is_relay() => peer.source.leave(reason),
            Peer::Source(peer) => peer.source.close(reason),
            Peer::Receiver(peer) => peer.receiver.close(reason),
        }
    }
}
