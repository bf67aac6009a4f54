//! Refusals: their error numbers, and that they leave the state unchanged.

use super::harness::*;
use crate::error::AgentError;
use crate::topology::ConnectionId;
use proto::Kind;

#[test]
fn one_source_wins() {
    let mut fleet = Fleet::new(2);
    fleet.source("s", 1, &mesh("cam"));
    let error = fleet.try_add("t", 2, Kind::Source, &mesh("cam")).unwrap_err();
    assert_eq!(error.mesh_err(), 1008);
    let said = error.to_string();
    let begin = "group cam has a source already: connection s on media proxy p1 (host ";
    assert!(said.starts_with(begin), "{said}");
    fleet.remove("s");
    fleet.source("t", 2, &mesh("cam"));
}

#[test]
fn a_source_may_register_again() {
    let mut fleet = Fleet::new(2);
    fleet.source("s", 1, &mesh("cam"));
    fleet.source("s", 1, &mesh("cam"));
    // From another proxy as well: its program has moved, and so has the source.
    fleet.receiver("r", 2, &mesh("cam"));
    fleet.source("s", 2, &mesh("cam"));
    assert!(fleet.bridges().is_empty());
    assert_eq!(fleet.topology.connections().count(), 2);
}

#[test]
fn a_connection_may_change_sides() {
    let mut fleet = Fleet::new(1);
    fleet.source("s", 1, &stream("239.1.1.1", 5004));
    fleet.receiver("s", 1, &stream("239.1.1.1", 5004));
    assert_eq!(fleet.bridges(), ["p1 rx st2110"]);
    fleet.source("t", 1, &stream("239.1.1.1", 5004));
    assert_eq!(fleet.bridges(), ["p1 tx st2110"]);
}

#[test]
fn what_does_not_fit_the_group_is_named() {
    let mut fleet = Fleet::new(2);
    fleet.source("s", 1, &mesh("cam"));
    let before = fleet.desired(1);
    let mut small = mesh("cam");
    small.max_payload_size = 5_000_000;
    let mut verbs = mesh("cam");
    verbs.options.rdma.provider = config::RdmaProvider::Verbs;
    let mut endpoints = mesh("cam");
    endpoints.options.rdma.num_endpoints = 2;
    let other = stream("239.1.1.1", 5004);
    let mut urn = mesh("239.1.1.1:5004");
    urn.payload = other.payload;
    fleet.receiver("x", 1, &other);
    for (config, path) in [
        (small, "maxPayloadSize"),
        (verbs, "options.rdma.provider: found verbs; allowed: tcp"),
        (endpoints, "options.rdma.numEndpoints: found 2; allowed: 1"),
        (urn, "connection: found multipointGroup; allowed: st2110"),
    ] {
        let error = fleet.try_add("r", 2, Kind::Receiver, &config).unwrap_err();
        assert_eq!(error.mesh_err(), 1010);
        assert!(error.to_string().contains(path), "{error}");
        let member = match error.to_string() {
            text if text.contains("connection: found") => "first receiver is connection x",
            _ => "source is connection s",
        };
        let place = format!("; the group's {member} on media proxy p1 (host ");
        assert!(error.to_string().contains(&place), "{error}");
    }
    fleet.remove("x");
    assert_eq!(fleet.desired(1).groups, before.groups);
    assert_eq!(fleet.topology.counts(), [2, 1, 1, 0]);
}

#[test]
fn the_only_member_may_come_back_otherwise() {
    let mut fleet = Fleet::new(1);
    fleet.source("s", 1, &mesh("cam"));
    let mut larger = mesh("cam");
    larger.max_payload_size = 5_000_000;
    fleet.source("s", 1, &larger);
    assert_eq!(fleet.topology.group(&"cam".into()).unwrap().config.payload_size(), 5_000_000);
}

#[test]
fn who_is_not_registered_gets_nothing() {
    let mut fleet = Fleet::new(1);
    let error = fleet.try_add("r", 9, Kind::Receiver, &mesh("cam")).unwrap_err();
    assert_eq!(error, AgentError::UnknownProxy("p9".into()));
    fleet.receiver("r", 1, &mesh("cam"));
    let id = ConnectionId::from("r");
    let error = fleet.topology.unregister_connection(&"p2".into(), &id).unwrap_err();
    assert_eq!(error, AgentError::UnknownConnection(id), "another proxy's connection");
    assert!(fleet.topology.unregister_proxy(&"p2".into()).is_err());
    assert_eq!(fleet.topology.counts(), [1, 1, 1, 0]);
}
