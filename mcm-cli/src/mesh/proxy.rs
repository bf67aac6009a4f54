//! The mesh as one media proxy knows it.

use super::{Bridge, Group, Host, Member, Mesh, Role};
use proto::control::{self, Info, Kind};

/// From what the proxy's control service says. The host's name is the address at which it was
/// asked.
pub(crate) fn of_proxy(
    server: &str,
    info: &Info,
    groups: &[control::Group],
    bridges: &[control::Bridge],
) -> Mesh {
    let name = server.rsplit_once(':').map_or(server, |(host, _)| host).to_owned();
    let host = Host { id: info.proxy_id.clone(), name, healthy: true };
    let group = |group: &control::Group| Group {
        id: group.id.clone(),
        format: group.format.clone(),
        stream: group.stream_id.clone(),
        problems: bridges
            .iter()
            .filter(|bridge| bridge.group_id == group.id && !bridge.reason.is_empty())
            .map(|bridge| {
                format!("{} bridge to {}: {}", bridge.transport, bridge.remote, bridge.reason)
            })
            .collect(),
        members: group
            .source
            .iter()
            .chain(&group.receivers)
            .map(|connection| member(&info.proxy_id, connection, bridges))
            .collect(),
    };
    Mesh { hosts: vec![host], groups: groups.iter().map(group).collect() }
}

fn member(host: &str, connection: &control::Connection, bridges: &[control::Bridge]) -> Member {
    let source = connection.kind() == Kind::Source;
    let found = bridges.iter().find(|bridge| {
        // One that has failed has no connection, and is named by its own id.
        [&bridge.conn_id, &bridge.bridge_id].contains(&&connection.conn_id)
    });
    let transport = found.map_or("bridge", |bridge| bridge.transport.as_str());
    let bridge = connection.bridge.then(|| Bridge {
        // Which proxy is there only an agent knows; but that it is one.
        peer: if transport == "rdma" { connection.remote.clone() } else { String::new() },
        remote: connection.remote.clone(),
    });
    Member {
        id: connection.conn_id.clone(),
        host: host.to_owned(),
        role: if source { Role::Source } else { Role::Receiver },
        name: if connection.bridge { transport.to_owned() } else { connection.program.clone() },
        bridge,
        pid: u64::from(if connection.host_pid == 0 { connection.pid } else { connection.host_pid }),
        state: connection.state().word().to_owned(),
        up: connection.state().is_linked(),
        frames: connection.frames,
        missed: connection.missed,
        fps: connection.fps,
        mbit_per_s: connection.mbit_per_s,
        queue: connection.queue_depth.into(),
        capacity: connection.capacity.into(),
        held: (!source).then_some(connection.held.into()),
        waits: source.then_some(connection.waits),
    }
}
