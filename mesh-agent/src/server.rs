//! The agent's ports.

use super::proxy_service::ProxyService;
use super::{Agent, rest};
use daemon::{Checker, Guarded, Networks, Port, Speaks, TlsFiles};
use mesh::AgentError;
use proto::mediaproxy::proxy_api_server::ProxyApiServer;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::http::Response;
use tonic::service::InterceptorLayer;
use tonic::transport::Server;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::util::MapResponseLayer;

/// The longest request: the registration of a proxy with thousands of connections.
const MAX_REQUEST: usize = 4 << 20;
/// Time-out of a request; waits for the store are shorter.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A proxy that does not answer pings has lost its connection after the sum of both. With the grace
/// that follows it is lost to the fleet within 3 s.
const KEEPALIVE_INTERVAL: Duration = Duration::from_millis(500);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_millis(1300);
/// Number of connections that have shown their protocol and wait for the server.
const BACKLOG: usize = 64;
/// Connections of one port: one for each proxy.
const CONNECTIONS: usize = 4096;
/// Calls that are answered at the same time: of one connection, and of all.
const CALLS: usize = 32;
const ALL_CALLS: usize = 64;
/// Bytes in flight of one stream, and of one connection.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Lets in who may call.
pub(super) const CHECKER: Checker = Checker { program: "mesh-agent", networks: Some("--allow") };

/// The agent's listeners, and the access control of each.
#[derive(Clone, Debug)]
pub struct Ports {
    /// For media proxies.
    pub proxies: SocketAddr,
    /// For operators and tools.
    pub rest: SocketAddr,
    /// Credentials for mutual TLS; without them only programs on this host, and those in `trusted`,
    /// may call.
    pub tls: Option<TlsFiles>,
    /// Networks whose programs may call without a certificate.
    pub trusted: Networks,
    /// Origins whose pages may read the REST API in a browser, such as `https://ops.example.org`.
    pub origins: Vec<String>,
}

/// An agent that listens.
pub struct Serving {
    /// The port for media proxies; any port of 0 has become a real one.
    pub proxies: SocketAddr,
    /// The port for operators and tools.
    pub rest: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Serving {
    /// Stops the server: closes streams, and gives pending calls half a second.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let all = async {
            for task in self.tasks {
                if let Err(error) = task.await {
                    log::error!("server: {error}");
                }
            }
        };
        if tokio::time::timeout(Duration::from_millis(500), all).await.is_err() {
            log::debug!("calls were cut off at the end");
        }
    }
}

/// Listens, and serves until it is stopped.
///
/// # Errors
/// Credentials or addresses that cannot be used.
pub async fn serve(agent: Agent, ports: Ports) -> Result<Serving, AgentError> {
    let credentials = |protocols: &[&[u8]]| {
        let acceptor = ports.tls.as_ref().map(|files| daemon::acceptor(files, protocols));
        acceptor.transpose().map_err(|error| AgentError::Setup(error.to_string()))
    };
    let (grpc_tls, rest_tls) = (credentials(&[b"h2"])?, credentials(&[b"h2", b"http/1.1"])?);
    let (proxies, proxies_address) = listen("--proxy", ports.proxies).await?;
    let (control, rest_address) = listen("--control", ports.rest).await?;
    let (stop, stopping) = watch::channel(false);
    let accepted = |listener, speaks, tls| {
        let (out, incoming) = mpsc::channel(BACKLOG);
        let trusted = ports.trusted.clone();
        let port = Port { speaks, limit: CONNECTIONS, tls, trusted };
        tokio::spawn(daemon::accept(listener, port, out));
        incoming
    };
    let incoming = accepted(proxies, Speaks::Grpc, grpc_tls);
    let grpc = tokio::spawn(serve_proxies(agent.clone(), incoming, stopping.clone()));
    let incoming = accepted(control, Speaks::Http, rest_tls);
    let rest = tokio::spawn(rest::serve(agent, ports.origins.into(), incoming, stopping));
    let tasks = vec![grpc, rest];
    Ok(Serving { proxies: proxies_address, rest: rest_address, stop, tasks })
}

async fn listen(
    option: &str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), AgentError> {
    let failed = |error: std::io::Error| AgentError::Setup(format!("{option} {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

async fn serve_proxies(
    agent: Agent,
    incoming: mpsc::Receiver<Result<Guarded, std::io::Error>>,
    stop: watch::Receiver<bool>,
) {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ProxyApiServer<ProxyService>>().await;
    let count = {
        let agent = agent.clone();
        move |response: Response<tonic::body::Body>| {
            // An error is an answer without a body: its status stands in the head.
            let status = response.headers().get("grpc-status");
            if status.is_some_and(|status| status != "0") {
                agent.lock().counters.failed_calls += 1;
            }
            response
        }
    };
    let service = ProxyApiServer::new(ProxyService(agent))
        .max_decoding_message_size(MAX_REQUEST)
        .max_encoding_message_size(MAX_REQUEST);
    let served = Server::builder()
        .timeout(REQUEST_TIMEOUT)
        .concurrency_limit_per_connection(CALLS)
        .max_concurrent_streams(Some(2 * CALLS as u32))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(16 * 1024)
        .layer(GlobalConcurrencyLimitLayer::new(ALL_CALLS))
        .layer(InterceptorLayer::new(CHECKER))
        .layer(MapResponseLayer::new(count))
        .add_service(service)
        .add_service(health)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stopped(stop))
        .await;
    if let Err(error) = served {
        log::error!("port for media proxies: {error}");
    }
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender of the stop signal is gone.
    let _gone = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GRACE;

    #[test]
    fn a_silent_proxy_is_lost_within_three_seconds() {
        assert!(KEEPALIVE_INTERVAL + KEEPALIVE_TIMEOUT + GRACE <= Duration::from_secs(3));
    }
}
