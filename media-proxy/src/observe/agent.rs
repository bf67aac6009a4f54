//! What the mesh agent is told each second, under the names of the original.

use crate::bridge::{Phase, Row, Table};
use crate::broker::exchange::Handle;
use mesh::metrics::{Metric, Value};
use mesh::plane::ControlPlane;
use mesh::topology::Direction;
use proto::control::{Connection, Kind};
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
        let Ok(mut snapshot) = exchange.snapshot(None).await else { return };
        let rows = bridges.rows();
        crate::observe::bridges::stop_unlinked(&mut snapshot.groups, &rows);
        let members = snapshot
            .groups
            .into_iter()
            .flat_map(|group| group.source.into_iter().chain(group.receivers));
        let connections: Vec<_> = members.collect();
        let metrics = measure(&connections, &rows, &mut errors, SystemTime::now());
        if !metrics.is_empty() {
            plane.metrics(metrics);
        }
    }
}

/// What is known of all connections of programs and of all bridges. `errors` has the counts of errors that were told last.
pub(super) fn measure(
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
    let mut fields = vec![
        text("state", connection.state().word()),
        ("link".into(), Value::Bool(connection.state().is_linked())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Figures;
    use config::{ConnectionConfig, Endpoint};
    use media::Payload;
    use mesh::topology::{BridgeLink, BridgeSpec};
    use proto::control::State;
    use std::time::Instant;

    struct Counts(Vec<(&'static str, u64)>);

    impl Figures for Counts {
        fn local(&self) -> String {
            String::new()
        }
        fn counters(&self) -> Vec<(&'static str, u64)> {
            self.0.clone()
        }
        fn measurements(&self) -> Vec<(&'static str, f64)> {
            Vec::new()
        }
        fn sdp(&self) -> Option<String> {
            None
        }
    }

    fn bridge(phase: Phase, counts: &[(&'static str, u64)]) -> Row {
        let endpoint = Endpoint::MultipointGroup { urn: "g".into() };
        let spec = BridgeSpec {
            id: "b".into(),
            group: "g".into(),
            proxy: "p".into(),
            direction: Direction::Ingress,
            config: Arc::new(ConnectionConfig::new(endpoint, Payload::Blob)),
            link: BridgeLink::St2110,
        };
        Row {
            spec: Arc::new(spec),
            phase,
            since: Instant::now(),
            conn_id: "c".into(),
            figures: Some(Arc::new(Counts(counts.to_vec()))),
        }
    }

    fn field(metric: &Metric, name: &str) -> Value {
        metric.field(name).unwrap_or_else(|| panic!("{name}: {metric:?}")).clone()
    }

    #[test]
    fn each_side_sees_its_bytes() {
        let connection = |conn_id: &str, kind: Kind| Connection {
            conn_id: conn_id.into(),
            kind: kind.into(),
            state: State::Active.into(),
            frames: 60,
            bytes: 6000,
            missed: 2,
            mbit_per_s: 8.0,
            fps: 60.0,
            ..Connection::default()
        };
        let of_bridge = Connection { bridge: true, ..connection("c", Kind::Source) };
        let all = [connection("s", Kind::Source), connection("r", Kind::Receiver), of_bridge];
        let metrics = measure(&all, &[], &mut HashMap::new(), UNIX_EPOCH + INTERVAL);
        let ids: Vec<_> = metrics.iter().map(|metric| metric.provider.as_str()).collect();
        assert_eq!((ids, metrics[0].timestamp_ms), (vec!["s", "r"], 1000));
        for (metric, bytes, rates) in
            [(&metrics[0], [6000, 0], [8.0, 0.0]), (&metrics[1], [0, 6000], [0.0, 8.0])]
        {
            assert_eq!(["in", "out"].map(|name| field(metric, name)), bytes.map(Value::Unsigned));
            assert_eq!(["inbw", "outbw"].map(|name| field(metric, name)), rates.map(Value::Real));
            assert_eq!(field(metric, "state"), Value::Text("active".into()));
        }
        assert_eq!(field(&metrics[1], "ftrn"), Value::Unsigned(2));
    }

    #[test]
    fn errors_of_bridges_are_told_once() {
        let mut errors = HashMap::new();
        let counts =
            [("frames", 9), ("bytes", 90), ("linked", 1), ("gaps", 2), ("losses", 1), ("wild", 3)];
        let up = bridge(Phase::Active, &counts);
        let tell = |row: &Row, errors: &mut _| {
            measure(&[], std::slice::from_ref(row), errors, SystemTime::now()).remove(0)
        };
        let first = tell(&up, &mut errors);
        assert_eq!(field(&first, "link"), Value::Bool(true));
        let names = ["strn", "ftrn", "in", "err", "errd"];
        assert_eq!(names.map(|name| field(&first, name)), [9, 2, 90, 4, 4].map(Value::Unsigned));
        assert_eq!(field(&tell(&up, &mut errors), "errd"), Value::Unsigned(0));
        // It was started anew, and has no connection yet.
        let down = bridge(Phase::Active, &[("linked", 0), ("losses", 1)]);
        let third = tell(&down, &mut errors);
        assert_eq!(
            (field(&third, "link"), field(&third, "errd")),
            (Value::Bool(false), Value::Unsigned(0))
        );
        let failed = tell(&bridge(Phase::Failed("no".into()), &[]), &mut errors);
        assert_eq!(field(&failed, "state"), Value::Text("failed".into()));
        assert_eq!(field(&failed, "link"), Value::Bool(false));
    }
}
