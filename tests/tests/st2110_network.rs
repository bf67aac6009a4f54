//! ST 2110 streams over networks that lose, delay, repeat and disorder packets, between two proxies: what is counted, and what two
//! paths make good (ST 2022-7).

use mcm_dp::client::{Client, Connection, Direction, Timeout};
use mcm_tests::content::{self, Stamp};
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use serde_json::{Value, json};
use st2110::rtp;
use st2110::video::{FrameLayout, MAX_UDP_PAYLOAD, Packetiser, Packing, Picture, Scan, WireFormat};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;
/// Few a second: this machine may be busy with other things, and a frame that is late by two periods is given up.
const RATE: u32 = 10;
const FORMAT: media::PixelFormat = media::PixelFormat::Yuv422p10Rfc4175;
const PORT: u16 = 5004;

fn config(stream: &Value) -> Value {
    json!({
        "connection": { "st2110": stream },
        "payload": { "video": {
            "width": WIDTH, "height": HEIGHT, "fps": RATE, "pixelFormat": FORMAT.name(),
        }},
        "bufferQueueCapacity": 32,
    })
}

fn connect(client: &Arc<Client>, direction: Direction, stream: &Value) -> Arc<Connection> {
    client.connect(direction, &config(stream).to_string()).expect("a connection")
}

fn put(connection: &Connection, index: u64) {
    let mut buffer = connection.get(Timeout::After(wait::DEADLINE)).expect("a buffer");
    content::fill(Stamp { source: 1, index }, buffer.payload_mut(), &mut []);
    Connection::put(buffer, Timeout::Infinite).map_err(|(_, error)| error).expect("put");
}

/// The next frame, which must be this one, and whole.
fn take(connection: &Connection, index: u64) {
    let buffer = connection.get(Timeout::After(wait::DEADLINE)).expect("a frame");
    let missing: Vec<_> = buffer.missing().collect();
    assert!(!buffer.info().incomplete, "frame {index}: {missing:?}");
    let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
    assert_eq!(stamp, Stamp { source: 1, index });
}

/// Interfaces that cut bundles of packets before they send them: what comes after that sees single packets.
fn single_packets(pair: &Pair, interfaces: &[&str]) {
    for interface in interfaces {
        pair.net.run(1, "ip", &["link", "set", interface, "gso_max_segs", "1"]);
    }
}

/// Lets host 2 drop what comes in by an interface, as these rules of nftables say, and count it.
fn drop_incoming(pair: &Pair, interface: &str, rules: &[&str]) {
    let mut script = format!(
        "add table netdev {interface}\nadd counter netdev {interface} dropped\n\
         add chain netdev {interface} in {{ type filter hook ingress device {interface} priority 0; }}\n"
    );
    for rule in rules {
        script += &format!("add rule netdev {interface} in {rule} counter name dropped drop\n");
    }
    pair.net.run(2, "nft", &[&script]);
}

fn drop_no_more(pair: &Pair, interface: &str) {
    pair.net.run(2, "nft", &[&format!("flush chain netdev {interface} in")]);
}

/// Packets that the rules of an interface have dropped.
fn dropped(pair: &Pair, interface: &str) -> u64 {
    let answer = pair.net.run(2, "nft", &["-j", "list", "counters", "table", "netdev", interface]);
    let answer: Value = serde_json::from_str(&answer).expect("JSON of nft");
    let counters = answer["nftables"].as_array().expect("a list");
    counters.iter().find_map(|it| it["counter"]["packets"].as_u64()).expect("a counter")
}

/// Lets this thread run before those of other programs, as a network does not wait for them.
fn prefer_this_thread() {
    let priority = libc::sched_param { sched_priority: 60 };
    // SAFETY: the structure is whole, and 0 means this thread. Where it is refused, the thread runs as before.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) };
}

/// A host between the two on the second network, which passes packets on after a while.
struct Detour {
    stop: Arc<AtomicBool>,
    passed: Arc<AtomicU64>,
    /// The most that a packet left later than it should, in microseconds.
    late_us: Arc<AtomicU64>,
    threads: Vec<std::thread::JoinHandle<()>>,
}

