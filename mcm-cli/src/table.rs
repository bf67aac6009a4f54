//! Groups and their connections as people read them, and as programs do.

use proto::control::{Connection, Group, GroupHost, Kind};
use serde_json::{Value, json};
use std::fmt::Write;

const HEADINGS: [&str; 11] =
    ["", "PROGRAM", "PID", "STATE", "FRAMES", "FPS", "MBIT/S", "MISSED", "QUEUE", "HELD", "WAITS"];

/// One line for each group and each of its connections.
pub(crate) fn render(groups: &[Group]) -> String {
    if groups.is_empty() {
        return "no groups\n".into();
    }
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    let mut titles = Vec::new();
    for group in groups {
        let mut above = title(&group.id, &group.format, &group.stream_id);
        for connection in connections(group) {
            for warning in &connection.warnings {
                let _ = write!(above, "\n  ! {}: {warning}", kind(connection));
            }
        }
        titles.push((rows.len(), above));
        if connections(group).next().is_none() {
            rows.extend(group.hosts.iter().flat_map(rows_of_host));
            continue;
        }
        if group.source.is_none() {
            let mut row: [String; 11] = Default::default();
            row[0] = "source".into();
            row[1] = "none".into();
            rows.push(row);
        }
        rows.extend(connections(group).map(row_of));
    }
    let rows: Vec<_> = rows.into_iter().map(Vec::from).collect();
    layout(&rows, &titles, &[0, 1, 3])
}

/// What stands above a group.
pub(crate) fn title(id: &str, format: &str, stream: &str) -> String {
    let stream = if stream.is_empty() { String::new() } else { format!("  stream {stream}") };
    format!("{id}  {format}{stream}")
}

fn connections(group: &Group) -> impl Iterator<Item = &Connection> {
    group.source.iter().chain(&group.receivers)
}

fn row_of(connection: &Connection) -> [String; 11] {
    let source = connection.kind() == Kind::Source;
    let only = |shown: bool, text: String| if shown { text } else { "-".into() };
    let program = if connection.bridge { &connection.remote } else { &connection.program };
    let pid = if connection.host_pid == 0 { connection.pid } else { connection.host_pid };
    [
        kind(connection).into(),
        program.clone(),
        pid.to_string(),
        connection.state().word().into(),
        connection.frames.to_string(),
        format!("{:.2}", connection.fps),
        format!("{:.1}", connection.mbit_per_s),
        only(!source, connection.missed.to_string()),
        format!("{}/{}", connection.queue_depth, connection.capacity),
        only(!source, connection.held.to_string()),
        only(source, connection.waits.to_string()),
    ]
}

/// Members of a group on another host, which knows more about them.
fn rows_of_host(host: &GroupHost) -> Vec<[String; 11]> {
    let mut kinds = Vec::new();
    if host.source {
        kinds.push("source".to_owned());
    }
    match host.receivers {
        0 => {}
        1 => kinds.push("receiver".to_owned()),
        many => kinds.push(format!("{many} receivers")),
    }
    let row = |kind: String| {
        let mut row: [String; 11] = Default::default();
        let address = if host.address.is_empty() { &host.proxy_id } else { &host.address };
        row[0] = kind;
        row[1] = format!("on {address}");
        row
    };
    kinds.into_iter().map(row).collect()
}

