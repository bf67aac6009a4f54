//! Lost proxies and restarted agents: frames flow on.

use super::harness::*;
use crate::topology::{ProxyId, Topology};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// p1 sends to p2 and p3.
fn star() -> Fleet {
    let mut fleet = Fleet::new(3);
    fleet.source("s", 1, &mesh("cam"));
    fleet.receiver("r2", 2, &mesh("cam"));
    fleet.receiver("r3", 3, &mesh("cam"));
    fleet
}

#[test]
fn a_lost_proxy_leaves_and_bridges_to_it_end_later() {
    let mut fleet = star();
    fleet.lose(2, SECOND);
    assert!(fleet.topology.proxy(&"p2".into()).is_none());
    assert_eq!(fleet.topology.group(&"cam".into()).unwrap().connections.len(), 2);
    assert_eq!(fleet.desired(1).bridges.len(), 2, "frames may still arrive there");
    assert_eq!(fleet.topology.bridges().filter(|view| view.held).count(), 1);
    let due = fleet.topology.advance(fleet.start + SECOND).unwrap();
    assert_eq!(due, fleet.start + SECOND + Topology::HOLD);
    fleet.topology.advance(due);
    assert_eq!(fleet.desired(1).bridges.len(), 1);
    assert_eq!(fleet.topology.advance(due), None);
}

#[test]
fn it_comes_back_to_the_same_bridges() {
    let mut fleet = star();
    let (before, running) = (fleet.desired(1).bridges, fleet.running(2));
    // Another proxy on the same host takes the lowest port meanwhile.
    fleet.lose(2, SECOND);
    let mut neighbour = proxy(4);
    neighbour.rdma = proxy(2).rdma;
    fleet.topology.register_proxy(neighbour, Vec::new(), fleet.start);
    fleet.topology.register_proxy(proxy(2), running.clone(), fleet.start + SECOND);
    fleet.receiver("r4", 4, &mesh("cam"));
    fleet.receiver("r2", 2, &mesh("cam"));
    assert_eq!(fleet.running(2), running);
    assert!(fleet.desired(1).bridges.iter().filter(|b| before.contains(b)).count() == 2);
    assert!(fleet.bridges().contains(&"p1 tx rdma p4 10.0.0.2:9101".to_owned()));
    assert_eq!(fleet.topology.bridges().filter(|view| view.held).count(), 0);
}

#[test]
fn a_lost_source_keeps_its_streams_until_another_comes() {
    let mut fleet = star();
    fleet.lose(1, SECOND);
    assert_eq!(fleet.bridges(), ["p2 rx rdma p1 10.0.0.1:9100", "p3 rx rdma p1 10.0.0.1:9100"]);
    fleet.source("t", 2, &mesh("cam"));
    // Not the port at which the lost one may still send.
    assert_eq!(fleet.bridges(), ["p2 tx rdma p3 10.0.0.3:9101", "p3 rx rdma p2 10.0.0.2:9101"]);
    // The lost one comes back, and is not the source any more.
    fleet.proxy(1);
    let error = fleet.try_add("s", 1, proto::Kind::Source, &mesh("cam")).unwrap_err();
    assert_eq!(error.mesh_err(), 1008);
}

#[test]
fn what_is_taken_away_is_not_held() {
    let mut fleet = star();
    fleet.topology.unregister_proxy(&ProxyId::from("p2")).unwrap();
    assert_eq!(fleet.bridges().len(), 2);
    fleet.remove("s");
    assert!(fleet.bridges().is_empty());
}

#[test]
fn a_bridge_says_whether_it_is_worth_holding() {
    let mut fleet = star();
    let to = |fleet: &Fleet, peer: &str| {
        let bridges = fleet.desired(1).bridges;
        bridges.iter().find(|b| b.rdma().unwrap().peer.as_str() == peer).unwrap().id.clone()
    };
    let (to_2, to_3) = (to(&fleet, "p2"), to(&fleet, "p3"));
    fleet.lose(2, SECOND);
    fleet.lose(3, SECOND);
    let later = fleet.start + 20 * SECOND;
    fleet.topology.report_link(&"p1".into(), &to_2, true, later);
    fleet.topology.report_link(&"p1".into(), &to_3, false, later);
    assert_eq!(fleet.bridges(), ["p1 tx rdma p2 10.0.0.2:9100"]);
    fleet.topology.advance(later - SECOND);
    assert_eq!(fleet.bridges().len(), 1);
    fleet.topology.advance(later);
    assert!(fleet.bridges().is_empty());
    // Bridges that are needed do not depend on such reports.
    let mut fleet = star();
    fleet.topology.report_link(&"p1".into(), &to_2, false, later);
    assert_eq!(fleet.bridges().len(), 4);
}

#[test]
fn a_new_agent_interrupts_nothing_whoever_comes_first() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] {
        for config in [mesh("cam"), stream("239.1.1.1", 5004)] {
            let mut old = Fleet::new(3);
            old.receiver("r2", 2, &config);
            old.receiver("r3", 3, &config);
            if !matches!(config.endpoint, config::Endpoint::St2110(_)) {
                old.source("s", 1, &config);
            }
            // A port that is not the lowest.
            old.source("u", 1, &mesh("first"));
            old.receiver("v", 3, &mesh("first"));
            old.remove("v");
            let before: Vec<_> = [1, 2, 3].map(|n| old.running(n)).into();
            let mut new = Fleet::empty();
            for number in order {
                new.topology.register_proxy(proxy(number), old.running(number), new.start);
                let of_proxy: Vec<_> =
                    old.topology.connections_of(&proxy(number).id).cloned().collect();
                for connection in of_proxy {
                    new.topology.register_connection(connection).unwrap();
                }
                for n in order {
                    if new.topology.proxy(&proxy(n).id).is_some() {
                        assert_eq!(new.running(n), before[usize::from(n) - 1], "p{n} {order:?}");
                    }
                }
            }
            new.topology.advance(new.start + Topology::HOLD);
            for n in order {
                assert_eq!(new.running(n), before[usize::from(n) - 1], "p{n} {order:?}");
            }
        }
    }
}

#[test]
fn who_never_comes_back_leaves_nothing() {
    let old = star();
    let mut new = Fleet::empty();
    new.topology.register_proxy(proxy(1), old.running(1), new.start);
    assert_eq!(new.bridges().len(), 2);
    new.topology.advance(new.start + Topology::HOLD);
    assert_eq!(new.topology.counts(), [1, 0, 0, 0]);
    assert!(new.bridges().is_empty());
    assert!(new.desired(1).groups.is_empty());
}

#[test]
fn a_successor_at_the_same_address_is_not_sent_to_twice() {
    let mut fleet = star();
    fleet.lose(2, SECOND);
    let successor = crate::topology::Proxy { id: "p9".into(), ..proxy(2) };
    fleet.topology.register_proxy(successor, Vec::new(), fleet.start);
    fleet
        .topology
        .register_connection(connection("r9", 9, proto::Kind::Receiver, &mesh("cam")))
        .unwrap();
    let sent: Vec<_> = fleet.bridges().into_iter().filter(|b| b.starts_with("p1 tx")).collect();
    assert_eq!(sent, ["p1 tx rdma p3 10.0.0.3:9100", "p1 tx rdma p9 10.0.0.2:9100"]);
}
