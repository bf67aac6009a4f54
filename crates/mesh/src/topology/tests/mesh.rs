//! Mesh groups: a star of RDMA bridges from the source's proxy.

use super::harness::*;
use crate::topology::{
    ConnectionId, Decides, Grant, GroupId, GroupRecord, ProxyId, SessionKey, Source, Topology, Wish,
};
use proto::Kind;
use std::sync::Arc;

#[test]
fn one_node_needs_no_bridge() {
    let mut fleet = Fleet::new(1);
    fleet.source("s", 1, &mesh("cam"));
    fleet.receiver("r", 1, &mesh("cam"));
    assert!(fleet.bridges().is_empty());
    let desired = fleet.desired(1);
    assert_eq!(desired.groups.len(), 1);
    assert_eq!(desired.groups[0].id, GroupId::from("cam"));
    assert_eq!(desired.groups[0].connections, ["s", "r"].map(ConnectionId::from));
}

#[test]
fn a_star_from_the_source() {
    let mut fleet = Fleet::new(3);
    fleet.source("s", 1, &mesh("cam"));
    for (id, proxy) in [("r1", 1), ("r2", 2), ("r3", 2), ("r4", 3)] {
        fleet.receiver(id, proxy, &mesh("cam"));
    }
    assert_eq!(
        fleet.bridges(),
        [
            "p1 tx rdma p2 10.0.0.2:9100",
            "p1 tx rdma p3 10.0.0.3:9100",
            "p2 rx rdma p1 10.0.0.1:9100",
            "p3 rx rdma p1 10.0.0.1:9100",
        ]
    );
    let links: Vec<_> = fleet.topology.bridges().map(|v| v.spec.rdma().unwrap().clone()).collect();
    assert!(links.iter().all(|link| link.session_key.is_some()));
    let keys = |port_of: &str| {
        let peers: Vec<_> = fleet
            .topology
            .bridges()
            .filter(|v| {
                v.spec.proxy.as_str() == port_of || v.spec.rdma().unwrap().peer.as_str() == port_of
            })
            .map(|v| v.spec.rdma().unwrap().session_key)
            .collect();
        peers
    };
    assert_eq!(keys("p2")[0], keys("p2")[1], "both ends have the same key");
    assert_ne!(keys("p2")[0], keys("p3")[0], "each link has its own");
}

#[test]
fn receivers_first_gives_the_same() {
    let mut one = Fleet::new(3);
    one.source("s", 1, &mesh("cam"));
    one.receiver("r2", 2, &mesh("cam"));
    one.receiver("r3", 3, &mesh("cam"));
    let mut other = Fleet::new(3);
    other.receiver("r3", 3, &mesh("cam"));
    other.receiver("r2", 2, &mesh("cam"));
    assert!(other.bridges().is_empty(), "no source yet");
    other.source("s", 1, &mesh("cam"));
    assert_eq!(one.bridges(), other.bridges());
    let ids = |fleet: &Fleet| {
        let mut ids: Vec<_> = fleet.topology.bridges().map(|view| view.spec.id.clone()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&one), ids(&other));
}

#[test]
fn superfluous_bridges_go_and_ports_come_back() {
    let mut fleet = Fleet::new(2);
    fleet.source("s", 1, &mesh("cam"));
    fleet.receiver("r1", 2, &mesh("cam"));
    fleet.receiver("r2", 2, &mesh("cam"));
    fleet.remove("r1");
    assert_eq!(fleet.bridges().len(), 2);
    fleet.remove("r2");
    assert!(fleet.bridges().is_empty());
    fleet.source("t", 1, &mesh("other"));
    fleet.receiver("r3", 2, &mesh("other"));
    assert_eq!(fleet.bridges()[0], "p1 tx rdma p2 10.0.0.2:9100", "the port is free again");
    fleet.remove("t");
    assert!(fleet.bridges().is_empty(), "without a source there is nothing to carry");
    fleet.remove("r3");
    fleet.remove("s");
    assert_eq!(fleet.topology.counts(), [2, 0, 0, 0]);
}

