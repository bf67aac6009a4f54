//! Routes of the REST API, and their responses.

use super::objects::{self, Parts};
use super::{OPENAPI, prometheus};
use crate::{Agent, State};
use axum::Json;
use axum::Router;
use axum::extract::{self, Path, RawQuery};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use mesh::AgentError;
use mesh::topology::{BridgeId, ConnectionId, GroupId, ProxyId};
use serde_json::{Map, Value, json};
use std::sync::Arc;

/// All paths.
pub(super) fn router(agent: Agent, origins: Arc<[String]>) -> Router {
    let all = Router::new()
        .route("/media-proxy", get(proxies))
        .route("/media-proxy/{id}", get(proxy).delete(delete_proxy))
        .route("/connection", get(connections))
        .route("/connection/{id}", get(connection).delete(delete_connection))
        .route("/multipoint-group", get(groups))
        .route("/multipoint-group/{id}", get(group).delete(delete_group))
        .route("/bridge", get(bridges))
        .route("/bridge/{id}", get(bridge).delete(delete_bridge))
        .route("/openapi.json", get(openapi))
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .fallback(async || {
            error(StatusCode::NOT_FOUND, "notFound", "no such path; see /openapi.json")
        })
        .method_not_allowed_fallback(async || {
            let text = "this method is not for this path; see /openapi.json";
            error(StatusCode::METHOD_NOT_ALLOWED, "methodNotAllowed", text)
        })
        .with_state(agent);
    if origins.is_empty() {
        return all;
    }
    all.layer(middleware::from_fn_with_state(origins, cross_origin))
}

/// Lets pages of the configured origins read answers (CORS, the Fetch standard); pages of others
/// get no such header, and browsers then withhold the answer.
async fn cross_origin(
    extract::State(origins): extract::State<Arc<[String]>>,
    request: extract::Request,
    next: middleware::Next,
) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let origin = origin.filter(|it| origins.iter().any(|known| known.as_bytes() == it.as_bytes()));
    let asks_first = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = match (&origin, asks_first) {
        (Some(_), true) => StatusCode::NO_CONTENT.into_response(),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if asks_first {
            let methods = HeaderValue::from_static("GET, HEAD, DELETE");
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
            let allowed = HeaderValue::from_static("x-requested-with, content-type");
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, allowed);
        }
    }
    response
}

/// An error, as JSON.
pub(super) fn error(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({"error": {"code": code, "message": message}}))).into_response()
}

