//! Groups as trees of text.

use super::rate;
use crate::mesh::{Group, Member, Mesh, Role};
use crate::table::title;
use std::collections::BTreeSet;

/// A line with what hangs from it.
struct Node {
    text: String,
    children: Vec<Node>,
}

/// All groups, each from its source to its receivers.
pub(super) fn draw(mesh: &Mesh) -> String {
    let mut text = String::new();
    for host in mesh.hosts.iter().filter(|host| !host.healthy) {
        text += &format!("host {} ({}): out of touch\n", mesh.host_name(&host.id), host.id);
    }
    if mesh.groups.is_empty() {
        text += "no groups\n";
    }
    for group in &mesh.groups {
        text += &title(&group.id, &group.format, &group.stream);
        text.push('\n');
        for problem in &group.problems {
            text += &format!("! {problem}\n");
        }
        write(&mut text, &trees(mesh, group), "");
    }
    text
}

fn trees(mesh: &Mesh, group: &Group) -> Vec<Node> {
    let mut reached = BTreeSet::new();
    let mut trees = Vec::new();
    if let Some(origin) = group.origin() {
        let host = mesh.host_name(&origin.host);
        let from = match &origin.bridge {
            Some(bridge) => format!("{} ─{}→ {host}", bridge.remote, origin.name),
            None => format!("{host}: {}", program(origin)),
        };
        let children = children(mesh, group, &origin.host, &mut reached);
        trees.push(Node { text: with_flow(&from, origin), children });
    } else {
        trees.push(Node { text: "no source".into(), children: Vec::new() });
    }
    // Receivers that nothing leads to yet.
    let left: BTreeSet<_> = group.members.iter().map(|member| member.host.as_str()).collect();
    for host in left {
        if group.receivers(host).next().is_some() && !reached.contains(host) {
            let children = children(mesh, group, host, &mut reached);
            trees.push(Node { text: format!("{}: not reached", mesh.host_name(host)), children });
        }
    }
    trees
}

/// What a host gives frames to, and so on from there.
fn children(mesh: &Mesh, group: &Group, host: &str, reached: &mut BTreeSet<String>) -> Vec<Node> {
    if !reached.insert(host.to_owned()) {
        return Vec::new();
    }
    let receivers = group.receivers(host).map(|receiver| {
        let text = with_flow(&program(receiver), receiver);
        Node { text, children: Vec::new() }
    });
    let mut nodes: Vec<_> = receivers.collect();
    for (member, bridge) in group.egresses(host) {
        let known = mesh.hosts.iter().any(|host| host.id == bridge.peer);
        let to = if known { mesh.host_name(&bridge.peer) } else { bridge.remote.as_str() };
        let text = with_flow(&format!("─{}→ {to}", member.name), member);
        let children =
            if known { children(mesh, group, &bridge.peer, reached) } else { Vec::new() };
        nodes.push(Node { text, children });
    }
    nodes
}

fn program(member: &Member) -> String {
    if member.pid == 0 {
        return member.name.clone();
    }
    format!("{} ({})", member.name, member.pid)
}

fn with_flow(text: &str, member: &Member) -> String {
    let mut parts = vec![text.to_owned()];
    parts.extend(Some(rate(member)).filter(|rate| !rate.is_empty()));
    if member.state != "active" {
        parts.push(member.state.clone());
    }
    if member.missed > 0 && (member.role == Role::Receiver || member.bridge.is_some()) {
        parts.push(format!("missed {}", member.missed));
    }
    parts.join("  ")
}

fn write(text: &mut String, nodes: &[Node], indent: &str) {
    for (index, node) in nodes.iter().enumerate() {
        let last = index + 1 == nodes.len();
        let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        *text += &format!("{indent}{branch}{}\n", node.text);
        write(text, &node.children, &format!("{indent}{below}"));
    }
}
