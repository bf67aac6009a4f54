//! The table "What survives what" of `docs/cluster.md`, cell by cell. A stream ends only when its
//! source closes in order.
//!
//! Each row is an event; each run has receivers of all columns, with `wait` and with `close`: on
//! the source's host, on another host, and of an ST 2110 stream that a host outside of the fleet
//! sends.

#[path = "common/watcher.rs"]
mod watcher;

use mcm::Client;
use mcm_tests::agent;
use mcm_tests::config;
use mcm_tests::fleet::{AGENT, Fleet};
use mcm_tests::proxy::Proxy;
use mcm_tests::role::{Order, Role, Spec};
use mcm_tests::run::Run;
use mcm_tests::wait;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::net::Ipv4Addr;
use watcher::{Watcher, receivers};

/// The host of the source, and that of the other receivers.
const HERE: usize = 1;
const THERE: usize = 2;

/// The group, without a word about its end.
fn group() -> Value {
    config::blob("survivors", 10_000)
}

/// The stream from outside the fleet.
fn stream() -> Value {
    json!({
        "connection": { "st2110": {
            "ipAddr": "239.77.2.1", "port": 5010, "transport": "st2110-20", "incompleteFrames": "drop",
        }},
        "payload": { "video": {
            "width": 160, "height": 90, "fps": 25, "pixelFormat": "yuv422p10rfc4175",
        }},
    })
}

struct World {
    fleet: Fleet,
    /// The proxy of the sender outside, which is on the agent's host and knows no agent.
    outside: Proxy,
    outside_run: Run,
    sources: u64,
    source: Role,
    sender: Role,
    watchers: Vec<Watcher>,
}

impl World {
    /// Six receivers in touch with their sources.
    fn start(fleet: Fleet) -> Self {
        let outside_run = Run::new();
        let outside = Proxy::on(fleet.net.host(AGENT), &outside_run, &["-d", "kernel:eth0"]);
        let mut watchers = receivers("on the source's host", &fleet.client(HERE), &group());
        watchers.extend(receivers("on another host", &fleet.client(THERE), &group()));
        watchers.extend(receivers("of the network", &fleet.client(THERE), &stream()));
        let (source, sender) = (source(&fleet, 1), sender(&outside_run, 1));
        let mut world = Self { fleet, outside, outside_run, sources: 1, source, sender, watchers };
        world.all_go_on("at the beginning");
        world
    }

    /// All get more frames, and none has ended.
    #[track_caller]
    fn all_go_on(&mut self, event: &str) {
        for watcher in &self.watchers {
            watcher.goes_on(event);
        }
    }

    /// The next source of the group, and sender of the stream.
    fn replace_sources(&mut self) {
        self.sources += 1;
        self.source = source(&self.fleet, self.sources);
        self.sender = sender(&self.outside_run, self.sources);
    }

    fn proxy(&mut self, host: usize) -> &mut Proxy {
        self.fleet.proxies[host - 1].as_mut().expect("a proxy")
    }

    fn restart_proxy(&mut self, host: usize, signal: Signal) {
        self.proxy(host).end(signal);
        self.fleet.start_proxy(host);
    }

    fn restart_outside(&mut self, signal: Signal) {
        self.outside.end(signal);
        self.outside =
            Proxy::on(self.fleet.net.host(AGENT), &self.outside_run, &["-d", "kernel:eth0"]);
    }
}

fn source(fleet: &Fleet, who: u64) -> Role {
    fleet.role(HERE, |client| Spec::source(client, group(), who).pause(10_000)).ready()
}

fn sender(outside: &Run, who: u64) -> Role {
    let client = config::client(&outside.socket());
    let spec = Spec { vary: false, ..Spec::source(client, stream(), who) };
    Role::start(&spec.patience(60_000)).ready()
}

/// The first row: who wants to end ends, and the others go on with the next source.
#[test]
fn the_goodbye_of_the_source_is_the_end() {
    let Some(fleet) = Fleet::started() else { return };
    // Programs that were written for the original say nothing.
    let silent = [HERE, THERE].map(|host| {
        Watcher::start(format!("says nothing, on host {host}"), &fleet.client(host), &group())
    });
    let mut world = World::start(fleet);
    silent.iter().for_each(|watcher| watcher.goes_on("at the beginning"));
    for role in [&mut world.source, &mut world.sender] {
        role.order(Order::End);
    }
    let (closing, waiting): (Vec<_>, Vec<_>) = world.watchers.drain(..).partition(|watcher| {
        watcher.name.starts_with("close") && !watcher.name.contains("network")
    });
    assert_eq!(closing.len(), 2);
    closing.iter().chain(&silent).for_each(Watcher::has_ended);
    world.watchers = waiting;
    world.replace_sources();
    world.all_go_on("with the next source");
}

