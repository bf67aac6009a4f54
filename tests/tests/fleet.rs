//! A mesh of several hosts: an agent and proxies in network namespaces of their own.

use mcm_tests::fleet::{AGENT, Fleet, finish, group};
use mcm_tests::role::{Role, Spec};
use mcm_tests::{agent, config, wait};
use std::net::Ipv4Addr;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Agent,
    Proxies,
    Source,
    Receivers,
}
use Part::{Agent, Proxies, Receivers, Source};

const SOME_ORDERS: [[Part; 4]; 4] = [
    [Agent, Proxies, Source, Receivers],
    [Proxies, Source, Receivers, Agent],
    [Receivers, Source, Agent, Proxies],
    [Receivers, Proxies, Agent, Source],
];

/// One source, three hosts, six receivers: exact frames everywhere and one bridge to each host, in
/// any start order.
fn start_in_order(order: [Part; 4]) {
    let Some(mut fleet) = Fleet::new() else { return };
    eprintln!("{order:?}");
    let connection = group("studio 1");
    let (mut source, mut receivers) = (None, Vec::new());
    for part in order {
        match part {
            Agent => fleet.start_agent(),
            Proxies => (1..=3).for_each(|host| fleet.start_proxy(host)),
            Source => source = Some(fleet.source(1, &connection, 7)),
            Receivers => {
                receivers.extend([1, 1, 2, 2, 3, 3].map(|host| fleet.receiver(host, &connection)));
            }
        }
    }
    fleet.wait_star();
    for receiver in &mut receivers {
        receiver.progress(100);
    }
    fleet.wait_star();
    finish(source.expect("a source"), receivers);
    fleet.wait_empty();
}

#[test]
fn frames_reach_all_hosts_in_any_order_of_start() {
    SOME_ORDERS.into_iter().for_each(start_in_order);
}

/// The other orders.
#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn frames_reach_all_hosts_in_every_order_of_start() {
    let parts = [Agent, Proxies, Source, Receivers];
    let mut done = SOME_ORDERS.to_vec();
    for number in 0..256 {
        let order = [0, 2, 4, 6].map(|shift| parts[number >> shift & 3]);
        if parts.iter().all(|part| order.contains(part)) && !done.contains(&order) {
            start_in_order(order);
            done.push(order);
        }
    }
    assert_eq!(done.len(), 24);
}

/// The agent dies and comes back, and is cut off and comes back: no frame is lost, and no bridge is
/// made anew.
#[test]
fn streams_outlive_the_agent() {
    let Some(mut fleet) = Fleet::started() else { return };
    let connection = group("studio 2");
    let mut source = fleet.source(1, &connection, 7).ready();
    let mut receivers: Vec<_> = [1, 2, 3].map(|host| fleet.receiver(host, &connection)).into();
    let mut progress = |receivers: &mut Vec<Role>| {
        source.progress(30);
        receivers.iter_mut().for_each(|receiver| drop(receiver.progress(100)));
    };
    progress(&mut receivers);
    let ids = |fleet: &Fleet| -> Vec<_> {
        let all = (1..=3).flat_map(|host| fleet.bridges(host));
        all.map(|bridge| (bridge.bridge_id, bridge.conn_id)).collect()
    };
    let before = ids(&fleet);
    fleet.kill_agent();
    progress(&mut receivers);
    // Meanwhile this host is on its own: a group of its own works.
    let local = group("only here");
    let other = fleet.source(2, &local, 8).ready();
    let mut listener = fleet.receiver(2, &local);
    listener.progress(10);
    fleet.start_agent();
    fleet.wait_listed("connection", "connection", 6);
    progress(&mut receivers);
    assert_eq!(ids(&fleet), before);
    // The group that was made meanwhile reaches other hosts now.
    let mut late = fleet.receiver(3, &local);
    late.progress(10);
    finish(other, vec![listener, late]);

    fleet.net.connect(AGENT, false);
    wait::until("the proxies notice", || {
        fleet.proxies.iter().flatten().all(|proxy| {
            proxy.process().output().matches("mesh agent cannot be reached").count() == 2
        })
    });
    progress(&mut receivers);
    fleet.net.connect(AGENT, true);
    fleet.wait_listed("connection", "connection", 4);
    progress(&mut receivers);
    assert_eq!(ids(&fleet), before);
    finish(source, receivers);
    fleet.wait_empty();
}

/// The proxy at the source, then one at a receiver dies: the others lose nothing, and it finds its
/// place again.
#[test]
fn a_proxy_that_dies_comes_back() {
    let Some(mut fleet) = Fleet::started() else { return };
    let connection = group("studio 3");
    let mut source = fleet.source(1, &connection, 7).ready();
    let mut receivers = [1, 2, 3].map(|host| fleet.receiver(host, &connection));
    for receiver in &mut receivers {
        receiver.progress(50);
    }
    for host in [1, 2] {
        fleet.kill_proxy(host);
        // What is on one host does not need it.
        receivers[0].progress(50);
        fleet.start_proxy(host);
        for receiver in &mut receivers {
            receiver.progress(50);
        }
        fleet.wait_star();
        fleet.wait_listed("media-proxy", "mediaProxy", 3);
        fleet.wait_listed("bridge", "bridge", 4);
    }
    source.progress(10);
    let [local, near, far] = receivers.map(Role::end);
    source.end();
    assert_eq!(local.missed, 0, "{local:?}");
    for report in [local, near, far] {
        assert_eq!(report.reason, "");
    }
    fleet.wait_empty();
}

