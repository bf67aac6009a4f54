//! Links between hosts: their ends, and unknown peers at their ports.

use fabric::bridge::LinkKey;
use fabric::bridge::session::{Caller, Patience, Terms};
use fabric::bridge::wire_layout::{Origin, Trailer, WireLayout};
use fabric::{Address, EndpointOptions, EndpointSet, HeapBuffer, Peer, Provider, Registration};
use mcm_tests::fleet::Fleet;
use mcm_tests::random::Random;
use mcm_tests::role::{Role, Spec};
use mcm_tests::{config, wait};
use proto::control::{BridgeState, State};
use serde_json::{Value, json};
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

const PAYLOAD: usize = 60_000;

/// A group whose source waits for receivers that are slow because this machine is busy.
fn group(name: &str, audience: usize) -> Value {
    let options = json!({ "stallTimeoutMilliseconds": 20_000, "waitForReceivers": audience });
    config::with(config::blob(name, PAYLOAD), json!({ "options": options }))
}

/// Sources put their frames as fast as they can and end at once: every frame arrives on every host,
/// with its number. Their successors' frames follow.
#[test]
fn the_last_frames_of_a_source_reach_other_hosts() {
    let Some(fleet) = Fleet::started() else { return };
    const FRAMES: u64 = 300;
    // A bridge to each of the other hosts.
    let connection = group("short", 2);
    let mut receivers = [2, 2, 3].map(|host| fleet.receiver(host, &connection).ready());
    for who in [7, 8, 9] {
        let source =
            fleet.role(1, |client| Spec::source(client, connection.clone(), who).frames(FRAMES));
        source.finished();
        for receiver in &mut receivers {
            let report = receiver.until("the last frame", |report| {
                (report.source, report.index + 1) == (who, FRAMES)
            });
            assert_eq!((report.first, report.told_missed), (Some(0), 0), "{report:?}");
        }
    }
    for report in receivers.map(Role::end) {
        assert_eq!((report.frames, report.missed), (3 * FRAMES, 0), "{report:?}");
    }
    fleet.wait_empty();
}

/// A peer in the network that knows the port and the protocol, but not the key.
struct Stranger {
    set: EndpointSet<Arc<[u8]>, HeapBuffer>,
    peer: Peer,
    target: SocketAddr,
    /// Connections with garbage, which stay open.
    noise: Vec<TcpStream>,
    random: Random,
    layout: WireLayout,
}

impl Stranger {
    fn new(own: &str, target: &str, layout: WireLayout) -> Self {
        let target: SocketAddr = target.parse().unwrap();
        let address = |text: &str| Address::Inet(text.parse().unwrap());
        let options = EndpointOptions {
            provider: Provider::Tcp,
            local: address(own),
            endpoints: 1,
            sends: 16,
            receives: 0,
            control: true,
            registration: Registration::AsNeeded,
        };
        let mut set = EndpointSet::open(options).expect("libfabric");
        let peer = set.insert(&address(&target.to_string())).expect("a peer");
        Self { set, peer, target, noise: Vec::new(), random: Random::new(5), layout }
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.random.below(256) as u8).collect()
    }

    /// A message that is no frame of the link.
    fn message(&mut self, number: u64) -> Vec<u8> {
        let trailer = |session| {
            let origin = Origin { mark: 1, sequence: number };
            Trailer { sequence: number, tai_ns: 1, session, origin, incomplete: false }
        };
        match number % 5 {
            // Of any length.
            0 => {
                let len = 1 + self.random.below(5000) as usize;
                self.bytes(len)
            }
            // Longer than any slot.
            1 => vec![1; self.layout.size() + 4096],
            // The form of existing peers, with the number that might come next.
            2 => {
                let mut message = vec![0; self.layout.size()];
                message.extend(number.to_le_bytes());
                message
            }
            // A frame of a session that is not.
            3 => [vec![0; 24], trailer(self.random.number()).bytes().to_vec()].concat(),
            // The same, which says of itself that it has more bytes than there are.
            _ => [vec![0xff; 24], trailer(0).bytes().to_vec()].concat(),
        }
    }

    /// A control message: random bytes, or a call with another key.
    fn control(&mut self, number: u64) -> Vec<u8> {
        if number.is_multiple_of(2) {
            return self.bytes(96);
        }
        let terms = Terms {
            payload_size: self.layout.payload_size as u32,
            metadata_size: self.layout.metadata_size as u32,
            endpoints: 1,
            sealed: false,
        };
        let Some(Address::Inet(own)) = self.set.name(0).cloned() else { panic!("no address") };
        let now = Instant::now();
        let random = std::array::from_fn(|_| self.random.below(256) as u8);
        let patience = Patience::new(Duration::ZERO);
        let mut caller = Caller::new(&LinkKey([1; 32]), terms, own, random, patience, 0, now);
        caller.transmit(0, now).expect("a call").to_vec()
    }

    fn annoy(&mut self, number: u64) {
        let message = self.message(number);
        let len = message.len();
        let _ = self.set.send(0, self.peer, message.into(), len, &[]);
        let control = self.control(number);
        let _ = self.set.send_control(0, self.peer, &control);
        let _ = self.set.poll();
        if number.is_multiple_of(8) && self.noise.len() < 40 {
            let garbage = self.bytes(1 + number as usize);
            if let Ok(mut stream) = TcpStream::connect_timeout(&self.target, Duration::from_secs(1))
            {
                let _ = stream.write_all(&garbage);
                self.noise.push(stream);
            }
        }
    }
}

