//! The control plane as the media proxy uses it, over real connections.

mod common;

use common::{Node, Server, mesh, proxy, stream, until};
use mesh::plane::{Accepted, ControlPlane};
use mesh::topology::{BridgeLink, ConnectionId};
use mesh_agent::Agent;
use proto::Kind;
use std::net::SocketAddr;
use testkit::certificates::{Authority, Credentials};

fn again(address: SocketAddr) -> Server {
    Server::start(address.port(), || Ok(Agent::in_memory()), |ports| ports)
}

#[test]
fn three_nodes_in_any_order() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 1, 3]] {
        let server = Server::in_memory();
        let mut nodes = Vec::new();
        for number in order {
            let node = Node::new(number, &[server.proxies]);
            let kind = if number == 1 { Kind::Source } else { Kind::Receiver };
            assert!(node.add(&format!("c{number}"), kind, &mesh("cam")).is_ok());
            nodes.push((number, node));
        }
        for (number, node) in &nodes {
            let desired = node.wait_for_bridges(if *number == 1 { 2 } else { 1 });
            assert_eq!(desired.groups[0].id.as_str(), "cam");
            assert_eq!(desired.groups[0].connections, [ConnectionId::new(format!("c{number}"))]);
        }
        until("all is applied", || {
            let all = server.list("/media-proxy?status", "mediaProxy");
            all.len() == 3 && all.iter().all(|proxy| proxy["status"]["apply"]["state"] == "applied")
        });
    }
}

#[test]
fn refusals_reach_the_program() {
    let server = Server::in_memory();
    let (one, two) = (Node::new(1, &[server.proxies]), Node::new(2, &[server.proxies]));
    one.wait_reachable(true);
    two.wait_reachable(true);
    assert_eq!(one.add("s", Kind::Source, &mesh("cam")), Ok(Accepted::Member));
    assert_eq!(one.add("s", Kind::Source, &mesh("cam")), Ok(Accepted::Member), "again");
    let error = two.add("t", Kind::Source, &mesh("cam")).unwrap_err();
    assert_eq!(error.mesh_err(), 1008);
    assert!(error.to_string().contains("connection s on media proxy p1"), "{error}");
    let mut other = mesh("cam");
    other.max_metadata_size = 8;
    assert_eq!(two.add("r", Kind::Receiver, &other).unwrap_err().mesh_err(), 1010);
    one.plane.unregister(&"s".into());
    until("the source is gone", || server.list("/connection", "connection").is_empty());
    assert_eq!(two.add("t", Kind::Source, &mesh("cam")), Ok(Accepted::Member));
}

#[test]
fn a_restarted_agent_interrupts_nothing() {
    let server = Server::in_memory();
    let address = server.proxies;
    let (one, two) = (Node::new(1, &[address]), Node::new(2, &[address]));
    one.add("s", Kind::Source, &mesh("cam")).unwrap();
    two.add("r", Kind::Receiver, &mesh("cam")).unwrap();
    two.add("q", Kind::Receiver, &stream(5004)).unwrap();
    one.add("p", Kind::Receiver, &stream(5004)).unwrap();
    // The mesh link; the ingress and the link from there.
    let (of_one, of_two) = (one.wait_for_bridges(2), two.wait_for_bridges(3));
    let seen = [&one, &two].map(|node| node.with_state(|state| state.bridges.len()));
    server.kill();
    one.wait_reachable(false);
    two.wait_reachable(false);
    // Meanwhile this host works alone.
    assert_eq!(one.add("new", Kind::Receiver, &stream(5006)), Ok(Accepted::LocalOnly));
    let desired = one.wait_for_bridges(3);
    assert!(desired.bridges.iter().any(|spec| spec.link == BridgeLink::St2110));
    let server = again(address);
    one.wait_reachable(true);
    two.wait_reachable(true);
    until("everything is registered again", || {
        server.list("/connection", "connection").len() == 5
            && server
                .list("/bridge?status", "bridge")
                .iter()
                .all(|bridge| bridge["status"]["held"] == false)
            && server
                .list("/media-proxy?status", "mediaProxy")
                .iter()
                .all(|proxy| proxy["status"]["apply"]["state"] == "applied")
    });
    // No bridge was ever missing in what the proxies were told.
    for (node, before, seen) in [(&one, &of_one, seen[0]), (&two, &of_two, seen[1])] {
        node.with_state(|state| {
            for bridges in &state.bridges[seen..] {
                for spec in &before.bridges {
                    assert!(bridges.contains(&spec.id.to_string()), "{spec:?} was interrupted");
                }
            }
            let now = state.desired.as_ref().unwrap();
            for spec in &before.bridges {
                assert!(now.bridges.contains(spec), "{spec:?} has changed");
            }
        });
    }
}

