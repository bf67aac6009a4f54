//! Two proxies in one process: their exchanges, a bridge of each, and programs.

use super::*;
use crate::broker::budget::Budget;
use crate::broker::exchange::{Exchange, Handle};
use crate::broker::registry::Reach;
use crate::run_dir::RunDir;
use config::Endpoint;
use mcm::{Receiver, Source};
use media::{Payload, Tai};
use mesh::topology::{BridgeLink, SessionKey};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;
use testkit::wait::until;

const FRAME: usize = 300_000;

/// A host without the control plane.
struct Node {
    _directory: tempfile::TempDir,
    handle: Handle,
    thread: Option<JoinHandle<()>>,
    client: Arc<BridgeClient>,
}

impl Node {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let run_dir = RunDir::open(directory.path(), None).unwrap();
        let (socket, survivors) = run_dir.listen().unwrap();
        let client = Arc::new(BridgeClient::new(run_dir.socket().to_path_buf()));
        let (placement, _) = channel();
        let id = "node".to_owned();
        let exchange =
            Exchange::new(socket, survivors, id, Budget::claim(), Reach::Streams, placement);
        let (exchange, handle) = exchange.unwrap();
        let thread = std::thread::spawn(move || {
            let _run_dir = run_dir;
            exchange.run().unwrap();
        });
        Self { _directory: directory, handle, thread: Some(thread), client }
    }

    fn wires(&self, sealed: bool) -> Wires {
        let ip = Some(Ipv4Addr::LOCALHOST.into());
        Wires::for_worker(Arc::clone(&self.client), ip, sealed)
    }

    fn relay(&self, config: &ConnectionConfig) -> Source {
        self.client.relay(config).unwrap()
    }

    fn receive(&self, config: &ConnectionConfig) -> Receiver {
        self.client.receive(config).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn config(endpoints: u8) -> ConnectionConfig {
    let endpoint = Endpoint::MultipointGroup { urn: "across".into() };
    let mut config = ConnectionConfig::new(endpoint, Payload::Blob);
    config.max_payload_size = FRAME as u32;
    config.max_metadata_size = 13;
    config.options.rdma.num_endpoints = endpoints;
    // A machine that has better things to do is no reason to miss frames.
    config.options.stall_timeout = Duration::from_secs(60);
    config
}

fn spec(direction: Direction, config: &ConnectionConfig, link: &RdmaLink) -> BridgeSpec {
    BridgeSpec {
        id: "bridge".into(),
        group: "across".into(),
        proxy: "here".into(),
        direction,
        config: Arc::new(config.clone()),
        link: BridgeLink::Rdma(link.clone()),
    }
}

/// Ports that are free at the moment, as many as there may be endpoints.
fn free_ports() -> u16 {
    // No block is looked at twice: another test may be about to use it.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 21_000 + (std::process::id() % 500) as u16 * 16;
    std::iter::repeat_with(|| first + NEXT.fetch_add(1, Relaxed) * 8)
        .find(|port| (*port..*port + 8).all(|p| TcpListener::bind(("127.0.0.1", p)).is_ok()))
        .unwrap()
}

fn alarm() -> (Alarm, std::sync::mpsc::Receiver<crate::placement::Input>) {
    let (events, inbox) = channel();
    (Alarm { events, bridge: "bridge".into(), attempt: 1 }, inbox)
}

fn put(source: &Source, number: u64) {
    let mut frame = source.frame(Duration::from_secs(60)).unwrap();
    let len = FRAME - (number as usize % 5) * 1_000;
    frame.payload_mut()[..len].fill(number as u8);
    frame.payload_mut()[..8].copy_from_slice(&number.to_le_bytes());
    frame.metadata_mut()[..5].copy_from_slice(b"about");
    frame.set_payload_len(len).unwrap();
    frame.set_metadata_len((number % 2) as usize * 5).unwrap();
    frame.set_timestamp(Tai::from_nanos(1_000_000_007 * (number + 1)));
    frame.publish_within(Duration::from_secs(60)).unwrap();
}

/// Reads the next frame and checks all of it; returns its number.
fn get(receiver: &Receiver) -> u64 {
    let frame = receiver.recv(Duration::from_secs(60)).unwrap().unwrap();
    let number = u64::from_le_bytes(frame.payload()[..8].try_into().unwrap());
    assert_eq!(frame.payload().len(), FRAME - (number as usize % 5) * 1_000);
    assert!(frame.payload()[8..].iter().all(|byte| *byte == number as u8), "frame {number}");
    let about: &[u8] = if number % 2 == 1 { b"about" } else { b"" };
    assert_eq!(frame.metadata(), about);
    assert_eq!(frame.info().tai_ns, 1_000_000_007 * (number + 1));
    assert_eq!((frame.info().sequence, frame.info().missed), (number, 0));
    number
}

fn linked(bridge: &dyn Bridge) -> bool {
    bridge.figures().statistics().linked == Some(true)
}

fn installed() -> bool {
    let there = fabric::library_version();
    if let Err(error) = &there {
        testkit::skip(&error.to_string());
    }
    there.is_ok()
}

/// One source, and receivers on both hosts.
fn carry(endpoints: u8, sealed: bool) {
    let (here, there) = (Node::new(), Node::new());
    let config = config(endpoints);
    let link = RdmaLink {
        peer: "there".into(),
        remote_ip: Ipv4Addr::LOCALHOST.into(),
        port: free_ports(),
        session_key: Some(SessionKey([3; 32])),
    };
    let (tell, _inbox) = alarm();
    let ingress = there.wires(sealed);
    let ingress =
        ingress.start(&spec(Direction::Ingress, &config, &link), &link, tell.clone()).unwrap();
    let egress = here.wires(sealed);
    let egress = egress.start(&spec(Direction::Egress, &config, &link), &link, tell).unwrap();
    let source = here.relay(&config);
    let beside = here.receive(&config);
    let far = [(); 2].map(|()| there.receive(&config));
    until("a link", || linked(&*egress) && linked(&*ingress));

    std::thread::scope(|scope| {
        scope.spawn(|| (0..200).for_each(|number| put(&source, number)));
        for receiver in far.iter().chain([&beside]) {
            scope.spawn(move || (0..200).for_each(|number| assert_eq!(get(receiver), number)));
        }
    });
    // A frame is counted when receivers may have it already.
    until("all frames are counted", || ingress.figures().statistics().frames == Some(200));
    assert_eq!(ingress.figures().statistics().gaps, Some(0));

    // What is put before the end arrives, in whatever order the ends are stopped.
    (200..210).for_each(|number| put(&source, number));
    std::thread::scope(|scope| {
        scope.spawn(|| ingress.stop());
        scope.spawn(|| egress.stop());
        for receiver in &far {
            (200..210).for_each(|number| assert_eq!(get(receiver), number));
        }
    });
}

#[test]
fn frames_reach_receivers_on_another_node() {
    if installed() {
        carry(1, false);
    }
}

#[test]
fn frames_reach_another_node_encrypted_over_several_endpoints() {
    if installed() {
        carry(3, true);
    }
}

#[test]
fn a_source_without_a_link_waits_for_nobody_for_long() {
    if !installed() {
        return;
    }
    let here = Node::new();
    let config = config(1);
    let link = RdmaLink {
        peer: "there".into(),
        remote_ip: Ipv4Addr::LOCALHOST.into(),
        port: free_ports(),
        session_key: Some(SessionKey([3; 32])),
    };
    let (tell, _inbox) = alarm();
    let egress = here.wires(false);
    let egress = egress.start(&spec(Direction::Egress, &config, &link), &link, tell).unwrap();
    let source = here.relay(&config);
    let beside = here.receive(&config);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..300).for_each(|number| put(&source, number)));
        scope.spawn(|| (0..300).for_each(|number| assert_eq!(get(&beside), number)));
    });
    assert!(!linked(&*egress));
    egress.stop();
}

#[test]
fn a_port_that_is_taken_is_told() {
    if !installed() {
        return;
    }
    let there = Node::new();
    let config = config(1);
    let port = free_ports();
    let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let link = RdmaLink {
        peer: "there".into(),
        remote_ip: Ipv4Addr::LOCALHOST.into(),
        port,
        session_key: None,
    };
    let (tell, _inbox) = alarm();
    let wires = there.wires(false);
    let error = wires.start(&spec(Direction::Ingress, &config, &link), &link, tell).err().unwrap();
    assert!(
        error.contains("Address already in use") && error.contains(&port.to_string()),
        "{error}"
    );
    let old = RdmaLink { remote_ip: "::1".parse().unwrap(), ..link };
    let (tell, _inbox) = alarm();
    let error = wires.start(&spec(Direction::Ingress, &config, &old), &old, tell).err().unwrap();
    assert_eq!(error, "streams between proxies use IPv4 addresses, not ::1");
}