/// A refusal of the agent, as JSON.
fn refused(refusal: &AgentError) -> Response {
    let (status, code) = match refusal {
        AgentError::UnknownProxy(_) | AgentError::UnknownConnection(_) => {
            (StatusCode::NOT_FOUND, "notFound")
        }
        AgentError::Config(_) | AgentError::Incompatible { .. } | AgentError::Invalid { .. } => {
            (StatusCode::BAD_REQUEST, "invalid")
        }
        AgentError::SourceTaken { .. } | AgentError::Removed(_) | AgentError::Refused { .. } => {
            (StatusCode::CONFLICT, "conflict")
        }
        AgentError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
        AgentError::Setup(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    };
    error(status, code, &refusal.to_string())
}

fn not_found(kind: &str, id: &str) -> Response {
    error(StatusCode::NOT_FOUND, "notFound", &format!("no {kind} has the id {}", id.escape_debug()))
}

/// The parts that a query asks for, and whatever it asks for otherwise as an error.
fn parts(query: Option<&str>) -> Result<Parts, Box<Response>> {
    let mut parts = Parts::default();
    for word in query.unwrap_or_default().split('&').filter(|word| !word.is_empty()) {
        match word.split('=').next() {
            Some("config") => parts.config = true,
            Some("status") => parts.status = true,
            _ => {
                let text = format!("query: found {}; allowed: config, status", word.escape_debug());
                return Err(Box::new(error(StatusCode::BAD_REQUEST, "invalid", &text)));
            }
        }
    }
    Ok(parts)
}

fn list(
    agent: &Agent,
    query: Option<&str>,
    name: &str,
    all: impl FnOnce(&State, Parts) -> Vec<Value>,
) -> Response {
    match parts(query) {
        Ok(parts) => {
            let objects = all(&agent.lock(), parts);
            Json(Value::from(Map::from_iter([(name.to_owned(), objects.into())]))).into_response()
        }
        Err(response) => *response,
    }
}

/// One object, with all its parts unless the query names some.
fn single(
    agent: &Agent,
    query: Option<&str>,
    kind: &str,
    id: &str,
    find: impl FnOnce(&State, Parts) -> Option<Value>,
) -> Response {
    let parts = match parts(query) {
        Ok(Parts { config: false, status: false }) => Parts { config: true, status: true },
        Ok(parts) => parts,
        Err(response) => return *response,
    };
    let found = find(&agent.lock(), parts);
    found.map_or_else(|| not_found(kind, id), |object| Json(object).into_response())
}

/// The answer to a deletion, with the status that clients of the original wait for.
fn done() -> Response {
    Json(json!({})).into_response()
}

fn gone(result: Result<(), AgentError>) -> Response {
    result.map_or_else(|refusal| refused(&refusal), |()| done())
}

type Of = extract::State<Agent>;

async fn proxies(extract::State(agent): Of, RawQuery(query): RawQuery) -> Response {
    list(&agent, query.as_deref(), "mediaProxy", |state, parts| {
        state.topology.proxies().map(|(proxy, _)| objects::proxy(state, proxy, parts)).collect()
    })
}

async fn proxy(
    extract::State(agent): Of,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    single(&agent, query.as_deref(), "media proxy", &id, |state, parts| {
        let (proxy, _) = state.topology.proxy(&ProxyId::from(id.as_str()))?;
        Some(objects::proxy(state, proxy, parts))
    })
}

async fn delete_proxy(extract::State(agent): Of, Path(id): Path<String>) -> Response {
    gone(agent.unregister_proxy(&ProxyId::from(id)).await)
}

async fn connections(extract::State(agent): Of, RawQuery(query): RawQuery) -> Response {
    list(&agent, query.as_deref(), "connection", |state, parts| {
        state.topology.connections().map(|one| objects::connection(state, one, parts)).collect()
    })
}

async fn connection(
    extract::State(agent): Of,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    single(&agent, query.as_deref(), "connection", &id, |state, parts| {
        let connection = state.topology.connection(&ConnectionId::from(id.as_str()))?;
        Some(objects::connection(state, connection, parts))
    })
}

async fn delete_connection(extract::State(agent): Of, Path(id): Path<String>) -> Response {
    match agent.delete_connection(&ConnectionId::from(id.as_str())).await {
        Err(AgentError::UnknownConnection(_)) => not_found("connection", &id),
        result => gone(result),
    }
}

async fn groups(extract::State(agent): Of, RawQuery(query): RawQuery) -> Response {
    list(&agent, query.as_deref(), "multipointGroup", |state, parts| {
        state.topology.groups().map(|view| objects::group(state, &view, parts)).collect()
    })
}

async fn group(
    extract::State(agent): Of,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    single(&agent, query.as_deref(), "multipoint group", &id, |state, parts| {
        let view = state.topology.group(&GroupId::from(id.as_str()))?;
        Some(objects::group(state, &view, parts))
    })
}

async fn delete_group(extract::State(agent): Of, Path(id): Path<String>) -> Response {
    let members = {
        let state = agent.lock();
        state.topology.group(&GroupId::from(id.as_str())).map(|view| view.connections)
    };
    let Some(members) = members else { return not_found("multipoint group", &id) };
    for connection in members {
        match agent.delete_connection(&connection).await {
            // It went by itself.
            Ok(()) | Err(AgentError::UnknownConnection(_)) => {}
            Err(error) => return refused(&error),
        }
    }
    done()
}

async fn bridges(extract::State(agent): Of, RawQuery(query): RawQuery) -> Response {
    list(&agent, query.as_deref(), "bridge", |state, parts| {
        state.topology.bridges().map(|view| objects::bridge(state, &view, parts)).collect()
    })
}

async fn bridge(
    extract::State(agent): Of,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    single(&agent, query.as_deref(), "bridge", &id, |state, parts| {
        let view = state.topology.bridges().find(|view| view.spec.id.as_str() == id)?;
        Some(objects::bridge(state, &view, parts))
    })
}

async fn delete_bridge(extract::State(agent): Of, Path(id): Path<String>) -> Response {
    let id = BridgeId::from(id);
    let mut state = agent.lock();
    let Some(view) = state.topology.bridges().find(|view| view.spec.id == id) else {
        return not_found("bridge", id.as_str());
    };
    if view.held {
        state.topology.end_hold(&view.spec.group, &id);
        agent.publish(&mut state);
        return done();
    }
    let text = format!(
        "bridge {id} follows from the connections of group {}: remove those instead",
        view.spec.group
    );
    error(StatusCode::CONFLICT, "conflict", &text)
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn metrics(extract::State(agent): Of) -> Response {
    let text = prometheus::text(&agent);
    ([(header::CONTENT_TYPE, daemon::exposition::CONTENT_TYPE)], text).into_response()
}

async fn health(extract::State(agent): Of) -> Response {
    if agent.store_is_reachable() {
        Json(json!({"healthy": true})).into_response()
    } else {
        error(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "the store cannot be reached")
    }
}
