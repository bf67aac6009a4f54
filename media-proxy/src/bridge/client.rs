//! Bridges' clients of the exchange, in the proxy's own process.

use config::{ConnectionConfig, EndOfStream};
use mcm::bridge::{self, Follower};
use mcm::{Client, OpenError, Receiver, Source};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Missing regions that an ingress bridge can report for each frame.
const REGIONS: usize = 64;

/// The one client through which all bridges open their connections, created with the first bridge.
///
/// The exchange recognises it by its process, which is the proxy's own, as the kernel reports it.
#[derive(Debug)]
pub(crate) struct BridgeClient {
    socket: PathBuf,
    client: Mutex<Option<Client>>,
}

impl BridgeClient {
    /// A client of the exchange that listens on this socket.
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, client: Mutex::default() }
    }

    /// The exchange's socket.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Joins a bridge to its group as the source of frames from elsewhere.
    pub(crate) fn relay(&self, config: &ConnectionConfig) -> Result<Source, OpenError> {
        bridge::relay(&self.client()?, config, REGIONS)
    }

    /// Joins a bridge to its group as a receiver, which outlives the end of a stream, since another
    /// may follow.
    pub(crate) fn receive(&self, config: &ConnectionConfig) -> Result<Receiver, OpenError> {
        bridge::receiver(&self.client()?, &without_end(config))
    }

    /// Joins a bridge to its group as a receiver that learns of each source's orderly close, to
    /// pass it on.
    pub(crate) fn follow(&self, config: &ConnectionConfig) -> Result<Follower, OpenError> {
        bridge::follower(&self.client()?, &without_end(config))
    }

    fn client(&self) -> Result<Client, OpenError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        // The most that there can be: limits are for programs.
        let builder = Client::builder().socket(&self.socket).max_connections(u16::MAX);
        let made = builder.build().map_err(|error| OpenError::Failed(error.to_string()))?;
        *client = Some(made.clone());
        Ok(made)
    }
}

fn without_end(config: &ConnectionConfig) -> ConnectionConfig {
    let mut config = config.clone();
    config.options.end_of_stream = Some(EndOfStream::Wait);
    config
}
