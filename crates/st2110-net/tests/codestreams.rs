//! JPEG XS from one session to another, and conformance analysis of received streams.

mod common;
#[path = "../../st2110/src/jpegxs/sample.rs"]
mod sample;

use std::{net::SocketAddr, time::Duration};

use common::{
    Hosts,
    frames::{Queue, Store, frame},
    local_address, wait_for,
};
use media::{FrameRate, PixelFormat, Scan, Tai};
use st2110::{
    jpegxs::{Colour, PacketMode, TransmissionMode, VideoInformation},
    pacing::SenderType,
    video::{FrameLayout, Packing, Picture, WireFormat},
};
use st2110_net::{
    Gap, IncompleteFrames,
    engine::{Engine, EngineOptions},
    receive::{Analysis, CodestreamReceiver, Origin, VideoReceiver},
    send::{CodestreamSender, Identity, VideoSender},
    socket::{Interface, ReceiverOptions, SenderOptions},
};

const P50: FrameRate = FrameRate { num: 50, den: 1 };
const LIMIT: usize = 200_000;

fn codestream(slices: &[usize], fill: u8) -> Vec<u8> {
    sample::codestream(&sample::Sample { slices: slices.to_vec(), fill, ..Default::default() })
}

fn pair(
    mode: PacketMode,
    scan: Scan,
    address: SocketAddr,
) -> (CodestreamSender, CodestreamReceiver) {
    let sender = CodestreamSender {
        mode,
        transmission: TransmissionMode::Sequential,
        information: None,
        rate: P50,
        scan,
        height: 1080,
        limit: LIMIT,
        pacing: SenderType::Narrow,
        identity: Identity { payload_type: 98, ssrc: 4, sequence: 65_500 },
        paths: vec![SenderOptions::new(address)],
        ancillary: None,
    };
    let path = ReceiverOptions::new(address.ip(), address.port());
    let receiver = CodestreamReceiver {
        rate: P50,
        scan,
        height: 1080,
        limit: LIMIT,
        origin: Origin::new(vec![path], 98),
        incomplete: IncompleteFrames::Deliver,
        ancillary: None,
    };
    (sender, receiver)
}

/// Frames of different sizes.
fn frames(scan: Scan) -> Vec<Vec<u8>> {
    let one = |fill: u8| codestream(&[5_000, 20_000 + usize::from(fill) * 700, 3_000], fill);
    (0..5)
        .map(|fill| {
            if scan == Scan::Progressive {
                one(fill)
            } else {
                [one(fill), one(fill + 100)].concat()
            }
        })
        .collect()
}

#[test]
fn codestreams_are_exact_in_both_modes_and_all_scans() {
    let engine = Engine::new(EngineOptions::default());
    for mode in [PacketMode::Codestream, PacketMode::Slice] {
        for scan in [Scan::Progressive, Scan::Interlaced, Scan::Psf] {
            let (mut sender, receiver) = pair(mode, scan, local_address());
            // Boxes go ahead of the codestreams, and are taken off again.
            sender.information = (scan != Scan::Psf).then_some(VideoInformation {
                rate: P50,
                colour: Colour::BT709,
                rgb: false,
            });
            let (queue, store) = (Queue::default(), Store::default());
            let receiving = receiver.start(&engine, store.clone()).unwrap();
            let sending = sender.start(&engine, queue.clone()).unwrap();
            let begin = engine.clock().now();
            queue.push(vec![1, 2, 3], None);
            queue.push(vec![0; LIMIT + 1], None);
            for (index, bytes) in frames(scan).into_iter().enumerate() {
                queue.push(
                    bytes,
                    Some(Tai::from_nanos(begin.as_nanos() + index as u64 * 20_000_000)),
                );
            }
            wait_for("all frames", || store.len() >= 5);
            let received = store.take();
            assert!(received.iter().map(|frame| &frame.bytes).eq(&frames(scan)), "{mode:?} {scan}");
            assert!(received.iter().all(|frame| frame.gaps.is_empty()));
            assert!(
                received
                    .windows(2)
                    .all(|pair| pair[1].timestamp.wrapping_sub(pair[0].timestamp) == 1800)
            );
            assert_eq!((sending.stats().get().wrong_sizes, receiving.stats().get().lost), (2, 0));
        }
    }
}

