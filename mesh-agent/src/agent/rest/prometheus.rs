//! Measurements in the text format of Prometheus (version 0.0.4).

use crate::agent::{Agent, State};
use crate::metrics::{Metric, Value};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a connection or bridge belongs to.
struct Labels {
    group: String,
    proxy: String,
    what: &'static str,
}

/// Field names of the proxies, names here, types, and explanations.
const FIELDS: [(&str, &str, &str, &str); 9] = [
    ("link", "mcm_linked", "gauge", "Whether the connection or bridge carries frames."),
    ("in", "mcm_inbound_bytes_total", "counter", "Bytes that came in."),
    ("out", "mcm_outbound_bytes_total", "counter", "Bytes that went out."),
    ("strn", "mcm_transactions_succeeded_total", "counter", "Frames that got through."),
    ("ftrn", "mcm_transactions_failed_total", "counter", "Frames that did not."),
    ("err", "mcm_errors_total", "counter", "Errors."),
    ("tps", "mcm_transactions_per_second", "gauge", "Frames a second."),
    ("inbw", "mcm_inbound_mbit_per_second", "gauge", "Bandwidth that comes in."),
    ("outbw", "mcm_outbound_mbit_per_second", "gauge", "Bandwidth that goes out."),
];

/// All that the agent knows.
pub(super) fn text(agent: &Agent) -> String {
    let mut out = String::new();
    let up = agent.store_is_reachable();
    let state = agent.lock();
    let [proxies, connections, groups, bridges] = state.topology.counts();
    let problems: usize = state.topology.groups().map(|view| view.problems.len()).sum();
    let held = state.topology.bridges().filter(|view| view.held).count();
    let counters = state.counters;
    let gauges = [
        ("mcm_agent_store_up", u64::from(up), "Whether the store answers."),
        ("mcm_agent_media_proxies", proxies as u64, "Registered media proxies."),
        (
            "mcm_agent_command_streams",
            state.sessions.len() as u64,
            "Media proxies connected to this agent.",
        ),
        ("mcm_agent_connections", connections as u64, "Registered connections."),
        ("mcm_agent_groups", groups as u64, "Multipoint groups."),
        ("mcm_agent_bridges", bridges as u64, "Bridges that are needed."),
        (
            "mcm_agent_held_bridges",
            held as u64,
            "Bridges that go on though nothing known needs them.",
        ),
        ("mcm_agent_problems", problems as u64, "Media proxies that do not get what they should."),
    ];
    for (name, value, help) in gauges {
        single(&mut out, name, "gauge", help, value);
    }
    let totals = [
        ("mcm_agent_registrations_total", counters.registrations, "Registrations asked for."),
        ("mcm_agent_refusals_total", counters.refusals, "Registrations refused."),
        ("mcm_agent_applied_total", counters.applied, "Desired states answered by media proxies."),
        (
            "mcm_agent_apply_errors_total",
            counters.apply_errors,
            "Those that were not wholly applied.",
        ),
        (
            "mcm_agent_lost_media_proxies_total",
            counters.lost_proxies,
            "Media proxies that were lost.",
        ),
        ("mcm_agent_store_errors_total", counters.store_errors, "Failed requests to the store."),
    ];
    for (name, value, help) in totals {
        single(&mut out, name, "counter", help, value);
    }
    streams(&mut out, &state);
    out
}

fn single(out: &mut String, name: &str, kind: &str, help: &str, value: u64) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
}

/// What proxies measure at connections and bridges.
fn streams(out: &mut String, state: &State) {
    let mut labels = BTreeMap::new();
    for connection in state.topology.connections() {
        let what = match connection.kind {
            proto::Kind::Source => "source",
            proto::Kind::Receiver => "receiver",
        };
        let (group, proxy) = (connection.config.group_id(), connection.proxy.to_string());
        labels.insert(connection.id.to_string(), Labels { group, proxy, what });
    }
    for view in state.topology.bridges() {
        let (group, proxy) = (view.spec.group.to_string(), view.spec.proxy.to_string());
        let what = match (view.spec.rdma().is_some(), view.spec.direction.wire()) {
            (true, "rx") => "rdma-ingress",
            (true, _) => "rdma-egress",
            (false, "rx") => "st2110-ingress",
            (false, _) => "st2110-egress",
        };
        labels.insert(view.spec.id.to_string(), Labels { group, proxy, what });
    }
    for (field, name, kind, help) in FIELDS {
        let with_value = |metric: &Metric| metric.field(field).and_then(number);
        let mut lines = state
            .metrics
            .all()
            .filter_map(|m| Some((m, labels.get(&m.provider)?, with_value(m)?)))
            .peekable();
        if lines.peek().is_none() {
            continue;
        }
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (metric, Labels { group, proxy, what }, value) in lines {
            let _ = writeln!(
                out,
                "{name}{{id=\"{}\",group=\"{}\",media_proxy=\"{}\",kind=\"{what}\"}} {value}",
                escape(&metric.provider),
                escape(group),
                escape(proxy),
            );
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Unsigned(number) => Some(*number as f64),
        Value::Real(number) => Some(*number),
        Value::Bool(yes) => Some(f64::from(u8::from(*yes))),
        Value::Text(_) => None,
    }
}

/// A label's value as the format wants it.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn labels_cannot_break_out() {
        assert_eq!(super::escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
