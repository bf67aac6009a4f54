//! A fleet as people read it, and as programs do.

use crate::mesh::{Member, Mesh, Role};
use crate::table::{layout, title};
use serde_json::{Value, json};

const HEADINGS: [&str; 12] = [
    "", "HOST", "PROGRAM", "PID", "STATE", "FRAMES", "FPS", "MBIT/S", "MISSED", "QUEUE", "HELD",
    "WAITS",
];
/// Columns of text.
const LEFT: [usize; 4] = [0, 1, 2, 4];

/// A table, or JSON.
pub(crate) fn show(mesh: &Mesh, json: bool) -> String {
    if json { format!("{:#}\n", to_json(mesh)) } else { render(mesh) }
}

/// One line for each host, group and member.
pub(crate) fn render(mesh: &Mesh) -> String {
    let mut text = String::new();
    for host in mesh.hosts.iter().filter(|host| !host.healthy) {
        text += &format!("host {} ({}): out of touch\n", mesh.host_name(&host.id), host.id);
    }
    if mesh.groups.is_empty() {
        let hosts = mesh.hosts.len();
        return format!(
            "{text}no groups; {hosts} media prox{}\n",
            if hosts == 1 { "y" } else { "ies" }
        );
    }
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    let mut titles = Vec::new();
    for group in &mesh.groups {
        let mut above = title(&group.id, &group.format, &group.stream);
        for problem in &group.problems {
            above += &format!("\n  ! {problem}");
        }
        titles.push((rows.len(), above));
        if group.origin().is_none() {
            rows.push(vec!["source".into(), String::new(), "none".into()]);
        }
        let mut members: Vec<_> = group.members.iter().collect();
        let origin = group.origin().map(|origin| (&origin.host, &origin.id));
        // The source first, then its host, then the others.
        members.sort_by_key(|member| {
            let first = origin != Some((&member.host, &member.id));
            let elsewhere = origin.is_none_or(|(host, _)| host != &member.host);
            let receives = member.role == Role::Receiver;
            (first, elsewhere, mesh.host_name(&member.host), receives, member.bridge.is_some())
        });
        rows.extend(members.into_iter().map(|member| row(mesh, member)));
    }
    text + &layout(&rows, &titles, &LEFT)
}

fn row(mesh: &Mesh, member: &Member) -> Vec<String> {
    let optional = |number: Option<u64>| number.map_or_else(|| "-".into(), |n| n.to_string());
    let what = match (member.role, &member.bridge) {
        (Role::Source, None) => "source",
        (Role::Receiver, None) => "receiver",
        (Role::Source, Some(_)) => "bridge in",
        (Role::Receiver, Some(_)) => "bridge out",
    };
    let name = match &member.bridge {
        Some(bridge) if mesh.hosts.iter().any(|host| host.id == bridge.peer) => {
            format!("{} {}", member.name, mesh.host_name(&bridge.peer))
        }
        Some(bridge) => format!("{} {}", member.name, bridge.remote),
        None => member.name.clone(),
    };
    let is_bridge = member.bridge.is_some();
    vec![
        what.into(),
        mesh.host_name(&member.host).to_owned(),
        name,
        if is_bridge { "-".into() } else { member.pid.to_string() },
        member.state.clone(),
        member.frames.to_string(),
        format!("{:.2}", member.fps),
        format!("{:.1}", member.mbit_per_s),
        if member.role == Role::Source && !is_bridge {
            "-".into()
        } else {
            member.missed.to_string()
        },
        if member.capacity == 0 {
            "-".into()
        } else {
            format!("{}/{}", member.queue, member.capacity)
        },
        optional(member.held),
        optional(member.waits),
    ]
}

/// The fleet in JSON.
pub(crate) fn to_json(mesh: &Mesh) -> Value {
    let member = |member: &Member| {
        json!({
            "id": member.id,
            "proxy_id": member.host,
            "host": mesh.host_name(&member.host),
            "kind": if member.role == Role::Source { "source" } else { "receiver" },
            "bridge": member.bridge.as_ref().map(|bridge| json!({
                "transport": member.name,
                "peer_proxy_id": bridge.peer,
                "remote": bridge.remote,
            })),
            "program": if member.bridge.is_none() { Some(&member.name) } else { None },
            "pid": member.pid,
            "state": member.state,
            "linked": member.up,
            "frames": member.frames,
            "missed": member.missed,
            "fps": member.fps,
            "mbit_per_s": member.mbit_per_s,
            "queue_depth": member.queue,
            "capacity": member.capacity,
            "held": member.held,
            "waits": member.waits,
        })
    };
    let hosts = mesh.hosts.iter().map(|host| {
        json!({ "proxy_id": host.id, "host": mesh.host_name(&host.id), "healthy": host.healthy })
    });
    let groups = mesh.groups.iter().map(|group| {
        json!({
            "id": group.id,
            "format": group.format,
            "stream_id": group.stream,
            "problems": group.problems,
            "members": group.members.iter().map(member).collect::<Vec<_>>(),
        })
    });
    json!({ "hosts": hosts.collect::<Vec<_>>(), "groups": groups.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::tests::studio;

    #[test]
    fn the_source_comes_first_then_its_host() {
        let text = render(&studio());
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[2].starts_with("studio 1  video"), "{text}");
        let firsts: Vec<_> = lines[3..].iter().map(|line| line.trim_start()).collect();
        assert!(firsts[0].starts_with("source     10.0.0.1"), "{text}");
        assert!(firsts[1].starts_with("receiver   10.0.0.1"), "{text}");
        assert!(firsts[2].starts_with("bridge out 10.0.0.1 rdma 10.0.0.3"), "{text}");
        assert!(text.contains("no link"), "{text}");
    }

    #[test]
    fn a_fleet_without_groups_says_so() {
        let mesh = Mesh { groups: Vec::new(), ..studio() };
        assert_eq!(render(&mesh), "host 10.0.0.3 (p3): out of touch\nno groups; 3 media proxies\n");
        assert_eq!(to_json(&mesh)["hosts"][2]["healthy"], false);
    }
}
