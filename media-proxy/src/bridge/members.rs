//! Bridges' clients of the exchange, in the proxy's own process.

use mcm::Error;
use mcm::{Client, Connection, Direction, Extras};
use media::{ConnectionConfig, EndOfStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Missing regions that an ingress bridge can tell of each frame.
const REGIONS: usize = 64;

/// Gives bridges their connections.
///
/// All have one client, made with the first bridge. The exchange knows it for its own by the kernel's word: it is this process.
#[derive(Debug)]
pub(crate) struct Members {
    socket: PathBuf,
    client: Mutex<Option<Arc<Client>>>,
}

impl Members {
    /// For the exchange that listens on this socket.
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, client: Mutex::default() }
    }

    /// Of the exchange.
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

    /// A bridge joins its group. One that receives is not ended by the end of a stream, since another may follow.
    pub(crate) fn join(
        &self,
        direction: Direction,
        config: &ConnectionConfig,
    ) -> Result<Arc<Connection>, Error> {
        self.open(direction, config, Extras { regions: REGIONS, relay: true, tell_ends: false })
    }

    /// A bridge joins its group as a receiver that is told of each source's goodbye, to pass that on.
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
            // As many as the configuration allows: programs are what is limited.
            "maxMediaConnections": 65535,
        });
        let made = Client::new(&config.to_string())?;
        *client = Some(Arc::clone(&made));
        Ok(made)
    }
}
