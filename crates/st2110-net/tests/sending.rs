//! Sending sessions: their packets are exact and in time, and an idle one disturbs no other.

mod common;

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use common::{
    frames::{Owned, Queue, frame as frame_of},
    wait_for,
};
use media::{Audio, AudioFormat, FrameRate, PacketTime, PixelFormat, SampleRate, Tai};
use st2110::Transport;
use st2110::{
    pacing::SenderType,
    rtp::Header,
    time::{FrameClock, MediaClock, PacketClock},
    video::{Arrival, Depacketiser, FrameLayout, Packing, Picture, RowNumbering, Scan, WireFormat},
};
use st2110_net::{
    FrameFeed, Next,
    engine::{Engine, EngineOptions, Over},
    send::{AudioSender, Identity, VideoSender},
    socket::{Batch, Offload, Receiver, ReceiverOptions, SenderOptions},
};

struct Packet {
    header: Header,
    payload: Vec<u8>,
    at: u64,
}

fn receive(receiver: &Receiver, count: usize) -> Vec<Packet> {
    let mut batch = Batch::new();
    let mut packets = Vec::new();
    wait_for("packets", || {
        receiver.receive(&mut batch).unwrap();
        for bundle in batch.bundles() {
            let at = bundle.realtime().unwrap();
            for datagram in bundle.datagrams().iter() {
                let (header, payload) = Header::parse(datagram).unwrap();
                packets.push(Packet { header, payload: datagram[payload].to_vec(), at });
            }
        }
        packets.len() >= count
    });
    packets
}

fn receiver() -> (Receiver, SocketAddr) {
    let options = ReceiverOptions::new(Ipv4Addr::LOCALHOST.into(), 0);
    let receiver = Receiver::open(&options).unwrap();
    let address = receiver.local_address().unwrap();
    (receiver, address)
}

fn picture(width: u32, height: u32, scan: Scan) -> Picture {
    Picture::new(WireFormat::YCBCR_422_10, width, height, scan).unwrap()
}

fn sender(picture: Picture, layout: PixelFormat, rate: FrameRate, to: SocketAddr) -> VideoSender {
    VideoSender {
        picture,
        layout: FrameLayout::Mesh(layout),
        packing: Packing::General,
        rate,
        pacing: SenderType::Narrow,
        identity: Identity { payload_type: 96, ssrc: 7, sequence: 65_000 },
        paths: vec![SenderOptions::new(to)],
        ancillary: None,
    }
}

fn frame(seed: usize, len: usize) -> Vec<u8> {
    frame_of(PixelFormat::Yuv422p10le, seed, len)
}

const STEREO: Audio = Audio {
    channels: 2,
    sample_rate: SampleRate::Hz48000,
    format: AudioFormat::PcmS24be,
    packet_time: PacketTime::Ms1,
};
const P50: FrameRate = FrameRate { num: 50, den: 1 };

