//! Unknown packets at the ports of compressed video, audio and ancillary data are counted and
//! harmless.

mod common;
#[path = "../../st2110/src/jpegxs/sample.rs"]
mod sample;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use common::{
    frames::{Queue, Store},
    local_address,
    video::P50,
    wait_for,
};
use media::{Ancillary, Audio, AudioFormat, PacketTime, SampleRate, Scan};
use st2110::Transport;
use st2110::{
    ancillary::{Packet, write_block},
    jpegxs::{PacketMode, TransmissionMode},
    pacing::SenderType,
    rtp::Header,
};
use st2110_net::{
    IncompleteFrames,
    engine::{Engine, EngineOptions},
    receive::{AncillaryReceiver, AudioReceiver, CodestreamReceiver, Origin, Receiving},
    send::{AncillarySender, AudioSender, CodestreamSender, Identity, Sending},
    socket::{ReceiverOptions, SenderOptions},
};

const PAYLOAD_TYPE: u8 = 101;
const SSRC: u32 = 5;
/// Of the first packet of each stream.
const SEQUENCE: u16 = 65_500;
const LIMIT: usize = 100_000;
const KINDS: [Kind; 4] = [
    Kind::Codestreams,
    Kind::Audio(Transport::St2110_30),
    Kind::Audio(Transport::St2110_31),
    Kind::Ancillary,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Codestreams,
    Audio(Transport),
    Ancillary,
}

/// A stream from this host to itself, which takes packets of one sender and one SSRC.
struct Stream {
    kind: Kind,
    to: SocketAddr,
    contents: Vec<Vec<u8>>,
    queue: Queue,
    store: Store,
    receiving: Receiving,
    _sending: Sending,
}

impl Stream {
    fn start(kind: Kind, engine: &Engine) -> Self {
        let to = local_address();
        let path = ReceiverOptions {
            sources: vec![[127, 0, 0, 1].into()],
            ..ReceiverOptions::new(to.ip(), to.port())
        };
        let origin = Origin { ssrc: Some(SSRC), ..Origin::new(vec![path], PAYLOAD_TYPE) };
        let identity =
            Identity { payload_type: PAYLOAD_TYPE, ssrc: SSRC, sequence: SEQUENCE.into() };
        let paths = vec![SenderOptions::new(to)];
        let (queue, store) = (Queue::default(), Store::default());
        let (feed, sink, incomplete) = (queue.clone(), store.clone(), IncompleteFrames::Deliver);
        let (receiving, sending, contents) = match kind {
            Kind::Codestreams => {
                let (scan, height, limit) = (Scan::Progressive, 1080, LIMIT);
                let receiver = CodestreamReceiver {
                    rate: P50,
                    scan,
                    height,
                    limit,
                    origin,
                    incomplete,
                    ancillary: None,
                };
                let sender = CodestreamSender {
                    mode: PacketMode::Codestream,
                    transmission: TransmissionMode::Sequential,
                    information: None,
                    rate: P50,
                    scan,
                    height,
                    limit,
                    pacing: SenderType::Narrow,
                    identity,
                    paths,
                    ancillary: None,
                };
                let content = |fill| {
                    let slices = vec![5_000, 9_000 + usize::from(fill) * 100];
                    sample::codestream(&sample::Sample { slices, fill, ..Default::default() })
                };
                let receiving = receiver.start(engine, sink);
                (receiving, sender.start(engine, feed), (0..4).map(content).collect())
            }
            Kind::Audio(transport) => {
                let audio = Audio {
                    channels: 2,
                    sample_rate: SampleRate::Hz48000,
                    format: AudioFormat::PcmS24be,
                    packet_time: PacketTime::Ms1,
                };
                let receiver = AudioReceiver { transport, audio, origin, incomplete };
                let sender = AudioSender { transport, audio, identity, paths };
                let content = |fill: u8| (0..288).map(|at| fill ^ at as u8).collect();
                let receiving = receiver.start(engine, sink);
                (receiving, sender.start(engine, feed), (0..4).map(content).collect())
            }
            Kind::Ancillary => {
                let ancillary = Ancillary { rate: P50, scan: Scan::Progressive };
                let receiver = AncillaryReceiver { ancillary, limit: LIMIT, origin, incomplete };
                let sender = AncillarySender { ancillary, identity, paths };
                let content = |fill| {
                    let packets = [Packet::new(0x61, 1, &[fill; 200]), Packet::new(0x41, 5, &[9])];
                    let mut block = vec![0; 1000];
                    let len = write_block([&packets, &[]], &mut block).unwrap();
                    block.truncate(len);
                    block
                };
                let receiving = receiver.start(engine, sink);
                (receiving, sender.start(engine, feed), (0..4).map(content).collect())
            }
        };
        let (receiving, _sending) = (receiving.unwrap(), sending.unwrap());
        Self { kind, to, contents, queue, store, receiving, _sending }
    }

