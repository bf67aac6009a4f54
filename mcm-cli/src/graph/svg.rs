//! Groups as a picture: a box for each host, the source on the left, what its frames go to on the right.

use super::rate;
use crate::mesh::{Group, Member, Mesh, Role};
use std::collections::BTreeSet;
use std::fmt::Write;

/// Sizes in pixels.
const MARGIN: f64 = 28.0;
const NODE: (f64, f64) = (224.0, 46.0);
/// Between nodes of a column, and between the two columns of a host.
const GAP: (f64, f64) = (76.0, 12.0);
const PAD: f64 = 16.0;
/// The line with a host's name.
const HEAD: f64 = 32.0;
const BOX_WIDTH: f64 = 2.0 * PAD + 2.0 * NODE.0 + GAP.0;
/// Between hosts.
const BETWEEN: (f64, f64) = (190.0, 20.0);
/// Above the hosts of a group: its name, format and stream.
const TITLE: f64 = 58.0;
/// So many receivers of a host are drawn.
const MOST: usize = 12;

const STYLE: &str = "text{font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#1f2933}\
.t{font-size:19px;font-weight:600}.f{font-size:13px;fill:#52606d}.m{font-family:ui-monospace,'DejaVu Sans Mono',monospace;font-size:11px;fill:#7b8794}\
.h{font-size:13px;font-weight:600}.n{font-size:13px;font-weight:600}.s{font-size:11.5px;fill:#52606d}.r{font-size:11.5px;fill:#52606d;text-anchor:middle}\
.bad{fill:#c92a2a;font-weight:600}.e{fill:none;stroke-linecap:round}";

const GREEN: &str = "#2b8a3e";
const AMBER: &str = "#e8890c";
const RED: &str = "#c92a2a";
const GREY: &str = "#9aa5b1";

#[derive(Clone, Copy, Debug)]
struct Point {
    x: f64,
    y: f64,
}

/// A rectangle with two lines of text.
struct Node<'a> {
    name: String,
    lines: Vec<(String, bool)>,
    colour: &'static str,
    /// It is a bridge or something outside rather than a program.
    dashed: bool,
    /// The bridge that leads on from here, and to which host.
    leads_to: Option<(&'a Member, &'a str)>,
}

/// A host with what belongs to one group there.
struct HostBox<'a> {
    title: String,
    id: &'a str,
    healthy: bool,
    left: Option<Node<'a>>,
    right: Vec<Node<'a>>,
}

impl HostBox<'_> {
    fn height(&self) -> f64 {
        let rows = self.right.len().max(1) as f64;
        HEAD + rows * NODE.1 + (rows - 1.0) * GAP.1 + PAD
    }
}

/// The picture of all groups.
pub(super) fn draw(mesh: &Mesh) -> String {
    let mut body = String::new();
    let (mut y, mut width) = (MARGIN, 2.0 * MARGIN + 2.0 * BOX_WIDTH + BETWEEN.0);
    if mesh.groups.is_empty() {
        text(&mut body, "f", MARGIN, y + 14.0, "no groups");
        y += 30.0;
    }
    for group in &mesh.groups {
        let (height, right) = draw_group(&mut body, mesh, group, y);
        width = width.max(right + MARGIN);
        y += height + 2.0 * MARGIN;
    }
    let height = y.max(2.0 * MARGIN) - MARGIN + 8.0;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
         <style>{STYLE}</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{body}</svg>\n"
    )
}

