//! Measurements in the text format of Prometheus.

use crate::{Agent, State};
use daemon::Reason;
use daemon::exposition::{Exposition, Kind, Value};
use mesh::metrics::{FIELDS, Family, Value as Measurement};
use std::collections::BTreeMap;

/// Labels of a connection or bridge.
struct Labels {
    group: String,
    stream: String,
    proxy: String,
    what: &'static str,
}

/// All that the agent knows.
pub(super) fn text(agent: &Agent) -> String {
    let mut out = Exposition::default();
    let up = agent.store_is_reachable();
    let state = agent.lock();
    let [proxies, connections, groups, bridges] = state.topology.counts();
    let problems: usize = state.topology.groups().map(|view| view.problems.len()).sum();
    let held = state.topology.bridges().filter(|view| view.held).count();
    let sessions = state.sessions.len();
    let gauges = [
        ("mcm_agent_store_up", usize::from(up), "Whether the store answers."),
        ("mcm_agent_media_proxies", proxies, "Registered media proxies."),
        ("mcm_agent_command_streams", sessions, "Media proxies connected to this agent."),
        ("mcm_agent_connections", connections, "Registered connections."),
        ("mcm_agent_groups", groups, "Multipoint groups."),
        ("mcm_agent_bridges", bridges, "Bridges that are needed."),
        ("mcm_agent_held_bridges", held, "Bridges that go on though nothing known needs them."),
        ("mcm_agent_problems", problems, "Media proxies that do not get what they should."),
    ];
    for (name, value, help) in gauges {
        out.single(name, Kind::Gauge, help, value);
    }
    let counters = state.counters;
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
        (
            "mcm_agent_failed_calls_total",
            counters.failed_calls,
            "Calls of media proxies that were answered with an error.",
        ),
    ];
    for (name, value, help) in totals {
        out.single(name, Kind::Counter, help, value);
    }
    let help = "Connections and calls that were refused on all ports, by reason.";
    let mut refused = out.family("mcm_agent_refused_total", Kind::Counter, help);
    for reason in Reason::ALL {
        refused.sample(&[("reason", reason.word())], reason.count());
    }
    streams(&mut out, &state);
    out.finish()
}

/// The proxies' measurements of connections and bridges.
fn streams(out: &mut Exposition, state: &State) {
    let mut streams = BTreeMap::new();
    for view in state.topology.groups() {
        let stream = view.stream.as_ref().map(ToString::to_string).unwrap_or_default();
        streams.insert(view.id.to_string(), stream);
    }
    let stream_of = |group: &str| streams.get(group).cloned().unwrap_or_default();
    let mut labels = BTreeMap::new();
    for connection in state.topology.connections() {
        let what = match connection.kind {
            proto::Kind::Source => "source",
            proto::Kind::Receiver => "receiver",
        };
        let (group, proxy) = (connection.config.group_id(), connection.proxy.to_string());
        let stream = stream_of(&group);
        labels.insert(connection.id.to_string(), Labels { group, stream, proxy, what });
    }
    for view in state.topology.bridges() {
        let (group, proxy) = (view.spec.group.to_string(), view.spec.proxy.to_string());
        let what = match (view.spec.rdma().is_some(), view.spec.direction.wire()) {
            (true, "rx") => "rdma-ingress",
            (true, _) => "rdma-egress",
            (false, "rx") => "st2110-ingress",
            (false, _) => "st2110-egress",
        };
        let stream = stream_of(&group);
        labels.insert(view.spec.id.to_string(), Labels { group, stream, proxy, what });
    }
    for field in FIELDS {
        let Some(Family { name, kind, help, .. }) = field.family else { continue };
        let mut family = out.family(name, kind, help);
        for metric in state.metrics.all() {
            let value = (field.get)(&metric.measured).and_then(number);
            let (Some(value), Some(of)) = (value, labels.get(&metric.provider)) else { continue };
            let labels = [
                ("id", metric.provider.as_str()),
                ("stream", &of.stream),
                ("group", &of.group),
                ("media_proxy", &of.proxy),
                ("kind", of.what),
            ];
            family.sample(&labels, value);
        }
    }
}

fn number(value: Measurement) -> Option<Value> {
    match value {
        Measurement::Unsigned(number) => Some(number.into()),
        Measurement::Real(number) => Some(number.into()),
        Measurement::Bool(yes) => Some(yes.into()),
        Measurement::Text(_) => None,
    }
}