/// An administrator removes a source: its program is told, the others go on, and it stays away
/// until the program comes again by itself, whatever is restarted meanwhile.
#[test]
fn what_an_administrator_removes_stays_away() {
    let Some(mut fleet) = Fleet::started() else { return };
    let connection = group("studio 6");
    let mut source = fleet.source(1, &connection, 7).ready();
    let mut receiver = fleet.receiver(2, &connection);
    receiver.progress(10);
    let connections = fleet.list("connection", "connection");
    let sends = connections.iter().find(|it| it["config"]["kind"] == "rx").expect("the source");
    let id = sends["id"].as_str().expect("its id").to_owned();
    let delete = |id: &str| {
        let path = format!("/connection/{id}");
        fleet.net.on(AGENT, || agent::request(Ipv4Addr::LOCALHOST, "DELETE", &path).0)
    };
    assert_eq!(delete(&id), 200);
    let told = source.until("its program is told", |report| report.ended);
    assert!(told.reason.contains("closed by the media proxy"), "{told:?}");
    let log = fleet.proxies[0].as_ref().expect("a proxy").process().output();
    assert!(log.contains(&format!("connection {id}: removed by an administrator")), "{log}");
    fleet.wait_bridges(1, &[]);
    fleet.wait_bridges(2, &[]);
    assert_eq!(delete(&id), 404);
    fleet.kill_agent();
    fleet.start_agent();
    fleet.wait_listed("media-proxy", "mediaProxy", 3);
    fleet.wait_listed("connection", "connection", 1);
    fleet.wait_bridges(1, &[]);
    // The program comes again.
    let mut again = fleet.source(1, &connection, 8).ready();
    receiver.until("its frames", |report| report.source == 8);
    again.progress(10);
    assert_eq!(receiver.end().reason, "");
    again.end();
    fleet.wait_empty();
}

/// Two sources of one group on different hosts: one wins, and the other is told why.
#[test]
fn a_group_has_one_source() {
    let Some(mut fleet) = Fleet::started() else { return };
    let connection = group("studio 4");
    let mut first = fleet.source(1, &connection, 7).ready();
    let mut receiver = fleet.receiver(2, &connection);
    receiver.progress(10);
    let client = config::client(&fleet.runs[2].socket());
    let second = Role::start(&Spec::source(client, connection.clone(), 8)).finished();
    assert_eq!(second.error, 1008, "{second:?}");
    assert!(second.reason.contains("has a source already: connection"), "{second:?}");
    receiver.progress(10);
    first.progress(10);
    assert_eq!(receiver.report().source, 7);

    // Both at once, without an agent: each works on its host, and when the agent is back one of
    // them stays there.
    receiver.end();
    first.end();
    fleet.wait_empty();
    fleet.kill_agent();
    let connection = group("studio 5");
    let mut rivals =
        [(1, 7), (2, 8)].map(|(host, who)| fleet.source(host, &connection, who).ready());
    let mut receivers = [1, 2].map(|host| fleet.receiver(host, &connection));
    for receiver in &mut receivers {
        receiver.progress(10);
    }
    fleet.start_agent();
    let told = |fleet: &Fleet, host: usize| {
        let proxy = fleet.proxies[host - 1].as_ref().expect("a proxy");
        let output = proxy.process().output();
        output.contains("stays on this host alone") && output.contains("has a source already")
    };
    wait::until("one is told", || told(&fleet, 1) || told(&fleet, 2));
    assert!(!(told(&fleet, 1) && told(&fleet, 2)), "both were refused");
    for receiver in &mut receivers {
        assert_eq!(receiver.progress(30).told_missed, 0);
    }
    let sources = receivers.each_ref().map(|receiver| receiver.report().source);
    assert_eq!(sources, [7, 8], "nobody was interrupted");
    // The winner reaches a third host.
    let winner = if told(&fleet, 1) { 8 } else { 7 };
    let mut third = fleet.receiver(3, &connection);
    third.progress(10);
    assert_eq!(third.report().source, winner);
    // The loser ends: its receiver gets the winner's frames.
    let loser = if winner == 7 { 1 } else { 0 };
    let [a, b] = &mut rivals;
    let ending = if loser == 0 { a } else { b };
    ending.process_mut().kill();
    receivers[loser].until("frames of the winner", |report| report.source == winner);
    for receiver in receivers.into_iter().chain([third]) {
        assert_eq!(receiver.end().reason, "");
    }
}