const SKEW: Duration = Duration::from_millis(5);

impl Detour {
    fn start(pair: &Pair) -> Self {
        let socket = pair.net.on(3, || {
            let socket = UdpSocket::bind(("10.78.0.3", PORT)).expect("a port");
            rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20)
                .expect("a large buffer, as these tests are root");
            socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
            socket
        });
        let stop = Arc::new(AtomicBool::new(false));
        let passed = Arc::new(AtomicU64::new(0));
        let (sender, receiver) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
        let out = socket.try_clone().expect("a second handle");
        let late_us = Arc::new(AtomicU64::new(0));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&passed));
        let late = Arc::clone(&late_us);
        let input = std::thread::spawn(move || {
            prefer_this_thread();
            let mut datagram = [0; 2048];
            while !stopped.load(Relaxed) {
                if let Ok(len) = socket.recv(&mut datagram) {
                    let _ = sender.send((Instant::now() + SKEW, datagram[..len].to_vec()));
                }
            }
        });
        let output = std::thread::spawn(move || {
            prefer_this_thread();
            for (due, datagram) in receiver {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                late.fetch_max(due.elapsed().as_micros() as u64, Relaxed);
                out.send_to(&datagram, ("10.78.0.2", PORT)).expect("a way to host 2");
                count.fetch_add(1, Relaxed);
            }
        });
        Self { stop, passed, late_us, threads: vec![input, output] }
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A stream on both networks; on the second one by the detour.
fn two_paths(pair: &Pair) -> (Arc<Connection>, Arc<Connection>) {
    let second = json!({ "ipAddr": "10.78.0.3", "interfaceIpAddr": "10.78.0.2" });
    let received = json!({ "ipAddr": "10.77.0.1", "port": PORT, "secondPath": second });
    let second = json!({ "ipAddr": "10.78.0.3", "interfaceIpAddr": "10.78.0.1" });
    let sent = json!({ "ipAddr": "10.77.0.2", "port": PORT, "secondPath": second });
    let receiver = connect(&pair.programs[1], Direction::Receive, &received);
    let source = connect(&pair.programs[0], Direction::Send, &sent);
    (source, receiver)
}

/// Whether all frames came whole over two paths that lose packets. `None` if this machine was so busy that the paths lay further apart
/// than the receiver allows for, which says nothing.
fn frames_are_whole(pair: &Pair, detour: &Detour, frames: u64) -> Option<()> {
    let (source, receiver) = two_paths(pair);
    // The first frame shows that both paths work; it may begin with a packet that only the later path has.
    put(&source, 0);
    wait::until("both paths are in use", || pair.counter(2, PORT, "path2_received") > 100);
    let mut failure = None;
    std::thread::scope(|scope| {
        scope.spawn(|| (1..=frames).for_each(|index| put(&source, index)));
        let mut next = 1;
        while next <= frames {
            let buffer = receiver.get(Timeout::After(wait::DEADLINE)).expect("a frame");
            if buffer.info().incomplete {
                failure.get_or_insert_with(|| {
                    let missing: Vec<_> = buffer.missing().collect();
                    format!("before frame {}: {missing:?}", next + 1)
                });
                next += 1;
                continue;
            }
            let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
            if stamp.index > 0 {
                assert_eq!(stamp, Stamp { source: 1, index: next });
                next += 1;
            }
        }
    });
    let packets = pair.counter(1, PORT, "packets");
    wait::until("the detour has passed on what was not lost", || {
        detour.passed.swap(0, Relaxed) == 0
    });
    let late_us = detour.late_us.swap(0, Relaxed);
    if let Some(failure) = failure {
        assert!(late_us > 3000, "{failure}: {:?}", pair.bridges(2));
        eprintln!("{failure}: the detour was late by {late_us} us");
        return None;
    }
    pair.until_counter(2, PORT, "lost", 0);
    pair.until_counter(2, PORT, "packets", packets);
    assert_eq!(pair.counter(2, PORT, "incomplete_frames"), 0);
    Some(())
}

