//! Requests that are refused, and violations of the protocol.

use super::harness::{World, blob, ring};
use crate::broker::registry::{Ends, Limits};
use config::{ConnectionConfig, Endpoint, Rdma};
use media::{Payload, Video};

#[test]
fn configuration_that_does_not_fit_the_group() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.said();
    let config = ConnectionConfig { max_payload_size: 1001, ..blob("g") };
    let ends = Ends::Receiver { standby: w.seat(), using: None };
    w.announce(r, 7, "", config.clone(), ends).unwrap();
    let said = w.said();
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("r < refused 7 1010: does not fit the source in group \"g\""),
        "{said:?}"
    );
    assert!(said[0].contains("maxPayloadSize") && said[0].contains("1001"), "{said:?}");

    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.receiver(r, 7);
    w.said();
    let ends = Ends::Source { board: w.board(), ring: ring(1), receivers: Vec::new() };
    w.announce(s, 1, "", config, ends).unwrap();
    assert!(w.said()[0].starts_with("s < refused 1 1010: does not fit the receiver in group"));
    w.registry.died(r, w.now);
    w.registry.died(s, w.now);
    w.assert_empty();
}

#[test]
fn same_name_in_other_groups_does_not_matter() {
    let mut w = World::new();
    let s = w.client("s");
    w.source(s, 1, 1);
    let ends = Ends::Source { board: w.board(), ring: ring(2), receivers: Vec::new() };
    w.announce(s, 2, "", ConnectionConfig { max_payload_size: 7, ..blob("other") }, ends).unwrap();
    assert_eq!(w.said(), ["s < created 1", "s < created 2"]);
}

#[test]
fn streams_over_libfabric_are_made_by_groups() {
    let mut w = World::new();
    let r = w.client("r");
    let video = Payload::Video(Video::default());
    let ends = Ends::Receiver { standby: w.seat(), using: None };
    let config = ConnectionConfig::new(Endpoint::Rdma(Rdma::default()), video);
    w.announce(r, 1, "", config, ends).unwrap();
    let said = w.said();
    assert!(said[0].starts_with("r < refused 1 1013: connection.rdma: "), "{said:?}");
    w.registry.died(r, w.now);
    w.assert_empty();
}

#[test]
fn receivers_of_a_group_are_counted() {
    let mut w = World::new();
    let clients: Vec<_> = (0..4).map(|n| w.client(&format!("r{n}"))).collect();
    for n in 0..128_u32 {
        w.receiver(clients[n as usize % 4], n);
    }
    assert_eq!(w.said().len(), 128);
    w.receiver(clients[0], 500);
    let full = "r0 < refused 500 1006: group \"g\" has 128 receivers, as many as a group can have";
    assert_eq!(w.said(), [full]);
    w.registry.goodbye(clients[1], 1, w.now);
    w.receiver(clients[0], 500);
    assert_eq!(w.said(), ["r0 < created 500"]);
}

#[test]
fn connections_are_counted() {
    let limits = Limits { receivers_per_group: 9, connections_per_client: 2, connections: 3 };
    let mut w = World::with(None, limits);
    let (a, b) = (w.client("a"), w.client("b"));
    w.receiver(a, 1);
    w.receiver(a, 2);
    w.receiver(a, 3);
    w.receiver(b, 1);
    w.receiver(b, 2);
    assert_eq!(
        w.said(),
        [
            "a < created 1",
            "a < created 2",
            "a < refused 3 1006: client has 2 connections, as many as this proxy lets one client have",
            "b < created 1",
            "b < refused 2 1006: proxy has 3 connections, as many as it can serve",
        ]
    );
}

#[test]
fn sources_that_wait_are_counted() {
    let mut w = World::new();
    let s = w.client("s");
    w.source(s, 1, 1);
    w.registry.detach(s, w.now);
    w.said();
    let t = w.client("t");
    for key in 0..17 {
        w.source(t, key, 2);
    }
    assert_eq!(w.said(), ["t < refused 16 1008: 16 sources wait for group \"g\" already"]);
}

#[test]
fn violations() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    let id = w.id(r, 7);
    let say = |w: &mut World, client, key, id: &str| {
        let ends = Ends::Receiver { standby: w.seat(), using: Some((ring(1), w.seat())) };
        w.announce(client, key, id, blob("g"), ends).unwrap_err().to_string()
    };
    assert_eq!(say(&mut w, r, 7, ""), "key 7 was announced twice");
    assert_eq!(say(&mut w, r, 8, &id), format!("conn_id {id} was announced twice"));
    assert_eq!(say(&mut w, s, 8, &id), format!("conn_id {id} belongs to another client"));
    assert!(say(&mut w, s, 8, "a\nb").starts_with("conn_id of 3 bytes"));
    assert!(say(&mut w, s, 8, &"a".repeat(65)).starts_with("conn_id of 65 bytes"));
    let seat = w.seat();
    let error = w.registry.standby(s, 1, seat, w.now).unwrap_err().to_string();
    assert_eq!(error, "Standby for key 1, which is a source");
    let error = w.registry.joined(r, 7, seat, 0, "", w.now).unwrap_err().to_string();
    assert_eq!(error, "Joined for key 7, which is a receiver");
    w.registry.died(s, w.now);
    w.registry.died(r, w.now);
    w.assert_empty();
}

#[test]
fn late_messages_about_ended_connections_are_no_violation() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    w.source(s, 1, 1);
    w.receiver(r, 7);
    w.answer_joins();
    let id = w.id(r, 7);
    assert!(w.registry.delete(&id, "because", w.now));
    assert!(!w.registry.delete(&id, "because", w.now));
    assert_eq!(w.said(), ["r < closed 7: because", "s < part 1"]);
    w.standby(r, 7);
    w.registry.goodbye(r, 7, w.now);
    w.joined(s, 1, 12345, "");
    w.joined(s, 99, 12345, "");
    assert_eq!(w.said(), Vec::<String>::new());
}

#[test]
fn a_group_carries_what_its_source_says_or_else_its_first_receiver() {
    let mut w = World::new();
    let (s, r) = (w.client("s"), w.client("r"));
    assert!(w.registry.group_config("g").is_none());
    w.receiver(r, 7);
    let (kind, config) = w.registry.group_config("g").unwrap();
    assert_eq!((kind, config), (proto::Kind::Receiver, &blob("g")));
    w.source(s, 1, 1);
    assert_eq!(w.registry.group_config("g").unwrap().0, proto::Kind::Source);
    w.registry.died(r, w.now);
    w.registry.died(s, w.now);
    assert!(w.registry.group_config("g").is_none());
}
