//! Hosts that are cut off for a while, and an agent and a store that are lost: streams that do not
//! depend on them lose no frame, the others come back, and nothing leaks.
//!
//! The test prints the times that recovery takes. That recovery is in time follows from the timers,
//! which have tests of their own.

use mcm_tests::fleet::{AGENT, Fleet, finish, group};
use mcm_tests::role::{Report, Role};
use mcm_tests::wait;
use std::time::Instant;

/// Waits for the next frames of these receivers, and prints how long that took since the cause of a
/// disturbance has ended.
#[track_caller]
fn back(what: &str, since: Instant, receivers: &mut [&mut Role]) {
    for receiver in receivers.iter_mut() {
        receiver.progress(1);
    }
    eprintln!("{what}: back after {:?}", since.elapsed());
    receivers.iter_mut().for_each(|receiver| drop(receiver.progress(30)));
}

/// Their ids, and those of the connections of the proxies that serve them.
fn bridge_ids(fleet: &Fleet) -> Vec<(String, String)> {
    let all = (1..=3).flat_map(|host| fleet.bridges(host));
    all.map(|bridge| (bridge.bridge_id, bridge.conn_id)).collect()
}

/// Frames were lost, but none was wrong, and the receiver was never ended.
#[track_caller]
fn assert_whole(report: &Report) {
    assert_eq!(report.reason, "", "{report:?}");
}

/// A host with a receiver, and then the one with the source, is cut off from the others for longer
/// than anything is held for it.
#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn a_host_that_is_cut_off_comes_back() {
    let Some(fleet) = Fleet::started() else { return };
    let connection = group("studio 7");
    let source = fleet.source(1, &connection, 7).ready();
    let [mut local, mut near, mut far] = [1, 2, 3].map(|host| fleet.receiver(host, &connection));
    for receiver in [&mut local, &mut near, &mut far] {
        receiver.progress(50);
    }
    fleet.wait_star();

    fleet.net.cut_off(2);
    fleet.wait_listed("media-proxy", "mediaProxy", 2);
    fleet.wait_listed("connection", "connection", 3);
    fleet.wait_listed("bridge", "bridge", 2);
    fleet.wait_bridges(1, &[("rdma", false, "10.77.0.3")]);
    // Longer than the longest pause between attempts of any program.
    for receiver in [&mut local, &mut far] {
        receiver.progress(500);
    }
    let healed = Instant::now();
    fleet.net.heal(2);
    back("a receiver's host", healed, &mut [&mut near]);
    fleet.wait_star();
    fleet.wait_listed("bridge", "bridge", 4);
    let (mut local, far) = (local, far);
    assert_eq!((local.report().told_missed, far.report().told_missed), (0, 0), "not concerned");

    fleet.net.cut_off(1);
    fleet.wait_listed("media-proxy", "mediaProxy", 2);
    fleet.wait_listed("bridge", "bridge", 0);
    for host in [2, 3] {
        fleet.wait_bridges(host, &[]);
        wait::until("its port is free", || fleet.bridge_ports(host).is_empty());
    }
    local.progress(500);
    let healed = Instant::now();
    fleet.net.heal(1);
    let mut far = far;
    back("the source's host", healed, &mut [&mut near, &mut far]);
    fleet.wait_star();
    fleet.wait_listed("bridge", "bridge", 4);
    assert_eq!(local.report().told_missed, 0, "not concerned");
    for receiver in [near, far] {
        assert_whole(&receiver.end());
    }
    finish(source, vec![local]);
    fleet.wait_empty();
}

/// Only the way between two proxies is cut. The agent sees both, and leaves their bridges alone;
/// the third host loses nothing.
#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn a_way_between_proxies_that_is_cut_heals() {
    let Some(fleet) = Fleet::started() else { return };
    let connection = group("studio 8");
    let source = fleet.source(1, &connection, 7).ready();
    let [mut local, mut near, mut far] = [1, 2, 3].map(|host| fleet.receiver(host, &connection));
    for receiver in [&mut local, &mut near, &mut far] {
        receiver.progress(50);
    }
    let before = bridge_ids(&fleet);
    fleet.net.cut(2, &["ip saddr 10.77.0.1", "ip daddr 10.77.0.1"]);
    // So long that the system's own pauses between attempts to connect have become longer than
    // ours.
    local.progress(3000);
    far.progress(500);
    let healed = Instant::now();
    fleet.net.heal(2);
    back("the way between two proxies", healed, &mut [&mut near]);
    assert_eq!(bridge_ids(&fleet), before, "no bridge was made anew");
    assert_whole(&near.end());
    finish(source, vec![local, far]);
    fleet.wait_empty();
}

