//! Video whose packets the kernel lets leave. Needs sch_fq, which not every kernel has:
//! scripts/test-kernel-pacing.sh runs these tests with one that does.
//!
//! That kernel runs as a process of this machine. It has one slow processor, so what arrives is
//! only read when all was sent; the kernel notes the times. Its timers are late by 0.1 to 0.3 ms,
//! most of a burst's time, and more on a busy machine. So Cmax is not kept there, and what can be
//! seen is that the bursts of one awakening do not leave together.

mod common;

use std::{fs, sync::Arc, thread, time::Duration};

use common::{Hosts, frames::Queue, video::*, wait_for};
use media::{PixelFormat, Tai};
use rustix::time::{ClockId, Timespec, clock_gettime};
use st2110::{
    analyser::{Expectation, VideoAnalyser},
    pacing::SenderType,
    rtp::Header,
    video::{Arrival, Depacketiser, RowNumbering, Scan},
};
use st2110_net::{
    engine::{Engine, EngineOptions},
    send::Sending,
    socket::{
        Batch, Interface, KernelPacing, Receiver, ReceiverOptions, Sender, SenderOptions, Warning,
    },
};

const FRAMES: usize = 50;
/// A line of 640 pixels has two packets.
const PACKETS: usize = 720;
/// Bursts of 13 packets in a frame.
const BURSTS: usize = PACKETS / 13;
/// Half of the time between two bursts.
const APART: Duration = Duration::from_micros(180);

/// How often the sending thread went to sleep.
fn sleeps() -> u64 {
    let mut sleeps = 0;
    for task in fs::read_dir("/proc/self/task").unwrap() {
        let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap_or_default();
        let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
        if value("Name:\t").is_some_and(|name| name.starts_with("st2110-tx")) {
            sleeps += value("voluntary_ctxt_switches:\t").unwrap().trim().parse::<u64>().unwrap();
        }
    }
    sleeps
}

type Packet = (Tai, Header, Vec<u8>);

/// How many bursts of a frame arrived well after the one before.
fn bursts_apart(packets: &[Packet]) -> usize {
    packets.windows(2).filter(|pair| pair[1].0.since(pair[0].0) >= APART).count()
}

fn median<T: PartialOrd + Copy>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

/// A stream of 640 × 360 at 50 frames a second from one host to the other.
struct Run {
    stream: Stream,
    /// They are kept: that kernel takes a millisecond to free one.
    frames: Vec<Arc<[u8]>>,
    engine: Engine,
    queue: Queue,
    receivers: Vec<Receiver>,
    sending: Sending,
}

/// What came of it.
struct Outcome {
    /// Sleeps of the sending thread for each frame.
    sleeps: f64,
    /// The median of bursts that arrived apart.
    apart: usize,
    warnings: Vec<Warning>,
}

impl Run {
    fn start(hosts: &Hosts, paths: usize, change: impl FnOnce(&mut Stream)) -> Self {
        let format = PixelFormat::Yuv422p10Rfc4175;
        let picture = picture(format, 640, 360, Scan::Progressive);
        let mut stream = Stream::new(picture, format, "239.77.2.1".parse().unwrap(), 20_000);
        stream.send.pacing = SenderType::Wide;
        let path = stream.send.paths.remove(0);
        let mut receivers = Vec::new();
        for index in 0..paths {
            let interface = Interface::Name(format!("media{index}"));
            let mut options = ReceiverOptions::new(path.destination.ip(), path.destination.port());
            (options.interface, options.buffer) = (interface.clone(), Some(200 << 20));
            receivers.push(hosts.on(1, || Receiver::open(&options).unwrap()));
            let mut path = path.clone();
            path.interface = interface;
            stream.send.paths.push(path);
        }
        change(&mut stream);
        // A thread with real-time priority does not let this one processor deal with what it sent.
        let engine = Engine::new(EngineOptions {
            real_time: false,
            kernel_pacing: true,
            ..EngineOptions::default()
        });
        let queue = Queue::default();
        let sending = hosts.on(0, || stream.send.start(&engine, queue.clone()).unwrap());
        Self { frames: stream.frames(4), stream, engine, queue, receivers, sending }
    }

    fn paced(&self) -> bool {
        self.sending.stats().kernel_paced()
    }

    /// Hands frames over, and waits until they are sent.
    fn send(&self, count: usize) {
        let before = self.sending.stats().get().frames;
        let frames = self.frames.iter().cycle().take(count);
        frames.for_each(|bytes| self.queue.push(bytes.clone(), None));
        wait_for("frames to be sent", || {
            self.sending.stats().get().frames == before + count as u64
        });
        // What the kernel holds is yet to leave.
        thread::sleep(Duration::from_millis(20));
    }

