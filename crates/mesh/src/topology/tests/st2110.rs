//! ST 2110 groups: bridges to and from the network, and the way of the frames.

use super::super::Topology;
use super::harness::*;

const IP: &str = "239.1.1.1";

#[test]
fn sending_makes_an_egress_bridge() {
    let mut fleet = Fleet::new(1);
    fleet.source("s", 1, &stream(IP, 5004));
    assert_eq!(fleet.bridges(), ["p1 tx st2110"]);
    fleet.remove("s");
    assert!(fleet.bridges().is_empty());
}

#[test]
fn receiving_makes_one_ingress_bridge_for_all_on_a_proxy() {
    let mut fleet = Fleet::new(1);
    fleet.receiver("r1", 1, &stream(IP, 5004));
    fleet.receiver("r2", 1, &stream(IP, 5004));
    assert_eq!(fleet.bridges(), ["p1 rx st2110"]);
    let before = fleet.desired(1).bridges[0].clone();
    fleet.remove("r1");
    assert_eq!(fleet.desired(1).bridges[0], before, "it stays for the other, as it was");
    fleet.remove("r2");
    assert!(fleet.bridges().is_empty());
}

#[test]
fn receivers_elsewhere_get_it_from_the_ingress_proxy() {
    let mut fleet = Fleet::new(3);
    fleet.receiver("r2", 2, &stream(IP, 5004));
    fleet.receiver("r1", 1, &stream(IP, 5004));
    assert_eq!(
        fleet.bridges(),
        ["p1 rx rdma p2 10.0.0.2:9100", "p2 rx st2110", "p2 tx rdma p1 10.0.0.1:9100"]
    );
    // The ingress goes to the next when its receiver leaves.
    fleet.remove("r2");
    assert_eq!(fleet.bridges(), ["p1 rx st2110"]);
    // And does not come back for one that is new.
    fleet.receiver("r3", 3, &stream(IP, 5004));
    fleet.receiver("r2", 2, &stream(IP, 5004));
    assert_eq!(fleet.bridges()[0], "p1 rx st2110");
    assert_eq!(fleet.bridges().len(), 5);
}

#[test]
fn receivers_of_ones_own_egress_get_it_from_ring_and_mesh() {
    let mut fleet = Fleet::new(2);
    fleet.source("s", 1, &stream(IP, 5004));
    fleet.receiver("r1", 1, &stream(IP, 5004));
    assert_eq!(fleet.bridges(), ["p1 tx st2110"], "from the ring");
    fleet.receiver("r2", 2, &stream(IP, 5004));
    assert_eq!(
        fleet.bridges(),
        ["p1 tx rdma p2 10.0.0.2:9100", "p1 tx st2110", "p2 rx rdma p1 10.0.0.1:9100"]
    );
}

#[test]
fn the_order_of_sender_and_receivers_does_not_matter() {
    let mut fleet = Fleet::new(2);
    fleet.receiver("r2", 2, &stream(IP, 5004));
    fleet.receiver("r1", 1, &stream(IP, 5004));
    assert!(fleet.bridges().contains(&"p2 rx st2110".to_owned()));
    fleet.source("s", 1, &stream(IP, 5004));
    let bridges = fleet.bridges();
    assert_eq!(bridges.len(), 3, "{bridges:?}");
    assert!(bridges.contains(&"p1 tx st2110".to_owned()), "{bridges:?}");
    // When it stops, they listen to the network again.
    fleet.remove("s");
    fleet.topology.advance(fleet.start);
    fleet.topology.advance(fleet.start + Topology::DRAIN);
    assert!(fleet.bridges().contains(&"p2 rx st2110".to_owned()));
}

#[test]
fn streams_differ_by_address_and_port() {
    let mut fleet = Fleet::new(1);
    for (i, (ip, port)) in [(IP, 5004), (IP, 5006), ("239.1.1.2", 5004)].into_iter().enumerate() {
        fleet.receiver(&format!("r{i}"), 1, &stream(ip, port));
    }
    assert_eq!(fleet.bridges().len(), 3);
    let ids: std::collections::BTreeSet<_> =
        fleet.topology.bridges().map(|view| view.spec.id.clone()).collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn the_bridge_carries_the_configuration_of_its_connection() {
    let mut fleet = Fleet::new(1);
    let mut config = stream(IP, 5004);
    if let config::Endpoint::St2110(stream) = &mut config.endpoint {
        stream.mcast_sip_addr = Some([10, 9, 8, 7].into());
    }
    fleet.receiver("r1", 1, &config);
    fleet.receiver("r2", 1, &stream(IP, 5004));
    assert_eq!(*fleet.desired(1).bridges[0].config, config);
}

#[test]
fn a_stream_from_the_network_has_the_id_of_its_bridge() {
    let mut fleet = Fleet::new(2);
    fleet.receiver("r1", 1, &stream(IP, 5004));
    fleet.receiver("r2", 2, &stream(IP, 5004));
    let of = |fleet: &Fleet, proxy| fleet.desired(proxy).groups[0].stream.clone().unwrap();
    let ingress = fleet.topology.bridges().find(|view| view.spec.rdma().is_none()).unwrap();
    assert_eq!(of(&fleet, 1).as_str(), ingress.spec.id.as_str());
    assert_eq!(of(&fleet, 1), of(&fleet, 2));
}

/// A host that takes over from the network does so when the other one has sent its last packet.
#[test]
fn the_network_comes_in_when_nothing_is_sent_any_more() {
    let mut fleet = Fleet::new(2);
    fleet.source("s", 1, &stream(IP, 5004));
    fleet.receiver("r2", 2, &stream(IP, 5004));
    fleet.remove("s");
    assert!(fleet.bridges().is_empty());
    let due = fleet.topology.advance(fleet.start).expect("a time");
    assert_eq!(due, fleet.start + Topology::DRAIN);
    assert!(fleet.bridges().is_empty());
    fleet.topology.advance(due);
    assert_eq!(fleet.bridges(), ["p2 rx st2110"]);

    // On one host the bridges wait for each other, and a next source has its place at once.
    fleet.source("s", 1, &stream(IP, 5004));
    fleet.remove("r2");
    fleet.receiver("r1", 1, &stream(IP, 5004));
    fleet.remove("s");
    assert_eq!(fleet.bridges(), ["p1 rx st2110"]);
    fleet.source("t", 2, &stream(IP, 5004));
    assert!(fleet.bridges().contains(&"p2 tx st2110".to_owned()), "{:?}", fleet.bridges());
}
