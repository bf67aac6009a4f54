//! A studio of three hosts, drawn.

use super::*;
use crate::mesh::{Bridge, Group, Host, Role};

/// One source, a receiver beside it, one on another host, and a third host out of reach.
pub(crate) fn studio() -> Mesh {
    let host = |number: u8| Host {
        id: format!("p{number}"),
        name: format!("10.0.0.{number}"),
        healthy: number < 3,
    };
    let member = |id: &str, host: &str, role: Role, name: &str| Member {
        id: id.into(),
        host: host.into(),
        role,
        name: name.into(),
        pid: 7,
        state: "active".into(),
        up: true,
        frames: 600,
        fps: 59.94,
        mbit_per_s: 1243.1,
        capacity: 16,
        held: (role == Role::Receiver).then_some(0),
        waits: (role == Role::Source).then_some(0),
        ..Member::default()
    };
    let bridge = |id: &str, host: &str, role: Role, peer: &str, remote: &str| Member {
        bridge: Some(Bridge { peer: peer.into(), remote: remote.into() }),
        pid: 0,
        capacity: 0,
        held: None,
        waits: None,
        ..member(id, host, role, if peer.is_empty() { "st2110-20" } else { "rdma" })
    };
    let down = Member {
        up: false,
        state: "no link".into(),
        fps: 0.0,
        mbit_per_s: 0.0,
        missed: 12,
        ..bridge("b3", "p1", Role::Receiver, "p3", "10.0.0.3:9100")
    };
    let members = vec![
        bridge("b2", "p2", Role::Source, "p1", "10.0.0.1:9100"),
        Member { missed: 3, ..member("r2", "p2", Role::Receiver, "<player & co>") },
        down,
        bridge("b1", "p1", Role::Receiver, "p2", "10.0.0.2:9100"),
        bridge("b4", "p1", Role::Receiver, "", "239.1.1.1:5004"),
        member("r1", "p1", Role::Receiver, "monitor"),
        member("s", "p1", Role::Source, "camera_app"),
        Member {
            state: "waiting".into(),
            up: false,
            fps: 0.0,
            mbit_per_s: 0.0,
            ..member("r3", "p3", Role::Receiver, "archive")
        },
    ];
    let group = Group {
        id: "studio 1".into(),
        format: "video 1920x1080 59.94 yuv422p10le".into(),
        stream: "5f3a".into(),
        problems: Vec::new(),
        members,
    };
    Mesh { hosts: vec![host(1), host(2), host(3)], groups: vec![group] }
}

#[test]
fn a_tree_leads_from_the_source_to_all() {
    let text = text::draw(&studio());
    let wanted = "\
host 10.0.0.3 (p3): out of touch
studio 1  video 1920x1080 59.94 yuv422p10le  stream 5f3a
└─ 10.0.0.1: camera_app (7)  59.94 fps, 1243 Mbit/s
   ├─ monitor (7)  59.94 fps, 1243 Mbit/s
   ├─ ─rdma→ 10.0.0.3  no link  missed 12
   │  └─ archive (7)  waiting
   ├─ ─rdma→ 10.0.0.2  59.94 fps, 1243 Mbit/s
   │  └─ <player & co> (7)  59.94 fps, 1243 Mbit/s  missed 3
   └─ ─st2110-20→ 239.1.1.1:5004  59.94 fps, 1243 Mbit/s
";
    assert_eq!(text, wanted);
}

#[test]
fn a_group_without_a_source_shows_who_waits() {
    let mut mesh = studio();
    mesh.groups[0]
        .members
        .retain(|member| member.bridge.is_none() && member.role == Role::Receiver);
    let text = text::draw(&mesh);
    assert!(text.contains("├─ no source\n├─ 10.0.0.1: not reached\n│  └─ monitor"), "{text}");
    assert_eq!(text::draw(&Mesh::default()), "no groups\n");
}

#[test]
fn pictures_are_well_formed_and_escaped() {
    let mesh = studio();
    let picture = svg::draw(&mesh);
    assert!(picture.starts_with("<svg xmlns=") && picture.ends_with("</svg>\n"));
    assert!(picture.contains("&lt;player &amp; co&gt;") && !picture.contains("<player"));
    for text in
        ["studio 1", "10.0.0.2", "camera_app", "239.1.1.1:5004", "no link", "missed 3", "5f3a"]
    {
        assert!(picture.contains(text), "{text}");
    }
    // Every element that is opened is closed.
    for name in ["svg", "g", "text", "tspan"] {
        let opened = picture.matches(&format!("<{name} ")).count()
            + picture.matches(&format!("<{name}>")).count();
        assert_eq!(opened, picture.matches(&format!("</{name}>")).count(), "{name}");
    }
    for shape in ["rect", "path", "circle"] {
        let opened: Vec<_> = picture.split(&format!("<{shape} ")).skip(1).collect();
        assert!(
            opened.iter().all(|rest| rest.split('>').next().unwrap().ends_with('/')),
            "{shape}"
        );
    }
    svg::draw(&Mesh::default());
}

#[test]
fn crowds_are_summed_up() {
    let mut mesh = studio();
    let one = mesh.groups[0].members[5].clone();
    let crowd = (0..40).map(|number| Member { id: number.to_string(), ..one.clone() });
    mesh.groups[0].members.extend(crowd);
    let picture = svg::draw(&mesh);
    assert!(picture.contains("and 30 more"), "{picture}");
}

/// For looking at: `MCM_PICTURE=/tmp/x.svg cargo test -p mcm-cli pictures_can_be_seen`.
#[test]
fn pictures_can_be_seen() {
    if let Some(path) = std::env::var_os("MCM_PICTURE") {
        std::fs::write(path, svg::draw(&studio())).unwrap();
    }
}