/// Draws a group from `top` on. Returns its height, and how far it goes to the right.
fn draw_group(out: &mut String, mesh: &Mesh, group: &Group, top: f64) -> (f64, f64) {
    text(out, "t", MARGIN, top + 18.0, &group.id);
    let stream = if group.stream.is_empty() { "none yet" } else { &group.stream };
    text(out, "f", MARGIN, top + 38.0, &group.format);
    text(out, "m", MARGIN, top + 54.0, &format!("stream {stream}"));
    let mut y = top + TITLE;
    for problem in &group.problems {
        y += 16.0;
        text(out, "s bad", MARGIN, y, &cut(problem, 150));
    }
    y += 14.0;
    let origin = group.origin();
    let first = origin.map(|origin| host_box(mesh, group, &origin.host, Some(origin)));
    let outside = origin.and_then(|origin| origin.bridge.as_ref());
    let x = MARGIN + if outside.is_some() { NODE.0 + 60.0 } else { 0.0 };
    let beyond = x + BOX_WIDTH + BETWEEN.0;

    // Where frames go from the first host: other hosts, and addresses outside the mesh.
    let mut reached: BTreeSet<&str> = origin.iter().map(|origin| origin.host.as_str()).collect();
    let mut others: Vec<Target<'_>> = Vec::new();
    for (index, node) in first.iter().flat_map(|first| first.right.iter().enumerate()) {
        let Some((bridge, to)) = node.leads_to else { continue };
        let place = if mesh.hosts.iter().any(|host| host.id == to) {
            reached.insert(to);
            let source = group.ingress(to, &bridge.host);
            Place::Host(host_box(mesh, group, to, source))
        } else {
            Place::Outside(to)
        };
        others.push(Target { from: Some((index, bridge)), place });
    }
    // Hosts whose receivers nothing leads to.
    let hosts: BTreeSet<_> = group.members.iter().map(|member| member.host.as_str()).collect();
    for host in hosts.into_iter().filter(|host| !reached.contains(host)) {
        let place = Place::Host(host_box(mesh, group, host, None));
        others.push(Target { from: None, place });
    }
    let gaps = others.len().saturating_sub(1) as f64 * BETWEEN.1;
    let stack: f64 = others.iter().map(|target| target.place.height()).sum::<f64>() + gaps;
    let own = first.as_ref().map_or(0.0, HostBox::height);
    let height = stack.max(own);

    // Over the boxes that they lead across.
    let mut lines = String::new();
    if let (Some(first), Some(origin)) = (&first, origin) {
        let at = Point { x, y: y + (height - own) / 2.0 };
        let mut target_y = y + (height - stack) / 2.0;
        for target in &others {
            if let Some((index, bridge)) = target.from {
                let start = right_of(at, index);
                let end =
                    Point { x: beyond + target.place.inset(), y: target_y + target.place.entry() };
                link(&mut lines, start, end, bridge);
            }
            target_y += target.place.height() + BETWEEN.1;
        }
        if let Some(bridge) = outside {
            let node = outside_node(&bridge.remote);
            let left = Point {
                x: MARGIN,
                y: at.y + first.height() / 2.0 - NODE.1 / 2.0 + (HEAD - PAD) / 2.0,
            };
            let end = Point { x: at.x + PAD, y: left.y + NODE.1 / 2.0 };
            curve(&mut lines, Point { x: left.x + NODE.0, y: end.y }, end, origin);
            draw_node(out, &node, left);
        }
        draw_host(out, first, at, Some(origin));
    }
    let mut target_y = y + (height - stack) / 2.0;
    let beyond = if first.is_some() { beyond } else { MARGIN };
    for target in &others {
        let at = Point { x: beyond, y: target_y };
        match &target.place {
            Place::Host(host) => {
                let ingress =
                    target.from.and_then(|(_, bridge)| group.ingress(host.id, &bridge.host));
                draw_host(out, host, at, ingress);
            }
            Place::Outside(remote) => draw_node(out, &outside_node(remote), at),
        }
        target_y += target.place.height() + BETWEEN.1;
    }
    out.push_str(&lines);
    (y + height - top, if others.is_empty() { x } else { beyond } + BOX_WIDTH)
}

/// What the first host's frames go to.
struct Target<'a> {
    /// The node of the first host that leads there, and its bridge.
    from: Option<(usize, &'a Member)>,
    place: Place<'a>,
}

enum Place<'a> {
    Host(HostBox<'a>),
    Outside(&'a str),
}

impl Place<'_> {
    fn height(&self) -> f64 {
        match self {
            Self::Host(host) => host.height(),
            Self::Outside(_) => NODE.1,
        }
    }

    /// How far below its top lines come in.
    fn entry(&self) -> f64 {
        match self {
            Self::Host(host) => (host.height() - PAD + HEAD) / 2.0,
            Self::Outside(_) => NODE.1 / 2.0,
        }
    }

    /// How far from its left edge lines come in.
    fn inset(&self) -> f64 {
        match self {
            Self::Host(_) => PAD,
            Self::Outside(_) => 0.0,
        }
    }
}

