//! Several agents on one etcd: killed agents, a killed store, and agents that compete for a source
//! or a port.

mod common;

use common::relay::Relay;
use common::{DEADLINE, Node, local, mesh, request, stream, until};
use mesh::plane::{Accepted, ControlPlane};
use proto::Kind;
use proto::etcd as pb;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};
use testkit::etcd::Cluster;
use testkit::process::Process;

/// A cluster of etcd. `None`, after saying why, where etcd is not installed.
struct Store(Cluster);

impl Store {
    fn new(members: usize) -> Option<Self> {
        Cluster::start(members, |program| Command::new(program)).map(Self)
    }

    fn start(&mut self, number: usize) {
        self.0.start_member(number, |program| Command::new(program));
    }

    fn url(&self) -> String {
        format!("{}/test", self.0.url())
    }

    /// All keys, if a member answers.
    fn keys(&self) -> Option<Vec<String>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = async |port: u16| {
            let channel =
                tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{port}"));
            let channel = channel.unwrap().connect().await.ok()?;
            let request =
                pb::RangeRequest { key: vec![0], range_end: vec![0], ..Default::default() };
            let answer = pb::kv_client::KvClient::new(channel).range(request).await.ok()?;
            let kvs = answer.into_inner().kvs;
            Some(kvs.into_iter().map(|kv| String::from_utf8(kv.key).unwrap()).collect())
        };
        let timeout = Duration::from_secs(2);
        self.0.client_ports().find_map(|port| {
            let answer = runtime.block_on(async { tokio::time::timeout(timeout, ask(port)).await });
            answer.ok().flatten()
        })
    }
}

/// An agent that can be killed.
struct Program {
    process: Process,
    proxies: SocketAddr,
    rest: SocketAddr,
}

impl Program {
    fn new(store: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mesh-agent"));
        command.args(["--listen=127.0.0.1", "-p", "0", "-c", "0", "--store", store]);
        let mut process = Process::start("mesh-agent", command, |_| false);
        let mut address = |suffix: &str| -> SocketAddr {
            let line = process.until_line(suffix);
            let address = line.split_once("listening on ").unwrap().1.strip_suffix(suffix);
            address.unwrap().parse().unwrap()
        };
        let (proxies, rest) = (address(" for media proxies"), address(" for REST"));
        let program = Self { process, proxies, rest };
        until("the agent has its store", || program.get("/health").0 == 200);
        program
    }

    fn get(&self, path: &str) -> (u16, Value) {
        request(self.rest, "GET", path)
    }

    fn list(&self, path: &str, name: &str) -> Vec<Value> {
        self.get(path).1[name].as_array().unwrap().clone()
    }

    fn kill(&mut self) {
        self.process.kill();
    }
}

fn texts(objects: &[Value], field: &str) -> BTreeSet<String> {
    objects.iter().map(|object| object[field].as_str().unwrap().to_owned()).collect()
}

/// Ports of the RDMA ingress bridges: no two at the same port of a proxy.
fn assert_ports_differ(agent: &Program) {
    let bridges = agent.list("/bridge?config", "bridge");
    let ingress =
        bridges.iter().filter(|b| b["config"]["type"] == "rdma" && b["config"]["kind"] == "rx");
    let ports: Vec<_> = ingress
        .map(|b| (b["proxyId"].to_string(), b["config"]["rdma"]["port"].as_u64().unwrap()))
        .collect();
    let different: BTreeSet<_> = ports.iter().collect();
    assert_eq!(different.len(), ports.len(), "{ports:?}");
}

#[test]
fn agents_share_a_fleet_and_nothing_remains_of_it() {
    let Some(store) = Store::new(1) else { return };
    let (a, b) = (Program::new(&store.url()), Program::new(&store.url()));
    let one = Node::new(1, &[a.proxies]);
    let two = Node::new(2, &[b.proxies]);
    one.wait_reachable(true);
    two.wait_reachable(true);
    assert_eq!(one.add("s", Kind::Source, &mesh("cam/ä")), Ok(Accepted::Member));
    assert_eq!(two.add("r", Kind::Receiver, &mesh("cam/ä")), Ok(Accepted::Member));
    assert_eq!(two.add("q", Kind::Receiver, &stream(5004)), Ok(Accepted::Member));
    let (sends, receives) = (one.wait_for_bridges(1), two.wait_for_bridges(2));
    let ingress = receives.bridges.iter().find_map(|spec| spec.rdma()).unwrap();
    let egress = sends.bridges[0].rdma().unwrap();
    assert_eq!((egress.port, egress.session_key), (ingress.port, ingress.session_key));
    assert!(egress.session_key.is_some());
    for (path, name) in
        [("/connection", "connection"), ("/bridge", "bridge"), ("/media-proxy", "mediaProxy")]
    {
        until("both show the same", || {
            texts(&a.list(path, name), "id") == texts(&b.list(path, name), "id")
        });
    }
    // The reason crosses agents.
    let error = two.add("t", Kind::Source, &mesh("cam/ä")).unwrap_err();
    assert_eq!(error.mesh_err(), 1008);
    // One leaves in order, the other is lost.
    for id in ["r", "q"] {
        two.plane.unregister(&id.into());
    }
    one.wait_for_bridges(0);
    drop(one);
    drop(two);
    until("nothing remains", || store.keys().is_some_and(|keys| keys.is_empty()));
    until("nor in the mirrors", || {
        [&a, &b].iter().all(|agent| agent.list("/media-proxy", "mediaProxy").is_empty())
    });
}

