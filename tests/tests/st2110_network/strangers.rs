//! Packets of unknown sources disturb no stream.

use crate::packets::Packets;
use crate::{PORT, receive_slowly, take};
use mcm_tests::content::{self, Stamp};
use mcm_tests::drops::whole;
use mcm_tests::pair::Pair;
use mcm_tests::{resources, wait};
use serde_json::json;
use std::time::Duration;

#[test]
fn garbage_at_the_port_is_counted_and_hurts_nobody() {
    Pair::test(2, 1, |pair| {
        pair.net.run(1, "ip", &["address", "add", "10.77.0.9/24", "dev", "eth0"]);
        let stream = json!({ "ipAddr": "10.77.0.1", "port": PORT });
        let receiver = receive_slowly(pair, &stream);
        let mut sender = Packets::new(pair, "10.77.0.1");
        let stranger = Packets::new(pair, "10.77.0.9");
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
            // As long as a datagram can be on many networks, but none of ST 2110.
            ("too_long", vec![0x80; 9000]),
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
            let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
            assert_eq!(buffer.info().incomplete, *name == "other_format", "{name}");
            if *name != "other_format" {
                let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
                assert_eq!(stamp, Stamp { source: 1, index }, "{name}");
            }
        }
        for (name, value) in &expected {
            pair.until_counter(2, PORT, name, *value);
        }
        // Of another format, by what was wrong.
        for name in ["refused_line", "refused_truncated", "refused_offset"] {
            assert_eq!(pair.counter(2, PORT, name), 1, "{name}");
        }
        for name in ["refused_length", "refused_field"] {
            assert_eq!(pair.counter(2, PORT, name), 0, "{name}");
        }

        // An unknown source sends the same packets.
        for packet in &good[..200] {
            stranger.socket.send_to(packet, ("10.77.0.2", PORT)).expect("a way to host 2");
        }
        pair.until_counter(2, PORT, "other_sender", 200);
        for name in ["path1_socket_drops", "lost"] {
            assert_eq!(pair.counter(2, PORT, name), 0, "{name}");
        }
    });
}

#[test]
fn a_second_sender_to_a_group_changes_nothing() {
    const GROUP: &str = "239.77.0.1";
    Pair::test(2, 1, |pair| {
        pair.net.run(1, "ip", &["address", "add", "10.77.0.9/24", "dev", "eth0"]);
        let [mut sender, mut stranger] =
            ["10.77.0.1", "10.77.0.9"].map(|address| Packets::new(pair, address));
        stranger.ssrc = 78;
        (sender.destination, stranger.destination) = (GROUP, GROUP);
        let both = |sender: &mut Packets, stranger: &mut Packets, index| {
            let (good, other) = (sender.frame(index), stranger.frame(index + 1000));
            let mixed = good
                .chunks(8)
                .zip(other.chunks(8))
                .flat_map(|(good, other)| [(true, good), (false, other)]);
            for (is_good, part) in mixed {
                if is_good { sender.send(part) } else { stranger.send(part) }
            }
            other.len() as u64
        };
        // With a filter for the source the kernel takes no packet of another.
        let stream = json!({ "ipAddr": GROUP, "port": PORT, "multicastSourceIpAddr": "10.77.0.1" });
        let receiver = receive_slowly(pair, &stream);
        for index in 0..4 {
            both(&mut sender, &mut stranger, index);
            take(&receiver, index);
        }
        for name in ["other_sender", "other_ssrc", "lost"] {
            assert_eq!(pair.counter(2, PORT, name), 0, "{name}");
        }
        drop(receiver);
        pair.wait_no_bridges();
        // Without one, the first sender is the stream.
        let receiver = receive_slowly(pair, &json!({ "ipAddr": GROUP, "port": PORT }));
        let others = (4..8).map(|index| {
            let others = both(&mut sender, &mut stranger, index);
            take(&receiver, index);
            others
        });
        let others = others.sum();
        pair.until_counter(2, PORT, "other_ssrc", others);
        assert_eq!(pair.counter(2, PORT, "lost"), 0);
    });
}

