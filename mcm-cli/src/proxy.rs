//! The connection to a media proxy's control service.

use crate::error::CliError;
use proto::control::control_client::ControlClient;
use std::time::Duration;
use tokio::runtime::Runtime;
use tonic::transport::{Channel, Endpoint};

/// Where the control service of this host listens by default.
pub(crate) const DEFAULT_SERVER: &str = "127.0.0.1:8001";

/// How long a proxy may take to accept a connection, and to answer a question that has one answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A connected client and the runtime that drives it.
pub(crate) struct Proxy {
    pub(crate) runtime: Runtime,
    pub(crate) client: ControlClient<Channel>,
}

impl Proxy {
    /// Connects to `HOST:PORT`.
    pub(crate) fn connect(server: &str) -> Result<Self, CliError> {
        let fail = |reason: String| CliError::Proxy { server: server.to_owned(), reason };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| fail(error.to_string()))?;
        let endpoint = Endpoint::from_shared(format!("http://{server}"))
            .map_err(|error| fail(format!("{error}; accepted is HOST:PORT")))?
            .connect_timeout(PATIENCE);
        let channel = runtime.block_on(endpoint.connect()).map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            fail(cause.unwrap_or_else(|| error.to_string()))
        })?;
        Ok(Self { runtime, client: ControlClient::new(channel) })
    }
}

/// What the proxy refused, with the reason that it gave.
pub(crate) fn refused(server: &str, status: &tonic::Status) -> CliError {
    let reason = format!("{:?}: {}", status.code(), status.message());
    CliError::Proxy { server: server.to_owned(), reason }
}