#[test]
fn two_paths_with_loss_and_skew_lose_nothing() {
    const TRIES: usize = 6;
    let Some(pair) = Pair::new(3, 2) else { return };
    single_packets(&pair, &["eth0", "eth1"]);
    let detour = Detour::start(&pair);
    // 2 % at random on each path. Not the same packets on both, which no receiver could make good: odd numbers here, even ones there.
    for (interface, half) in [("eth0", 0), ("eth1", 1)] {
        let rule = format!("udp dport {PORT} @th,80,16 & 1 == {half} numgen random mod 100 < 4");
        drop_incoming(&pair, interface, &[&rule]);
    }
    let whole = (0..TRIES).any(|_| {
        let whole = frames_are_whole(&pair, &detour, 60).is_some();
        wait::until("the stream has ended", || {
            pair.bridges(1).is_empty() && pair.bridges(2).is_empty()
        });
        whole
    });
    assert!(whole, "this machine is too busy");
    for interface in ["eth0", "eth1"] {
        assert!(dropped(&pair, interface) > 200, "{interface}");
    }
}

#[test]
fn a_path_may_be_cut_and_come_back() {
    let Some(pair) = Pair::new(3, 2) else { return };
    let detour = Detour::start(&pair);
    let (source, receiver) = two_paths(&pair);
    let all = format!("udp dport {PORT}");
    let mut index = 0;
    let mut frames = |count: u64| {
        let numbers = index..index + count;
        index += count;
        std::thread::scope(|scope| {
            scope.spawn(|| numbers.clone().for_each(|index| put(&source, index)));
            numbers.clone().for_each(|index| take(&receiver, index));
        });
    };
    frames(10);
    let mut lost = [0, 0];
    for (path, interface, name) in [(0, "eth0", "path1_received"), (1, "eth1", "path2_received")] {
        // While frames are under way.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let before = pair.counter(2, PORT, "packets");
                wait::until("packets flow", || pair.counter(2, PORT, "packets") > before + 100);
                drop_incoming(&pair, interface, &[&all]);
            });
            frames(20);
        });
        let before = pair.counter(2, PORT, name);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let before = pair.counter(2, PORT, "packets");
                wait::until("packets flow", || pair.counter(2, PORT, "packets") > before + 100);
                drop_no_more(&pair, interface);
            });
            frames(20);
        });
        lost[path] = dropped(&pair, interface);
        assert!(lost[path] > 0);
        wait::until("the path is used again", || pair.counter(2, PORT, name) > before);
        frames(5);
    }
    let packets = pair.counter(1, PORT, "packets");
    wait::until("the detour has passed everything on", || detour.passed.load(Relaxed) >= packets);
    pair.until_counter(2, PORT, "packets", packets);
    for name in ["lost", "incomplete_frames", "frames_without_slot"] {
        assert_eq!(pair.counter(2, PORT, name), 0, "{name}");
    }
}

#[test]
fn loss_is_counted_to_the_packet() {
    const FRAMES: u64 = 30;
    let Some(pair) = Pair::new(2, 1) else { return };
    single_packets(&pair, &["eth0"]);
    let stream = |ip: &str| json!({ "ipAddr": ip, "port": PORT });
    let receiver = connect(&pair.programs[1], Direction::Receive, &stream("10.77.0.1"));
    let source = connect(&pair.programs[0], Direction::Send, &stream("10.77.0.2"));
    put(&source, 0);
    take(&receiver, 0);
    let rule = format!("udp dport {PORT} numgen inc mod 100 == 37");
    drop_incoming(&pair, "eth0", &[&rule]);
    let incomplete = std::thread::scope(|scope| {
        scope.spawn(|| (1..=FRAMES).for_each(|index| put(&source, index)));
        let frames = (1..=FRAMES).map(|index| {
            let buffer = receiver.get(Timeout::After(Duration::from_secs(5)));
            let buffer = buffer.unwrap_or_else(|error| {
                panic!("frame {index}: {error}: {:?} {:?}", pair.bridges(1), pair.bridges(2))
            });
            buffer.info().incomplete
        });
        frames.filter(|incomplete| *incomplete).count() as u64
    });
    drop_no_more(&pair, "eth0");
    // After this one, whatever was lost before it is known.
    put(&source, FRAMES + 1);
    take(&receiver, FRAMES + 1);
    let (packets, lost) = (pair.counter(1, PORT, "packets"), dropped(&pair, "eth0"));
    assert!(lost > 0 && incomplete > 0);
    for (name, value) in [
        ("packets", packets - lost),
        ("lost", lost),
        ("path1_lost", lost),
        ("path1_received", packets - lost),
        ("path1_reordered", 0),
        ("path1_duplicates", 0),
        ("incomplete_frames", incomplete),
        ("frames", FRAMES + 2),
    ] {
        pair.until_counter(2, PORT, name, value);
    }
}

