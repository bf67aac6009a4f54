//! Proxies of this project with an agent of the original.

mod common;

use common::original::{Habits, Original};
use common::{Node, stream, until};
use mesh::plane::{Accepted, ControlPlane};
use proto::Kind;
use std::time::{Duration, Instant};

const HABITS: Habits =
    Habits { command_first: false, delay: Duration::from_millis(300), of_25_03: false };

/// The command that follows from a registration may overtake the answer to it, in which alone the
/// connection's id stands.
#[test]
fn a_connection_gets_its_bridge_in_whatever_order_answer_and_command_come() {
    for command_first in [false, true] {
        let agent = Original::new(Habits { command_first, ..HABITS });
        let node = Node::new(1, &[agent.address]);
        node.wait_reachable(true);
        for (count, id) in [(1, "a"), (2, "b")] {
            let config = stream(5002 + 2 * u16::try_from(count).unwrap());
            assert_eq!(node.add(id, Kind::Receiver, &config), Ok(Accepted::Member));
            let desired = node.wait_for_bridges(count);
            let members: Vec<_> = desired.groups.iter().flat_map(|it| &it.connections).collect();
            assert!(members.iter().any(|member| member.as_str() == id), "{desired:?}");
        }
    }
}

/// It closes the connection of a proxy that pings as fast as our own agents could bear.
#[test]
fn a_proxy_does_not_ping_and_stays() {
    let agent = Original::new(HABITS);
    let node = Node::new(1, &[agent.address]);
    node.wait_reachable(true);
    assert_eq!(node.add("a", Kind::Receiver, &stream(5004)), Ok(Accepted::Member));
    // Long enough for three pings, twice a second.
    let until_then = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until_then {
        node.plane.metrics(Vec::new());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(agent.pings(), 0);
    assert_eq!(agent.look(|state| (state.proxies.len(), state.opened)), (1, 1));
}

/// It forgets no proxy: one that came back as another each time would leave its connections behind,
/// and with them sources.
#[test]
fn a_proxy_that_lost_the_agent_comes_back_as_itself() {
    let agent = Original::new(HABITS);
    let node = Node::new(1, &[agent.address]);
    node.wait_reachable(true);
    assert_eq!(node.add("a", Kind::Receiver, &stream(5004)), Ok(Accepted::Member));
    for times in 2..4 {
        agent.cut();
        until("it is back", || agent.look(|state| state.opened) == times);
        node.wait_reachable(true);
        until("its connection is known", || agent.look(|state| state.connections.len()) == 1);
    }
    assert_eq!(agent.look(|state| state.proxies.len()), 1);
    assert_eq!(node.add("b", Kind::Receiver, &stream(5006)), Ok(Accepted::Member));
    node.wait_for_bridges(2);
    // An agent that has begun anew knows nothing, and gives new ids.
    agent.restart();
    until("it registers with all that it has", || {
        agent.look(|state| (state.proxies.len(), state.connections.len())) == (1, 2)
    });
    node.wait_for_bridges(2);
}

/// The original's 25.03 uses another number for video: the proxy does not work with such an agent,
/// and its host goes on alone.
#[test]
fn an_agent_of_another_release_is_told_apart() {
    let agent = Original::new(Habits { of_25_03: true, ..HABITS });
    let node = Node::new(1, &[agent.address]);
    node.wait_reachable(false);
    assert_eq!(node.add("a", Kind::Receiver, &stream(5004)), Ok(Accepted::LocalOnly));
    node.wait_for_bridges(1);
    assert_eq!(agent.look(|state| state.proxies.len()), 0, "it has not registered");
}
