//! The gRPC servers on their ports.

use crate::observe::control::ControlService;
use crate::sdk_service::SdkService;
use daemon::{Checker, Guarded};
use proto::control::control_server::ControlServer;
use proto::sdk::sdkapi_server::SdkapiServer;
use std::io::Error;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::server::NamedService;
use tonic::service::{Interceptor, InterceptorLayer};
use tonic::transport::Server;

/// The longest request.
const MAX_REQUEST: usize = 64 * 1024;
/// Time-out of a request and its answer; streams may take longer once they have begun.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection whose other end does not answer is closed after the sum of both.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const STREAMS_PER_CONNECTION: u32 = 64;
/// Bytes that one stream, and one connection, may have under way: what a connection can cost at
/// most.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// Lets in who may call.
const CHECKER: Checker = Checker { program: "media_proxy", networks: None };

/// Connections as they come from a port.
pub(crate) type Incoming = mpsc::Receiver<Result<Guarded, Error>>;

/// Serves the SDK's port until it is told to stop.
pub(crate) async fn serve_sdk(
    service: SdkService,
    incoming: Incoming,
    stop: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    let known_by = service.known_by();
    let checker = move |request: tonic::Request<()>| {
        CHECKER.clone().call(request).map_err(|mut status| {
            // A program that shares the run directory, but not the network, learns whose socket it
            // may use.
            if let Ok(value) = known_by.parse() {
                status.metadata_mut().insert(proto::sdk::PROXY_METADATA, value);
            }
            status
        })
    };
    limited(Server::builder())
        .layer(InterceptorLayer::new(checker))
        .add_service(SdkapiServer::new(service).max_decoding_message_size(MAX_REQUEST))
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stopped(stop))
        .await
}

/// Serves the port for state and control until it is told to stop.
pub(crate) async fn serve_control(
    service: ControlService,
    incoming: Incoming,
    stop: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_serving::<ControlServer<ControlService>>().await;
    let files = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            // The files also describe the service of the SDK port, which is not served here.
            .with_service_name(<ControlServer<ControlService> as NamedService>::NAME)
            .with_service_name("grpc.health.v1.Health")
    };
    // Descriptors that this program was built with cannot be wrong; without them only reflection is
    // missing.
    let current = files().build_v1().inspect_err(|error| log::error!("reflection: {error}")).ok();
    let older =
        files().build_v1alpha().inspect_err(|error| log::error!("reflection: {error}")).ok();
    limited(Server::builder())
        .layer(InterceptorLayer::new(CHECKER))
        .add_service(health.max_decoding_message_size(MAX_REQUEST))
        .add_service(ControlServer::new(service).max_decoding_message_size(MAX_REQUEST))
        .add_optional_service(current)
        // Many versions of grpcurl ask for this one.
        .add_optional_service(older)
        .serve_with_incoming_shutdown(ReceiverStream::new(incoming), stopped(stop))
        .await
}

async fn stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the sender of the stop signal is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn limited(server: Server) -> Server {
    server
        .timeout(REQUEST_TIMEOUT)
        .concurrency_limit_per_connection(STREAMS_PER_CONNECTION as usize)
        .max_concurrent_streams(STREAMS_PER_CONNECTION)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .http2_max_header_list_size(16 * 1024)
}
