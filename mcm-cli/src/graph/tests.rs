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
fn graphs_have_a_cluster_for_each_host_and_edges_between_them() {
    let mut mesh = studio();
    mesh.groups[0].members[1].name = "\"player\" \\n".into();
    let graph = dot::draw(&mesh);
    for line in [
        r#"subgraph "cluster_0_p2" {"#,
        r#"label="10.0.0.3\lout of touch\l"; style="rounded,filled,dashed""#,
        r#""0/member/s" [label="camera_app\npid 7 · 59.94 fps", style="rounded,filled""#,
        r#""0/member/r2" [label="\"player\" \\n\npid 7 · 59.94 fps · missed 3""#,
        r#""0/member/s" -> "0/member/r1" ["#,
        r#""0/member/s" -> "0/member/b1" ["#,
        r#""0/member/b1" -> "0/member/b2" [label="59.94 fps, 1243 Mbit/s""#,
        r#""0/member/b2" -> "0/member/r2" ["#,
        r#""0/member/b3" -> "0/nosource/p3" [label="no link""#,
        r#""0/nosource/p3" -> "0/member/r3" ["#,
        r#""0/member/b4" -> "0/network/239.1.1.1:5004" ["#,
        r#""0/network/239.1.1.1:5004" [label="239.1.1.1:5004", shape=ellipse"#,
    ] {
        assert!(graph.contains(line), "{line} is missing:\n{graph}");
    }
    assert_eq!(graph.matches(" -> ").count(), 9, "{graph}");
    assert_eq!(graph.matches('{').count(), graph.matches('}').count(), "{graph}");
    assert!(dot::draw(&Mesh::default()).contains("no groups"));
}

#[test]
fn crowds_are_summed_up() {
    let mut mesh = studio();
    let one = mesh.groups[0].members[5].clone();
    let crowd = (0..40).map(|number| Member { id: number.to_string(), ..one.clone() });
    mesh.groups[0].members.extend(crowd);
    let graph = dot::draw(&mesh);
    assert!(graph.contains("and 32 more receivers"), "{graph}");
}

#[test]
fn pictures_are_drawn_where_graphviz_is() {
    match picture(&dot::draw(&studio())) {
        Ok(picture) => assert!(picture.contains("<svg ") && picture.contains("player &amp; co")),
        Err(error) => assert!(error.to_string().contains("package graphviz"), "{error}"),
    }
}