/// The agent is cut off from all proxies: no frame is lost and no bridge made anew, and programs
/// come and go meanwhile.
#[test]
fn an_agent_that_is_cut_off_interrupts_nothing() {
    let Some(fleet) = Fleet::started() else { return };
    let connection = group("studio 9");
    let source = fleet.source(1, &connection, 7).ready();
    let mut receivers: Vec<_> = [1, 2, 3].map(|host| fleet.receiver(host, &connection)).into();
    for receiver in &mut receivers {
        receiver.progress(50);
    }
    let before = bridge_ids(&fleet);
    fleet.net.cut_off(AGENT);
    // The agent has given all proxies up.
    fleet.wait_listed("media-proxy", "mediaProxy", 0);
    let here = group("only here");
    let other = fleet.source(2, &here, 8).ready();
    let mut listener = fleet.receiver(2, &here);
    listener.progress(10);
    let mut one_more = fleet.receiver(1, &connection);
    one_more.progress(10);
    receivers.push(one_more);
    for receiver in &mut receivers {
        receiver.progress(50);
    }
    let healed = Instant::now();
    fleet.net.heal(AGENT);
    fleet.wait_listed("connection", "connection", 7);
    eprintln!("the agent's network: back after {:?}", healed.elapsed());
    fleet.wait_listed("bridge", "bridge", 4);
    let mut late = fleet.receiver(3, &here);
    late.progress(10);
    let held = |fleet: &Fleet| {
        let bridges = fleet.list("bridge", "bridge");
        bridges.iter().any(|bridge| bridge["status"]["held"] == true)
    };
    wait::until("nothing is held any more", || !held(&fleet));
    let now = bridge_ids(&fleet);
    assert!(before.iter().all(|bridge| now.contains(bridge)), "{before:?}, then {now:?}");
    finish(other, vec![listener, late]);
    finish(source, receivers);
    fleet.wait_empty();
}

/// Of three members of etcd one is lost, then the majority, which comes back: no frame is lost and
/// no bridge made anew.
#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn a_store_that_is_lost_interrupts_nothing() {
    let Some(mut fleet) = Fleet::started_on_etcd(3) else { return };
    let connection = group("studio 10");
    let source = fleet.source(1, &connection, 7).ready();
    let mut receivers: Vec<_> = [1, 2, 3].map(|host| fleet.receiver(host, &connection)).into();
    let progress = |fleet: &Fleet, receivers: &mut Vec<Role>| {
        receivers.iter_mut().for_each(|receiver| drop(receiver.progress(100)));
        fleet.wait_star();
    };
    progress(&fleet, &mut receivers);
    let before = bridge_ids(&fleet);
    let store =
        |fleet: &mut Fleet,
         act: &mut dyn FnMut(&mut mcm_tests::etcd::Cluster, &mcm_tests::net::Net)| {
            let Fleet { store, net, .. } = fleet;
            act(store.as_mut().expect("a store"), net);
        };

    // One: everything goes on, connections are made.
    store(&mut fleet, &mut |store, _| store.kill(0));
    receivers.push(fleet.receiver(2, &connection));
    progress(&fleet, &mut receivers);
    wait::until("the agent has its store", || fleet.healthy());
    fleet.wait_listed("connection", "connection", 5);

    // The majority, for longer than a lease: streams go on, and hosts work on their own.
    store(&mut fleet, &mut |store, _| store.kill(1));
    wait::until("the agent says that its store is away", || !fleet.healthy());
    let here = group("only here");
    let other = fleet.source(3, &here, 8).ready();
    let mut listener = fleet.receiver(3, &here);
    listener.progress(1000);
    progress(&fleet, &mut receivers);
    let returned = Instant::now();
    store(&mut fleet, &mut |store, net| {
        store.start_member(0, |program| net.command(AGENT, program));
        store.start_member(1, |program| net.command(AGENT, program));
        store.wait();
    });
    eprintln!("etcd: has a majority after {:?}", returned.elapsed());
    let returned = Instant::now();
    fleet.wait_listed("connection", "connection", 7);
    eprintln!("etcd's majority: everything is registered after {:?}", returned.elapsed());
    fleet.wait_listed("media-proxy", "mediaProxy", 3);
    fleet.wait_listed("bridge", "bridge", 4);
    let mut late = fleet.receiver(1, &here);
    late.progress(10);
    receivers.iter_mut().for_each(|receiver| drop(receiver.progress(100)));
    let now = bridge_ids(&fleet);
    assert!(before.iter().all(|bridge| now.contains(bridge)), "{before:?}, then {now:?}");
    finish(other, vec![listener, late]);

    // The agent is cut off from its store.
    let ports: Vec<_> = fleet.store.as_ref().expect("a store").client_ports().collect();
    let ways =
        ports.iter().flat_map(|port| ["dport", "sport"].map(|end| format!("tcp {end} {port}")));
    let ways: Vec<_> = ways.collect();
    fleet.net.cut(AGENT, &ways.iter().map(String::as_str).collect::<Vec<_>>());
    wait::until("the agent says that its store is away", || !fleet.healthy());
    receivers.iter_mut().for_each(|receiver| drop(receiver.progress(1000)));
    let returned = Instant::now();
    fleet.net.heal(AGENT);
    wait::until("the agent has its store", || fleet.healthy());
    fleet.wait_listed("connection", "connection", 5);
    eprintln!("the way to etcd: everything is registered after {:?}", returned.elapsed());
    progress(&fleet, &mut receivers);
    assert_eq!(bridge_ids(&fleet), before, "no bridge was made anew");
    finish(source, receivers);
    fleet.wait_empty();
}
