//! The REST API for operators and tools.

mod objects;
mod prometheus;
mod router;

use super::Agent;
use super::server::CHECKER;
use axum::http::StatusCode;
use daemon::Guarded;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// The description of the API that it serves.
pub const OPENAPI: &str = include_str!("../../openapi.json");

/// Serves until it is told to stop.
pub(super) async fn serve(
    agent: Agent,
    origins: Arc<[String]>,
    incoming: mpsc::Receiver<Result<Guarded, std::io::Error>>,
    stop: watch::Receiver<bool>,
) {
    let refusal = |text: &str| router::error(StatusCode::FORBIDDEN, "permissionDenied", text);
    daemon::http::serve(router::router(agent, origins), CHECKER, refusal, incoming, stop).await;
}
