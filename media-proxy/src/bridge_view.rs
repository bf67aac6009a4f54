//! Bridges as the control service shows them.

use crate::bridge::{Phase, Row, Table};
use media::Endpoint;
use mesh_agent::topology::{BridgeLink, BridgeSpec, Direction};
use proto::control::{Bridge, BridgeDirection, BridgeState, Group};
use std::collections::HashMap;
use tonic::Status;

/// The bridges of one group, or all.
pub(crate) fn bridges(table: &Table, group: Option<&str>) -> Vec<Bridge> {
    let rows = table.rows();
    let rows = rows.iter().filter(|row| group.is_none_or(|group| row.spec.group.as_str() == group));
    rows.map(view).collect()
}

/// Tells of each bridge which stream it carries.
pub(crate) fn name_streams(bridges: &mut [Bridge], groups: &[Group]) {
    let streams: HashMap<_, _> =
        groups.iter().map(|group| (group.id.as_str(), &group.stream_id)).collect();
    for bridge in bridges {
        if let Some(stream) = streams.get(bridge.group_id.as_str()) {
            bridge.stream_id.clone_from(stream);
        }
    }
}

/// Tells at each bridge's connection where the bridge leads, and what is wrong with it.
pub(crate) fn describe_bridges(groups: &mut [Group], table: &Table) {
    let rows = table.rows();
    let rows: HashMap<_, _> = rows.iter().map(|row| (row.conn_id.as_str(), row)).collect();
    for group in groups {
        let connections = group.source.iter_mut().chain(&mut group.receivers);
        for connection in connections.filter(|connection| connection.bridge) {
            if let Some(row) = rows.get(connection.conn_id.as_str()) {
                connection.remote = remote(&row.spec);
                connection.warnings = warnings(row);
            }
        }
    }
}

/// The session description of the stream of a bridge, a group, or a connection in one.
pub(crate) fn sdp(table: &Table, groups: &[Group], id: &str) -> Result<String, Status> {
    let has = |group: &&Group| {
        group.source.iter().chain(&group.receivers).any(|connection| connection.conn_id == id)
    };
    let group = groups.iter().find(has).map_or(id, |group| group.id.as_str());
    let rows = table.rows();
    let mut rows = rows.iter().filter(|row| {
        row.spec.link == BridgeLink::St2110
            && (row.spec.id.as_str() == id || row.spec.group.as_str() == group)
    });
    let none = || {
        let id = id.escape_debug();
        Status::not_found(format!("id: \"{id}\" is no ST 2110 stream of this proxy"))
    };
    let row = rows.next().ok_or_else(none)?;
    row.figures.as_ref().and_then(|figures| figures.sdp()).ok_or_else(|| {
        let group = row.spec.group.as_str();
        let reason = match &row.phase {
            Phase::Active => "this host has no address of its own to name in a description",
            other => condition(other),
        };
        Status::unavailable(format!("bridge of group {group:?}: {reason}"))
    })
}

fn condition(phase: &Phase) -> &str {
    match phase {
        Phase::Starting => "starting",
        Phase::Active => "active",
        Phase::Failed(reason) => reason,
        Phase::Stopping => "stopping",
    }
}

fn view(row: &Row) -> Bridge {
    let spec = &row.spec;
    let (state, reason) = match &row.phase {
        Phase::Starting => (BridgeState::Starting, String::new()),
        Phase::Active => (BridgeState::Active, String::new()),
        Phase::Failed(reason) => (BridgeState::Failed, reason.clone()),
        Phase::Stopping => (BridgeState::Stopping, String::new()),
    };
    let direction = match spec.direction {
        Direction::Ingress => BridgeDirection::Ingress,
        Direction::Egress => BridgeDirection::Egress,
    };
    let figures = row.figures.as_ref();
    let owned = |name: &str| name.to_owned();
    Bridge {
        bridge_id: spec.id.to_string(),
        group_id: spec.group.to_string(),
        direction: direction.into(),
        transport: row.kind().to_owned(),
        local: figures.map(|figures| figures.local()).unwrap_or_default(),
        remote: remote(spec),
        state: state.into(),
        reason,
        conn_id: row.conn_id.clone(),
        age_ms: row.since.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        counters: figures
            .map(|f| f.counters().into_iter().map(|(name, count)| (owned(name), count)).collect())
            .unwrap_or_default(),
        measurements: figures
            .map(|f| f.measurements().into_iter().map(|(name, v)| (owned(name), v)).collect())
            .unwrap_or_default(),
        // Known to the exchange; see `name_streams`.
        stream_id: String::new(),
        warnings: warnings(row),
    }
}

/// All that works less well than it should.
pub(crate) fn warnings(row: &Row) -> Vec<String> {
    let Some(figures) = &row.figures else { return Vec::new() };
    let mut warnings: Vec<String> = Vec::new();
    for warning in figures.warnings().into_iter().chain(figures.shortfall()) {
        // Both paths of a stream often have the same.
        if !warnings.contains(&warning) {
            warnings.push(warning);
        }
    }
    warnings
}

/// The address at the other end.
pub(crate) fn remote(spec: &BridgeSpec) -> String {
    match (&spec.link, &spec.config.endpoint) {
        (BridgeLink::St2110, Endpoint::St2110(_)) => spec.config.group_id(),
        (BridgeLink::St2110, _) => String::new(),
        (BridgeLink::Rdma(link), _) => {
            std::net::SocketAddr::new(link.remote_ip, link.port).to_string()
        }
    }
}