#[test]
fn several_endpoints_take_several_ports() {
    let mut fleet = Fleet::new(2);
    let with = |urn: &str, endpoints| {
        let mut config = mesh(urn);
        config.options.rdma.num_endpoints = endpoints;
        config
    };
    for (urn, endpoints) in [("a", 4), ("b", 1), ("c", 4)] {
        fleet.source(&format!("s{urn}"), 1, &with(urn, endpoints));
        fleet.receiver(&format!("r{urn}"), 2, &with(urn, endpoints));
    }
    let egress = |fleet: &Fleet| -> Vec<String> {
        fleet.bridges().into_iter().filter(|bridge| bridge.starts_with("p1")).collect()
    };
    let to = |port| format!("p1 tx rdma p2 10.0.0.2:{port}");
    assert_eq!(egress(&fleet), [to(9100), to(9104), to(9105)]);
    fleet.remove("ra");
    fleet.source("sd", 1, &with("d", 5));
    fleet.receiver("rd", 2, &with("d", 5));
    assert_eq!(egress(&fleet), [to(9104), to(9105)], "four free ports do not do for five");
    let problems = fleet.topology.group(&"d".into()).unwrap().problems;
    assert_eq!(problems[0].0, ProxyId::from("p2"));
    assert!(problems[0].1.contains("no 5 free consecutive ports in 9100-9109"), "{problems:?}");
    fleet.remove("rb");
    assert_eq!(egress(&fleet), [to(9105)], "nothing looks at a group again until it changes");
    fleet.remove("rd");
    fleet.receiver("rd", 2, &with("d", 5));
    assert_eq!(egress(&fleet), [to(9100), to(9105)]);
}

#[test]
fn a_group_without_a_way_does_not_stop_others() {
    let mut fleet = Fleet::new(2);
    let lonely = crate::topology::Proxy { rdma: None, ..proxy(3) };
    fleet.topology.register_proxy(lonely, Vec::new(), fleet.start);
    fleet.source("s", 1, &mesh("cam"));
    fleet.receiver("r3", 3, &mesh("cam"));
    fleet.receiver("r2", 2, &mesh("cam"));
    assert_eq!(fleet.bridges().len(), 2, "p2 gets its bridge");
    let problems = fleet.topology.group(&"cam".into()).unwrap().problems;
    assert!(problems[0].1.contains("p3 has no address"), "{problems:?}");
}

#[test]
fn proxies_of_one_host_share_its_ports() {
    let mut fleet = Fleet::new(2);
    let mut neighbour = proxy(3);
    neighbour.rdma = proxy(2).rdma;
    fleet.topology.register_proxy(neighbour, Vec::new(), fleet.start);
    fleet.source("s", 1, &mesh("cam"));
    fleet.receiver("r2", 2, &mesh("cam"));
    fleet.receiver("r3", 3, &mesh("cam"));
    let ports: Vec<_> = fleet.bridges().iter().filter(|b| b.starts_with("p1")).cloned().collect();
    assert_eq!(ports, ["p1 tx rdma p2 10.0.0.2:9100", "p1 tx rdma p3 10.0.0.2:9101"]);
}

#[test]
fn older_proxies_get_no_keys() {
    let mut fleet = Fleet::new(1);
    let older = crate::topology::Proxy { extended: false, ..proxy(2) };
    fleet.topology.register_proxy(older, Vec::new(), fleet.start);
    fleet.source("s", 1, &mesh("cam"));
    fleet.receiver("r", 2, &mesh("cam"));
    assert!(fleet.topology.bridges().all(|v| v.spec.rdma().unwrap().session_key.is_none()));
}

#[test]
fn a_change_touches_the_proxies_that_it_concerns() {
    let mut fleet = Fleet::new(3);
    fleet.source("s", 1, &mesh("cam"));
    fleet.topology.take_changed();
    let before = [1, 2, 3].map(|n| fleet.desired(n).generation);
    fleet.receiver("r", 2, &mesh("cam"));
    let changed: Vec<_> = fleet.topology.take_changed().into_iter().collect();
    assert_eq!(changed, ["p1", "p2"].map(ProxyId::from));
    let after = [1, 2, 3].map(|n| fleet.desired(n).generation);
    assert!(after[0] > before[0] && after[1] > before[1] && after[2] == before[2]);
    // The same again changes nothing.
    fleet.receiver("r", 2, &mesh("cam"));
    assert!(fleet.topology.take_changed().is_empty());
}

