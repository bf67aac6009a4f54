//! Bridges in the control service's messages.

use crate::bridge::{BridgeStatistics, Family, Figure, PathStatistics, Phase, Row, Table};
use config::Endpoint;
use mesh::topology::{BridgeLink, BridgeSpec, Direction};
use proto::control::{Bridge, BridgeDirection, BridgeState, Connection, Group, Kind, State};
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

/// Tells at each bridge's connection where the bridge leads, what it carries, and what is wrong
/// with it.
pub(crate) fn describe_bridges(groups: &mut [Group], rows: &[Row]) {
    of_bridges(groups, rows, |connection, row| {
        connection.remote = remote(&row.spec);
        connection.warnings = warnings(row);
        count_sent(connection, row);
        if let Some(why) = stop_without_link(connection, row) {
            connection.warnings.insert(0, why);
        }
    });
}

/// Tells at the connections of bridges without a link that nothing flows there.
pub(crate) fn stop_unlinked(groups: &mut [Group], rows: &[Row]) {
    of_bridges(groups, rows, |connection, row| {
        stop_without_link(connection, row);
    });
}

fn of_bridges(groups: &mut [Group], rows: &[Row], tell: impl Fn(&mut Connection, &Row)) {
    let rows: HashMap<_, _> = rows.iter().map(|row| (row.conn_id.as_str(), row)).collect();
    for group in groups {
        let connections = group.source.iter_mut().chain(&mut group.receivers);
        for connection in connections.filter(|connection| connection.bridge) {
            if let Some(row) = rows.get(connection.conn_id.as_str()) {
                tell(connection, row);
            }
        }
    }
}

fn count_sent(connection: &mut Connection, row: &Row) {
    let Some(figures) = &row.figures else { return };
    // The group counts what the bridge has taken: what it could not send has not gone anywhere.
    if row.spec.direction == Direction::Egress && matches!(row.spec.link, BridgeLink::Rdma(_)) {
        let BridgeStatistics { frames, bytes, unsent, .. } = figures.statistics();
        (connection.frames, connection.bytes) = (frames.unwrap_or(0), bytes.unwrap_or(0));
        connection.missed += unsent.unwrap_or(0);
    }
}

/// Returns why there is no link, if there is none.
fn stop_without_link(connection: &mut Connection, row: &Row) -> Option<String> {
    let why = row.figures.as_ref()?.no_link()?;
    (connection.fps, connection.mbit_per_s) = (0.0, 0.0);
    if connection.state().is_linked() {
        connection.set_state(State::NoLink);
    }
    Some(why)
}

/// Adds bridges that could not start or have failed: they are not members of their groups, but
/// connections wait for them. `wanted`: only those of one group.
pub(crate) fn add_failed(groups: &mut Vec<Group>, rows: &[Row], wanted: Option<&str>) {
    let rows = rows.iter().filter(|row| wanted.is_none_or(|id| row.spec.group.as_str() == id));
    for row in rows {
        let Phase::Failed(why) = &row.phase else { continue };
        let id = row.spec.group.as_str();
        let at = groups.iter().position(|group| group.id == id).unwrap_or_else(|| {
            groups.push(Group { id: id.to_owned(), ..Group::default() });
            groups.len() - 1
        });
        let group = &mut groups[at];
        let source = row.spec.direction == Direction::Ingress;
        let connection = Connection {
            conn_id: row.spec.id.to_string(),
            group_id: id.to_owned(),
            kind: if source { Kind::Source } else { Kind::Receiver }.into(),
            state: State::Failed.into(),
            bridge: true,
            remote: remote(&row.spec),
            stream_id: group.stream_id.clone(),
            warnings: vec![why.clone()],
            age_ms: age_ms(row),
            ..Connection::default()
        };
        if !source {
            group.receivers.push(connection);
        } else if let Some(source) = &mut group.source {
            source.warnings.push(format!("bridge in {}: {why}", connection.remote));
        } else {
            group.source = Some(connection);
        }
    }
}

