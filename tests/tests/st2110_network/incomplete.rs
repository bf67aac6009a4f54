//! IncompleteFrames frames, as `incompleteFrames` delivers them.

use crate::packets::Packets;
use crate::{HEIGHT, PORT, WIDTH, receive_slowly, take};
use mcm_tests::content::{self, Stamp};
use mcm_tests::drops::whole;
use mcm_tests::pair::Pair;
use mcm_tests::wait;
use serde_json::json;

/// The bytes of a frame.
fn frame(index: u64) -> Vec<u8> {
    let mut frame = vec![0; (WIDTH * HEIGHT / 2 * 5) as usize];
    content::fill(Stamp { source: 1, index }, &mut frame, &mut []);
    frame
}

/// Packets of a frame without some of them.
fn with_gaps(sender: &mut Packets, index: u64) -> Vec<Vec<u8>> {
    let packets = sender.frame(index);
    let last = packets.len() - 1;
    // The marker comes, so that the end of the frame is known.
    let kept = packets.into_iter().enumerate().filter(|(at, _)| *at == last || at % 40 != 17);
    kept.map(|(_, packet)| packet).collect()
}

#[test]
fn gaps_are_filled_from_the_frame_before() {
    Pair::test(2, 1, |pair| {
        let stream = json!({ "ipAddr": "10.77.0.1", "port": PORT, "incompleteFrames": "repeat" });
        let receiver = receive_slowly(pair, &stream);
        let mut sender = Packets::new(pair, "10.77.0.1");
        let packets = sender.frame(0);
        sender.send(&packets);
        take(&receiver, 0);
        // What was filled is no source for the next one's gaps: that is the last whole frame.
        for index in [1, 2] {
            let packets = with_gaps(&mut sender, index);
            sender.send(&packets);
            let buffer = whole(receiver.recv(wait::DEADLINE)).expect("no end");
            assert!(buffer.info().incomplete, "marked all the same");
            let (mut expected, before) = (frame(index), frame(0));
            assert!(buffer.missing().len() > 0);
            for region in buffer.missing() {
                let place = region.offset as usize..(region.offset + region.len) as usize;
                expected[place.clone()].copy_from_slice(&before[place]);
            }
            assert!(buffer.payload() == expected, "frame {index}");
        }
        let packets = sender.frame(3);
        sender.send(&packets);
        take(&receiver, 3);
        for (name, value) in [("frames", 4), ("incomplete_frames", 2), ("dropped_frames", 0)] {
            pair.until_counter(2, PORT, name, value);
        }
    });
}

#[test]
fn frames_with_gaps_are_dropped_and_counted() {
    Pair::test(2, 1, |pair| {
        let stream = json!({ "ipAddr": "10.77.0.1", "port": PORT, "incompleteFrames": "drop" });
        let receiver = receive_slowly(pair, &stream);
        let mut sender = Packets::new(pair, "10.77.0.1");
        for index in 0..6 {
            let dropped = index % 2 == 1;
            let packets = if dropped { with_gaps(&mut sender, index) } else { sender.frame(index) };
            sender.send(&packets);
            if dropped {
                pair.until_counter(2, PORT, "dropped_frames", index.div_ceil(2));
            } else {
                take(&receiver, index);
            }
        }
        for (name, value) in [("frames", 3), ("incomplete_frames", 0), ("dropped_frames", 3)] {
            pair.until_counter(2, PORT, name, value);
        }
        // The network dropped them, and not the queue.
        assert_eq!(receiver.stats().missed, 0);
    });
}