fn host_box<'a>(
    mesh: &'a Mesh,
    group: &'a Group,
    id: &'a str,
    source: Option<&'a Member>,
) -> HostBox<'a> {
    let mut right: Vec<_> = group.receivers(id).map(|receiver| program_node(receiver)).collect();
    if right.len() > MOST {
        let more = right.len() - (MOST - 1);
        right.truncate(MOST - 1);
        right.push(Node {
            name: format!("and {more} more receivers"),
            lines: Vec::new(),
            colour: GREY,
            dashed: true,
            leads_to: None,
        });
    }
    right.extend(group.egresses(id).map(|(member, bridge)| {
        let known = mesh.hosts.iter().any(|host| host.id == bridge.peer);
        let to = if known { bridge.peer.as_str() } else { bridge.remote.as_str() };
        Node { leads_to: Some((member, to)), ..bridge_node(member) }
    }));
    let left = source.map(|source| {
        if source.bridge.is_some() { bridge_node(source) } else { program_node(source) }
    });
    let host = mesh.hosts.iter().find(|host| host.id == id);
    let healthy = host.is_none_or(|host| host.healthy);
    HostBox { title: mesh.host_name(id).to_owned(), id, healthy, left, right }
}

fn program_node(member: &Member) -> Node<'_> {
    Node {
        name: member.name.clone(),
        lines: words(member),
        colour: colour(member),
        dashed: false,
        leads_to: None,
    }
}

fn bridge_node(member: &Member) -> Node<'_> {
    let name = match member.role {
        Role::Source => format!("{} in", member.name),
        Role::Receiver => format!("{} out", member.name),
    };
    Node { name, lines: words(member), colour: colour(member), dashed: true, leads_to: None }
}

fn outside_node(remote: &str) -> Node<'_> {
    let lines = vec![("network".into(), false)];
    Node { name: remote.into(), lines, colour: GREY, dashed: true, leads_to: None }
}

/// What stands below a member's name; true for what is bad.
fn words(member: &Member) -> Vec<(String, bool)> {
    let mut words = Vec::new();
    if member.bridge.is_none() && member.pid != 0 {
        words.push((format!("pid {}", member.pid), false));
    }
    if member.state != "active" {
        words.push((member.state.clone(), colour(member) == RED));
    } else {
        words.push((format!("{:.2} fps", member.fps), false));
    }
    if member.missed > 0 {
        words.push((format!("missed {}", member.missed), true));
    }
    words
}

fn colour(member: &Member) -> &'static str {
    match (member.up, member.state.as_str()) {
        (true, _) if member.missed == 0 => GREEN,
        (true, _) => AMBER,
        (false, "waiting" | "joining" | "starting") => GREY,
        (false, _) => RED,
    }
}

/// The right edge of a node in the right column of a host.
fn right_of(host: Point, index: usize) -> Point {
    let y = host.y + HEAD + index as f64 * (NODE.1 + GAP.1) + NODE.1 / 2.0;
    Point { x: host.x + BOX_WIDTH - PAD, y }
}

fn draw_host(out: &mut String, host: &HostBox<'_>, at: Point, source: Option<&Member>) {
    let (stroke, dash) =
        if host.healthy { ("#cbd2d9", "") } else { (RED, " stroke-dasharray=\"6 4\"") };
    let Point { x, y } = at;
    let height = host.height();
    push(
        out,
        format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{BOX_WIDTH:.1}\" height=\"{height:.1}\" rx=\"12\" fill=\"#f5f7fa\" stroke=\"{stroke}\"{dash}/>\n"
        ),
    );
    text(out, "h", x + PAD, y + 21.0, &cut(&host.title, 30));
    let about =
        if host.healthy { host.id.to_owned() } else { format!("out of touch  {}", host.id) };
    let place =
        format!("x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\"", x + BOX_WIDTH - PAD, y + 20.0);
    push(out, format_args!("<text class=\"m\" {place}>{}</text>\n", escape(&cut(&about, 50))));
    let middle = y + (height - PAD + HEAD) / 2.0;
    let left = Point { x: x + PAD, y: middle - NODE.1 / 2.0 };
    for (index, node) in host.right.iter().enumerate() {
        let edge = right_of(at, index);
        let corner = Point { x: edge.x - NODE.0, y: edge.y - NODE.1 / 2.0 };
        if let Some(source) = source.filter(|_| host.left.is_some()) {
            let start = Point { x: left.x + NODE.0, y: middle };
            let end = Point { x: corner.x, y: edge.y };
            let width = weight(source);
            line(out, start, end, node.colour, width);
        }
        draw_node(out, node, corner);
    }
    if let Some(node) = &host.left {
        draw_node(out, node, left);
    } else if !host.right.is_empty() {
        text(out, "s", left.x + 16.0, middle + 4.0, "no source");
    }
}