#[test]
fn two_sources_out_of_touch_are_told_apart_later() {
    let server = Server::in_memory();
    let address = server.proxies;
    let (one, two) = (Node::new(1, &[address]), Node::new(2, &[address]));
    one.wait_reachable(true);
    two.wait_reachable(true);
    server.kill();
    for (node, id) in [(&one, "s"), (&two, "t")] {
        node.wait_reachable(false);
        assert_eq!(node.add(id, Kind::Source, &mesh("cam")), Ok(Accepted::LocalOnly));
    }
    let server = again(address);
    let answers = |node: &Node| {
        node.with_state(|state| {
            state.answers.iter().map(|(_, answer)| answer.clone()).collect::<Vec<_>>()
        })
    };
    until("both have an answer", || answers(&one).len() > 1 && answers(&two).len() > 1);
    let last = [&one, &two].map(|node| answers(node).last().unwrap().clone());
    let refused = last.iter().filter_map(|answer| answer.as_ref().err()).collect::<Vec<_>>();
    assert_eq!(refused.len(), 1, "exactly one wins: {last:?}");
    assert_eq!(refused[0].mesh_err(), 1008);
    // When the winner goes, the other one gets its turn.
    let (winner, loser, id) = if last[0].is_ok() { (&one, &two, "s") } else { (&two, &one, "t") };
    winner.plane.unregister(&id.into());
    until("the other gets its turn", || answers(loser).last().unwrap().is_ok());
    assert_eq!(server.list("/connection", "connection").len(), 1);
}

#[test]
fn another_agent_takes_over() {
    let (first, second) = (Server::in_memory(), Server::in_memory());
    let node = Node::new(1, &[first.proxies, second.proxies]);
    node.add("r", Kind::Receiver, &stream(5004)).unwrap();
    let before = node.wait_for_bridges(1);
    assert_eq!(first.list("/connection", "connection").len(), 1);
    first.kill();
    until("the second knows it", || second.list("/connection", "connection").len() == 1);
    node.wait_reachable(true);
    assert_eq!(node.wait_for_bridges(1).bridges, before.bridges);
}

#[test]
fn without_an_agent_at_the_start() {
    // A port without a listener.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let node = Node::new(1, &[port]);
    assert_eq!(node.add("r", Kind::Receiver, &stream(5004)), Ok(Accepted::LocalOnly));
    node.wait_for_bridges(1);
    let server = again(port);
    node.wait_reachable(true);
    until("it is registered", || server.list("/connection", "connection").len() == 1);
    node.wait("an answer", |state| {
        state.answers.iter().any(|(_, answer)| *answer == Ok(Accepted::Member)).then_some(())
    });
    assert_eq!(node.with_state(|state| state.bridges.iter().filter(|b| b.len() == 1).count()), 1);
}

#[test]
fn what_ends_while_the_agent_is_away_is_gone_afterwards() {
    let server = Server::in_memory();
    let address = server.proxies;
    let node = Node::new(1, &[address]);
    node.add("r", Kind::Receiver, &stream(5004)).unwrap();
    node.add("q", Kind::Receiver, &stream(5006)).unwrap();
    node.wait_for_bridges(2);
    server.kill();
    node.wait_reachable(false);
    node.plane.unregister(&"r".into());
    node.wait_for_bridges(1);
    let server = again(address);
    until("one is registered", || server.list("/connection", "connection").len() == 1);
    assert_eq!(server.list("/connection", "connection")[0]["id"], "q");
}

#[test]
fn credentials_let_in_and_keep_out() {
    let pki = Authority::new();
    let tls = |name: &str| Some(files(&pki, name));
    let server = Server::start(
        0,
        || Ok(Agent::in_memory()),
        |ports| mesh_agent::server::Ports { tls: tls("agent"), ..ports },
    );
    let node = Node::with(proxy(1), &[server.proxies], tls("proxy"));
    assert_eq!(node.add("r", Kind::Receiver, &stream(5004)), Ok(Accepted::Member));
    node.wait_for_bridges(1);
    // A certificate that another authority has signed.
    let strange = Authority::new();
    let stranger = Node::with(proxy(2), &[server.proxies], Some(files(&strange, "proxy")));
    stranger.wait_reachable(false);
    assert_eq!(server.list("/media-proxy", "mediaProxy").len(), 1);
}

/// The credentials of a program on this machine.
fn files(authority: &Authority, name: &str) -> daemon::TlsFiles {
    let Credentials { cert, key } = authority.files(name, "127.0.0.1");
    daemon::TlsFiles { cert, key, ca: authority.ca() }
}
