//! Video, audio and ancillary data arrive as sent.

use crate::{hosts, open_receiver, open_source, put, stream, take, take_row, video};
use mcm::Timeout;
use mcm_tests::content::{self, Stamp};
use mcm_tests::drops::{loss, whole};
use mcm_tests::refusal::refusal;
use mcm_tests::wait;
use proto::Kind;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

#[test]
fn frames_arrive_as_they_were_put() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        // Multicast, and unicast, where a receiver names its sender.
        for (number, destination, origin) in
            [(1, "239.77.0.1", "239.77.0.1"), (2, "10.77.0.2", "10.77.0.1")]
        {
            for receiver_first in [true, false] {
                let sent = video(destination, 5004);
                let received = video(origin, 5004);
                let early = receiver_first.then(|| open_receiver(&b, &received));
                let source = open_source(&a, &sent);
                let receiver = early.unwrap_or_else(|| open_receiver(&b, &received));
                // The bridges are there when the connections are, so the first frame arrives.
                for index in 0..6 {
                    put(&source, Stamp { source: number, index });
                }
                for index in 0..6 {
                    assert_eq!(take(&receiver), Stamp { source: number, index }, "{destination}");
                }
                drop((source, receiver));
                let _ = pair.wait_bridges(1, 0);
                let _ = pair.wait_bridges(2, 0);
            }
        }
    });
}

#[test]
fn large_datagrams_are_sent_where_they_are_wished_for() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let mut config = video("239.77.0.4", 5040);
        config["connection"]["st2110"]["maxUdp"] = 8960.into();
        // The network does not take them.
        let refused = a.source(config.to_string()).expect_err("no such packets");
        assert!(refused.to_string().contains("MTU"), "{refused}");
        for host in [1, 2] {
            pair.net.run(host, "ip", &["link", "set", "eth0", "mtu", "9000"]);
        }
        let receiver = open_receiver(&b, &config);
        let source = open_source(&a, &config);
        for index in 0..6 {
            put(&source, Stamp { source: 4, index });
        }
        for index in 0..6 {
            assert_eq!(take(&receiver), Stamp { source: 4, index });
        }
        // 180 lines of 800 bytes. A packet has three of them at most (RFC 4175 headers of ST
        // 2110-20), instead of one.
        let packets = pair.counter(2, 5040, "packets");
        assert!((6 * 60..6 * 90).contains(&packets), "{packets} packets");
        let sdp =
            pair.net.on(1, || pair.a.control().sdp("239.77.0.4:5040")).expect("a description");
        assert!(sdp.contains("MAXUDP=8960"), "{sdp}");
    });
}

#[test]
fn audio_arrives_as_it_was_put() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
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
            let receiver = open_receiver(&b, &config);
            let source = open_source(&a, &config);
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
            let _ = pair.wait_bridges(1, 0);
            let _ = pair.wait_bridges(2, 0);
        }
    });
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
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let alone = json!({
            "connection": { "st2110": {
                "ipAddr": "239.77.0.3", "port": 5020, "transport": "st2110-40", "payloadType": 100,
            }},
            "payload": { "ancillary": { "fps": 10 } },
            "bufferQueueCapacity": 32,
        });
        let receiver = open_receiver(&b, &alone);
        let source = open_source(&a, &alone);
        for count in 0..5 {
            let mut buffer = source.frame(Timeout::Infinite).unwrap();
            let block = block(count);
            buffer.payload_mut()[..block.len()].copy_from_slice(&block);
            buffer.set_payload_len(block.len()).unwrap();
            buffer.publish_within(Timeout::Infinite).unwrap();
        }
        for count in 0..5 {
            let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
            assert_eq!(buffer.payload(), block(count));
        }
        drop((source, receiver));

        let mut riding = video("239.77.0.1", 5004);
        riding["connection"]["st2110"]["ancillary"] =
            json!({ "ipAddr": "239.77.0.3", "port": 5022 });
        riding["maxMetadataSize"] = json!(512);
        let receiver = open_receiver(&b, &riding);
        let source = open_source(&a, &riding);
        for index in 0..5 {
            let mut buffer = source.frame(Timeout::Infinite).unwrap();
            let block = block(index);
            content::fill(Stamp { source: 1, index: index.into() }, buffer.payload_mut(), &mut []);
            buffer.metadata_mut()[..block.len()].copy_from_slice(&block);
            buffer.set_metadata_len(block.len()).unwrap();
            buffer.publish_within(Timeout::Infinite).unwrap();
        }
        for index in 0..5 {
            let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
            assert_eq!(buffer.metadata(), block(index));
            let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
            assert_eq!(stamp.index, u64::from(index));
        }
    });
}

#[test]
fn what_was_put_before_the_end_is_sent() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        let config = video("239.77.0.1", 5004);
        let receiver = open_receiver(&b, &config);
        for source in 1..3 {
            let connection = open_source(&a, &config);
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
    });
}

/// Small pictures of that format, and these pixels on the wire.
fn pictures(format: &str, wire: Option<(&str, u8)>) -> Value {
    let payload = json!({ "video": {
        "width": 320, "height": 180, "fps": 10, "pixelFormat": format,
    }});
    let mut config = stream("239.77.0.1", 5004, &payload);
    if let Some((sampling, depth)) = wire {
        config["connection"]["st2110"]["sampling"] = json!(sampling);
        config["connection"]["st2110"]["depth"] = json!(depth);
    }
    config
}

#[test]
fn gray_pictures_and_twelve_bits_on_the_wire_are_exact() {
    hosts(|pair| {
        let [a, b] = pair.programs.clone();
        for (format, wire) in [
            ("gray8", None),
            ("gray10le", None),
            ("gray16le", None),
            ("yuv422p10le", Some(("YCbCr-4:2:2", 12))),
            ("yuv420p10le", Some(("YCbCr-4:2:0", 12))),
            ("yuv444p10le", Some(("YCbCr-4:4:4", 12))),
        ] {
            let config = pictures(format, wire);
            let receiver = open_receiver(&b, &config);
            let source = open_source(&a, &config);
            for index in 0..3 {
                let mut buffer = source.frame(Timeout::Infinite).expect("a buffer");
                let pixels = buffer.payload_mut();
                content::fill(Stamp { source: 1, index }, pixels, &mut []);
                if format.ends_with("10le") {
                    // Samples stay within ten bits.
                    pixels.iter_mut().skip(1).step_by(2).for_each(|high| *high &= 3);
                }
                let sent = pixels.to_vec();
                buffer.publish_within(Timeout::Infinite).unwrap();
                let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
                if buffer.info().incomplete {
                    loss(format!("{format} {index}"));
                }
                assert!(buffer.payload() == sent, "{format} {index} differs");
            }
            drop((source, receiver));
            pair.wait_no_bridges();
        }
        // There is no memory for these.
        for end in [Kind::Source, Kind::Receiver] {
            let error = refusal(&a, end, &pictures("rgb24", Some(("RGB", 12))));
            assert!(
                error.code() == 1010 && error.to_string().contains("RGB with 8 bit"),
                "{error}"
            );
        }
    });
}
