//! ST 2110 streams between programs on two hosts: two proxies in network namespaces of their own.

use mcm_dp::client::{Client, Connection, Direction, Timeout};
use mcm_tests::content::{self, Stamp};
use mcm_tests::netns::Net;
use mcm_tests::proxy::Proxy;
use mcm_tests::run::Run;
use mcm_tests::{config, wait};
use proto::control::{Bridge, BridgeDirection, BridgeState};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

/// Two hosts with a proxy each.
struct Pair {
    a: Proxy,
    b: Proxy,
    net: Net,
    _runs: [Run; 2],
}

impl Pair {
    /// `None` where there can be no hosts.
    fn new() -> Option<Self> {
        let net = Net::new(2)?;
        let runs = [Run::new(), Run::new()];
        let a = net.proxy(1, &runs[0], &["-i", "10.77.0.1"]);
        let b = net.proxy(2, &runs[1], &["-d", "kernel:eth0"]);
        Some(Self { a, b, net, _runs: runs })
    }

    fn bridges(&self, host: usize) -> Vec<Bridge> {
        let proxy = if host == 1 { &self.a } else { &self.b };
        self.net.on(host, || proxy.control().bridges())
    }

    fn wait_bridges(&self, host: usize, count: usize) -> Vec<Bridge> {
        wait::some(&format!("{count} bridges on host {host}"), || {
            let bridges = self.bridges(host);
            (bridges.len() == count).then_some(bridges)
        })
    }
}

fn stream(ip: &str, port: u16, payload: &Value) -> Value {
    json!({
        "connection": { "st2110": { "ipAddr": ip, "port": port, "transport": "st2110-20" } },
        "payload": payload,
        "bufferQueueCapacity": 32,
    })
}

/// Small pictures whose bytes are on the wire as they are in memory. Few a second: on a machine that is busy with other things a
/// sender is late by many milliseconds, and a receiver gives an unfinished frame up after two periods.
fn video(ip: &str, port: u16) -> Value {
    stream(
        ip,
        port,
        &json!({ "video": {
            "width": 320, "height": 180, "fps": 10, "pixelFormat": "yuv422p10rfc4175",
        }}),
    )
}

fn connect(client: &Arc<Client>, direction: Direction, config: &Value) -> Arc<Connection> {
    client.connect(direction, &config.to_string()).expect("a connection")
}

/// Sends frames until it is dropped.
struct Sender {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u64>>,
}