/// A sender of our own on host 1, whose packets may be touched before they leave.
struct Packets {
    socket: UdpSocket,
    packetiser: Packetiser,
    picture: Picture,
    sequence: u32,
    timestamp: u32,
}

impl Packets {
    fn new(pair: &Pair, from: &str) -> Self {
        let picture =
            Picture::new(WireFormat::of(FORMAT), WIDTH, HEIGHT, Scan::Progressive).unwrap();
        let layout = FrameLayout::Mesh(FORMAT);
        Self {
            socket: pair.net.on(1, || UdpSocket::bind((from, 0)).expect("a socket")),
            packetiser: Packetiser::new(picture, layout, Packing::General, MAX_UDP_PAYLOAD)
                .unwrap(),
            picture,
            sequence: 65_000,
            timestamp: 1000,
        }
    }

    /// The packets of the next frame.
    fn frame(&mut self, index: u64) -> Vec<Vec<u8>> {
        let mut frame = vec![0; (WIDTH * HEIGHT / 2 * 5) as usize];
        content::fill(Stamp { source: 1, index }, &mut frame, &mut []);
        let field = self.picture.fields()[0];
        let packets = self.packetiser.packets(field);
        let all = (0..packets).map(|index| {
            let mut datagram = vec![0; MAX_UDP_PAYLOAD];
            let packet = index..index + 1;
            let used =
                self.packetiser.write(&frame, field, packet, self.sequence, &mut datagram).unwrap();
            let header = rtp::Header {
                marker: index + 1 == packets,
                payload_type: 112,
                sequence: self.sequence as u16,
                timestamp: self.timestamp,
                ssrc: 77,
            };
            self.sequence += 1;
            let header = header.to_bytes();
            datagram[..header.len()].copy_from_slice(&header);
            datagram.truncate(used);
            datagram
        });
        let all = all.collect();
        self.timestamp += 90_000 / RATE;
        all
    }

    /// Sends packets at the pace of the network, and waits for the time of a frame.
    fn send(&self, packets: &[Vec<u8>]) {
        let start = Instant::now();
        for burst in packets.chunks(16) {
            for packet in burst {
                self.socket.send_to(packet, ("10.77.0.2", PORT)).expect("a way to host 2");
            }
            std::thread::sleep(Duration::from_micros(500));
        }
        let period = Duration::from_secs(1) / RATE;
        std::thread::sleep(period.saturating_sub(start.elapsed()));
    }
}

