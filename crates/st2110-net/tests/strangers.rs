//! Unknown packets at the port of uncompressed video are counted and harmless.

mod common;

use std::net::UdpSocket;

use common::{
    frames::{Queue, Store},
    video::*,
    wait_for,
};
use media::PixelFormat;
use st2110::{rtp::Header, video::Scan};
use st2110_net::engine::{Engine, EngineOptions};

#[test]
fn what_does_not_belong_is_counted_by_reason() {
    let engine = Engine::new(EngineOptions::default());
    let mut stream = Stream::local(PixelFormat::Yuv422p10le, Scan::Progressive);
    stream.receive.origin.ssrc = Some(5);
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = stream.receive.start(&engine, store.clone()).unwrap();
    let _sending = stream.send.start(&engine, queue.clone()).unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = stream.send.paths[0].destination;
    let packet = |payload_type, ssrc, payload: &[u8]| {
        let header = Header { payload_type, ssrc, ..Header::default() };
        [&header.to_bytes(), payload].concat()
    };
    let bad = [
        vec![],
        vec![0; 40],
        vec![0x80; 11],
        packet(96, 5, &[0; 100]),
        packet(112, 6, &[0; 100]),
        packet(112, 5, &[1]),
        vec![0x80; 20_000],
    ];
    queue.push(stream.frames(1).remove(0), None);
    for _ in 0..100 {
        for datagram in &bad {
            stranger.send_to(datagram, to).unwrap();
        }
    }
    let received = wait_frames(&store, 1, &receiving);
    assert!(received[0].bytes[..] == stream.frames(1)[0][..] && received[0].gaps.is_empty());
    let stats = receiving.stats();
    wait_for("all to be counted", || {
        let got = stats.get();
        let others = (got.other_payload_type, got.other_ssrc, got.other_format);
        (got.not_rtp, got.too_long, others) == (300, 100, (100, 100, 100))
    });
    queue.push(stream.frames(2).remove(1), None);
    assert!(wait_frames(&store, 1, &receiving)[0].bytes[..] == stream.frames(2)[1][..]);
}

#[test]
fn a_flood_to_one_port_harms_no_other_stream() {
    let engine = Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() });
    let flooded = Stream::local(PixelFormat::Yuv422p10le, Scan::Progressive);
    let stream = Stream::local(PixelFormat::Yuv422p10le, Scan::Progressive);
    let (victim, store, queue) = (Store::default(), Store::default(), Queue::default());
    let at_victim = flooded.receive.start(&engine, victim.clone()).unwrap();
    let receiving = stream.receive.start(&engine, store.clone()).unwrap();
    let _sending = stream.send.start(&engine, queue.clone()).unwrap();
    let to = flooded.send.paths[0].destination;
    let running = std::sync::atomic::AtomicBool::new(true);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let mut number = 0_u32;
            while running.load(std::sync::atomic::Ordering::Relaxed) {
                // Whatever comes: other senders, numbers and timestamps from nowhere.
                number = number.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let header = Header {
                    payload_type: 112,
                    ssrc: number >> 24,
                    sequence: (number >> 8) as u16,
                    timestamp: number,
                    marker: number & 1 == 1,
                };
                socket
                    .send_to(&[&header.to_bytes()[..], &[(number >> 5) as u8; 600]].concat(), to)
                    .ok();
            }
        });
        for bytes in stream.frames(10) {
            queue.push(bytes, None);
        }
        let received = wait_frames(&store, 10, &receiving);
        running.store(false, std::sync::atomic::Ordering::Relaxed);
        for (sent, got) in stream.frames(10).iter().zip(&received) {
            assert!(got.bytes[..] == sent[..] && got.gaps.is_empty());
        }
    });
    assert!(at_victim.stats().get().packets > 0 && at_victim.stats().over().is_none());
}
