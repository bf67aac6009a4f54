//! The REST API, for people and tools.

mod objects;
mod prometheus;
mod router;

use super::Agent;
use super::server::{CHECKER, stopped};
use access::{Guarded, Peer, Refusal};
use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::{IncomingStream, Listener};
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::sync::{mpsc, watch};

/// The description of the API that it serves.
pub const OPENAPI: &str = include_str!("../../../openapi.json");

/// Connections as they come from the port.
struct Incoming(mpsc::Receiver<Result<Guarded, std::io::Error>>);

impl Listener for Incoming {
    type Io = Guarded;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guarded, SocketAddr) {
        loop {
            match self.0.recv().await {
                Some(Ok(guarded)) => {
                    let address = guarded.peer().address;
                    return (guarded, address);
                }
                Some(Err(error)) => log::debug!("REST: {error}"),
                // Nobody accepts any more: the agent is ending.
                None => std::future::pending().await,
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        // Nobody asks.
        Ok((Ipv4Addr::UNSPECIFIED, 0).into())
    }
}

/// Who calls, as handlers see it.
#[derive(Clone, Copy, Debug)]
struct Caller(Peer);

impl axum::extract::connect_info::Connected<IncomingStream<'_, Incoming>> for Caller {
    fn connect_info(stream: IncomingStream<'_, Incoming>) -> Self {
        Self(stream.io().peer())
    }
}

/// Serves until it is told to stop.
pub(super) async fn serve(
    agent: Agent,
    incoming: mpsc::Receiver<Result<Guarded, std::io::Error>>,
    stop: watch::Receiver<bool>,
) {
    let router = router::router(agent).layer(middleware::from_fn(check));
    let service = router.into_make_service_with_connect_info::<Caller>();
    let served =
        axum::serve(Incoming(incoming), service).with_graceful_shutdown(stopped(stop)).await;
    if let Err(error) = served {
        log::error!("REST: {error}");
    }
}

/// Refuses callers that may not call.
async fn check(
    ConnectInfo(Caller(peer)): ConnectInfo<Caller>,
    request: Request,
    next: Next,
) -> Result<Response, Infallible> {
    Ok(match CHECKER.check(Some(&peer)) {
        Ok(()) => next.run(request).await,
        Err(Refusal::Denied(text)) => {
            router::error(StatusCode::FORBIDDEN, "permissionDenied", &text)
        }
        Err(Refusal::Unknown) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    })
}