fn draw_node(out: &mut String, node: &Node<'_>, at: Point) {
    let Point { x, y } = at;
    let (width, height) = NODE;
    let dash = if node.dashed { " stroke-dasharray=\"5 3\"" } else { "" };
    push(
        out,
        format_args!(
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width}\" height=\"{height}\" rx=\"8\" fill=\"#ffffff\" stroke=\"{}\" stroke-width=\"1.3\"{dash}/>\n\
         <circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4.5\" fill=\"{}\"/>\n",
            if node.dashed { "#9aa5b1" } else { "#cbd2d9" },
            x + 15.0,
            y + height / 2.0,
            node.colour
        ),
    );
    let one_line = node.lines.is_empty();
    text(out, "n", x + 29.0, y + if one_line { 28.0 } else { 20.0 }, &cut(&node.name, 25));
    if one_line {
        return;
    }
    push(out, format_args!("<text class=\"s\" x=\"{:.1}\" y=\"{:.1}\">", x + 29.0, y + 36.0));
    for (index, (word, bad)) in node.lines.iter().enumerate() {
        if index > 0 {
            out.push_str("<tspan dx=\"6\">·</tspan>");
        }
        let class = if *bad { "s bad" } else { "s" };
        let apart = if index > 0 { " dx=\"6\"" } else { "" };
        push(out, format_args!("<tspan class=\"{class}\"{apart}>{}</tspan>", escape(word)));
    }
    out.push_str("</text>\n");
}

/// A bridge between two hosts, with what flows.
fn link(out: &mut String, start: Point, end: Point, bridge: &Member) {
    curve(out, start, end, bridge);
    let label = if bridge.up { rate(bridge) } else { bridge.state.clone() };
    if label.is_empty() {
        return;
    }
    let (x, y) = ((start.x + PAD + end.x) / 2.0, (start.y + end.y) / 2.0);
    // About as wide as the text.
    let width = 6.2 * label.chars().count() as f64 + 16.0;
    push(
        out,
        format_args!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"20\" rx=\"10\" fill=\"#ffffff\" stroke=\"#e4e7eb\"/>\n",
            x - width / 2.0,
            y - 10.0
        ),
    );
    text(out, if bridge.up { "r" } else { "r bad" }, x, y + 4.0, &label);
}

fn curve(out: &mut String, start: Point, end: Point, member: &Member) {
    line(out, start, end, if member.up { GREEN } else { colour(member) }, weight(member));
}

/// A line that leaves and arrives level, with an arrow's head at its end.
fn line(out: &mut String, start: Point, end: Point, colour: &str, width: f64) {
    let bend = ((end.x - start.x) / 2.0).max(20.0);
    let tip = end.x - 7.0;
    let dash = if colour == GREEN || colour == AMBER { "" } else { " stroke-dasharray=\"6 5\"" };
    push(
        out,
        format_args!(
            "<path class=\"e\" d=\"M{:.1} {:.1}C{:.1} {:.1} {:.1} {:.1} {tip:.1} {:.1}\" stroke=\"{colour}\" stroke-width=\"{width:.1}\"{dash}/>\n\
         <path d=\"M{:.1} {:.1}l-9 -4.5v9z\" fill=\"{colour}\"/>\n",
            start.x,
            start.y,
            start.x + bend,
            start.y,
            end.x - bend,
            end.y,
            end.y,
            end.x,
            end.y
        ),
    );
}

/// The more flows, the wider: 1.4 pixels for nothing, 4 for 10 Gbit/s and more.
fn weight(member: &Member) -> f64 {
    1.4 + 0.65 * member.mbit_per_s.max(1.0).log10().min(4.0)
}

fn text(out: &mut String, class: &str, x: f64, y: f64, words: &str) {
    push(
        out,
        format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>\n",
            escape(words)
        ),
    );
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = out.write_fmt(text);
}

/// At most so many characters.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}