/// etcd closes connections that ping more than once in 5 s. The lease is kept by calls.
#[test]
fn an_agent_does_not_ping_its_store() {
    let Some(store) = Store::new(1) else { return };
    let port = store.0.client_ports().next().expect("a member");
    let relay = Relay::new(local(port));
    let agent = Program::new(&format!("etcd://{}/test", relay.address));
    let node = Node::new(1, &[agent.proxies]);
    node.wait_reachable(true);
    // Long enough for pings once a second: the lease is renewed every half second.
    let begun = Instant::now();
    until("the agent goes on asking", || {
        let frames = relay.frames();
        begun.elapsed() >= Duration::from_secs(4) && frames >= 10
    });
    assert_eq!(relay.pings(), 0);
}

#[test]
fn one_source_wins_whichever_agent_is_asked() {
    let Some(store) = Store::new(1) else { return };
    let (a, b) = (Program::new(&store.url()), Program::new(&store.url()));
    let (one, two) = (Node::new(1, &[a.proxies]), Node::new(2, &[b.proxies]));
    one.wait_reachable(true);
    two.wait_reachable(true);
    for round in 0..30 {
        let config = mesh(&format!("g{round}"));
        one.register(&format!("a{round}"), Kind::Source, &config);
        two.register(&format!("b{round}"), Kind::Source, &config);
    }
    let answers = |node: &Node| node.with_state(|state| state.answers.clone());
    until("all are answered", || answers(&one).len() == 30 && answers(&two).len() == 30);
    let won = |node: &Node| answers(node).iter().filter(|(_, answer)| answer.is_ok()).count();
    assert_eq!(won(&one) + won(&two), 30);
    for (_, answer) in answers(&one).into_iter().chain(answers(&two)) {
        if let Err(error) = answer {
            assert!(error.to_string().contains("has a source already"), "{error}");
        }
    }
    assert_eq!(a.list("/connection", "connection").len(), 30);
}

/// A connection that an administrator removes at one agent stays removed at all of them.
#[test]
fn what_is_deleted_stays_away() {
    let Some(store) = Store::new(1) else { return };
    let (a, mut b) = (Program::new(&store.url()), Program::new(&store.url()));
    let node = Node::new(1, &[b.proxies, a.proxies]);
    node.wait_reachable(true);
    assert_eq!(node.add("r", Kind::Receiver, &stream(5004)), Ok(Accepted::Member));
    node.wait_for_bridges(1);
    until("the other one knows it", || a.get("/connection/r").0 == 200);
    assert_eq!(request(a.rest, "DELETE", "/connection/r").0, 200);
    node.wait_for_bridges(0);
    node.wait("the order to end it", |state| state.removed.contains(&"r".into()).then_some(()));
    // Its proxy, which has not ended it yet, goes to the other agent.
    b.kill();
    node.wait("it is refused there", |state| (state.removed.len() > 1).then_some(()));
    assert_eq!(a.get("/connection/r").0, 404);
    until("nothing of it remains", || {
        store.keys().is_some_and(|keys| keys.iter().all(|key| !key.contains("removals")))
    });
    assert_eq!(node.add("r2", Kind::Receiver, &stream(5004)), Ok(Accepted::Member));
    node.wait_for_bridges(1);
}

