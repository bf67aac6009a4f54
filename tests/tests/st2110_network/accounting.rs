//! Exact packet counts of networks that lose, repeat and reorder packets.

use crate::packets::Packets;
use crate::{
    PORT, drop_incoming, drop_no_more, dropped, open_receiver, open_source, put, receive_slowly,
    single_packets, take,
};
use mcm_tests::content::{self, Stamp};
use mcm_tests::drops::{loss, whole};
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use serde_json::json;

#[test]
fn loss_is_counted_to_the_packet() {
    const FRAMES: u64 = 30;
    Pair::test(2, 1, |pair| {
        single_packets(pair, &["eth0"]);
        let stream = |ip: &str| json!({ "ipAddr": ip, "port": PORT });
        let receiver = open_receiver(&pair.programs[1], &stream("10.77.0.1"));
        let source = open_source(&pair.programs[0], &stream("10.77.0.2"));
        put(&source, 0);
        take(&receiver, 0);
        let rule = format!("udp dport {PORT} numgen inc mod 100 == 37");
        drop_incoming(pair, "eth0", &[&rule]);
        let incomplete = std::thread::scope(|scope| {
            scope.spawn(|| (1..=FRAMES).for_each(|index| put(&source, index)));
            let frames = (1..=FRAMES).map(|index| {
                let buffer = receiver.recv(wait::DEADLINE);
                let buffer = buffer.unwrap_or_else(|error| {
                    loss(format!(
                        "frame {index}: {error}: {:?} {:?}",
                        pair.bridges(1),
                        pair.bridges(2)
                    ))
                });
                buffer.expect("no end").info().incomplete
            });
            frames.filter(|incomplete| *incomplete).count() as u64
        });
        drop_no_more(pair, "eth0");
        // After this one, whatever was lost before it is known.
        put(&source, FRAMES + 1);
        take(&receiver, FRAMES + 1);
        let (packets, lost) = (pair.counter(1, PORT, "packets"), dropped(pair, "eth0"));
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
    });
}

#[test]
fn disorder_is_counted_to_the_packet() {
    Pair::test(2, 1, |pair| {
        let stream = json!({ "ipAddr": "10.77.0.1", "port": PORT });
        let receiver = receive_slowly(pair, &stream);
        let mut sender = Packets::new(pair, "10.77.0.1");
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
            let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
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
    });
}