impl Sender {
    fn start(connection: Arc<Connection>, source: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut index = 0;
            while !stopped.load(Relaxed) {
                put(&connection, Stamp { source, index });
                index += 1;
            }
            index
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn put(connection: &Connection, stamp: Stamp) {
    let mut buffer = connection.get(Timeout::Infinite).expect("a buffer");
    content::fill(stamp, buffer.payload_mut(), &mut []);
    Connection::put(buffer, Timeout::Infinite).map_err(|(_, error)| error).expect("put");
}

/// The next frame, which must be whole.
fn take(connection: &Connection) -> Stamp {
    let buffer = connection.get(Timeout::After(wait::DEADLINE)).expect("a frame");
    assert!(!buffer.info().incomplete, "{:?}", buffer.missing().collect::<Vec<_>>());
    content::check(buffer.payload(), buffer.metadata()).expect("the frame is as it was made")
}

/// Waits for so many whole frames in a row. Those before them may be missing in part or whole, as the stream was joined or
/// interrupted; but none is ever wrong.
fn take_row(connection: &Connection, source: u64, count: u64) {
    let mut row = 0;
    let mut last = None;
    wait::until("frames in a row", || {
        let buffer = connection.get(Timeout::After(wait::DEADLINE)).expect("a frame");
        if buffer.info().incomplete {
            row = 0;
            return false;
        }
        let stamp = content::check(buffer.payload(), buffer.metadata()).expect("an exact frame");
        let follows = last.is_some_and(|last| stamp == Stamp { index: last + 1, ..stamp });
        row = if follows && stamp.source == source { row + 1 } else { 1 };
        last = Some(stamp.index);
        row >= count
    });
}

#[test]
fn frames_arrive_as_they_were_put() {
    let Some(pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    // Multicast, and unicast, where a receiver names its sender.
    for (number, destination, origin) in
        [(1, "239.77.0.1", "239.77.0.1"), (2, "10.77.0.2", "10.77.0.1")]
    {
        for receiver_first in [true, false] {
            let sent = video(destination, 5004);
            let received = video(origin, 5004);
            let early = receiver_first.then(|| connect(&b, Direction::Receive, &received));
            let source = connect(&a, Direction::Send, &sent);
            let receiver = early.unwrap_or_else(|| connect(&b, Direction::Receive, &received));
            // The bridges are there when the connections are, so the first frame arrives.
            for index in 0..6 {
                put(&source, Stamp { source: number, index });
            }
            for index in 0..6 {
                assert_eq!(take(&receiver), Stamp { source: number, index }, "{destination}");
            }
            drop((source, receiver));
            pair.wait_bridges(1, 0);
            pair.wait_bridges(2, 0);
        }
    }
}

#[test]
fn audio_arrives_as_it_was_put() {
    let Some(pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    for (transport, format, packet_time) in [
        ("st2110-30", "pcm_s24be", "1ms"),
        ("st2110-30", "pcm_s16be", "4ms"),
        ("st2110-31", "am824", "1ms"),
    ] {
        let config = json!({
            "connection": { "st2110": {
                "ipAddr": "239.77.0.2", "port": 5010, "transport": transport, "payloadType": 97,
            }},
            "payload": { "audio": {
                "channels": 2, "sampleRate": 48000, "format": format, "packetTime": packet_time,
            }},
            "bufferQueueCapacity": 128,
        });
        let receiver = connect(&b, Direction::Receive, &config);
        let source = connect(&a, Direction::Send, &config);
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        let sender = std::thread::spawn(move || {
            let mut index = 0;
            while !stop.load(Relaxed) {
                put(&source, Stamp { source: 3, index });
                index += 1;
            }
        });
        take_row(&receiver, 3, 50);
        stopped.store(true, Relaxed);
        sender.join().unwrap();
        drop(receiver);
        pair.wait_bridges(1, 0);
        pair.wait_bridges(2, 0);
    }
}

/// A block of ancillary data with one packet.
fn block(count: u8) -> Vec<u8> {
    use st2110::ancillary::{Packet, write_block};
    let mut block = vec![0; 512];
    let packets = [Packet::new(0x61, 0x02, &[count; 30])];
    let len = write_block([&packets, &[]], &mut block).expect("room for the packet");
    block.truncate(len);
    block
}

#[test]
fn ancillary_data_arrive_alone_and_with_video() {
    let Some(pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    let alone = json!({
        "connection": { "st2110": {
            "ipAddr": "239.77.0.3", "port": 5020, "transport": "st2110-40", "payloadType": 100,
        }},
        "payload": { "ancillary": { "fps": 10 } },
        "bufferQueueCapacity": 32,
    });
    let receiver = connect(&b, Direction::Receive, &alone);
    let source = connect(&a, Direction::Send, &alone);
    for count in 0..5 {
        let mut buffer = source.get(Timeout::Infinite).unwrap();
        let block = block(count);
        buffer.payload_mut()[..block.len()].copy_from_slice(&block);
        buffer.set_payload_len(block.len()).unwrap();
        Connection::put(buffer, Timeout::Infinite).map_err(|(_, error)| error).unwrap();
    }
    for count in 0..5 {
        let buffer = receiver.get(Timeout::After(wait::DEADLINE)).expect("a frame");
        assert_eq!(buffer.payload(), block(count));
    }
    drop((source, receiver));

    let mut riding = video("239.77.0.1", 5004);
    riding["connection"]["st2110"]["ancillary"] = json!({ "ipAddr": "239.77.0.3", "port": 5022 });
    riding["maxMetadataSize"] = json!(512);
    let receiver = connect(&b, Direction::Receive, &riding);
    let source = connect(&a, Direction::Send, &riding);
    for index in 0..5 {
        let mut buffer = source.get(Timeout::Infinite).unwrap();
        let block = block(index);
        content::fill(Stamp { source: 1, index: index.into() }, buffer.payload_mut(), &mut []);
        buffer.metadata_mut()[..block.len()].copy_from_slice(&block);
        buffer.set_metadata_len(block.len()).unwrap();
        Connection::put(buffer, Timeout::Infinite).map_err(|(_, error)| error).unwrap();
    }
    for index in 0..5 {
        let buffer = receiver.get(Timeout::After(wait::DEADLINE)).expect("a frame");
        assert_eq!(buffer.metadata(), block(index));
        let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
        assert_eq!(stamp.index, u64::from(index));
    }
}

#[test]
fn a_stream_is_described_for_others() {
    let Some(pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    let _source = connect(&a, Direction::Send, &video("239.77.0.1", 5004));
    let sdp = pair.net.on(1, || pair.a.control().sdp("239.77.0.1:5004")).unwrap();
    for part in
        ["c=IN IP4 239.77.0.1", "m=video 5004", "raw/90000", "width=320", "IN IP4 10.77.0.1"]
    {
        assert!(sdp.contains(part), "{part}: {sdp}");
    }
    let findings = st2110::sdp::check(&sdp).unwrap();
    assert!(findings.iter().all(|it| it.severity != st2110::sdp::Severity::Error), "{findings:?}");
    // With it a receiver needs to know nothing else.
    let by_sdp = json!({
        "connection": { "st2110": { "sdp": sdp } },
        "payload": { "video": { "pixelFormat": "yuv422p10rfc4175" } },
    });
    let receiver = connect(&b, Direction::Receive, &by_sdp);
    put(&_source, Stamp { source: 1, index: 0 });
    assert_eq!(take(&receiver).index, 0);
    let unknown = pair.net.on(1, || pair.a.control().sdp("nothing")).unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
}

#[test]
fn what_was_put_before_the_end_is_sent() {
    let Some(pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    let config = video("239.77.0.1", 5004);
    let receiver = connect(&b, Direction::Receive, &config);
    for source in 1..3 {
        let connection = connect(&a, Direction::Send, &config);
        for index in 0..8 {
            put(&connection, Stamp { source, index });
        }
        drop(connection);
    }
    for source in 1..3 {
        for index in 0..8 {
            assert_eq!(take(&receiver), Stamp { source, index });
        }
    }
}

#[test]
fn receivers_of_a_stream_share_its_bridge() {
    let Some(pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    let config = video("239.77.0.1", 5004);
    let source = connect(&a, Direction::Send, &config);
    let _sender = Sender::start(source, 1);
    let first = connect(&b, Direction::Receive, &config);
    take_row(&first, 1, 5);
    let second = connect(&b, Direction::Receive, &config);
    take_row(&second, 1, 5);
    // On the source's own host the stream comes from the ring, without a way over the network.
    let local = connect(&a, Direction::Receive, &config);
    take_row(&local, 1, 5);
    let (on_a, on_b) = (pair.wait_bridges(1, 1), pair.wait_bridges(2, 1));
    assert_eq!(on_a[0].direction(), BridgeDirection::Egress);
    assert_eq!(on_b[0].direction(), BridgeDirection::Ingress);
    for bridge in [&on_a[0], &on_b[0]] {
        assert_eq!(bridge.state(), BridgeState::Active, "{bridge:?}");
        assert_eq!(
            (bridge.remote.as_str(), bridge.transport.as_str()),
            ("239.77.0.1:5004", "st2110-20")
        );
        assert!(bridge.counters["packets"] > 0 && bridge.counters["frames"] > 0, "{bridge:?}");
    }
    let groups = pair.net.on(2, || pair.b.control().try_groups()).unwrap();
    let bridge = groups[0].source.as_ref().expect("the bridge is the source");
    assert!(bridge.bridge && bridge.remote == "239.77.0.1:5004", "{bridge:?}");
    assert!(groups[0].receivers.iter().all(|receiver| !receiver.bridge));
    let info = pair.net.on(2, || pair.b.control().info());
    assert_eq!((info.connections, info.bridges, info.clients), (2, 1, 1));
    drop(first);
    take_row(&second, 1, 5);
    drop(second);
    pair.wait_bridges(2, 0);
}

/// The ingress bridge of host 2, as soon as it has a measurement with that name.
fn measured(pair: &Pair, name: &str) -> Bridge {
    wait::some(&format!("the measurement {name}"), || {
        let bridge = pair.bridges(2).into_iter().next()?;
        bridge.measurements.contains_key(name).then_some(bridge)
    })
}

#[test]
fn received_video_is_judged() {
    let Some(pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    let config = video("239.77.0.1", 5004);
    let receiver = connect(&b, Direction::Receive, &config);
    let _sender = Sender::start(connect(&a, Direction::Send, &config), 1);
    take_row(&receiver, 1, 5);
    let bridge = measured(&pair, "path1_vrx_max");
    let count = |name: &str| bridge.counters[name];
    // Each unit has one verdict, and some have been judged.
    let verdicts = ["path1_narrow", "path1_narrow_linear", "path1_wide", "path1_not_compliant"];
    let judged: u64 = verdicts.into_iter().map(count).sum();
    assert!(judged > 0, "{bridge:?}");
    assert_eq!(judged + count("path1_not_judged"), count("path1_units"), "{bridge:?}");
    let figure = |name: &str| bridge.measurements[name];
    // 180 rows of 800 bytes: at least one packet for each row but what fits into the packet before.
    let packets = figure("path1_packets_per_unit");
    assert!((100.0..=360.0).contains(&packets), "{bridge:?}");
    assert!(figure("path1_cinst_max") >= 1.0, "{bridge:?}");
    let units = figure("path1_last_units");
    assert!(units > 0.0 && units <= count("path1_units") as f64, "{bridge:?}");
    assert!(figure("path1_last_vrx_max") <= figure("path1_vrx_max"), "{bridge:?}");
    assert_eq!(figure("path1_last_lost"), 0.0, "{bridge:?}");
    for name in ["vrx", "vrx_linear", "first_packet", "gap", "rtp_offset"] {
        let unit = if matches!(name, "first_packet" | "gap") { "_us" } else { "" };
        let [min, mean, max] =
            ["min", "mean", "max"].map(|part| figure(&format!("path1_{name}_{part}{unit}")));
        assert!(min <= mean && mean <= max, "{name}: {bridge:?}");
    }
    assert!(!bridge.counters.contains_key("path2_units"), "{bridge:?}");
}

#[test]
fn received_audio_is_measured() {
    let Some(pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    let config = json!({
        "connection": { "st2110": {
            "ipAddr": "239.77.0.2", "port": 5010, "transport": "st2110-30", "payloadType": 97,
        }},
        "payload": { "audio": {
            "channels": 2, "sampleRate": 48000, "format": "pcm_s24be", "packetTime": "1ms",
        }},
        "bufferQueueCapacity": 128,
    });
    let _receiver = connect(&b, Direction::Receive, &config);
    let _sender = Sender::start(connect(&a, Direction::Send, &config), 1);
    let bridge = measured(&pair, "path1_ts_df_max_us");
    assert_eq!(bridge.measurements["path1_samples_per_packet"], 48.0, "{bridge:?}");
    assert!(bridge.measurements["path1_ts_df_min_us"] >= 0.0, "{bridge:?}");
    assert!(bridge.counters.contains_key("path1_discontinuities"), "{bridge:?}");
    assert!(!bridge.counters.contains_key("path1_units"), "{bridge:?}");
}

#[test]
fn the_clock_is_shown() {
    let Some(pair) = Pair::new() else { return };
    let a = pair.a.client();
    let clock = || pair.net.on(1, || pair.a.control().info()).reference_clock.expect("a clock");
    let before = clock();
    assert!(!before.source.is_empty() && before.tai_offset_s.is_some(), "{before:?}");
    let _source = connect(&a, Direction::Send, &video("239.77.0.1", 5004));
    let now = clock();
    assert_eq!(now.synchronised.is_none(), before.synchronised.is_none());
    // Session descriptions name the same clock.
    assert!(!now.ts_refclk.is_empty(), "{now:?}");
    let sdp = pair.net.on(1, || pair.a.control().sdp("239.77.0.1:5004")).unwrap();
    assert!(sdp.contains(&format!("a=ts-refclk:{}\r\n", now.ts_refclk)), "{now:?} {sdp}");
    // Who is not synchronised is warned.
    assert!(now.synchronised != Some(false) || !now.warnings.is_empty(), "{now:?}");
}

#[test]
fn a_source_takes_over_from_the_network() {
    let Some(pair) = Pair::new() else { return };
    let b = pair.b.client();
    let config = video("239.77.0.1", 5004);
    let receiver = connect(&b, Direction::Receive, &config);
    assert_eq!(pair.wait_bridges(2, 1)[0].direction(), BridgeDirection::Ingress);
    // A program on the same host sends that stream: its frames come from the ring, and go to the network.
    let source = connect(&b, Direction::Send, &config);
    for index in 0..6 {
        put(&source, Stamp { source: 7, index });
        assert_eq!(take(&receiver), Stamp { source: 7, index });
    }
    // The old bridge may be there for a moment beside the new one, or still alone.
    let only = |direction| {
        wait::until(&format!("{direction:?} alone"), || {
            let bridges = pair.bridges(2);
            bridges.len() == 1 && bridges[0].direction() == direction
        });
    };
    only(BridgeDirection::Egress);
    drop(source);
    only(BridgeDirection::Ingress);
    let a = pair.a.client();
    let _sender = Sender::start(connect(&a, Direction::Send, &config), 8);
    take_row(&receiver, 8, 5);
}

#[test]
fn what_cannot_be_is_refused_with_the_reason() {
    let Some(pair) = Pair::new() else { return };
    let a = pair.a.client();
    let failure = |direction, config: &Value| {
        let error = a.connect(direction, &config.to_string()).expect_err("a refusal");
        (error.code(), error.to_string())
    };
    let mut elsewhere = video("239.77.0.1", 5004);
    elsewhere["connection"]["st2110"]["interfaceIpAddr"] = json!("10.99.0.1");
    for direction in [Direction::Send, Direction::Receive] {
        let (code, text) = failure(direction, &elsewhere);
        assert_eq!(code, 1008, "{text}");
        assert!(text.contains("10.99.0.1") && text.contains("10.77.0.1"), "{text}");
    }
    // Somebody else has the port.
    let other = pair.net.on(1, || std::net::UdpSocket::bind("0.0.0.0:5004").unwrap());
    let unicast = video("10.77.0.2", 5004);
    let (code, text) = failure(Direction::Receive, &unicast);
    assert_eq!(code, 1008, "{text}");
    assert!(text.contains("5004") && text.contains("in use"), "{text}");
    pair.wait_bridges(1, 0);
    drop(other);
    let receiver = connect(&a, Direction::Receive, &unicast);
    // The stream is there in another format.
    let mut wider = video("10.77.0.2", 5004);
    wider["payload"]["video"]["width"] = json!(640);
    let (code, text) = failure(Direction::Receive, &wider);
    assert_eq!(code, 1010, "{text}");
    assert!(text.contains("payload.video.width"), "{text}");
    // No route to the destination.
    let (code, text) = failure(Direction::Send, &video("192.0.2.1", 5004));
    assert_eq!(code, 1008, "{text}");
    drop(receiver);
    pair.wait_bridges(1, 0);
    // Nothing of all this has done any harm.
    let b = pair.b.client();
    let config = video("239.77.0.1", 5004);
    let _sender = Sender::start(connect(&a, Direction::Send, &config), 1);
    take_row(&connect(&b, Direction::Receive, &config), 1, 5);
}

#[test]
fn streams_come_back_after_a_restart_of_either_proxy() {
    let Some(mut pair) = Pair::new() else { return };
    let (a, b) = (pair.a.client(), pair.b.client());
    let config = video("239.77.0.1", 5004);
    let source = connect(&a, Direction::Send, &config);
    let _sender = Sender::start(source, 1);
    let receiver = connect(&b, Direction::Receive, &config);
    take_row(&receiver, 1, 5);
    for signal in [Signal::KILL, Signal::TERM] {
        pair.b.end(signal);
        let command = pair.net.command(2, mcm_tests::program::media_proxy());
        pair.b.start_again_by(command);
        take_row(&receiver, 1, 5);
        pair.a.end(signal);
        let command = pair.net.command(1, mcm_tests::program::media_proxy());
        pair.a.start_again_by(command);
        // While nothing comes the receiver waits; then it goes on with what is sent.
        wait::until("the egress bridge is back", || {
            pair.bridges(1).iter().any(|bridge| bridge.state() == BridgeState::Active)
        });
        take_row(&receiver, 1, 5);
    }
}

#[test]
fn operators_see_and_cannot_delete_bridges() {
    let Some(pair) = Pair::new() else { return };
    let a = pair.a.client();
    let _source = connect(&a, Direction::Send, &video("239.77.0.1", 5004));
    let bridge = pair.wait_bridges(1, 1).remove(0);
    let refused = pair.net.on(1, || pair.a.control().delete(&bridge.conn_id));
    assert_eq!(refused.expect_err("bridges are not for operators").code(), tonic::Code::NotFound);
    assert_eq!(bridge.local, "10.77.0.1");
    assert_eq!(bridge.state(), BridgeState::Active);
    // Somebody who is not this proxy cannot be a bridge by saying so.
    let receiver = connect(&a, Direction::Receive, &config::blob("g", 100));
    let groups = pair.net.on(1, || pair.a.control().try_groups()).unwrap();
    let group = groups.iter().find(|group| group.id == "g").unwrap();
    assert!(group.receivers.iter().all(|receiver| !receiver.bridge));
    drop(receiver);
    assert!(Duration::from_millis(bridge.age_ms) < wait::DEADLINE);
}