#[test]
fn an_agent_killed_amid_a_hundred_registrations() {
    let Some(store) = Store::new(1) else { return };
    let (mut a, b) = (Program::new(&store.url()), Program::new(&store.url()));
    let nodes: Vec<_> = (1..=4)
        .map(|number| {
            // Half of them begin with the one that will be killed.
            let both = [a.proxies, b.proxies];
            let node = Node::new(number, &if number % 2 == 0 { both } else { [both[1], both[0]] });
            node.wait_reachable(true);
            node
        })
        .collect();
    // 25 groups of four: a source and three receivers, each on another host.
    for group in 0..25_usize {
        for (i, node) in nodes.iter().enumerate() {
            let kind = if group % 4 == i { Kind::Source } else { Kind::Receiver };
            node.register(&format!("c{group}-{i}"), kind, &mesh(&format!("g{group}")));
        }
        if group == 12 {
            a.kill();
        }
    }
    until("all complete, exactly once", || b.list("/connection", "connection").len() == 100);
    until("and are linked", || {
        let bridges = b.list("/bridge?status", "bridge");
        bridges.len() == 150 && bridges.iter().all(|bridge| bridge["status"]["held"] == false)
    });
    assert_ports_differ(&b);
    for group in b.list("/multipoint-group?status", "multipointGroup") {
        assert_eq!(group["connIds"].as_array().unwrap().len(), 4, "{group}");
        assert_eq!(group["status"]["problems"].as_array().unwrap().len(), 0, "{group}");
    }
    for node in &nodes {
        let name = format!("{:?}", node.with_state(|state| state.answers.len()));
        until(&name, || {
            node.with_state(|state| {
                let members: BTreeSet<_> = state
                    .answers
                    .iter()
                    .filter(|(_, answer)| *answer == Ok(Accepted::Member))
                    .map(|(id, _)| id.clone())
                    .collect();
                members.len() == 25 && state.answers.iter().all(|(_, answer)| answer.is_ok())
            })
        });
    }
}

#[test]
fn the_store_goes_and_comes_back() {
    let Some(mut store) = Store::new(1) else { return };
    let (a, b) = (Program::new(&store.url()), Program::new(&store.url()));
    let (one, two) = (Node::new(1, &[a.proxies]), Node::new(2, &[b.proxies]));
    one.add("s", Kind::Source, &mesh("cam")).unwrap();
    two.add("r", Kind::Receiver, &mesh("cam")).unwrap();
    let before = [one.wait_for_bridges(1), two.wait_for_bridges(1)];
    let seen = [&one, &two].map(|node| node.with_state(|state| state.bridges.len()));
    store.0.kill(0);
    until("the agents notice", || [&a, &b].iter().all(|agent| agent.get("/health").0 == 503));
    // Connections that this host can serve alone work, and the proxy learns that within a bounded
    // time.
    let began = Instant::now();
    assert_eq!(one.add("new", Kind::Receiver, &stream(5004)), Ok(Accepted::LocalOnly));
    assert!(began.elapsed() < DEADLINE);
    one.wait_for_bridges(2);
    // Longer than a lease.
    std::thread::sleep(Duration::from_secs(3));
    store.start(0);
    until("the agents have it again", || {
        [&a, &b].iter().all(|agent| agent.get("/health").0 == 200)
    });
    until("everything is registered", || {
        [&a, &b].iter().all(|agent| {
            let bridges = agent.list("/bridge?status", "bridge");
            agent.list("/connection", "connection").len() == 3
                && agent.list("/media-proxy", "mediaProxy").len() == 2
                && bridges.len() == 3
                && bridges.iter().all(|bridge| bridge["status"]["held"] == false)
        })
    });
    for (node, before, seen) in [(&one, &before[0], seen[0]), (&two, &before[1], seen[1])] {
        node.with_state(|state| {
            for bridges in &state.bridges[seen..] {
                let id = before.bridges[0].id.to_string();
                assert!(
                    bridges.contains(&id),
                    "a stream was interrupted: {:?}",
                    &state.bridges[seen..]
                );
            }
        });
    }
}

#[test]
fn two_of_three_members_are_enough() {
    let Some(mut store) = Store::new(3) else { return };
    let agent = Program::new(&store.url());
    let node = Node::new(1, &[agent.proxies]);
    assert!(node.add("r", Kind::Receiver, &stream(5004)).is_ok());
    node.wait_for_bridges(1);
    store.0.kill(0);
    until("the agent goes on", || agent.get("/health").0 == 200);
    node.register("q", Kind::Receiver, &stream(5006));
    until("registrations too", || agent.list("/connection", "connection").len() == 2);
    store.0.kill(1);
    until("without a majority it says so", || agent.get("/health").0 == 503);
    assert_eq!(node.add("p", Kind::Receiver, &stream(5008)), Ok(Accepted::LocalOnly));
    node.wait_for_bridges(3);
    store.start(0);
    until("the agent has its store", || agent.get("/health").0 == 200);
    until("everything is registered", || agent.list("/connection", "connection").len() == 3);
    node.wait_for_bridges(3);
}
