//! Groups as a graph of Graphviz: a cluster for each group, in it one for each host.

use super::rate;
use crate::mesh::{Group, Member, Mesh, Role};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Programs of a host that are drawn; the others are summed up.
const MAX_RECEIVERS: usize = 10;

const GREEN: &str = "#2f9e44";
const AMBER: &str = "#e8890c";
const RED: &str = "#d6336c";
const GREY: &str = "#868e96";

const HEAD: &str = "\
digraph mesh {
  rankdir=LR; compound=true; nodesep=0.15; ranksep=0.6;
  fontname=\"Helvetica,Arial,sans-serif\"; fontsize=13; labeljust=l;
  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"Helvetica,Arial,sans-serif\", fontsize=11];
  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=10];
";

/// All groups in the language DOT.
pub(super) fn draw(mesh: &Mesh) -> String {
    let mut text = HEAD.to_owned();
    if mesh.groups.is_empty() {
        text += "  \"no groups\" [shape=plaintext];\n";
    }
    for (number, group) in mesh.groups.iter().enumerate() {
        Drawing { mesh, group, number, text: &mut text }.draw();
    }
    text + "}\n"
}

/// A group that is written to `text`.
struct Drawing<'a> {
    mesh: &'a Mesh,
    group: &'a Group,
    number: usize,
    text: &'a mut String,
}

impl<'a> Drawing<'a> {
    fn draw(&mut self) {
        let group = self.group;
        let mut title = vec![group.id.clone(), group.format.clone()];
        let stream = if group.stream.is_empty() { "none yet" } else { &group.stream };
        title.push(format!("stream {stream}"));
        title.extend(group.problems.iter().map(|problem| format!("! {problem}")));
        let title = title.iter().map(|line| escaped(line) + "\\l").collect::<String>();
        self.line(&format!("subgraph cluster_{} {{", self.number));
        self.line(&format!("label=\"{title}\"; style=rounded; color=\"#cbd2d9\";"));
        // Hosts that have members, and those that bridges lead to.
        let led_to = group.members.iter().filter_map(|member| member.bridge.as_ref());
        let led_to = led_to.map(|bridge| bridge.peer.as_str()).filter(|peer| self.is_host(peer));
        let own = group.members.iter().map(|member| member.host.as_str());
        let hosts: BTreeSet<_> = own.chain(led_to).collect();
        for host in &hosts {
            self.host(host);
        }
        for host in &hosts {
            self.edges(host);
        }
        self.line("}");
    }

    fn is_host(&self, id: &str) -> bool {
        self.mesh.hosts.iter().any(|host| host.id == id)
    }

