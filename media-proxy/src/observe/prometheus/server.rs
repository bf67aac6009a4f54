//! The port for Prometheus.

use super::Collector;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use daemon::{Checker, Guarded};
use std::io::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, mpsc, watch};

/// For so long an answer is given again, so that however many ask, the proxy's work stays bounded.
const FRESH: Duration = Duration::from_millis(500);

const INDEX: &str = "media_proxy: measurements for Prometheus are at /metrics\n";

/// The page, as it was made last.
struct Page {
    collector: Collector,
    last: Mutex<Option<(Instant, Arc<str>)>>,
}

/// Serves until it is told to stop.
pub(crate) async fn serve(
    collector: Collector,
    incoming: mpsc::Receiver<Result<Guarded, Error>>,
    stop: watch::Receiver<bool>,
) {
    let page = Arc::new(Page { collector, last: Mutex::default() });
    let router = Router::new()
        .route("/", get(async || INDEX))
        .route("/metrics", get(metrics))
        .fallback(async || (StatusCode::NOT_FOUND, INDEX))
        .with_state(page);
    let refusal = |text: &str| (StatusCode::FORBIDDEN, format!("{text}\n")).into_response();
    let checker = Checker { program: "media_proxy", networks: Some("--metrics-allow") };
    daemon::http::serve(router, checker, refusal, incoming, stop).await;
}

async fn metrics(State(page): State<Arc<Page>>) -> Response {
    let mut last = page.last.lock().await;
    let fresh = last.as_ref().filter(|(made, _)| made.elapsed() < FRESH);
    let text = match fresh {
        Some((_, text)) => Arc::clone(text),
        None => {
            let Ok(text) = page.collector.text().await else {
                return (StatusCode::SERVICE_UNAVAILABLE, "media_proxy is ending\n")
                    .into_response();
            };
            let text: Arc<str> = text.into();
            *last = Some((Instant::now(), Arc::clone(&text)));
            text
        }
    };
    drop(last);
    // All who ask share one copy, however slowly they read.
    let body = axum::body::Bytes::from_owner(Shared(text));
    ([(header::CONTENT_TYPE, daemon::exposition::CONTENT_TYPE)], body).into_response()
}

struct Shared(Arc<str>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}