/// An operator ends a stream in its source's place.
#[test]
fn an_operator_who_deletes_the_source_ends_the_stream() {
    let Some(fleet) = Fleet::started() else { return };
    let watchers: Vec<_> = [HERE, THERE]
        .iter()
        .flat_map(|host| receivers(&format!("on host {host}"), &fleet.client(*host), &group()))
        .collect();
    let _source = source(&fleet, 1);
    watchers.iter().for_each(|watcher| watcher.goes_on("at the beginning"));
    let is_source = |it: &Value| it["config"]["kind"] == "rx";
    let listed = fleet.list("connection", "connection");
    let source = listed.iter().find(|it| is_source(it)).expect("the source");
    let path = format!("/connection/{}", source["id"].as_str().expect("an id"));
    let answer = fleet.net.on(AGENT, || agent::request(Ipv4Addr::LOCALHOST, "DELETE", &path));
    assert!((200..300).contains(&answer.0), "{answer:?}");
    for watcher in watchers {
        if watcher.name.starts_with("close") {
            watcher.has_ended();
        } else {
            watcher.is_open();
        }
    }
}

/// Programs, proxies and the agent are killed or restarted.
#[test]
fn what_fails_or_is_restarted_is_no_end() {
    let Some(fleet) = Fleet::started() else { return };
    let mut world = World::start(fleet);
    for signal in [Signal::TERM, Signal::KILL] {
        world.restart_proxy(HERE, signal);
        world.restart_outside(signal);
        world.all_go_on(&format!("the sources' proxies, {signal:?}"));
        world.restart_proxy(THERE, signal);
        world.all_go_on(&format!("the receivers' proxy, {signal:?}"));
    }
    world.fleet.kill_agent();
    world.all_go_on("without the agent");
    world.fleet.start_agent();
    world.fleet.wait_listed("media-proxy", "mediaProxy", 3);
    world.all_go_on("with another agent");
    world.source.process_mut().kill();
    world.sender.process_mut().kill();
    world.watchers.iter().for_each(Watcher::is_open);
    world.replace_sources();
    world.all_go_on("the sources were killed, and others came");
}

/// Hosts are cut off for longer than anything is held for them, and the store is lost for longer
/// than a lease.
#[test]
#[ignore = "slow: scripts/ci-slow.sh"]
fn cables_and_the_store_are_no_end() {
    let Some(fleet) = Fleet::started_on_etcd(1) else { return };
    let mut world = World::start(fleet);
    for host in [HERE, THERE] {
        world.fleet.net.cut_off(host);
        world.fleet.wait_listed("media-proxy", "mediaProxy", 2);
        wait::until("nothing is held for it any more", || {
            world.fleet.list("bridge", "bridge").iter().all(|it| it["status"]["held"] != true)
        });
        world.watchers.iter().for_each(Watcher::is_open);
        world.fleet.net.heal(host);
        world.all_go_on(&format!("host {host} was cut off"));
    }
    world.fleet.net.cut_off(AGENT);
    world.watchers.iter().for_each(Watcher::is_open);
    world.fleet.net.heal(AGENT);
    world.all_go_on("the host of the agent, and of the sender, was cut off");

    world.fleet.store.as_mut().expect("a store").kill(0);
    wait::until("the agent says that its store is away", || !world.fleet.healthy());
    world.all_go_on("without the store");
    let Fleet { store, net, .. } = &mut world.fleet;
    let store = store.as_mut().expect("a store");
    store.start_member(0, |program| net.command(AGENT, program));
    store.wait();
    wait::until("the agent has its store", || world.fleet.healthy());
    world.all_go_on("with the store");
}

/// A receiver waits for a stream of the network, and a program on its host begins to send to that
/// address: the bridge from the network makes way.
#[test]
fn a_sender_that_takes_the_place_of_the_network_is_no_end() {
    let run = Run::new();
    let Some(net) = mcm_tests::net::Net::new(1) else { return };
    let proxy = Proxy::on(net.host(1), &run, &["-d", "kernel:eth0"]);
    let client: Client = proxy.client();
    let watchers = receivers("of the network", &client, &stream());
    let sender = sender(&run, 1);
    watchers.iter().for_each(|watcher| watcher.goes_on("with the program's frames"));
    // That program's close ends it.
    sender.end();
    let [waits, closes] = <[Watcher; 2]>::try_from(watchers).unwrap_or_else(|_| unreachable!());
    closes.has_ended();
    waits.is_open();
    let late = client.receiver(stream().to_string()).expect("a receiver");
    assert!(late.recv(std::time::Duration::ZERO).is_err());
}