    fn line(&mut self, line: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "  {line}");
    }

    /// The name of a node, unique in the graph.
    fn id(&self, kind: &str, name: &str) -> String {
        format!("\"{}/{kind}/{}\"", self.number, escaped(name))
    }

    /// The node that has the group's frames on a host: its source, a bridge, or one that stands for
    /// the missing source.
    fn source(&self, host: &str) -> String {
        let sources = || self.group.members.iter().filter(|member| member.role == Role::Source);
        let origin = self.group.origin().filter(|origin| origin.host == host);
        match origin.or_else(|| sources().find(|member| member.host == host)) {
            Some(source) => self.id("member", &source.id),
            None => self.id("nosource", host),
        }
    }

    /// The cluster of a host with its members.
    fn host(&mut self, id: &'a str) {
        let healthy = self.mesh.hosts.iter().find(|host| host.id == id).is_none_or(|h| h.healthy);
        let (colour, style, title) = match healthy {
            true => {
                ("#cbd2d9", "rounded,filled", format!("{}\\l", escaped(self.mesh.host_name(id))))
            }
            false => {
                let name = escaped(self.mesh.host_name(id));
                (RED, "rounded,filled,dashed", format!("{name}\\lout of touch\\l"))
            }
        };
        let cluster = escaped(id);
        self.line(&format!("subgraph \"cluster_{}_{cluster}\" {{", self.number));
        let look = "fillcolor=\"#f5f7fa\"";
        self.line(&format!("label=\"{title}\"; style=\"{style}\"; color=\"{colour}\"; {look};"));
        let group = self.group;
        if self.source(id) == self.id("nosource", id) {
            let name = self.id("nosource", id);
            self.line(&format!("{name} [label=\"no source\", style=\"rounded,dashed\"];"));
        }
        let is_receiver = |m: &Member| m.role == Role::Receiver && m.bridge.is_none();
        for member in group.members.iter().filter(|m| m.host == id && !is_receiver(m)) {
            self.member(member);
        }
        let receivers: Vec<_> = group.receivers(id).collect();
        for member in self.shown(&receivers) {
            self.member(member);
        }
        if receivers.len() > MAX_RECEIVERS {
            let (name, more) = (self.id("more", id), receivers.len() - MAX_RECEIVERS + 1);
            let label = format!("and {more} more receivers");
            self.line(&format!("{name} [label=\"{label}\", style=\"rounded,dashed\"];"));
        }
        self.line("}");
    }

    fn shown<'m>(&self, receivers: &[&'m Member]) -> Vec<&'m Member> {
        let most = if receivers.len() > MAX_RECEIVERS { MAX_RECEIVERS - 1 } else { MAX_RECEIVERS };
        receivers.iter().copied().take(most).collect()
    }

    fn member(&mut self, member: &Member) {
        let (name, style) = match (&member.bridge, member.role) {
            (None, _) => (member.name.clone(), "rounded,filled"),
            (Some(_), Role::Source) => (format!("{} in", member.name), "rounded,filled,dashed"),
            (Some(_), Role::Receiver) => (format!("{} out", member.name), "rounded,filled,dashed"),
        };
        let mut facts = Vec::new();
        if member.bridge.is_none() && member.pid != 0 {
            facts.push(format!("pid {}", member.pid));
        }
        facts.push(match member.state.as_str() {
            "active" => format!("{:.2} fps", member.fps),
            state => state.to_owned(),
        });
        if member.missed > 0 {
            facts.push(format!("missed {}", member.missed));
        }
        let label = format!("{}\\n{}", escaped(&name), escaped(&facts.join(" · ")));
        let (id, colour) = (self.id("member", &member.id), colour(member));
        self.line(&format!("{id} [label=\"{label}\", style=\"{style}\", color=\"{colour}\"];"));
    }

    /// What a host's source gives frames to, there and by bridges elsewhere.
    fn edges(&mut self, host: &str) {
        let group = self.group;
        let source = self.source(host);
        let receivers: Vec<_> = group.receivers(host).collect();
        for receiver in self.shown(&receivers) {
            let to = self.id("member", &receiver.id);
            self.edge(&source, &to, receiver, "");
        }
        if receivers.len() > MAX_RECEIVERS {
            let to = self.id("more", host);
            self.line(&format!("{source} -> {to} [color=\"{GREY}\"];"));
        }
        let mut outside: BTreeMap<&str, &Member> = BTreeMap::new();
        for (member, bridge) in group.egresses(host) {
            let from = self.id("member", &member.id);
            self.edge(&source, &from, member, "");
            let flow = if member.up { rate(member) } else { member.state.clone() };
            let to = if self.is_host(&bridge.peer) {
                let ingress = group.ingress(&bridge.peer, host);
                ingress.map_or_else(|| self.source(&bridge.peer), |to| self.id("member", &to.id))
            } else {
                outside.insert(&bridge.remote, member);
                self.id("network", &bridge.remote)
            };
            self.edge(&from, &to, member, &flow);
        }
        let ingresses = group.members.iter().filter(|m| m.host == host && m.role == Role::Source);
        for (member, bridge) in ingresses.filter_map(|m| Some((m, m.bridge.as_ref()?))) {
            // A bridge of the mesh is drawn from its other end, where that is known.
            if !self.is_host(&bridge.peer) {
                outside.insert(&bridge.remote, member);
                let (from, to) =
                    (self.id("network", &bridge.remote), self.id("member", &member.id));
                self.edge(&from, &to, member, &rate(member));
            }
        }
        for remote in outside.into_keys() {
            let (id, label) = (self.id("network", remote), escaped(remote));
            self.line(&format!("{id} [label=\"{label}\", shape=ellipse, style=dashed];"));
        }
    }

    fn edge(&mut self, from: &str, to: &str, member: &Member, label: &str) {
        let style = if member.up { "solid" } else { "dashed" };
        // The more flows, the wider: 1.4 points for nothing, 4 for 10 Gbit/s and more.
        let width = 1.4 + 0.65 * member.mbit_per_s.max(1.0).log10().min(4.0);
        let (colour, label) = (colour(member), escaped(label));
        let look = format!("color=\"{colour}\", style={style}, penwidth={width:.1}");
        self.line(&format!("{from} -> {to} [label=\"{label}\", {look}];"));
    }
}

fn colour(member: &Member) -> &'static str {
    match (member.up, member.state.as_str()) {
        (true, _) if member.missed == 0 => GREEN,
        (true, _) => AMBER,
        (false, "waiting" | "joining" | "starting") => GREY,
        (false, _) => RED,
    }
}

/// As it may stand between quotation marks.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}