#[test]
fn lost_packets_of_a_codestream() {
    let Some(hosts) = Hosts::new(1500) else { return };
    let address = SocketAddr::new("239.77.4.1".parse().unwrap(), 20_200);
    let rules = "table netdev loss { chain in { type filter hook ingress device media0 priority 0; policy accept; \
                 ip daddr 239.77.4.1 numgen inc mod 40 == 39 drop\n}\n}\n";
    for incomplete in [IncompleteFrames::Deliver, IncompleteFrames::Repeat, IncompleteFrames::Drop]
    {
        let (mut sender, mut receiver) = pair(PacketMode::Codestream, Scan::Progressive, address);
        let interface = Interface::Name("media0".into());
        sender.paths[0].interface = interface.clone();
        sender.paths[0].offload = st2110_net::socket::Offload::Off;
        receiver.origin.paths[0].interface = interface;
        receiver.incomplete = incomplete;
        let engine = Engine::new(EngineOptions::default());
        let (queue, store) = (Queue::default(), Store::default());
        hosts.filter(1, rules);
        let receiving = hosts.on(1, || receiver.start(&engine, store.clone()).unwrap());
        let _sending = hosts.on(0, || sender.start(&engine, queue.clone()).unwrap());
        // 20 packets, then 80, of which two are lost.
        let (first, second) = (codestream(&[28_500], 1), codestream(&[114_000], 9));
        queue.push(first.clone(), None);
        queue.push(second.clone(), None);
        let expected = if incomplete == IncompleteFrames::Drop { 1 } else { 2 };
        wait_for("both frames", || store.len() >= expected && receiving.stats().get().lost == 2);
        wait_for("the second frame", || {
            let got = receiving.stats().get();
            got.frames + got.dropped_frames == 2
        });
        let received = store.take();
        assert!(received[0].bytes == first && received[0].gaps.is_empty());
        match incomplete {
            IncompleteFrames::Drop => assert_eq!(receiving.stats().get().dropped_frames, 1),
            IncompleteFrames::Deliver => {
                assert_eq!(received[1].gaps, [Gap::Packets]);
                assert!(!received[1].bytes.is_empty() && second.starts_with(&received[1].bytes));
            }
            IncompleteFrames::Repeat => {
                assert_eq!(received[1].gaps, [Gap::Packets]);
                assert!(received[1].bytes == first);
            }
        }
        hosts.filter(1, "flush ruleset");
    }
}

#[test]
fn a_received_stream_is_judged() {
    let engine = Engine::new(EngineOptions::default());
    let address = local_address();
    let picture =
        Picture::new(WireFormat::YCBCR_422_10, 640, 360, st2110::video::Scan::Progressive).unwrap();
    let layout = FrameLayout::Mesh(PixelFormat::Yuv422p10le);
    let sender = VideoSender {
        picture,
        layout,
        packing: Packing::General,
        rate: P50,
        pacing: SenderType::Wide,
        identity: Identity::random(96),
        paths: vec![SenderOptions::new(address)],
        ancillary: None,
    };
    let path = ReceiverOptions::new(address.ip(), address.port());
    let receiver = VideoReceiver {
        picture,
        layout,
        rate: P50,
        origin: Origin::new(vec![path], 96),
        incomplete: IncompleteFrames::Deliver,
        ancillary: None,
    };
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = receiver.start(&engine, store.clone()).unwrap();
    let _sending = sender.start(&engine, queue.clone()).unwrap();
    let bytes: std::sync::Arc<[u8]> = frame(PixelFormat::Yuv422p10le, 1, 640 * 360 * 4).into();
    (0..60).for_each(|_| queue.push(bytes.clone(), None));
    wait_for("a judgement", || match &receiving.stats().analyses()[..] {
        [Analysis::Video(judged)] => judged.all.units >= 20,
        _ => false,
    });
    let [Analysis::Video(judged)] = &receiving.stats().analyses()[..] else {
        panic!("no analysis")
    };
    let summary = &judged.all;
    assert!(judged.recent.units > 0 && judged.recent.units <= summary.units);
    assert_eq!((summary.packets_per_unit, summary.rate), (Some(720), Some(P50)));
    assert!(summary.cinst >= 1.0 && summary.octets > 20 * 640 * 360 * 5 / 2);
    // The frame leaves in the period after the one of its timestamp.
    let offset =
        Duration::from_nanos((summary.rtp_offset.max * 1_000_000_000 / 90_000).unsigned_abs());
    assert!(offset < Duration::from_secs(2), "{offset:?}");
    assert_eq!(summary.counts.lost, 0);
}
