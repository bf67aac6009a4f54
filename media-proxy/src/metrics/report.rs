//! What the mesh agent is told each second, under the names of release 25.03.

use crate::bridge::{Phase, Row, Table};
use crate::exchange::Handle;
use mesh_agent::metrics::{Metric, Value};
use mesh_agent::plane::ControlPlane;
use mesh_agent::topology::Direction;
use proto::control::{Connection, Kind, State};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::MissedTickBehavior;

const INTERVAL: Duration = Duration::from_secs(1);

/// Counts of a bridge that are errors rather than lost frames.
const ERRORS: [&str; 5] = ["losses", "malformed", "replayed", "wild", "foreign"];
/// Counts of a bridge that are frames that it did not carry.
const FAILED: [&str; 7] = [
    "unsent",
    "gaps",
    "dropped_frames",
    "frames_without_slot",
    "wrong_sizes",
    "codec_failures",
    "codec_dropped",
];

/// Tells the control plane what is measured, until the exchange ends.
pub(crate) async fn report(exchange: Handle, bridges: Table, plane: Arc<dyn ControlPlane>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut errors = HashMap::new();
    loop {
        ticks.tick().await;
        let Ok(snapshot) = exchange.snapshot(None).await else { return };
        let members = snapshot
            .groups
            .into_iter()
            .flat_map(|group| group.source.into_iter().chain(group.receivers));
        let connections: Vec<_> = members.collect();
        let metrics = measure(&connections, &bridges.rows(), &mut errors, SystemTime::now());
        if !metrics.is_empty() {
            plane.metrics(metrics);
        }
    }
}

/// What is known of all connections of programs and of all bridges. `errors` has the counts of errors that were told last.
fn measure(
    connections: &[Connection],
    rows: &[Row],
    errors: &mut HashMap<String, u64>,
    now: SystemTime,
) -> Vec<Metric> {
    let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let timestamp_ms = i64::try_from(timestamp).unwrap_or(i64::MAX);
    let by_id: HashMap<_, _> = connections.iter().map(|c| (c.conn_id.as_str(), c)).collect();
    let mut told = HashMap::new();
    let mut metrics = Vec::new();
    for connection in connections.iter().filter(|connection| !connection.bridge) {
        let mut fields = of_connection(connection);
        fields.extend([number("err", 0), number("errd", 0)]);
        metrics.push(Metric { timestamp_ms, provider: connection.conn_id.clone(), fields });
    }
    for row in rows {
        let provider = row.spec.id.to_string();
        let (mut fields, count) = of_bridge(row, by_id.get(row.conn_id.as_str()).copied());
        // A bridge that was started anew counts from 0.
        let before = errors.get(&provider).copied().unwrap_or(0);
        fields.extend([number("err", count), number("errd", count.saturating_sub(before))]);
        told.insert(provider.clone(), count);
        metrics.push(Metric { timestamp_ms, provider, fields });
    }
    *errors = told;
    metrics
}

fn of_connection(connection: &Connection) -> Vec<(String, Value)> {
    let source = connection.kind() == Kind::Source;
    let active = connection.state() == State::Active;
    let state = match connection.state() {
        State::Active => "active",
        State::Waiting => "waiting",
        State::Joining => "joining",
        State::Detached => "detached",
        State::Unspecified => "unknown",
    };
    let mut fields = vec![
        text("state", state),
        ("link".into(), Value::Bool(active)),
        number("strn", connection.frames),
        number("ftrn", connection.missed),
        text("program", &connection.program),
        number(
            "pid",
            u64::from(if connection.host_pid == 0 { connection.pid } else { connection.host_pid }),
        ),
        number("queue", connection.queue_depth.into()),
        number("capacity", connection.capacity.into()),
    ];
    fields.push(if source {
        number("waits", connection.waits)
    } else {
        number("held", connection.held.into())
    });
    fields.extend(flow(source, connection.bytes, connection));
    fields
}

/// What flows, seen from the proxy: `in` is what comes to it.
fn flow(incoming: bool, bytes: u64, rates: &Connection) -> [(String, Value); 5] {
    let (inbound, outbound) = if incoming { (bytes, 0) } else { (0, bytes) };
    let rate = rates.mbit_per_s;
    let (inbw, outbw) = if incoming { (rate, 0.0) } else { (0.0, rate) };
    [
        number("in", inbound),
        number("out", outbound),
        ("tps".into(), Value::Real(rates.fps)),
        ("inbw".into(), Value::Real(inbw)),
        ("outbw".into(), Value::Real(outbw)),
    ]
}

/// What is told of a bridge, and how many errors it has counted.
fn of_bridge(row: &Row, connection: Option<&Connection>) -> (Vec<(String, Value)>, u64) {
    let counters: HashMap<_, _> =
        row.figures.iter().flat_map(|figures| figures.counters()).collect();
    let count = |name: &str| counters.get(name).copied().unwrap_or(0);
    let sum = |names: &[&str]| names.iter().map(|name| count(name)).fold(0, u64::saturating_add);
    let state = match &row.phase {
        Phase::Starting => "starting",
        Phase::Active => "active",
        Phase::Failed(_) => "failed",
        Phase::Stopping => "stopping",
    };
    // Towards the network there is no connection that could be lost.
    let link = row.phase == Phase::Active && counters.get("linked").is_none_or(|up| *up == 1);
    let mut fields = vec![
        text("state", state),
        ("link".into(), Value::Bool(link)),
        number("strn", count("frames")),
        number("ftrn", sum(&FAILED)),
        number("losses", count("losses")),
    ];
    let incoming = row.spec.direction == Direction::Ingress;
    let idle = Connection::default();
    fields.extend(flow(incoming, count("bytes"), connection.unwrap_or(&idle)));
    (fields, sum(&ERRORS))
}

fn number(name: &str, value: u64) -> (String, Value) {
    (name.to_owned(), Value::Unsigned(value))
}

fn text(name: &str, value: &str) -> (String, Value) {
    (name.to_owned(), Value::Text(value.to_owned()))
}