#[test]
fn frames_are_sent_exactly_on_the_grid() {
    let engine = Engine::new(EngineOptions::default());
    for (layout, scan) in [
        (PixelFormat::Yuv422p10le, Scan::Progressive),
        (PixelFormat::Yuv422p10le, Scan::Interlaced),
        (PixelFormat::Yuv422p10Rfc4175, Scan::Progressive),
        (PixelFormat::Yuv422p10Rfc4175, Scan::Psf),
    ] {
        for offload in [Offload::Automatic, Offload::Off] {
            let (receiver, to) = receiver();
            let picture = picture(640, 360, scan);
            let mut session = sender(picture, layout, P50, to);
            session.paths[0].offload = offload;
            let queue = Queue::default();
            let depacketiser =
                Depacketiser::new(picture, session.layout, RowNumbering::PerField).unwrap();
            let frames: Vec<Vec<u8>> =
                (0..4).map(|seed| frame(seed, depacketiser.frame_size())).collect();
            let sending = session.start(&engine, queue.clone()).unwrap();
            // Four frames at once: each waits for a period of its own.
            let begin = engine.clock().now();
            for (index, bytes) in frames.iter().enumerate() {
                let tai = Tai::from_nanos(begin.as_nanos() + index as u64 * 20_000_000);
                queue.push(bytes.clone(), Some(tai));
            }
            // A line is 1600 bytes and so two packets of 800.
            let packets = receive(&receiver, 4 * 720);
            assert_eq!(packets.len(), 4 * 720);

            let fields = picture.fields().len();
            let unit_packets = 720 / fields;
            for (index, packet) in packets.iter().enumerate() {
                assert_eq!(packet.header.sequence, 65_000_u16.wrapping_add(index as u16));
                let extended = u16::from_be_bytes([packet.payload[0], packet.payload[1]]);
                assert_eq!(extended, ((65_000 + index as u32) >> 16) as u16);
                assert_eq!((packet.header.ssrc, packet.header.payload_type), (7, 96));
                assert_eq!(packet.header.marker, index % unit_packets == unit_packets - 1);
            }
            let mut arrival = Arrival::new(picture);
            for (sent, packets) in frames.iter().zip(packets.chunks(720)) {
                arrival.clear();
                let mut bytes = vec![0; depacketiser.frame_size()];
                for packet in packets {
                    depacketiser.place(&packet.payload, &mut bytes, &mut arrival).unwrap();
                }
                assert!(arrival.is_complete() && bytes == *sent, "{layout:?} {scan:?} {offload:?}");
            }
            // The timestamps are those of the frames' times.
            let units = if fields == 2 { FrameClock::fields(P50) } else { FrameClock::frames(P50) };
            let first = FrameClock::frames(P50).at(begin);
            for (frame, packets) in (first..).zip(packets.chunks(720)) {
                for (unit, packets) in packets.chunks(unit_packets).enumerate() {
                    let unit = if scan == Scan::Psf { 0 } else { unit };
                    let expected =
                        units.timestamp(frame * fields as u64 + unit as u64, MediaClock::VIDEO);
                    assert!(packets.iter().all(|packet| packet.header.timestamp == expected.0));
                }
            }
            wait_for("the last frame to be counted", || sending.stats().get().frames == 4);
            let sent = sending.stats().get();
            assert_eq!((sent.packets, sent.wrong_sizes, sent.implausible_times), (2880, 0, 0));
            assert_eq!(sending.stats().paths().next().unwrap().packets, 2880);
            queue.end();
            wait_for("the end", || sending.stats().over() == Some(Over::Ended));
        }
    }
}

#[test]
fn packets_of_a_frame_are_spread_over_its_period() {
    let engine = Engine::new(EngineOptions::default());
    let (receiver, to) = receiver();
    let picture = picture(1280, 720, Scan::Progressive);
    let rate = FrameRate { num: 10, den: 1 };
    let queue = Queue::default();
    let session = sender(picture, PixelFormat::Yuv422p10Rfc4175, rate, to);
    let sending = session.start(&engine, queue.clone()).unwrap();
    queue.push(frame(0, picture.packed_size()), None);
    let packets = receive(&receiver, 720 * 3);
    // A tenth of a second, of which 96 % are active. A late thread makes up for some of it, but not
    // by one burst.
    let spread = packets[packets.len() - 1].at - packets[0].at;
    assert!(spread > 40_000_000, "{spread}");
    wait_for("the frame to be counted", || sending.stats().get().frames == 1);
    assert!(sending.stats().get().cinst_max_milli > 0);
}

#[test]
fn a_feed_with_nothing_and_one_that_panics_harm_nobody() {
    struct Panics;
    impl FrameFeed for Panics {
        type Frame = Owned;
        fn next(&mut self) -> Next<Owned> {
            panic!("a feed that panics, as the test wants");
        }
    }
    let engine = Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() });
    let (receiver, to) = receiver();
    let (_other, elsewhere) = self::receiver();
    let picture = picture(640, 360, Scan::Progressive);
    let layout = PixelFormat::Yuv422p10Rfc4175;
    let empty = sender(picture, layout, P50, elsewhere).start(&engine, Queue::default()).unwrap();
    let bad = sender(picture, layout, P50, elsewhere).start(&engine, Panics).unwrap();
    let queue = Queue::default();
    let good = sender(picture, layout, P50, to).start(&engine, queue.clone()).unwrap();
    wait_for("the panic", || bad.stats().over() == Some(Over::Panicked));
    queue.push(vec![0; 100], None);
    for seed in 0..3 {
        queue.push(frame(seed, picture.packed_size()), None);
    }
    assert_eq!(receive(&receiver, 3 * 720).len(), 3 * 720);
    wait_for("idle periods", || empty.stats().get().idle_periods > 3);
    assert_eq!(good.stats().get().wrong_sizes, 1);
    assert_eq!(empty.stats().get().packets, 0);
    assert_eq!(engine.threads()[0], 1);
    good.stop();
    empty.stop();
}

