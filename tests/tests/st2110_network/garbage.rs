//! Garbage at the ports of compressed video, audio and ancillary data, between two proxies: it is
//! counted, and disturbs no stream.

use crate::PORT;
use mcm::{Receiver, Source, Timeout};
use mcm_tests::codestreams::codestream;
use mcm_tests::drops::whole;
use mcm_tests::pair::Pair;
use mcm_tests::repeating::Repeating;
use mcm_tests::{config, resources, wait};
use serde_json::{Value, json};
use st2110::ancillary::{Packet, write_block};
use st2110::rtp::Header;
use std::net::UdpSocket;

/// More than the proxy's memory may grow by, in KiB.
const BOUND_KIB: u64 = 32 * 1024;
const PAYLOAD_TYPE: u8 = 101;

/// A stream without its address, and some frames of it.
struct Kind {
    config: Value,
    frames: Vec<Vec<u8>>,
}

fn kinds() -> [Kind; 4] {
    let video = json!({
        "connection": { "st2110": { "transport": "st2110-22", "codec": "application" } },
        "payload": { "video": { "width": 320, "height": 192, "fps": 10 } },
        "maxPayloadSize": 200_000,
    });
    let audio = |transport| {
        json!({
            "connection": { "st2110": { "transport": transport } },
            "payload": { "audio": { "channels": 2, "format": "pcm_s24be", "packetTime": "1ms" } },
            "bufferQueueCapacity": 128,
        })
    };
    let ancillary = json!({
        "connection": { "st2110": { "transport": "st2110-40" } },
        "payload": { "ancillary": { "fps": 10 } },
    });
    let samples = |fill: u8| (0..288).map(|at| fill ^ at as u8).collect();
    let block = |fill: u8| {
        let mut block = vec![0; 512];
        let packets = [Packet::new(0x61, 0x02, &[fill; 30])];
        let len = write_block([&packets, &[]], &mut block).expect("room");
        block.truncate(len);
        block
    };
    [
        Kind { config: video, frames: (0..4).map(|number| codestream(number, true)).collect() },
        Kind { config: audio("st2110-30"), frames: (0..4).map(samples).collect() },
        Kind { config: audio("st2110-31"), frames: (0..4).map(samples).collect() },
        Kind { config: ancillary, frames: (0..4).map(block).collect() },
    ]
}

fn put(source: &Source, bytes: &[u8]) {
    let mut buffer = source.frame(wait::DEADLINE).expect("a buffer");
    buffer.payload_mut()[..bytes.len()].copy_from_slice(bytes);
    buffer.set_payload_len(bytes.len()).expect("room");
    buffer.publish_within(Timeout::Infinite).expect("put");
}

/// Waits for frames that are whole and exact, so many in a row.
fn take_row(receiver: &Receiver, frames: &[Vec<u8>]) {
    let mut row = 0;
    wait::until("whole frames in a row", || {
        let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
        let exact = frames.iter().any(|frame| frame == buffer.payload());
        assert!(exact || buffer.info().incomplete, "a frame that nobody has sent");
        row = if exact && !buffer.info().incomplete { row + 1 } else { 0 };
        row == 5
    });
}

#[test]
fn garbage_at_the_ports_of_all_kinds_is_counted_and_hurts_nobody() {
    Pair::test(2, 1, |pair| {
        pair.net.run(1, "ip", &["address", "add", "10.77.0.9/24", "dev", "eth0"]);
        let [neighbour, stranger] = ["10.77.0.1", "10.77.0.9"]
            .map(|ip| pair.net.on(1, || UdpSocket::bind((ip, 0)).expect("a socket")));
        for Kind { config, frames } in kinds() {
            let at = |ip: &str| {
                let stream = json!({ "ipAddr": ip, "port": PORT, "payloadType": PAYLOAD_TYPE });
                config::with(config.clone(), json!({ "connection": { "st2110": stream } }))
            };
            let [a, b] = &pair.programs;
            let receiver = b.receiver(at("10.77.0.1").to_string()).expect("a receiver");
            let source = a.source(at("10.77.0.2").to_string()).expect("a source");
            let put_all = frames.clone();
            let sender = Repeating::start(move |index| {
                put(&source, &put_all[index as usize % put_all.len()]);
            });
            take_row(&receiver, &frames);
            let memory_kib = resources::anonymous_kib(pair.b.pid());
            let garbage = |payload_type, len: usize| {
                let header = Header { payload_type, ssrc: 1, ..Header::default() };
                [&header.to_bytes()[..], &vec![0xFF; len]].concat()
            };
            let floods = [
                ("not_rtp", &neighbour, vec![0x11; 1400]),
                ("other_payload_type", &neighbour, garbage(PAYLOAD_TYPE - 1, 1400)),
                // The second sender of an SSRC of its own: the stream has the first one.
                ("other_ssrc", &neighbour, garbage(PAYLOAD_TYPE, 3)),
                ("too_long", &neighbour, garbage(PAYLOAD_TYPE, 9200)),
                ("other_sender", &stranger, garbage(PAYLOAD_TYPE, 100)),
            ];
            for (name, socket, packet) in &floods {
                wait::until(&format!("a flood of {name}"), || {
                    for _ in 0..500 {
                        // Whatever does not fit into the receiver's buffer the kernel drops.
                        let _ = socket.send_to(packet, ("10.77.0.2", PORT));
                    }
                    pair.counter(2, PORT, name) > 3000
                });
            }
            assert!(resources::anonymous_kib(pair.b.pid()) < memory_kib + BOUND_KIB);
            // While the flood lasted the stream may have lost packets. It goes on by itself.
            take_row(&receiver, &frames);
            assert_eq!(pair.counter(2, PORT, "path1_restarts"), 0);
            drop((sender, receiver));
            pair.wait_no_bridges();
        }
    });
}
