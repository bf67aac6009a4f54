//! The connection to a media proxy's control service.

use crate::error::CliError;
use crate::server::{Io, Server};
use hyper_util::rt::TokioIo;
use proto::control::control_client::ControlClient;
use std::time::Duration;
use tokio::runtime::Runtime;
use tonic::Code;
use tonic::transport::{Channel, Endpoint, Uri};

/// Where the control service of this host listens by default.
pub(crate) const DEFAULT_SERVER: &str = "127.0.0.1";
/// The control service's port, unless the operator has chosen another one.
pub(crate) const DEFAULT_PORT: u16 = 8001;

/// How long a proxy may take to accept a connection, and to answer a question that has one answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// A connected client and the runtime that drives it.
pub(crate) struct Proxy {
    pub(crate) runtime: Runtime,
    pub(crate) client: ControlClient<Channel>,
}

impl Proxy {
    /// Connects to a proxy's control service.
    pub(crate) fn connect(server: &Server) -> Result<Self, CliError> {
        let fail = |reason: String| CliError::Proxy { server: server.address.clone(), reason };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| fail(error.to_string()))?;
        let endpoint = Endpoint::from_shared(format!("http://{}", server.address))
            .map_err(|error| fail(format!("{error}; accepted is HOST[:PORT]")))?;
        let connected = runtime.block_on(async {
            let both = async {
                let io = server.connect(b"h2", "media_proxy").await?;
                over(endpoint, io).await.map_err(|error| {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    format!("{}{}", cause.unwrap_or_else(|| error.to_string()), server.hint())
                })
            };
            let connected = tokio::time::timeout(PATIENCE, both).await;
            connected.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
        });
        Ok(Self { client: ControlClient::new(connected.map_err(fail)?), runtime })
    }
}

/// A channel over one connection; it does not come back when that is lost.
async fn over(endpoint: Endpoint, io: Box<dyn Io>) -> Result<Channel, tonic::transport::Error> {
    let mut io = Some(io);
    let connector = tower::service_fn(move |_: Uri| {
        let io = io.take().map(TokioIo::new);
        std::future::ready(io.ok_or_else(|| std::io::Error::other("the connection was lost")))
    });
    endpoint.connect_with_connector(connector).await
}

/// What the proxy refused, with the reason that it gave.
pub(crate) fn refused(server: &Server, status: &tonic::Status) -> CliError {
    let reason = match status.code() {
        Code::Unimplemented => format!(
            "it does not serve mcm.control.v1.Control; is this another port of it? The control service listens on {DEFAULT_PORT} by default"
        ),
        Code::NotFound | Code::InvalidArgument => status.message().to_owned(),
        code => format!("{code:?}: {}{}", status.message(), server.hint()),
    };
    CliError::Proxy { server: server.address.clone(), reason }
}