/// Source-specific multicast: a group and port say nothing without the sender.
#[test]
fn two_senders_to_one_group_are_two_streams() {
    const GROUP: &str = "232.77.0.1";
    const SENDERS: [&str; 2] = ["10.77.0.1", "10.77.0.9"];
    Pair::test(2, 1, |pair| {
        pair.net.run(1, "ip", &["address", "add", "10.77.0.9/24", "dev", "eth0"]);
        let mut senders = SENDERS.map(|address| Packets::new(pair, address));
        for sender in &mut senders {
            sender.destination = GROUP;
        }
        let stream = |sender: &str| json!({ "ipAddr": GROUP, "port": PORT, "multicastSourceIpAddr": sender });
        let receivers = SENDERS.map(|sender| receive_slowly(pair, &stream(sender)));
        // A second receiver of one of them is served by the same bridge.
        let third = receive_slowly(pair, &stream(SENDERS[1]));
        let bridges = pair.wait_bridges(2, 2);
        let mut groups: Vec<_> = bridges.iter().map(|bridge| bridge.group_id.as_str()).collect();
        groups.sort_unstable();
        assert_eq!(groups, ["10.77.0.1@232.77.0.1:5004", "10.77.0.9@232.77.0.1:5004"]);
        for index in 0..3 {
            for (sender, base) in senders.iter_mut().zip([0, 1000]) {
                let packets = sender.frame(base + index);
                sender.send(&packets);
            }
            take(&receivers[0], index);
            take(&receivers[1], 1000 + index);
            take(&third, 1000 + index);
        }
        for bridge in pair.bridges(2) {
            for name in ["other_sender", "other_ssrc", "lost"] {
                assert_eq!(bridge.counters.get(name), Some(&0), "{name}: {bridge:?}");
            }
        }
    });
}

/// More than the proxy's memory may grow by, in KiB.
const BOUND_KIB: u64 = 32 * 1024;

#[test]
fn a_flood_at_the_port_ends_with_the_flood() {
    Pair::test(2, 1, |pair| {
        pair.net.run(1, "ip", &["address", "add", "10.77.0.9/24", "dev", "eth0"]);
        let receiver = receive_slowly(pair, &json!({ "ipAddr": "10.77.0.1", "port": PORT }));
        let mut sender = Packets::new(pair, "10.77.0.1");
        let first = sender.frame(0);
        sender.send(&first);
        take(&receiver, 0);
        let memory_kib = resources::anonymous_kib(pair.b.pid());
        let floods = [
            ("other_sender", "10.77.0.9", vec![0x80; 1400]),
            ("not_rtp", "10.77.0.1", vec![0; 20]),
            ("other_payload_type", "10.77.0.1", vec![0x80; 1400]),
        ];
        for (name, from, packet) in &floods {
            let flooding = Packets::new(pair, from);
            // Whatever does not fit into the receiver's buffer the kernel drops, of the stream as
            // well.
            let mut frame = 1;
            wait::until(&format!("a flood of {name}"), || {
                for _ in 0..2000 {
                    let _ = flooding.socket.send_to(packet, ("10.77.0.2", PORT));
                }
                let packets = sender.frame(frame);
                sender.send(&packets[..20]);
                frame += 1;
                pair.counter(2, PORT, name) > 20_000
            });
        }
        assert!(resources::anonymous_kib(pair.b.pid()) < memory_kib + BOUND_KIB);
        // Then the stream is whole again.
        let mut index = 10_000;
        let mut row = 0;
        wait::until("frames in a row", || {
            let packets = sender.frame(index);
            sender.send(&packets);
            index += 1;
            let whole =
                std::iter::from_fn(|| receiver.recv(Duration::from_millis(200)).ok().flatten());
            for buffer in whole.filter(|buffer| !buffer.info().incomplete) {
                let stamp = content::check(buffer.payload(), &[]).expect("an exact frame");
                row = if stamp.index >= 10_000 { row + 1 } else { 0 };
            }
            row >= 3
        });
    });
}