    /// Waits until so many frames have come in a row that are whole and exact.
    fn flows(&self, count: usize) {
        let mut row = 0;
        wait_for(&format!("whole frames of {:?} in a row", self.kind), || {
            if self.queue.0.lock().unwrap().len() < 8 {
                for content in &self.contents {
                    self.queue.push(&content[..], None);
                }
            }
            for frame in self.store.take() {
                let whole = frame.gaps.is_empty() && self.contents.contains(&frame.bytes);
                row = if whole { row + 1 } else { 0 };
            }
            row >= count
        });
    }

    /// Payloads that are none of this kind.
    fn bad_payloads(&self) -> Vec<Vec<u8>> {
        match self.kind {
            Kind::Codestreams => vec![vec![], vec![0], vec![0; 3]],
            // No samples, no whole number of them.
            Kind::Audio(_) => vec![vec![], vec![0; 7], vec![0; 289]],
            Kind::Ancillary => vec![
                vec![],
                vec![0],
                vec![0; 7],
                // Longer than it is; more packets than there are; field 01.
                vec![0, 0, 0xFF, 0xFF, 1, 0, 0, 0, 1, 2, 3, 4],
                vec![0, 0, 0, 0, 255, 0, 0, 0],
                vec![0, 0, 0, 0, 0, 0x40, 0, 0],
            ],
        }
    }
}

fn packet(payload_type: u8, ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let header = Header { payload_type, ssrc, sequence, ..Header::default() };
    [&header.to_bytes()[..], payload].concat()
}

/// Numbers that look random.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 20
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

