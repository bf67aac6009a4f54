//! Measurements that the mesh agent gets each second.

use crate::bridge::{Phase, Row, Table};
use crate::broker::exchange::Handle;
use mesh::metrics::{Measured, Metric};
use mesh::plane::ControlPlane;
use mesh::topology::Direction;
use proto::control::{Connection, Kind};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::MissedTickBehavior;

const INTERVAL: Duration = Duration::from_secs(1);

/// Sends measurements to the control plane until the exchange ends.
pub(crate) async fn report(exchange: Handle, bridges: Table, plane: Arc<dyn ControlPlane>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut errors = HashMap::new();
    loop {
        ticks.tick().await;
        let Ok(mut snapshot) = exchange.snapshot(None).await else { return };
        let rows = bridges.rows();
        super::bridges::stop_unlinked(&mut snapshot.groups, &rows);
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

/// Measurements of all connections of programs and of all bridges. `errors` has the errors of each
/// bridge as they were sent last.
pub(super) fn measure(
    connections: &[Connection],
    rows: &[Row],
    errors: &mut HashMap<String, u64>,
    now: SystemTime,
) -> Vec<Metric> {
    let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let timestamp_ms = i64::try_from(timestamp).unwrap_or(i64::MAX);
    let by_id: HashMap<_, _> = connections.iter().map(|c| (c.conn_id.as_str(), c)).collect();
    let programs = connections.iter().filter(|connection| !connection.bridge);
    let programs = programs.map(|it| (it.conn_id.clone(), of_connection(it)));
    let mut sent = HashMap::new();
    let bridges = rows.iter().map(|row| {
        let id = row.spec.id.to_string();
        let before = errors.get(&id).copied().unwrap_or(0);
        let measured = of_bridge(row, by_id.get(row.conn_id.as_str()).copied(), before);
        sent.insert(id.clone(), measured.errors.unwrap_or(0));
        (id, measured)
    });
    let metric = |(provider, measured)| Metric { timestamp_ms, provider, measured };
    let metrics = programs.chain(bridges).map(metric).collect();
    *errors = sent;
    metrics
}

fn of_connection(connection: &Connection) -> Measured {
    let source = connection.kind() == Kind::Source;
    let pid = if connection.host_pid == 0 { connection.pid } else { connection.host_pid };
    Measured {
        state: Some(connection.state().word().to_owned()),
        linked: Some(connection.state().is_linked()),
        succeeded: Some(connection.frames),
        failed: Some(connection.missed),
        errors: Some(0),
        errors_delta: Some(0),
        program: Some(connection.program.clone()),
        pid: Some(pid.into()),
        queue: Some(connection.queue_depth.into()),
        capacity: Some(connection.capacity.into()),
        waits: source.then_some(connection.waits),
        held: (!source).then_some(connection.held.into()),
        ..flow(source, connection.bytes, connection)
    }
}

/// What flows, as the proxy sees it: what is `incoming` comes to it.
fn flow(incoming: bool, bytes: u64, rates: &Connection) -> Measured {
    let (inbound, outbound) = if incoming { (bytes, 0) } else { (0, bytes) };
    let rate = rates.mbit_per_s;
    let (inbound_mbit, outbound_mbit) = if incoming { (rate, 0.0) } else { (0.0, rate) };
    Measured {
        inbound: Some(inbound),
        outbound: Some(outbound),
        fps: Some(rates.fps),
        inbound_mbit: Some(inbound_mbit),
        outbound_mbit: Some(outbound_mbit),
        ..Measured::default()
    }
}

/// `before` are the errors as they were sent last.
fn of_bridge(row: &Row, connection: Option<&Connection>, before: u64) -> Measured {
    let figures = row.figures.as_ref();
    let statistics = figures.map(|figures| figures.statistics()).unwrap_or_default();
    let state = match &row.phase {
        Phase::Starting => "starting",
        Phase::Active => "active",
        Phase::Failed(_) => "failed",
        Phase::Stopping => "stopping",
    };
    let count = statistics.errors();
    let idle = Connection::default();
    let incoming = row.spec.direction == Direction::Ingress;
    Measured {
        state: Some(state.to_owned()),
        // Towards the network there is no connection that could be lost.
        linked: Some(row.phase == Phase::Active && statistics.linked.unwrap_or(true)),
        succeeded: Some(statistics.frames.unwrap_or(0)),
        failed: Some(statistics.missed_frames()),
        errors: Some(count),
        // A bridge that was started anew counts from 0.
        errors_delta: Some(count.saturating_sub(before)),
        losses: Some(statistics.losses.unwrap_or(0)),
        ..flow(incoming, statistics.bytes.unwrap_or(0), connection.unwrap_or(&idle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::{BridgeStatistics, Figures};
    use config::{ConnectionConfig, Endpoint};
    use media::Payload;
    use mesh::topology::{BridgeLink, BridgeSpec};
    use proto::control::State;
    use std::time::Instant;

    struct Counts(BridgeStatistics);

    impl Figures for Counts {
        fn local(&self) -> String {
            String::new()
        }
        fn statistics(&self) -> BridgeStatistics {
            self.0.clone()
        }
        fn sdp(&self) -> Option<String> {
            None
        }
    }

    fn bridge(phase: Phase, statistics: BridgeStatistics) -> Row {
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
            figures: Some(Arc::new(Counts(statistics))),
        }
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
            let measured = &metric.measured;
            assert_eq!([measured.inbound, measured.outbound], bytes.map(Some));
            assert_eq!([measured.inbound_mbit, measured.outbound_mbit], rates.map(Some));
            assert_eq!(measured.state.as_deref(), Some("active"));
        }
        assert_eq!(metrics[1].measured.failed, Some(2));
    }

    #[test]
    fn errors_of_bridges_are_told_once() {
        let mut errors = HashMap::new();
        let counts = BridgeStatistics {
            frames: Some(9),
            bytes: Some(90),
            linked: Some(true),
            gaps: Some(2),
            losses: Some(1),
            wild: Some(3),
            ..BridgeStatistics::default()
        };
        let up = bridge(Phase::Active, counts);
        let tell = |row: &Row, errors: &mut _| {
            measure(&[], std::slice::from_ref(row), errors, SystemTime::now()).remove(0).measured
        };
        let first = tell(&up, &mut errors);
        assert_eq!((first.linked, first.inbound), (Some(true), Some(90)));
        assert_eq!((first.succeeded, first.failed), (Some(9), Some(2)));
        assert_eq!((first.errors, first.errors_delta), (Some(4), Some(4)));
        assert_eq!(tell(&up, &mut errors).errors_delta, Some(0));
        // It was started anew, and has no connection yet.
        let counts = BridgeStatistics {
            linked: Some(false),
            losses: Some(1),
            ..BridgeStatistics::default()
        };
        let third = tell(&bridge(Phase::Active, counts), &mut errors);
        assert_eq!((third.linked, third.errors_delta), (Some(false), Some(0)));
        let failed = bridge(Phase::Failed("no".into()), BridgeStatistics::default());
        let failed = tell(&failed, &mut errors);
        assert_eq!((failed.state.as_deref(), failed.linked), (Some("failed"), Some(false)));
    }
}