/// A peer without a link's key is refused and counted, and the stream stays whole.
#[test]
fn strangers_at_the_port_of_a_link_do_no_harm() {
    let Some(fleet) = Fleet::started() else { return };
    let connection = group("guarded", 1);
    let mut receiver = fleet.receiver(2, &connection);
    let mut source = fleet.source(1, &connection, 7).ready();
    receiver.progress(10);
    let bridge = || fleet.bridges(2).pop().expect("a bridge");
    let before = bridge();
    assert!(before.local.starts_with("10.77.0.2:"), "{before:?}");
    let layout = WireLayout { payload_size: PAYLOAD, metadata_size: 64 };

    fleet.net.on(3, || {
        let mut stranger = Stranger::new("10.77.0.3:0", &before.local, layout);
        let start = Instant::now();
        for number in 0.. {
            stranger.annoy(number);
            std::thread::sleep(Duration::from_millis(1));
            if number % 50 == 49 {
                let counters = bridge().counters;
                let many = |name: &str| counters[name] > 20;
                if many("foreign") && many("malformed") {
                    break;
                }
                assert!(start.elapsed() < wait::DEADLINE, "{counters:?}");
            }
        }
    });
    // They have gone, some in the middle of something.
    receiver.progress(100);
    let after = bridge();
    assert_eq!(after.bridge_id, before.bridge_id);
    assert_eq!((after.counters["losses"], after.counters["gaps"]), (0, 0), "{after:?}");
    source.progress(10);
    let report = receiver.end();
    assert_eq!((report.told_missed, report.source), (0, 7), "{report:?}");
    source.end();
    fleet.wait_empty();
}

/// A firewall keeps the ports of streams closed: both hosts show that there is no link, and why,
/// and no frames that never left.
#[test]
fn a_link_that_a_firewall_blocks_is_shown_as_that() {
    let Some(fleet) = Fleet::started() else { return };
    fleet.net.cut(2, &["tcp dport 9100-9999"]);
    let connection = group("blocked", 0);
    let mut source = fleet.source(1, &connection, 7).ready();
    let mut receiver = fleet.receiver(2, &connection);
    let member = |host: usize| {
        let group = fleet.group(host, "blocked")?;
        let mut members = group.source.into_iter().chain(group.receivers);
        members.find(|member| member.bridge)
    };
    for host in [1, 2] {
        let mut seen = None;
        wait::until("both ends say so", || {
            seen = member(host);
            seen.as_ref().is_some_and(|member| {
                member.state() == State::NoLink
                    && member.warnings.iter().any(|w| w.starts_with("nothing is heard"))
            })
        });
        let member = seen.expect("a bridge");
        assert_eq!((member.frames, member.fps, member.mbit_per_s), (0, 0.0, 0.0), "{member:?}");
        let bridge = fleet.bridges(host).pop().expect("a bridge");
        assert_eq!(bridge.state(), BridgeState::NoLink, "{bridge:?}");
        assert!(bridge.reason.starts_with("nothing is heard"), "{bridge:?}");
    }
    // The group does not wait for frames that cannot be sent, and the bridge reports them.
    source.progress(50);
    wait::until("frames that could not be sent", || member(1).is_some_and(|it| it.missed > 0));

    fleet.net.heal(2);
    receiver.progress(10);
    for host in [1, 2] {
        wait::until("a link", || member(host).is_some_and(|it| it.state() == State::Active));
        assert_eq!(fleet.bridges(host).pop().expect("a bridge").state(), BridgeState::Active);
    }
}
