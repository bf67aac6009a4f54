//! Peers in processes of their own that are missing, die, and come back.

mod common;

use common::{Set, content, inet, options, ready};
use fabric::{Address, Event, HeapBuffer, Provider};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const LEN: usize = 4_000_000;

/// What the process does when this test is run with the variable: it is the peer of the other
/// tests.
#[test]
fn peer() {
    let Ok(role) = std::env::var("MCM_FABRIC_PEER") else { return };
    let (role, address) = role.split_once(' ').expect("role and address");
    match role {
        "receiver" => {
            let mut set = Set::open(options(Provider::Tcp, inet(address))).expect("a set");
            for _ in 0..2 {
                set.receive(0, HeapBuffer::new(LEN)).expect("a receive");
            }
            println!("\nname {}", set.name(0).unwrap());
            loop {
                // Two messages are taken, and no more.
                if let Some(Event::Received { .. }) = set.poll().expect("poll") {
                    println!("got one");
                }
            }
        }
        "sender" => {
            let mut set = Set::open(options(Provider::Tcp, inet("127.0.0.1:0"))).expect("a set");
            let peer = set.insert(&inet(address)).unwrap();
            println!("\nname {}", set.name(0).unwrap());
            let data = content(LEN, 3);
            loop {
                let _ = set.send(0, peer, data.clone(), LEN, &[]);
                set.poll().expect("poll");
            }
        }
        role => panic!("no such role: {role}"),
    }
}

struct Peer {
    child: Child,
    address: Address,
    output: BufReader<std::process::ChildStdout>,
}

impl Peer {
    fn start(role: &str, address: &Address) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["peer", "--exact", "--nocapture", "--test-threads=1"])
            .env("MCM_FABRIC_PEER", format!("{role} {address}"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("a process");
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut peer = Self { child, address: inet("127.0.0.1:0"), output };
        peer.address = inet(&peer.line("name "));
        peer
    }

    /// What follows the prefix in the next line that has it.
    fn line(&mut self, prefix: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).expect("output") > 0, "the peer has ended");
            if let Some(rest) = line.trim_end().strip_prefix(prefix) {
                return rest.to_owned();
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Polls until the caller is satisfied.
fn until(set: &mut Set, what: &str, mut done: impl FnMut(&mut Set) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done(set) {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
    }
}

#[test]
fn a_dead_receiver_fails_what_is_under_way_and_its_successor_gets_the_rest() {
    if !ready() {
        return;
    }
    let mut set = Set::open(options(Provider::Tcp, inet("127.0.0.1:0"))).unwrap();
    let data = content(LEN, 1);
    let first = Peer::start("receiver", &inet("127.0.0.1:0"));
    let address = first.address.clone();
    let peer = set.insert(&address).unwrap();
    // Two are received; the others wait for a receive that never comes.
    let (mut begun, mut sent) = (0, 0);
    until(&mut set, "messages for the first", |set| {
        if begun < 6 && set.send(0, peer, data.clone(), LEN, &[]).is_ok() {
            begun += 1;
        }
        match set.poll().unwrap() {
            Some(Event::Sent { .. }) => sent += 1,
            Some(event) => panic!("{event:?}"),
            None => {}
        }
        begun == 6 && sent >= 2
    });
    drop(first);
    let mut failed = 0;
    until(&mut set, "failures", |set| {
        match set.poll().unwrap() {
            Some(Event::SendFailed { .. }) => failed += 1,
            Some(Event::Sent { .. }) => sent += 1,
            Some(event) => panic!("{event:?}"),
            None => {}
        }
        sent + failed == 6
    });
    assert!(failed >= 3, "{failed} of 6 failed, with 2 receives and one message in the kernel");

    let mut second = Peer::start("receiver", &address);
    assert_eq!(second.address, address);
    until(&mut set, "a message for the second", |set| {
        let _ = set.send(0, peer, data.clone(), LEN, &[]);
        matches!(set.poll().unwrap(), Some(Event::Sent { .. }))
    });
    second.line("got one");
}

#[test]
fn senders_may_die_at_any_time() {
    if !ready() {
        return;
    }
    let mut set = Set::open(options(Provider::Tcp, inet("127.0.0.1:0"))).unwrap();
    for round in 0..5 {
        let sender = Peer::start("sender", set.name(0).unwrap());
        let mut received = 0;
        until(&mut set, "messages", |set| {
            while set.under_way().1 < 4 {
                set.receive(0, HeapBuffer::new(LEN)).unwrap();
            }
            match set.poll().unwrap() {
                Some(Event::Received { buffer, len, .. }) => {
                    assert!(buffer.bytes()[..len] == content(LEN, 3)[..], "round {round}");
                    received += 1;
                }
                // What the sender before was in the middle of.
                Some(Event::ReceiveFailed { .. }) | None => {}
                Some(event) => panic!("{event:?}"),
            }
            received == 3
        });
        drop(sender);
    }
}

#[test]
fn garbage_on_the_port_harms_nobody() {
    if !ready() {
        return;
    }
    let mut set = Set::open(options(Provider::Tcp, inet("127.0.0.1:0"))).unwrap();
    let Some(Address::Inet(address)) = set.name(0).cloned() else { panic!("no port") };
    set.receive(0, HeapBuffer::new(LEN)).unwrap();
    let mut noise = Vec::new();
    for seed in 0..40 {
        let mut stream = TcpStream::connect(address).expect("a connection");
        let _ = stream.write_all(&content(1 + 97 * seed as usize, seed));
        noise.push(stream);
        assert!(set.poll().unwrap().is_none());
    }
    let _sender = Peer::start("sender", set.name(0).unwrap());
    until(&mut set, "a message beside garbage", |set| match set.poll().unwrap() {
        Some(Event::Received { buffer, len, .. }) => {
            assert!(buffer.bytes()[..len] == content(LEN, 3)[..]);
            true
        }
        None => false,
        Some(event) => panic!("{event:?}"),
    });
}