fn age_ms(row: &Row) -> u64 {
    row.since.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
}

/// The session description of the stream of a bridge, a group, or a connection in one.
pub(crate) fn sdp(table: &Table, groups: &[Group], id: &str) -> Result<String, Status> {
    let has = |group: &&Group| {
        group.source.iter().chain(&group.receivers).any(|connection| connection.conn_id == id)
    };
    let group = groups.iter().find(has).map_or(id, |group| group.id.as_str());
    let rows = table.rows();
    let streams = || rows.iter().filter(|row| row.spec.link == BridgeLink::St2110);
    let named = |row: &&Row| row.spec.id.as_str() == id || row.spec.group.as_str() == group;
    // Where one stream comes to an address, that is enough: the source filter need not be named.
    let to = |row: &&Row| row.spec.group.as_str().split_once('@').is_some_and(|(_, to)| to == id);
    let found = streams().find(named).or_else(|| {
        let mut others = streams().filter(to);
        others.next().filter(|_| others.next().is_none())
    });
    let none = || {
        let id = id.escape_debug();
        Status::not_found(format!("id: \"{id}\" is no ST 2110 stream of this proxy"))
    };
    let row = found.ok_or_else(none)?;
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
    let figures = row.figures.as_ref();
    let (state, reason) = match &row.phase {
        Phase::Starting => (BridgeState::Starting, String::new()),
        Phase::Active => match figures.and_then(|figures| figures.no_link()) {
            Some(why) => (BridgeState::NoLink, why),
            None => (BridgeState::Active, String::new()),
        },
        Phase::Failed(reason) => (BridgeState::Failed, reason.clone()),
        Phase::Stopping => (BridgeState::Stopping, String::new()),
    };
    let direction = match spec.direction {
        Direction::Ingress => BridgeDirection::Ingress,
        Direction::Egress => BridgeDirection::Egress,
    };
    let statistics = figures.map(|figures| figures.statistics()).unwrap_or_default();
    let mut listed = Listed::default();
    listed.add("", false, BridgeStatistics::FAMILIES, &statistics);
    for level in statistics.levels() {
        listed.add(level.prefix, level.is_recent(), PathStatistics::FAMILIES, level.statistics);
    }
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
        age_ms: age_ms(row),
        counters: listed.counters,
        measurements: listed.measurements,
        // Known to the exchange; see `name_streams`.
        stream_id: String::new(),
        warnings: warnings(row),
    }
}

/// Statistics under their names in `ListBridges`.
#[derive(Default)]
struct Listed {
    counters: HashMap<String, u64>,
    measurements: HashMap<String, f64>,
}

