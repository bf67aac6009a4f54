//! Serves HTTP on connections that came through a [`Port`](crate::Port).
//!
//! A slow or silent client cannot hold the server: a request's head has to arrive within some
//! seconds, and every connection ends after a minute.

use crate::peer::{Checker, Peer, Refusal};
use crate::tcp::Guarded;
use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Time limit for the head of a request, and for an idle connection.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest life of a connection.
const LIFETIME: Duration = Duration::from_secs(60);
/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// Serves until it is stopped, and then until pending requests are answered. Callers that may not
/// call get `refusal` with the reason.
pub async fn serve(
    router: Router,
    checker: Checker,
    refusal: fn(&str) -> Response,
    mut incoming: mpsc::Receiver<Result<Guarded, std::io::Error>>,
    mut stop: watch::Receiver<bool>,
) {
    let check = move |request: Request, next: Next| async move {
        match checker.check(request.extensions().get::<Peer>()) {
            Ok(()) => next.run(request).await,
            Err(Refusal::Denied(text)) => refusal(&text),
            Err(Refusal::Unknown) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        }
    };
    let router = TowerToHyperService::new(router.layer(middleware::from_fn(check)));
    let mut builder = Builder::new(TokioExecutor::new());
    let timer = TokioTimer::new;
    builder.http1().timer(timer()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_HEAD);
    builder.http2().timer(timer()).max_header_list_size(MAX_HEAD as u32);
    let graceful = GracefulShutdown::new();
    loop {
        let guarded = tokio::select! {
            // An error means that the sender of the stop signal is gone.
            _ = stop.wait_for(|stop| *stop) => break,
            guarded = incoming.recv() => match guarded {
                Some(Ok(guarded)) => guarded,
                Some(Err(error)) => {
                    log::debug!("HTTP: {error}");
                    continue;
                }
                // The server accepts no more connections: the program is ending.
                None => break,
            },
        };
        let (router, peer) = (router.clone(), guarded.peer());
        let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(peer);
            router.call(request)
        });
        let connection = builder.serve_connection(TokioIo::new(guarded), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // A caller's error is not worth a log line, and a slow one comes again.
            let _ended = tokio::time::timeout(LIFETIME, connection).await;
        });
    }
    graceful.shutdown().await;
}
