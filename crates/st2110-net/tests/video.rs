//! Video from one session to another: exact frames, exact accounts of what was lost, and no harm from what does not belong.

mod common;

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use common::{
    Hosts,
    frames::{Frame, Queue, Store, frame},
    local_address, wait_for,
};
use media::{FrameRate, PixelFormat, Tai};
use st2110::{
    pacing::SenderType,
    rtp::Header,
    time::{FrameClock, MediaClock},
    video::{FrameLayout, Packetiser, Packing, Picture, Scan, WireFormat},
};
use st2110_net::{
    Gap, Incomplete,
    engine::{Engine, EngineOptions, Over},
    receive::{Origin, Receiving, VideoReceiver},
    send::{Identity, Sending, VideoSender},
    socket::{Batch, Interface, Offload, Receiver, ReceiverOptions, Sender, SenderOptions},
};

const P50: FrameRate = FrameRate { num: 50, den: 1 };
const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn picture(format: PixelFormat, width: u32, height: u32, scan: Scan) -> Picture {
    Picture::new(WireFormat::of(format), width, height, scan).unwrap()
}

struct Stream {
    picture: Picture,
    format: PixelFormat,
    send: VideoSender,
    receive: VideoReceiver,
}

impl Stream {
    fn new(picture: Picture, format: PixelFormat, address: IpAddr, port: u16) -> Self {
        let layout = FrameLayout::Mesh(format);
        let options = ReceiverOptions::new(address, port);
        Self {
            picture,
            format,
            send: VideoSender {
                picture,
                layout,
                packing: Packing::General,
                rate: P50,
                pacing: SenderType::Narrow,
                identity: Identity { payload_type: 112, ssrc: 5, sequence: 65_000 },
                paths: vec![SenderOptions::new(SocketAddr::new(address, port))],
                ancillary: None,
            },
            receive: VideoReceiver {
                picture,
                layout,
                rate: P50,
                origin: Origin::new(vec![options], 112),
                incomplete: Incomplete::Deliver,
                ancillary: None,
            },
        }
    }

    fn at(picture: Picture, format: PixelFormat, address: SocketAddr) -> Self {
        Self::new(picture, format, address.ip(), address.port())
    }

    fn local(format: PixelFormat, scan: Scan) -> Self {
        Self::at(picture(format, 640, 360, scan), format, local_address())
    }

    /// Of few packets, for relays that share the processors with everything else.
    fn small() -> Self {
        let format = PixelFormat::Yuv422p10le;
        Self::at(picture(format, 320, 180, Scan::Progressive), format, local_address())
    }

    fn frames(&self, count: usize) -> Vec<Arc<[u8]>> {
        let len = self.format.frame_size(self.picture.width(), self.picture.height()).unwrap();
        (0..count).map(|seed| frame(self.format, seed, len).into()).collect()
    }

    fn packets(&self) -> usize {
        let layout = FrameLayout::Mesh(self.format);
        Packetiser::new(self.picture, layout, Packing::General, 1452).unwrap().frame_packets()
    }
}

