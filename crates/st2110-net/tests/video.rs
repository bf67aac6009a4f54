//! Video from one session to another: frames are exact, whatever sinks do.

mod common;

use common::{
    frames::{Queue, Store},
    video::*,
    wait_for,
};
use media::{PixelFormat, Tai};
use st2110::{
    time::{FrameClock, MediaClock},
    video::{Packing, Scan},
};
use st2110_net::{
    engine::{Engine, EngineOptions, Over},
    send::Sending,
    socket::Offload,
};

#[test]
fn every_format_and_scan_is_exact() {
    use PixelFormat as P;
    let engine = Engine::new(EngineOptions::default());
    let cases = [
        (P::Yuv422p10le, Scan::Progressive, Packing::General),
        (P::Yuv422p10le, Scan::Interlaced, Packing::Block),
        (P::V210, Scan::Progressive, Packing::General),
        (P::Yuv422p10Rfc4175, Scan::Psf, Packing::General),
        (P::Uyvy422, Scan::Interlaced, Packing::General),
        (P::Yuv420p, Scan::Progressive, Packing::General),
        (P::Rgb24, Scan::Progressive, Packing::Block),
    ];
    for (format, scan, packing) in cases {
        for offload in [Offload::Automatic, Offload::Off] {
            let mut stream = Stream::local(format, scan);
            stream.send.packing = packing;
            stream.send.paths[0].offload = offload;
            stream.receive.origin.paths[0].offload = offload;
            let (queue, store) = (Queue::default(), Store::default());
            let receiving = stream.receive.start(&engine, store.clone()).unwrap();
            let sending = stream.send.start(&engine, queue.clone()).unwrap();
            let frames = stream.frames(3);
            let begin = engine.clock().now();
            for (index, bytes) in frames.iter().enumerate() {
                queue.push(
                    bytes.clone(),
                    Some(Tai::from_nanos(begin.as_nanos() + index as u64 * 20_000_000)),
                );
            }
            let received = wait_frames(&store, 3, &receiving);
            let clock = FrameClock::frames(P50);
            for (number, (sent, got)) in (clock.at(begin)..).zip(frames.iter().zip(&received)) {
                assert!(got.bytes[..] == sent[..], "{format:?} {scan:?} {packing:?} {offload:?}");
                assert_eq!((got.tai, got.gaps.len()), (clock.start(number), 0));
                assert_eq!(got.timestamp, clock.timestamp(number, MediaClock::VIDEO).0);
                assert!(got.metadata.is_empty());
            }
            let (sent, got) = (sending.stats().get(), receiving.stats().get());
            assert_eq!((got.packets, got.bytes), (sent.packets, sent.bytes));
            assert_eq!(
                (got.lost, got.incomplete_frames, got.late, got.unaligned_times),
                (0, 0, 0, 0)
            );
            receiving.stop();
        }
    }
}

#[test]
fn a_sink_without_room_drops_frames_and_harms_nobody() {
    let engine = Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() });
    let streams = [(); 2].map(|()| Stream::local(PixelFormat::Yuv422p10le, Scan::Progressive));
    let stores = [(); 2].map(|()| Store::default());
    stores[0].set_room(false);
    let queues = [(); 2].map(|()| Queue::default());
    let receiving: Vec<_> = streams
        .iter()
        .zip(&stores)
        .map(|(stream, store)| stream.receive.start(&engine, store.clone()).unwrap())
        .collect();
    let _sending: Vec<Sending> = streams
        .iter()
        .zip(&queues)
        .map(|(stream, queue)| stream.send.start(&engine, queue.clone()).unwrap())
        .collect();
    for (stream, queue) in streams.iter().zip(&queues) {
        stream.frames(4).into_iter().for_each(|bytes| queue.push(bytes, None));
    }
    assert_eq!(wait_frames(&stores[1], 4, &receiving[1]).len(), 4);
    wait_for("dropped frames", || receiving[0].stats().get().frames_without_slot == 4);
    stores[0].set_room(true);
    queues[0].push(streams[0].frames(1).remove(0), None);
    assert!(wait_frames(&stores[0], 1, &receiving[0])[0].gaps.is_empty());
}

/// Neither the time of a frame nor the thread that is late says that packets are missing: those
/// that wait in the socket are read first.
#[test]
fn a_thread_that_is_held_up_loses_no_frame() {
    use common::frames::Memory;
    struct Slow(Store);
    impl st2110_net::FrameSink for Slow {
        type Slot = Memory;
        fn slot(&mut self, payload: usize) -> Option<Memory> {
            self.0.slot(payload)
        }
        fn commit(&mut self, slot: Memory, frame: &st2110_net::Received<'_>) -> bool {
            // Five frame periods, as if the host had stood still.
            if self.0.len() % 8 == 1 {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            self.0.commit(slot, frame)
        }
    }
    let engine = Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() });
    let stream = Stream::local(PixelFormat::Yuv422p10le, Scan::Progressive);
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = stream.receive.start(&engine, Slow(store.clone())).unwrap();
    let _sending = stream.send.start(&engine, queue.clone()).unwrap();
    const FRAMES: usize = 40;
    stream.frames(FRAMES).into_iter().for_each(|bytes| queue.push(bytes, None));
    let frames = wait_frames(&store, FRAMES, &receiving);
    assert!(frames.iter().all(|frame| frame.gaps.is_empty()), "{:?}", receiving.stats());
    let counts = receiving.stats().get();
    assert_eq!((counts.lost, counts.late, counts.incomplete_frames), (0, 0, 0));
}

#[test]
fn a_sink_that_panics_ends_alone() {
    struct Panics;
    impl st2110_net::FrameSink for Panics {
        type Slot = common::frames::Memory;
        fn slot(&mut self, _: usize) -> Option<Self::Slot> {
            panic!("a sink that panics, as the test wants");
        }
        fn commit(&mut self, _: Self::Slot, _: &st2110_net::Received<'_>) -> bool {
            true
        }
    }
    let engine = Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() });
    let streams = [(); 2].map(|()| Stream::local(PixelFormat::Yuv422p10le, Scan::Progressive));
    let store = Store::default();
    let bad = streams[0].receive.start(&engine, Panics).unwrap();
    let good = streams[1].receive.start(&engine, store.clone()).unwrap();
    let queues = [(); 2].map(|()| Queue::default());
    let _sending: Vec<Sending> = streams
        .iter()
        .zip(&queues)
        .map(|(stream, queue)| stream.send.start(&engine, queue.clone()).unwrap())
        .collect();
    for (stream, queue) in streams.iter().zip(&queues) {
        stream.frames(2).into_iter().for_each(|bytes| queue.push(bytes, None));
    }
    assert_eq!(wait_frames(&store, 2, &good).len(), 2);
    wait_for("the end of the bad one", || bad.stats().over() == Some(Over::Panicked));
}
