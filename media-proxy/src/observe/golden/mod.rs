//! The text of `/metrics`, the names of `ListBridges` and the fields that agents get, of a made-up
//! host that has a value for each of them.
//!
//! With the environment variable `MCM_BLESS=1` the files in `tests/golden` are rewritten instead.

mod host;

use super::control::Identity;
use super::prometheus::{self, Process};
use super::{agent, bridges};
use crate::bridge::{BridgeStatistics, PathStatistics, Table};
use crate::broker::exchange::Totals;
use host::{clock, rows, snapshot};
use mesh::metrics::Value;
use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

#[track_caller]
fn check(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("MCM_BLESS").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    for (number, (expected, found)) in expected.lines().zip(found.lines()).enumerate() {
        assert_eq!(found, expected, "{}, line {}", path.display(), number + 1);
    }
    assert_eq!(found, expected, "{}", path.display());
}

/// Sorts the families by name and the samples of each: Prometheus gives their order no meaning.
fn sorted(text: &str) -> String {
    let mut families: Vec<_> = text
        .split_inclusive("# HELP ")
        .map(|it| it.trim_end_matches("# HELP "))
        .filter(|it| !it.is_empty())
        .map(|family| {
            let mut lines: Vec<_> = family.lines().collect();
            // Behind help and type. The bounds of histograms have an order.
            if !lines[1].ends_with("histogram") {
                lines[2..].sort();
                lines.dedup();
            }
            format!("# HELP {}\n", lines.join("\n"))
        })
        .collect();
    families.sort();
    families.concat()
}

/// All of `/metrics`; values that differ from run to run are replaced by an ellipsis.
fn text() -> String {
    let identity = Identity {
        proxy_id: "p1".into(),
        run_dir: String::new(),
        exchange_socket: String::new(),
        sdk_port: 8002,
        grpc_port: 8001,
        started: Instant::now(),
    };
    let totals =
        Totals { clients: 2, groups: 3, connections: 2004, bridges: 5, refused_clients: 6 };
    let host = (&identity, totals, &clock());
    let text = prometheus::text(host, snapshot(), &rows(), &mut Process::default());
    let version = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    let text = text.replace(&version, "version=\"…\"");
    let masked = |line: &str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let changes = ["mcm_proxy_uptime_seconds", "mcm_proxy_refused_total"].contains(&name);
        if changes || name.starts_with("process_") {
            return format!("{} …\n", &line[..line.rfind(' ').unwrap()]);
        }
        // The threads are those of the tests.
        let thread = name == "mcm_thread_cpu_seconds_total";
        if thread { format!("{name}{{thread=\"…\"}} …\n") } else { format!("{line}\n") }
    };
    sorted(text.lines().map(masked).collect::<String>().as_str())
}

#[test]
fn prometheus_text() {
    check("metrics.txt", &text());
}

#[test]
fn bridges_as_listed() {
    let table = Table::default();
    table.fill(rows());
    let mut text = String::new();
    for bridge in bridges::bridges(&table, Some("studio")) {
        let state = bridge.state().as_str_name();
        let direction = bridge.direction().as_str_name();
        writeln!(text, "{} {direction} {} {state}", bridge.bridge_id, bridge.transport).unwrap();
        let ends = [("local", &bridge.local), ("remote", &bridge.remote)];
        let more = [("reason", &bridge.reason), ("conn_id", &bridge.conn_id)];
        for (name, value) in ends.into_iter().chain(more) {
            writeln!(text, "  {name}: {value:?}").unwrap();
        }
        for warning in &bridge.warnings {
            writeln!(text, "  warning: {warning}").unwrap();
        }
        let counters = bridge.counters.iter().map(|(name, value)| format!("{name} = {value}"));
        let mut counters: Vec<_> = counters.collect();
        let measured = bridge.measurements.iter().map(|(name, v)| format!("{name} = {v:?}"));
        let mut measurements: Vec<_> = measured.collect();
        counters.sort();
        measurements.sort();
        for line in counters {
            writeln!(text, "  counter {line}").unwrap();
        }
        for line in measurements {
            writeln!(text, "  measurement {line}").unwrap();
        }
    }
    check("bridges.txt", &text);
}

#[test]
fn fields_for_agents() {
    let mut snapshot = snapshot();
    let rows = rows();
    bridges::stop_unlinked(&mut snapshot.groups, &rows);
    let groups = snapshot.groups.into_iter();
    let members = groups.flat_map(|group| group.source.into_iter().chain(group.receivers));
    let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
    let metrics = agent::measure(&members.collect::<Vec<_>>(), &rows, &mut HashMap::new(), now);
    let mut text = String::new();
    for metric in metrics {
        writeln!(text, "{} at {}", metric.provider, metric.timestamp_ms).unwrap();
        let mut fields: Vec<_> = metric.measured.fields().collect();
        fields.sort_by_key(|(name, _)| *name);
        for (name, value) in fields {
            let value = match value {
                Value::Text(text) => format!("text {text:?}"),
                Value::Unsigned(number) => format!("uint {number}"),
                Value::Real(number) => format!("double {number:?}"),
                Value::Bool(yes) => format!("bool {yes}"),
            };
            writeln!(text, "  {name} = {value}").unwrap();
        }
    }
    check("agent.txt", &text);
}

/// `tests/tests/documentation.rs` compares the labels of all metrics.
#[test]
fn declared_metrics_are_documented() {
    let documentation = include_str!("../../../../docs/observability.md");
    let bridges = BridgeStatistics::FAMILIES.iter().map(|it| (it.name, it.kind, it.unit));
    let paths = PathStatistics::FAMILIES.iter().map(|it| (it.name, it.kind, it.unit));
    let declared = prometheus::connections::declared().chain(bridges).chain(paths);
    for (name, kind, unit) in declared.filter(|(name, ..)| !name.is_empty()) {
        let row = format!("\n| `{name}` | {} | {unit} |", kind.word());
        assert!(documentation.contains(&row), "{row}");
    }
    let values = BridgeStatistics::FAMILIES.iter().flat_map(|it| it.members).map(|it| it.value);
    let of_paths = PathStatistics::FAMILIES.iter().flat_map(|it| it.members).map(|it| it.value);
    for value in values.chain(of_paths).filter(|value| !value.is_empty()) {
        assert!(documentation.contains(&format!("`{value}`")), "{value}");
    }
}