/// Columns as wide as their widest cell; those of the columns `left` to the left, others to the
/// right. Titles stand before rows.
pub(crate) fn layout(rows: &[Vec<String>], titles: &[(usize, String)], left: &[usize]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (_, title) in titles.iter().filter(|(at, _)| *at == index) {
            let _ = writeln!(text, "{title}");
        }
        let mut line = String::from(" ");
        for (column, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            let _ = if left.contains(&column) {
                write!(line, " {cell:<width$}")
            } else {
                write!(line, " {cell:>width$}")
            };
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn kind(connection: &Connection) -> &'static str {
    match (connection.kind(), connection.bridge) {
        (Kind::Source, false) => "source",
        (Kind::Receiver, false) => "receiver",
        (Kind::Source, true) => "bridge in",
        (Kind::Receiver, true) => "bridge out",
        (Kind::Unspecified, _) => "?",
    }
}

/// The groups in JSON, with the names of the gRPC messages.
pub(crate) fn to_json(groups: &[Group]) -> Value {
    let group = |group: &Group| {
        json!({
            "id": group.id,
            "format": group.format,
            "stream_id": group.stream_id,
            "source": group.source.as_ref().map(connection_json),
            "receivers": group.receivers.iter().map(connection_json).collect::<Vec<_>>(),
            "hosts": group.hosts.iter().map(host_json).collect::<Vec<_>>(),
        })
    };
    json!({ "groups": groups.iter().map(group).collect::<Vec<_>>() })
}

fn host_json(host: &GroupHost) -> Value {
    json!({
        "proxy_id": host.proxy_id,
        "address": host.address,
        "source": host.source,
        "receivers": host.receivers,
    })
}

fn connection_json(connection: &Connection) -> Value {
    json!({
        "conn_id": connection.conn_id,
        "kind": if connection.kind() == Kind::Source { "source" } else { "receiver" },
        "state": connection.state().word(),
        "client_id": connection.client_id,
        "program": connection.program,
        "pid": connection.pid,
        "host_pid": connection.host_pid,
        "frames": connection.frames,
        "bytes": connection.bytes,
        "fps": connection.fps,
        "mbit_per_s": connection.mbit_per_s,
        "missed": connection.missed,
        "behind": connection.behind,
        "held": connection.held,
        "queue_depth": connection.queue_depth,
        "capacity": connection.capacity,
        "waits": connection.waits,
        "age_ms": connection.age_ms,
        "live": connection.live,
        "bridge": connection.bridge,
        "remote": connection.remote,
        "warnings": connection.warnings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::control::State;

    fn group() -> Group {
        let connection = |kind: Kind, state: State| Connection {
            kind: kind.into(),
            state: state.into(),
            program: "sender_app".into(),
            pid: 7,
            frames: 600,
            fps: 59.94,
            missed: 3,
            capacity: 16,
            ..Connection::default()
        };
        Group {
            id: "camera-1".into(),
            stream_id: "5f3a".into(),
            format: "video 1920x1080".into(),
            source: Some(connection(Kind::Source, State::Active)),
            receivers: vec![connection(Kind::Receiver, State::Detached)],
            hosts: Vec::new(),
        }
    }

    #[test]
    fn a_group_of_other_hosts_says_where_it_is() {
        let host = |address: &str, source, receivers| GroupHost {
            proxy_id: "p".into(),
            address: address.into(),
            source,
            receivers,
        };
        let hosts = vec![host("10.0.0.1", true, 1), host("10.0.0.2", false, 2)];
        let elsewhere = Group { source: None, receivers: Vec::new(), hosts, ..group() };
        let text = render(std::slice::from_ref(&elsewhere));
        let lines: Vec<_> =
            text.lines().skip(1).map(|line| line.trim().replace("  ", " ")).collect();
        assert_eq!(lines[0].split(' ').next(), Some("camera-1"));
        assert!(lines[1].starts_with("source") && lines[1].ends_with("on 10.0.0.1"), "{text}");
        assert!(lines[2].starts_with("receiver") && lines[2].ends_with("on 10.0.0.1"), "{text}");
        assert!(lines[3].starts_with("2 receivers") && lines[3].ends_with("on 10.0.0.2"), "{text}");
        assert_eq!(to_json(&[elsewhere])["groups"][0]["hosts"][1]["receivers"], 2);
    }

    #[test]
    fn columns_line_up_and_say_what_applies() {
        let text = render(&[group()]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[1], "camera-1  video 1920x1080  stream 5f3a");
        let column = lines[0].find("STATE").unwrap();
        assert!(lines[2][column..].starts_with("active"));
        assert!(lines[3][column..].starts_with("detached"));
        let missed = lines[0].find("MISSED").unwrap() + "MISSED".len();
        assert!(lines[2][..missed].ends_with('-') && lines[3][..missed].ends_with('3'));
    }

    #[test]
    fn a_group_without_a_source_says_so() {
        let text = render(&[Group { source: None, ..group() }]);
        assert!(text.contains("source   none"), "{text}");
        assert_eq!(render(&[]), "no groups\n");
    }

    #[test]
    fn bridges_show_where_they_lead() {
        let mut group = group();
        let bridge = group.source.as_mut().unwrap();
        (bridge.bridge, bridge.remote) = (true, "239.0.0.1:5004".into());
        bridge.warnings = vec!["receive buffer of 1 byte".into()];
        let text = render(std::slice::from_ref(&group));
        assert!(text.contains("stream 5f3a\n  ! bridge in: receive buffer of 1 byte\n"), "{text}");
        assert!(text.contains("bridge in 239.0.0.1:5004"), "{text}");
        assert_eq!(to_json(&[group])["groups"][0]["source"]["remote"], "239.0.0.1:5004");
    }

    #[test]
    fn json_has_both_sides() {
        let value = to_json(&[group()]);
        assert_eq!(value["groups"][0]["source"]["state"], "active");
        assert_eq!(value["groups"][0]["receivers"][0]["missed"], 3);
    }
}