#[test]
fn two_paths_carry_the_same_packets() {
    let engine = Engine::new(EngineOptions::default());
    let ((first, to_first), (second, to_second)) = (receiver(), receiver());
    let picture = picture(640, 360, Scan::Progressive);
    let mut session = sender(picture, PixelFormat::Yuv422p10Rfc4175, P50, to_first);
    session.paths.push(SenderOptions::new(to_second));
    let queue = Queue::default();
    let _sending = session.start(&engine, queue.clone()).unwrap();
    queue.push(frame(1, picture.packed_size()), None);
    let [first, second] = [receive(&first, 720), receive(&second, 720)];
    let same = |(a, b): (&Packet, &Packet)| a.header == b.header && a.payload == b.payload;
    assert!(first.len() == second.len() && first.iter().zip(&second).all(same));
    session.paths.push(SenderOptions::new(to_second));
    assert!(session.start(&engine, queue).is_err());
}

#[test]
fn audio_is_sent_on_the_grid_of_packets() {
    let engine = Engine::new(EngineOptions::default());
    let (receiver, to) = receiver();
    let clock = PacketClock::new(MediaClock::new(48_000, 0).unwrap(), 48).unwrap();
    let session = AudioSender {
        transport: Transport::St2110_30,
        audio: STEREO,
        identity: Identity { payload_type: 97, ssrc: 9, sequence: 0xffff },
        paths: vec![SenderOptions::new(to)],
    };
    let queue = Queue::default();
    let begin = engine.clock().now();
    // Buffers of one packet and of three.
    let mut samples = Vec::new();
    let mut number = 0;
    for index in 0..20 {
        let packets = if index % 2 == 0 { 1 } else { 3 };
        let bytes: Vec<u8> = (0..packets * 288).map(|i| (i * 5 + index * 11) as u8).collect();
        samples.extend_from_slice(&bytes);
        queue.push(bytes, Some(Tai::from_nanos(begin.as_nanos() + number * 1_000_000)));
        number += packets as u64;
    }
    let sending = session.start(&engine, queue.clone()).unwrap();
    let packets = receive(&receiver, 40);
    assert_eq!(
        packets.iter().flat_map(|packet| packet.payload.clone()).collect::<Vec<_>>(),
        samples
    );
    let first = clock.at(begin);
    for (index, packet) in packets.iter().enumerate() {
        assert_eq!(packet.header.timestamp, clock.timestamp(first + index as u64).0);
        assert_eq!(packet.header.sequence, 0xffff_u16.wrapping_add(index as u16));
        assert!(!packet.header.marker);
    }
    wait_for("the count", || sending.stats().get().frames == 20);
    wait_for("idle periods", || sending.stats().get().idle_periods > 0);
    queue.push(vec![0; 287], None);
    wait_for("a refused buffer", || sending.stats().get().wrong_sizes == 1);
    sending.stop();
    let large = AudioSender { audio: Audio { channels: 16, ..STEREO }, ..session };
    let error = large.start(&engine, queue).unwrap_err().to_string();
    assert!(error.contains("2304") && error.contains("1440"), "{error}");
}

#[test]
fn sessions_come_and_go_while_others_run() {
    let engine = Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() });
    let (receiver, to) = receiver();
    let picture = picture(640, 360, Scan::Progressive);
    let queue = Queue::default();
    let sending = sender(picture, PixelFormat::Yuv422p10Rfc4175, P50, to)
        .start(&engine, queue.clone())
        .unwrap();
    let (_other, elsewhere) = self::receiver();
    for seed in 0..5 {
        queue.push(frame(seed, picture.packed_size()), None);
    }
    let audio = AudioSender {
        transport: Transport::St2110_30,
        audio: STEREO,
        identity: Identity::random(97),
        paths: vec![SenderOptions::new(elsewhere)],
    };
    for _ in 0..20 {
        let feed = Queue::default();
        let held = Arc::downgrade(&feed.0);
        let session = audio.start(&engine, feed).unwrap();
        session.stop();
        assert_eq!(held.strong_count(), 0, "the feed is gone after stop()");
    }
    assert_eq!(receive(&receiver, 5 * 720).len(), 5 * 720);
    wait_for("the frames to be counted", || sending.stats().get().frames == 5);
    let stats = sending.stats().clone();
    assert_eq!(stats.over(), None);
    let held = Arc::downgrade(&queue.0);
    drop(queue);
    drop(engine);
    assert_eq!(held.strong_count(), 0, "an engine takes its sessions with it");
}