    /// Sends frames, every one of which has to arrive whole on each path.
    fn carry(&self) -> Outcome {
        let before = sleeps();
        self.send(FRAMES);
        let sleeps = (sleeps() - before) as f64 / FRAMES as f64;
        let (mut cinst, mut apart) = (Vec::new(), Vec::new());
        for receiver in &self.receivers {
            let packets = self.read(receiver);
            assert_eq!(packets.len(), FRAMES * PACKETS);
            let numbers = packets.iter().map(|(_, header, _)| header.sequence);
            assert!(numbers.is_sorted_by(|a, b| a.wrapping_add(1) == *b), "in order");
            for (frame, packets) in self.frames.iter().cycle().zip(packets.chunks(PACKETS)) {
                assert!(self.assemble(packets)[..] == frame[..]);
            }
            apart.extend(packets.chunks(PACKETS).map(bursts_apart));
            let rate = Some(P50);
            let mut analyser =
                VideoAnalyser::new(Expectation { frame_rate: rate, ..Expectation::default() });
            let reports = packets.iter().filter_map(|(at, header, payload)| {
                analyser.packet(*at, header, Header::LEN + payload.len())?.cinst
            });
            cinst.extend(reports);
        }
        let (stats, (cinst, apart)) = (self.sending.stats(), (median(cinst), median(apart)));
        println!(
            "paced by the kernel: {}; {}; {sleeps:.1} sleeps and {:.1} ms of CPU time a frame; at the receiver {apart} of {BURSTS} bursts apart, \
             median Cinst {cinst:.1}",
            self.paced(),
            stats.get(),
            self.engine.cpu_time()[0].as_secs_f64() * 1000.0 / stats.get().frames as f64,
        );
        Outcome { sleeps, apart, warnings: stats.warnings() }
    }

    /// All packets that have arrived, with their times.
    fn read(&self, receiver: &Receiver) -> Vec<Packet> {
        let realtime = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        // In whole seconds.
        let ahead = self.engine.clock().now().as_nanos() - realtime.as_nanos() as u64;
        let ahead = (ahead + 500_000_000) / 1_000_000_000 * 1_000_000_000;
        let (mut batch, mut packets) = (Batch::new(), Vec::new());
        loop {
            receiver.receive(&mut batch).unwrap();
            let before = packets.len();
            for bundle in batch.bundles() {
                let at = Tai::from_nanos(bundle.realtime().unwrap() + ahead);
                for datagram in bundle.datagrams().iter() {
                    let (header, payload) = Header::parse(datagram).unwrap();
                    packets.push((at, header, datagram[payload].to_vec()));
                }
            }
            if packets.len() == before {
                return packets;
            }
        }
    }

    fn assemble(&self, packets: &[Packet]) -> Vec<u8> {
        let (picture, layout) = (self.stream.picture, self.stream.send.layout);
        let depacketiser = Depacketiser::new(picture, layout, RowNumbering::PerField).unwrap();
        let mut arrival = Arrival::new(picture);
        let mut bytes = vec![0; depacketiser.frame_size()];
        for (_, _, payload) in packets {
            depacketiser.place(payload, &mut bytes, &mut arrival).unwrap();
        }
        assert!(arrival.is_complete());
        bytes
    }
}

fn root(hosts: &Hosts, device: &str, discipline: &[&str]) {
    hosts.tc(0, &[&["qdisc", "replace", "dev", device, "root"], discipline].concat());
}

#[test]
#[ignore = "needs sch_fq"]
fn a_bundle_leaves_when_it_is_told_to() {
    let Some(hosts) = Hosts::new(1500) else { return };
    root(&hosts, "media0", &["fq"]);
    let to = "10.77.0.2:20000".parse().unwrap();
    let mut options = ReceiverOptions::new("10.77.0.2".parse().unwrap(), 20_000);
    options.times = true;
    let receiver = hosts.on(1, || Receiver::open(&options).unwrap());
    let mut sender = hosts.on(0, || Sender::open(&SenderOptions::new(to)).unwrap());
    let backlog = hosts.on(0, || sender.hold_back()).unwrap();
    assert!(backlog.bundles > 50, "{backlog:?}");
    // A single datagram, and a bundle of two.
    let realtime = clock_gettime(ClockId::Realtime);
    let monotonic = clock_gettime(ClockId::Monotonic);
    let nanos = |time: Timespec| time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64;
    for (milliseconds, bytes) in [(200, &[1; 100][..]), (300, &[2; 200])] {
        sender.leave_at(Some(nanos(monotonic) + milliseconds * 1_000_000));
        sender.send(bytes, 100).unwrap();
    }
    assert!(sender.has_waiting());
    let (mut batch, mut arrived) = (Batch::new(), Vec::new());
    wait_for("three datagrams", || {
        receiver.receive(&mut batch).unwrap();
        for bundle in batch.bundles() {
            let after = (bundle.realtime().unwrap() - nanos(realtime)) / 1_000_000;
            arrived.extend(bundle.datagrams().iter().map(|datagram| (datagram[0], after)));
        }
        arrived.len() == 3
    });
    assert!(!sender.has_waiting());
    let [(1, first), (2, second), (2, third)] = arrived[..] else { panic!("{arrived:?}") };
    assert!((199..290).contains(&first) && second >= 299 && third >= 299, "{arrived:?}");
}