fn wait_frames(store: &Store, count: usize, receiving: &Receiving) -> Vec<Frame> {
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while store.len() < count {
        assert!(
            std::time::Instant::now() < end,
            "{} of {count}: {:?}",
            store.len(),
            receiving.stats()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    store.take()
}

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
                // Whatever comes: other senders, numbers and time stamps from nowhere.
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

/// Two hosts, and a stream by multicast with a source filter.
fn on_hosts(hosts: &Hosts, paths: usize) -> Stream {
    let format = PixelFormat::Yuv422p10le;
    let picture = picture(format, 640, 360, Scan::Progressive);
    let mut stream = Stream::new(picture, format, "239.77.2.1".parse().unwrap(), 20_000);
    if paths > 1 {
        hosts.second_path(1500);
        stream.send.paths.push(stream.send.paths[0].clone());
        let receiver = stream.receive.origin.paths[0].clone();
        // A busy host holds the sender up for longer than class A allows.
        let skew = Duration::from_millis(450);
        stream.receive.origin =
            Origin { skew, ..Origin::new(vec![receiver.clone(), receiver], 112) };
    }
    for path in 0..paths {
        let interface = Interface::Name(format!("media{path}"));
        stream.send.paths[path].interface = interface.clone();
        stream.receive.origin.paths[path].interface = interface;
        stream.receive.origin.paths[path].sources =
            vec![format!("10.7{}.0.1", 7 + path).parse().unwrap()];
    }
    stream
}

/// A host drops the packets that `rule` says when they come in. The sender must not bundle them, or bundles are dropped.
fn drop_rule(device: &str, rule: &str) -> String {
    format!(
        "table netdev loss-{device} {{ chain in {{ type filter hook ingress device {device} priority 0; policy accept; \
         meta l4proto udp {rule} drop\n }}\n}}\n"
    )
}

#[test]
fn lost_packets_are_counted_exactly_and_shown_in_the_map() {
    let Some(hosts) = Hosts::new(1500) else { return };
    for incomplete in [Incomplete::Deliver, Incomplete::Repeat, Incomplete::Drop] {
        let mut stream = on_hosts(&hosts, 1);
        stream.receive.incomplete = incomplete;
        stream.send.paths[0].offload = Offload::Off;
        let engine = Engine::new(EngineOptions::default());
        let (queue, store) = (Queue::default(), Store::default());
        let receiving = hosts.on(1, || stream.receive.start(&engine, store.clone()).unwrap());
        let sending = hosts.on(0, || stream.send.start(&engine, queue.clone()).unwrap());
        let frames = stream.frames(6);
        queue.push(frames[0].clone(), None);
        assert!(wait_frames(&store, 1, &receiving)[0].gaps.is_empty());
        // From here on every hundredth packet, beginning with the first.
        if hosts.filter(1, &drop_rule("media0", "numgen inc mod 100 == 99")).is_none() {
            return;
        }
        frames[1..5].iter().for_each(|bytes| queue.push(bytes.clone(), None));
        let packets = stream.packets();
        wait_for("the last frame to be sent", || sending.stats().get().frames == 5);
        wait_for("all packets", || {
            let got = receiving.stats().get();
            got.frames + got.dropped_frames >= 5 && got.packets + got.lost >= 5 * packets as u64 - 1
        });
        let got = receiving.stats().get();
        let path = receiving.stats().paths().next().unwrap();
        // 4 × 720 packets, every hundredth is lost: 28 of them.
        assert_eq!((packets, got.lost, path.lost), (720, 28, 28), "{got:?}");
        assert_eq!(got.packets, 5 * 720 - 28);
        assert_eq!((path.reordered, path.duplicates, got.late), (0, 0, 0));
        match incomplete {
            Incomplete::Drop => {
                assert_eq!((got.frames, got.dropped_frames, store.len()), (1, 4, 0))
            }
            Incomplete::Deliver | Incomplete::Repeat => {
                assert_eq!((got.frames, got.incomplete_frames), (5, 4));
                let mut lost = 0;
                for (index, frame) in store.take().iter().enumerate() {
                    let (sent, previous) = (&frames[index + 1], &frames[0]);
                    for gap in &frame.gaps {
                        let Gap::Pixels(missing) = gap else { panic!("{gap:?}") };
                        lost += missing.pixels as usize;
                        let at = (missing.line * 640 + missing.first) as usize * 2;
                        let luma = at..at + missing.pixels as usize * 2;
                        let expected = if incomplete == Incomplete::Repeat {
                            &previous[luma.clone()]
                        } else {
                            &vec![0; luma.len()][..]
                        };
                        assert!(frame.bytes[luma.clone()] == *expected);
                        assert!(sent[luma.clone()] != *expected);
                    }
                }
                // A packet has half a line.
                assert_eq!(lost, 28 * 320);
            }
        }
        hosts.filter(1, "flush ruleset");
    }
}

#[test]
fn two_lossy_paths_make_whole_frames() {
    let Some(hosts) = Hosts::new(1500) else { return };
    let mut stream = on_hosts(&hosts, 2);
    stream.send.paths.iter_mut().for_each(|path| path.offload = Offload::Off);
    for device in ["media0", "media1"] {
        if hosts.filter(1, &drop_rule(device, "numgen random mod 1000 < 20")).is_none() {
            return;
        }
    }
    let engine = Engine::new(EngineOptions::default());
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = hosts.on(1, || stream.receive.start(&engine, store.clone()).unwrap());
    let _sending = hosts.on(0, || stream.send.start(&engine, queue.clone()).unwrap());
    let frames = stream.frames(20);
    frames.iter().for_each(|bytes| queue.push(bytes.clone(), None));
    let received = wait_frames(&store, 20, &receiving);
    let got = receiving.stats().get();
    let paths: Vec<_> = receiving.stats().paths().collect();
    assert!(paths.iter().all(|path| path.lost > 100), "{paths:?}");
    // Both copies of a packet are lost in four of ten thousand cases; such a frame has just that gap.
    assert!(got.lost < 40, "{got:?}");
    let whole = frames
        .iter()
        .zip(&received)
        .filter(|(sent, got)| got.gaps.is_empty() && got.bytes[..] == sent[..]);
    assert_eq!(whole.count() as u64, 20 - got.incomplete_frames);
    assert!(got.incomplete_frames <= got.lost, "{got:?}");
}

#[test]
fn a_path_that_is_cut_and_comes_back_loses_nothing() {
    let Some(hosts) = Hosts::new(1500) else { return };
    let stream = on_hosts(&hosts, 2);
    let engine = Engine::new(EngineOptions::default());
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = hosts.on(1, || stream.receive.start(&engine, store.clone()).unwrap());
    let sending = hosts.on(0, || stream.send.start(&engine, queue.clone()).unwrap());
    let frames = stream.frames(40);
    let mut received = Vec::new();
    for (index, cut) in [None, Some("media0"), None, Some("media1"), None].into_iter().enumerate() {
        if let Some(device) = cut {
            hosts.ip(0, &["link", "set", device, "down"]);
        }
        for bytes in &frames[index * 8..][..8] {
            queue.push(bytes.clone(), None);
        }
        received.extend(wait_frames(&store, 8, &receiving));
        if let Some(device) = cut {
            hosts.ip(0, &["link", "set", device, "up"]);
        }
    }
    for (sent, got) in frames.iter().zip(&received) {
        assert!(got.gaps.is_empty() && got.bytes[..] == sent[..]);
    }
    let got = receiving.stats().get();
    assert_eq!((got.frames, got.incomplete_frames, got.lost), (40, 0, 0));
    assert!(
        receiving.stats().paths().all(|path| path.received >= 24 * 720 && path.received < 40 * 720)
    );
    assert!(sending.stats().paths().all(|path| path.refused > 0));
}

/// What a relay does with a packet.
enum Pass {
    Drop,
    After(Duration),
    /// It comes after so many others that were sent after it.
    Behind(u64),
}

/// Passes packets on to a port of this host, as it is told.
struct Relay {
    running: Arc<std::sync::atomic::AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
    address: SocketAddr,
}

impl Relay {
    /// `pass` gets each packet's number and says what is done with it.
    fn start(to: SocketAddr, pass: impl Fn(u16) -> Pass + Send + 'static) -> Self {
        let receiver = Receiver::open(&ReceiverOptions::new(LOCAL, 0)).unwrap();
        let address = receiver.local_address().unwrap();
        let running = Arc::new(std::sync::atomic::AtomicBool::new(true));
        let goes_on = running.clone();
        let thread = std::thread::spawn(move || {
            let mut sender = Sender::open(&SenderOptions::new(to)).unwrap();
            let mut batch = Batch::new();
            let mut held = std::collections::BTreeMap::new();
            let mut behind = std::collections::BTreeMap::new();
            let mut count = 0_u64;
            while goes_on.load(std::sync::atomic::Ordering::Relaxed) {
                receiver.receive(&mut batch).unwrap();
                let now = std::time::Instant::now();
                for datagram in batch.bundles().flat_map(|bundle| bundle.datagrams()) {
                    let (header, _) = Header::parse(datagram).unwrap();
                    count += 1;
                    match pass(header.sequence) {
                        Pass::Drop => {}
                        Pass::After(delay) => {
                            drop(held.insert((now + delay, 2 * count), datagram.to_vec()))
                        }
                        Pass::Behind(others) => {
                            drop(behind.insert(count + others, datagram.to_vec()))
                        }
                    }
                    if let Some(datagram) = behind.remove(&count) {
                        held.insert((now, 2 * count + 1), datagram);
                    }
                }
                while let Some(first) = held.first_entry()
                    && first.key().0 <= now
                {
                    let datagram = first.remove();
                    while sender.send(&datagram, datagram.len()).is_err() {}
                }
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        Self { running, thread: Some(thread), address }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.running.store(false, std::sync::atomic::Ordering::Relaxed);
        self.thread.take().unwrap().join().ok();
    }
}

/// A number between 0 and 99 that belongs to a sequence number, and looks random.
fn percent(sequence: u16) -> u32 {
    (u32::from(sequence).wrapping_mul(0x9e37_79b1) >> 16) % 100
}

#[test]
fn two_paths_with_loss_and_skew_lose_no_frame() {
    let mut stream = Stream::small();
    let second =
        ReceiverOptions { address: local_address().ip(), ..stream.receive.origin.paths[0].clone() };
    let first = stream.receive.origin.paths.remove(0);
    // Two percent on each path, never the same packet on both; the second path is 5 ms longer.
    let relays = [
        Relay::start(SocketAddr::new(first.address, first.port), |number| {
            if percent(number) < 2 { Pass::Drop } else { Pass::After(Duration::ZERO) }
        }),
        Relay::start(SocketAddr::new(second.address, second.port), |number| {
            if (2..4).contains(&percent(number)) {
                Pass::Drop
            } else {
                Pass::After(Duration::from_millis(5))
            }
        }),
    ];
    // Class C (450 ms): a busy host holds the relays up for longer than class A allows.
    stream.receive.origin =
        Origin { skew: Duration::from_millis(450), ..Origin::new(vec![first, second], 112) };
    stream.send.paths = relays.iter().map(|relay| SenderOptions::new(relay.address)).collect();
    let engine = Engine::new(EngineOptions::default());
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = stream.receive.start(&engine, store.clone()).unwrap();
    let _sending = stream.send.start(&engine, queue.clone()).unwrap();
    let frames = stream.frames(30);
    frames.iter().for_each(|bytes| queue.push(bytes.clone(), None));
    let received = wait_frames(&store, 30, &receiving);
    for (sent, got) in frames.iter().zip(&received) {
        assert!(got.gaps.is_empty() && got.bytes[..] == sent[..], "{:?}", receiving.stats());
    }
    let got = receiving.stats().get();
    assert_eq!((got.lost, got.incomplete_frames, got.packets), (0, 0, 30 * 180));
    let numbers = (0..30 * 180).map(|index| 65_000_u16.wrapping_add(index as u16));
    wait_for("the longer path", || receiving.stats().paths().nth(1).unwrap().received > 5_000);
    let lost = numbers.filter(|number| percent(*number) < 2).count() as u64;
    wait_for("what the first path lost", || receiving.stats().paths().next().unwrap().lost == lost);
}

#[test]
fn reordered_packets_are_counted_and_their_frames_whole() {
    let mut stream = Stream::small();
    stream.receive.origin.skew = Duration::from_millis(450);
    // Every hundredth packet comes behind twenty others, some of them in the next frame.
    let late = |number: u16| number.wrapping_sub(65_000) % 100 == 50;
    let to = stream.send.paths[0].destination;
    let relay =
        Relay::start(
            to,
            move |number| {
                if late(number) { Pass::Behind(20) } else { Pass::After(Duration::ZERO) }
            },
        );
    stream.send.paths[0].destination = relay.address;
    let engine = Engine::new(EngineOptions::default());
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = stream.receive.start(&engine, store.clone()).unwrap();
    let _sending = stream.send.start(&engine, queue.clone()).unwrap();
    let frames = stream.frames(10);
    frames.iter().for_each(|bytes| queue.push(bytes.clone(), None));
    let received = wait_frames(&store, 10, &receiving);
    for (sent, got) in frames.iter().zip(&received) {
        assert!(got.gaps.is_empty() && got.bytes[..] == sent[..], "{:?}", receiving.stats());
    }
    let (got, path) = (receiving.stats().get(), receiving.stats().paths().next().unwrap());
    assert_eq!((path.reordered, path.lost, path.duplicates, got.late), (18, 0, 0, 0));
}