#[test]
fn what_does_not_belong_is_counted_by_reason() {
    let engine = Engine::new(EngineOptions::default());
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = UdpSocket::bind("127.0.0.2:0").unwrap();
    for kind in KINDS {
        let stream = Stream::start(kind, &engine);
        let send = |socket: &UdpSocket, datagram: &[u8]| {
            socket.send_to(datagram, stream.to).unwrap();
        };
        // Before the stream begins, as its numbers would be, and from its sender.
        let bad = stream.bad_payloads();
        for (sequence, payload) in (SEQUENCE - 20..).zip(&bad) {
            send(&socket, &packet(PAYLOAD_TYPE, SSRC, sequence, payload));
        }
        let stats = stream.receiving.stats();
        wait_for("bad payloads to be counted", || stats.get().other_format == bad.len() as u64);
        let refused = stats.refused();
        let expected = match kind {
            Kind::Codestreams => (0, 0, bad.len() as u64, 0),
            Kind::Audio(_) => (1, 2, 0, 0),
            Kind::Ancillary => (0, refused.length, 6 - refused.length - 1, 1),
        };
        let reasons = (refused.empty, refused.length, refused.truncated, refused.field);
        assert_eq!(reasons, expected, "{kind:?} {refused:?}");
        stream.flows(3);

        let mut long = packet(PAYLOAD_TYPE, SSRC, 0, &[0; 20]);
        // 15 contributing sources, or an extension, that are not there; more padding than packet.
        let cut = [0x8F, 0x90, 0xA0].map(|first| {
            let mut packet = packet(PAYLOAD_TYPE, SSRC, 0, &[0xFF; 20]);
            packet[0] = first;
            packet
        });
        long.resize(20_000, 0);
        let mut strangers = vec![
            vec![],
            vec![0x80; 11],
            vec![0; 40],
            packet(PAYLOAD_TYPE ^ 1, SSRC, 0, &[0; 100]),
            packet(PAYLOAD_TYPE, SSRC ^ 1, 0, &[0; 100]),
            long,
        ];
        strangers.extend(cut);
        for _ in 0..50 {
            strangers.iter().for_each(|datagram| send(&socket, datagram));
            strangers.iter().for_each(|datagram| send(&stranger, datagram));
        }
        wait_for("strangers to be counted", || {
            let got = stats.get();
            let others = (got.other_payload_type, got.other_ssrc, got.other_sender);
            (got.not_rtp, got.too_long, others) == (6 * 50, 50, (50, 50, 9 * 50))
        });
        // Bytes without sense, of all sizes. That one fits in all its fields does not happen.
        let mut numbers = Numbers(7);
        let before = stats.get();
        for len in (0..1500).step_by(3) {
            send(&socket, &numbers.bytes(len));
        }
        wait_for("bytes to be counted", || {
            let got = stats.get();
            let counted =
                |get: fn(&st2110_net::receive::ReceivedCounts) -> u64| get(&got) - get(&before);
            let all = counted(|it| it.not_rtp)
                + counted(|it| it.other_payload_type)
                + counted(|it| it.other_ssrc);
            all == 500
        });
        assert_eq!(stats.get().other_format, bad.len() as u64);
        stream.flows(3);
        assert!(stats.over().is_none());
    }
}

/// Of this process, in KiB.
fn anonymous_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A flood that knows payload type and SSRC, and leaps about in numbers and timestamps with
/// payloads of all sizes.
#[test]
fn a_flood_ends_with_the_flood_and_harms_no_other_stream() {
    const BOUND_KIB: u64 = 64 * 1024;
    let engine = Engine::new(EngineOptions { threads: 1, ..EngineOptions::default() });
    for kind in KINDS {
        let [flooded, other] = [(); 2].map(|()| Stream::start(kind, &engine));
        [&flooded, &other].iter().for_each(|stream| stream.flows(3));
        let (before, running) = (anonymous_kib(), AtomicBool::new(true));
        let stats = flooded.receiving.stats();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                let mut numbers = Numbers(3);
                while running.load(Relaxed) {
                    let (number, len) = (numbers.next(), numbers.next() as usize % 1440);
                    let header = Header {
                        payload_type: PAYLOAD_TYPE,
                        ssrc: SSRC ^ (number >> 30) as u32 & 1,
                        sequence: number as u16,
                        timestamp: numbers.next() as u32,
                        marker: number & 1 == 1,
                    };
                    let datagram = [&header.to_bytes()[..], &numbers.bytes(len)].concat();
                    socket.send_to(&datagram, flooded.to).ok();
                }
            });
            // Two things at once: the flood has had its effect, and the other stream is whole all
            // the time.
            let mut counted = 0;
            while counted < 4000 {
                other.flows(5);
                let paths: u64 = stats.paths().map(|path| path.foreign + path.late).sum();
                counted = stats.get().other_ssrc.min(paths.max(stats.get().other_format));
            }
            running.store(false, Relaxed);
        });
        assert!(anonymous_kib() < before + BOUND_KIB, "{before} KiB before, {}", anonymous_kib());
        // What it left behind goes, and the stream is itself again.
        flooded.flows(5);
        assert!(stats.over().is_none() && stats.get().packets > 0);
    }
}