#[test]
#[ignore = "needs sch_fq"]
fn the_kernel_spreads_the_packets() {
    let Some(hosts) = Hosts::new(1500) else { return };
    let run = Run::start(&hosts, 1, |_| {});
    assert!(!run.paced());
    let by_thread = run.carry();
    assert!(by_thread.apart > BURSTS * 2 / 3, "{} bursts apart", by_thread.apart);
    drop(run);
    root(&hosts, "media0", &["fq"]);
    let run = Run::start(&hosts, 1, |_| {});
    assert!(run.paced());
    let by_kernel = run.carry();
    // When packets left is the kernel's knowledge: plans are not counted as if they had been kept.
    let sent = run.sending.stats().get();
    let judged = (sent.compliant_frames, sent.cinst_max_milli, sent.late_max_ns);
    assert_eq!((sent.unjudged_frames, judged), (FRAMES as u64, (0, 0, 0)));
    let others = |warning: &&Warning| !matches!(warning, Warning::Rate { .. });
    assert_eq!(by_kernel.warnings.iter().chain(&by_thread.warnings).find(others), None);
    // A frame lasts 20 ms, and the thread wakes every millisecond or later. What it hands over at
    // once are three bursts or more. On a busy machine a thread that paces them itself is always
    // late there, and sleeps no more often than this; so it is not compared with that.
    assert!(by_kernel.sleeps < BURSTS as f64 / 2.0, "{} sleeps", by_kernel.sleeps);
    assert!(by_kernel.apart > BURSTS * 2 / 3, "{} bursts apart", by_kernel.apart);
}

#[test]
#[ignore = "needs sch_fq"]
fn short_queues_and_buffers_lose_nothing() {
    let Some(hosts) = Hosts::new(1500) else { return };
    root(&hosts, "media0", &["fq", "flow_limit", "16"]);
    for buffer in [1 << 20, 256 << 10] {
        let run = Run::start(&hosts, 1, |stream| stream.send.paths[0].buffer = buffer);
        assert!(run.paced());
        run.carry();
    }
    // So few bundles are not worth it.
    root(&hosts, "media0", &["fq", "flow_limit", "5"]);
    assert!(!Run::start(&hosts, 1, |_| {}).paced());
}

#[test]
#[ignore = "needs sch_fq"]
fn both_paths_or_none() {
    let Some(hosts) = Hosts::new(1500) else { return };
    hosts.second_path(1500);
    root(&hosts, "media0", &["fq"]);
    let run = Run::start(&hosts, 2, |_| {});
    assert!(!run.paced());
    drop(run);
    root(&hosts, "media1", &["fq"]);
    let run = Run::start(&hosts, 2, |_| {});
    assert!(run.paced());
    run.carry();
    let off = |stream: &mut Stream| stream.send.paths[1].kernel_pacing = KernelPacing::Off;
    assert!(!Run::start(&hosts, 2, off).paced());
}

#[test]
#[ignore = "needs sch_fq"]
fn the_route_tells_the_interface() {
    let Some(hosts) = Hosts::new(1500) else { return };
    root(&hosts, "media0", &["fq"]);
    for to in ["10.77.0.2:20000", "[fd77::2]:20000"] {
        for interface in [Interface::Any, Interface::Name("media0".into())] {
            let run = Run::start(&hosts, 1, |stream| {
                let path = &mut stream.send.paths[0];
                (path.destination, path.interface) = (to.parse().unwrap(), interface);
            });
            assert!(run.paced(), "{to}");
        }
    }
}

#[test]
#[ignore = "needs sch_fq"]
fn the_thread_takes_over_when_fq_goes() {
    let Some(hosts) = Hosts::new(1500) else { return };
    root(&hosts, "media0", &["fq"]);
    let run = Run::start(&hosts, 1, |_| {});
    run.send(3);
    assert!(run.paced());
    root(&hosts, "media0", &["pfifo"]);
    wait_for("the thread to take over", || {
        run.send(1);
        !run.paced()
    });
    let warnings = run.sending.stats().warnings();
    let told = warnings.iter().filter(|it| matches!(it, Warning::NoKernelPacing { .. }));
    assert_eq!(told.count(), 1, "{warnings:?}");
    run.read(&run.receivers[0]);
    run.carry();
}