#[test]
fn a_proxy_with_another_address_gets_other_bridges() {
    let mut fleet = Fleet::new(2);
    fleet.source("s", 1, &mesh("cam"));
    fleet.receiver("r", 2, &mesh("cam"));
    let mut moved = proxy(2);
    moved.rdma.as_mut().unwrap().dataplane_ip = [10, 0, 0, 77].into();
    moved.rdma.as_mut().unwrap().ports = "9200".parse().unwrap();
    fleet.topology.register_proxy(moved, Vec::new(), fleet.start);
    assert_eq!(fleet.bridges(), ["p1 tx rdma p2 10.0.0.77:9200", "p2 rx rdma p1 10.0.0.1:9200"]);
}

#[test]
fn a_stream_has_one_id_on_all_nodes() {
    let mut fleet = Fleet::new(3);
    let stream = |fleet: &Fleet, proxy| {
        let groups = fleet.desired(proxy).groups;
        groups[0].stream.as_ref().map(|stream| stream.as_str().to_owned())
    };
    fleet.receiver("r2", 2, &mesh("cam"));
    assert_eq!(stream(&fleet, 2), None, "no source yet");
    fleet.source("s", 1, &mesh("cam"));
    fleet.receiver("r3", 3, &mesh("cam"));
    for proxy in 1..=3 {
        assert_eq!(stream(&fleet, proxy).as_deref(), Some("s"), "p{proxy}");
    }
    let before = fleet.desired(2);
    fleet.remove("s");
    assert_eq!(stream(&fleet, 2).as_deref(), Some("s"), "frames may be under way");
    fleet.source("t", 1, &mesh("cam"));
    for proxy in 1..=3 {
        assert_eq!(stream(&fleet, proxy).as_deref(), Some("t"), "p{proxy}");
    }
    let after = fleet.desired(2);
    assert!(after.generation > before.generation, "the proxy is told");
}

/// With decisions in a store: concurrent wishes want different ports, and a wish that another agent
/// has fulfilled is gone.
#[test]
fn wishes_want_different_ports_and_are_fulfilled_once() {
    let mut topology = Topology::new(Decides::Elsewhere, counting_keys());
    for number in [1, 2] {
        topology.put_proxy(proxy(number));
    }
    for (order, group) in ["a", "b", "c"].into_iter().enumerate() {
        let config = mesh(group);
        let source = connection(&format!("s{group}"), 1, Kind::Source, &config);
        let definition = Arc::clone(&source.config);
        let record =
            GroupRecord { definition, source: Some(Source::Connection(source.id.clone())) };
        topology.put_connection(source, 2 * order as u64);
        let receiver = connection(&format!("r{group}"), 2, Kind::Receiver, &config);
        topology.put_connection(receiver, 2 * order as u64 + 1);
        topology.put_record(&group.into(), Some(record));
    }
    topology.settle();
    let wishes = topology.wishes();
    let ports = |wishes: &[Wish]| {
        let ports = wishes.iter().map(|wish| match wish {
            Wish::Grant { grant, .. } => grant.port,
            other => panic!("{other:?}"),
        });
        ports.collect::<Vec<_>>()
    };
    assert_eq!(ports(&wishes), [9100, 9101, 9102]);
    assert!(wishes.iter().all(|wish| topology.still_wishes(wish)));
    // Another agent has chosen another port and another key.
    let Wish::Grant { group, destination, grant } = wishes[1].clone() else { panic!() };
    let grant = Grant { port: 9200, key: SessionKey([9; 32]), ..grant };
    topology.put_grant(&group, &destination, Some(grant));
    topology.settle();
    let left = wishes.iter().map(|wish| topology.still_wishes(wish)).collect::<Vec<_>>();
    assert_eq!(left, [true, false, true]);
    assert_eq!(ports(&topology.wishes()), [9100, 9101]);
}
