//! Bridges' clients of the exchange, in the proxy's own process.

use config::{ConnectionConfig, EndOfStream};
use mcm::Error;
use mcm::{Client, Connection, Direction, Extras};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Missing regions that an ingress bridge can report for each frame.
const REGIONS: usize = 64;

/// The one client through which all bridges open their connections, created with the first bridge.
///
/// The exchange recognises it by its process, which is the proxy's own, as the kernel reports it.
#[derive(Debug)]
pub(crate) struct BridgeClient {
    socket: PathBuf,
    client: Mutex<Option<Arc<Client>>>,
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

    /// Joins a bridge to its group. A receiving bridge outlives the end of a stream, since another may
    /// follow.
    pub(crate) fn join(
        &self,
        direction: Direction,
        config: &ConnectionConfig,
    ) -> Result<Arc<Connection>, Error> {
        self.open(direction, config, Extras { regions: REGIONS, relay: true, tell_ends: false })
    }

    /// Joins a bridge to its group as a receiver that learns of each source's orderly close, to pass
    /// it on.
    pub(crate) fn follow(&self, config: &ConnectionConfig) -> Result<Arc<Connection>, Error> {
        self.open(Direction::Receive, config, Extras { tell_ends: true, ..Extras::default() })
    }

    fn open(
        &self,
        direction: Direction,
        config: &ConnectionConfig,
        extras: Extras,
    ) -> Result<Arc<Connection>, Error> {
        let mut config = config.clone();
        if direction == Direction::Receive {
            config.options.end_of_stream = Some(EndOfStream::Wait);
        }
        self.client()?.open(direction, &config, extras)
    }

    fn client(&self) -> Result<Arc<Client>, Error> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = &*client {
            return Ok(Arc::clone(client));
        }
        let config = serde_json::json!({
            "apiConnectionString": format!("Unix={}", self.socket.display()),
            // The most that the configuration allows: limits are for programs.
            "maxMediaConnections": 65535,
        });
        let made = Client::new(&config.to_string())?;
        *client = Some(Arc::clone(&made));
        Ok(made)
    }
}