#[test]
fn disorder_is_counted_to_the_packet() {
    let Some(pair) = Pair::new(2, 1) else { return };
    let stream = json!({ "ipAddr": "10.77.0.1", "port": PORT });
    let receiver = connect(&pair.programs[1], Direction::Receive, &stream);
    let mut sender = Packets::new(&pair, "10.77.0.1");
    let (mut sent, mut lost, mut swapped, mut doubled) = (0, 0, 0, 0);
    for index in 0..12 {
        let mut packets = sender.frame(index);
        sent += packets.len() as u64;
        let last = packets.len() - 1;
        match index % 4 {
            1 => {
                // One packet overtakes its predecessor, in many places.
                for at in (10..last - 10).step_by(20) {
                    packets.swap(at, at + 1);
                    swapped += 1;
                }
            }
            2 => {
                for at in (10..last - 10).rev().step_by(31) {
                    packets.insert(at + 3, packets[at].clone());
                    doubled += 1;
                }
            }
            3 => {
                for at in (10..last - 10).rev().step_by(50) {
                    packets.remove(at);
                    lost += 1;
                }
            }
            _ => {}
        }
        sender.send(&packets);
        let buffer = receiver.get(Timeout::After(wait::DEADLINE)).expect("a frame");
        assert_eq!(buffer.info().incomplete, index % 4 == 3, "frame {index}");
        if index % 4 != 3 {
            let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
            assert_eq!(stamp, Stamp { source: 1, index });
        }
    }
    assert!(lost > 0 && swapped > 0 && doubled > 0);
    for (name, value) in [
        ("packets", sent - lost),
        ("path1_received", sent - lost),
        ("lost", lost),
        ("path1_lost", lost),
        ("path1_reordered", swapped),
        ("path1_duplicates", doubled),
        ("late", 0),
        ("frames", 12),
        ("incomplete_frames", 3),
    ] {
        pair.until_counter(2, PORT, name, value);
    }
}

#[test]
fn garbage_at_the_port_is_counted_and_hurts_nobody() {
    let Some(pair) = Pair::new(2, 1) else { return };
    pair.net.run(1, "ip", &["address", "add", "10.77.0.9/24", "dev", "eth0"]);
    let stream = json!({ "ipAddr": "10.77.0.1", "port": PORT });
    let receiver = connect(&pair.programs[1], Direction::Receive, &stream);
    let mut sender = Packets::new(&pair, "10.77.0.1");
    let stranger = Packets::new(&pair, "10.77.0.9");
    let good = sender.frame(0);
    sender.send(&good);
    take(&receiver, 0);

    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut packet = good[5].clone();
        change(&mut packet);
        packet
    };
    let kinds: [(&str, Vec<u8>); 9] = [
        ("not_rtp", Vec::new()),
        ("not_rtp", vec![0xFF; 5]),
        ("not_rtp", with(&|packet| packet[0] = 0)),
        ("other_payload_type", with(&|packet| packet[1] = 96)),
        ("other_ssrc", with(&|packet| packet[8] ^= 1)),
        // As long as a datagram can be on most networks, and of payload type 0.
        ("other_payload_type", vec![0x80; 9000]),
        // A line far below the picture, and no line at all; their numbers follow.
        ("other_format", with(&|packet| packet[16..18].copy_from_slice(&[0x7F, 0xFF]))),
        ("other_format", with(&|packet| packet.truncate(15))),
        ("other_format", with(&|packet| packet[14..16].copy_from_slice(&[0xFF, 0xFF]))),
    ];
    let mut expected = std::collections::BTreeMap::<&str, u64>::new();
    for (index, (name, packet)) in (1..).zip(&kinds) {
        const TIMES: usize = 40;
        let mut packets = sender.frame(index);
        let mut garbage = vec![packet.clone(); TIMES];
        if *name == "other_format" {
            // It takes the place of one in its frame, or else it would be a duplicate.
            let mut bad = packet.clone();
            bad[2..8].copy_from_slice(&packets[7][2..8]);
            bad[12..14].copy_from_slice(&packets[7][12..14]);
            garbage = vec![bad];
            packets.remove(7);
        }
        *expected.entry(name).or_default() += garbage.len() as u64;
        packets.splice(7..7, garbage);
        sender.send(&packets);
        let buffer = receiver.get(Timeout::After(wait::DEADLINE)).expect("a frame");
        assert_eq!(buffer.info().incomplete, *name == "other_format", "{name}");
        if *name != "other_format" {
            let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
            assert_eq!(stamp, Stamp { source: 1, index }, "{name}");
        }
    }
    for (name, value) in &expected {
        pair.until_counter(2, PORT, name, *value);
    }

    // A stranger sends the same packets.
    for packet in &good[..200] {
        stranger.socket.send_to(packet, ("10.77.0.2", PORT)).expect("a way to host 2");
    }
    pair.until_counter(2, PORT, "other_sender", 200);
    for name in ["path1_socket_drops", "lost"] {
        assert_eq!(pair.counter(2, PORT, name), 0, "{name}");
    }
}