impl Listed {
    /// Adds statistics. Counts of the last seconds fall again, and so are measurements.
    fn add<S>(&mut self, prefix: &str, recent: bool, families: &[Family<S>], statistics: &S) {
        for (family, member) in
            families.iter().flat_map(|it| it.members.iter().map(move |member| (it, member)))
        {
            let Some(figure) = (member.get)(statistics) else { continue };
            let name = format!("{prefix}{}", member.name);
            if let Figure::Count(count) = figure {
                if recent {
                    self.measurements.insert(name, count as f64);
                } else {
                    self.counters.insert(name, count);
                }
                continue;
            }
            let unit = if family.unit == "seconds" { "_us" } else { "" };
            for (stat, value) in figure.measured() {
                let separator = if stat.is_empty() { "" } else { "_" };
                self.measurements.insert(format!("{name}{separator}{stat}{unit}"), value);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Figures;
    use config::ConnectionConfig;
    use media::Payload;
    use mesh::topology::RdmaLink;
    use std::sync::Arc;
    use std::time::Instant;

    /// Of a bridge that has sent 7 frames of 100 bytes and could not send 5.
    struct Link(Option<&'static str>);

    impl Figures for Link {
        fn local(&self) -> String {
            "10.0.0.1:0".into()
        }
        fn statistics(&self) -> BridgeStatistics {
            BridgeStatistics {
                frames: Some(7),
                bytes: Some(700),
                unsent: Some(5),
                ..BridgeStatistics::default()
            }
        }
        fn no_link(&self) -> Option<String> {
            self.0.map(str::to_owned)
        }
        fn sdp(&self) -> Option<String> {
            None
        }
    }

    fn row(direction: Direction, phase: Phase, link: Option<Link>) -> Row {
        let endpoint = Endpoint::MultipointGroup { urn: "studio".into() };
        let to = RdmaLink {
            peer: "p2".into(),
            remote_ip: "10.0.0.2".parse().unwrap(),
            port: 9100,
            session_key: None,
        };
        Row {
            spec: Arc::new(BridgeSpec {
                id: "bridge".into(),
                group: "studio".into(),
                proxy: "p1".into(),
                direction,
                config: Arc::new(ConnectionConfig::new(endpoint, Payload::Blob)),
                link: BridgeLink::Rdma(to),
            }),
            phase,
            since: Instant::now(),
            conn_id: if link.is_some() { "c".into() } else { String::new() },
            figures: link.map(|link| Arc::new(link) as Arc<dyn Figures>),
        }
    }

    /// The group's bridge out has taken 12 frames, at a good rate.
    fn studio() -> Vec<Group> {
        let out = Connection {
            conn_id: "c".into(),
            kind: Kind::Receiver.into(),
            state: State::Active.into(),
            bridge: true,
            frames: 12,
            bytes: 1200,
            fps: 49.79,
            mbit_per_s: 1468.3,
            ..Connection::default()
        };
        vec![Group { id: "studio".into(), receivers: vec![out], ..Group::default() }]
    }

    #[test]
    fn what_a_bridge_without_a_link_has_taken_does_not_count_as_sent() {
        let rows = [row(Direction::Egress, Phase::Active, Some(Link(Some("nothing is heard"))))];
        let mut groups = studio();
        describe_bridges(&mut groups, &rows);
        let out = &groups[0].receivers[0];
        assert_eq!((out.state(), out.fps, out.mbit_per_s), (State::NoLink, 0.0, 0.0));
        assert_eq!((out.frames, out.bytes, out.missed), (7, 700, 5));
        assert_eq!(
            (out.warnings.as_slice(), &*out.remote),
            (&["nothing is heard".to_owned()][..], "10.0.0.2:9100")
        );
        let seen = view(&rows[0]);
        assert_eq!((seen.state(), &*seen.reason), (BridgeState::NoLink, "nothing is heard"));

        let mut groups = studio();
        stop_unlinked(&mut groups, &rows);
        let out = &groups[0].receivers[0];
        assert_eq!((out.fps, out.frames, out.state().is_linked()), (0.0, 12, false));

        let rows = [row(Direction::Egress, Phase::Active, Some(Link(None)))];
        let mut groups = studio();
        describe_bridges(&mut groups, &rows);
        let out = &groups[0].receivers[0];
        assert_eq!((out.state(), out.fps, out.frames), (State::Active, 49.79, 7));
        assert_eq!(view(&rows[0]).state(), BridgeState::Active);
    }

    #[test]
    fn bridges_that_could_not_start_are_shown_with_their_reason() {
        let failed =
            |direction| row(direction, Phase::Failed("libfabric cannot be loaded".into()), None);
        let rows = [failed(Direction::Ingress), failed(Direction::Egress)];
        let mut groups = Vec::new();
        add_failed(&mut groups, &rows, Some("studio"));
        let group = &groups[0];
        for connection in group.source.iter().chain(&group.receivers) {
            assert_eq!((connection.state(), connection.bridge), (State::Failed, true));
            assert_eq!(connection.warnings, ["libfabric cannot be loaded"]);
            assert_eq!(connection.remote, "10.0.0.2:9100");
        }
        assert_eq!((groups.len(), group.receivers.len(), group.source.is_some()), (1, 1, true));
        let mut none = Vec::new();
        add_failed(&mut none, &rows, Some("another"));
        assert!(none.is_empty());
    }
}
