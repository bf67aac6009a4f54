//! Video over networks that lose and disorder packets: exact accounts, and two paths (ST 2022-7).

mod common;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use common::{
    Hosts,
    frames::{Queue, Store},
    local_address,
    video::*,
    wait_for,
};
use st2110::rtp::Header;
use st2110_net::{
    Gap, IncompleteFrames,
    engine::{Engine, EngineOptions},
    receive::Origin,
    socket::{Batch, Offload, Receiver, ReceiverOptions, Sender, SenderOptions},
};
use testkit::drops::{loss, on_hosts};

/// Runs a test on two hosts whose cable carries packets of 1500 bytes.
fn between_hosts(test: impl Fn(&Hosts)) {
    on_hosts(|| Hosts::new(1500), |hosts| test(hosts));
}

#[test]
fn lost_packets_are_counted_exactly_and_shown_in_the_map() {
    between_hosts(lose_every_hundredth);
}

fn lose_every_hundredth(hosts: &Hosts) {
    for incomplete in [IncompleteFrames::Deliver, IncompleteFrames::Repeat, IncompleteFrames::Drop]
    {
        let mut stream = stream_on(hosts, 1);
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
        hosts.filter(1, &incoming("media0", &["numgen inc mod 100 == 99 drop"]));
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
        assert_eq!(packets, 720);
        if (got.lost, path.lost) != (28, 28) {
            loss(format!("28 packets were dropped: {got:?}"));
        }
        assert_eq!(got.packets, 5 * 720 - 28);
        assert_eq!((path.reordered, path.duplicates, got.late), (0, 0, 0));
        match incomplete {
            IncompleteFrames::Drop => {
                assert_eq!((got.frames, got.dropped_frames, store.len()), (1, 4, 0))
            }
            IncompleteFrames::Deliver | IncompleteFrames::Repeat => {
                assert_eq!((got.frames, got.incomplete_frames), (5, 4));
                let mut lost = 0;
                for (index, frame) in store.take().iter().enumerate() {
                    let (sent, previous) = (&frames[index + 1], &frames[0]);
                    for gap in &frame.gaps {
                        let Gap::Pixels(missing) = gap else { panic!("{gap:?}") };
                        lost += missing.pixels as usize;
                        let at = (missing.line * 640 + missing.first) as usize * 2;
                        let luma = at..at + missing.pixels as usize * 2;
                        let expected = if incomplete == IncompleteFrames::Repeat {
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
    between_hosts(lose_on_both_paths);
}

fn lose_on_both_paths(hosts: &Hosts) {
    let mut stream = stream_on(hosts, 2);
    stream.send.paths.iter_mut().for_each(|path| path.offload = Offload::Off);
    // Two independent hashes of the packet's number: the first path counts the packets that the
    // second one loses as well.
    let [first, second] = [1, 2].map(|seed| format!("jhash @th,80,16 mod 1000 seed {seed} < 20"));
    let both = format!("{first} {second} counter name both");
    hosts.filter(1, &incoming("media0", &[&both, &format!("{first} drop")]));
    hosts.filter(1, &incoming("media1", &[&format!("{second} drop")]));
    let engine = Engine::new(EngineOptions::default());
    let (queue, store) = (Queue::default(), Store::default());
    let receiving = hosts.on(1, || stream.receive.start(&engine, store.clone()).unwrap());
    let _sending = hosts.on(0, || stream.send.start(&engine, queue.clone()).unwrap());
    let frames = stream.frames(20);
    frames.iter().for_each(|bytes| queue.push(bytes.clone(), None));
    let received = wait_frames(&store, 20, &receiving);
    let got = receiving.stats().get();
    let both = hosts.0[1].run("nft", &["list", "counter", "netdev", "media0", "both"]);
    let both = both.split("packets ").nth(1).and_then(|it| it.split(' ').next()?.parse().ok());
    if Some(got.lost) != both {
        loss(format!("{both:?} packets on both paths: {:?}", receiving.stats()));
    }
    let paths: Vec<_> = receiving.stats().paths().collect();
    assert!(paths.iter().all(|path| path.lost > 100), "{paths:?}");
    let whole = frames
        .iter()
        .zip(&received)
        .filter(|(sent, got)| got.gaps.is_empty() && got.bytes[..] == sent[..]);
    assert_eq!(whole.count() as u64, 20 - got.incomplete_frames);
    assert!(got.incomplete_frames <= got.lost, "{got:?}");
}

#[test]
fn a_path_that_is_cut_and_comes_back_loses_nothing() {
    between_hosts(cut_each_path);
}

fn cut_each_path(hosts: &Hosts) {
    let stream = stream_on(hosts, 2);
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
    let got = receiving.stats().get();
    if (got.frames, got.incomplete_frames, got.lost) != (40, 0, 0) {
        loss(format!("{got:?}"));
    }
    for (sent, got) in frames.iter().zip(&received) {
        assert!(got.gaps.is_empty() && got.bytes[..] == sent[..]);
    }
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
                for datagram in batch.bundles().flat_map(|bundle| bundle.datagrams().iter()) {
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
