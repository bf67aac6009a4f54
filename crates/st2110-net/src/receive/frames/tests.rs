//! Property test: packets that arrive in bundles make the same frames as single ones.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use media::PixelFormat;
use proptest::prelude::*;
use st2110::{
    rtp::{Datagrams, Header},
    video::{FrameLayout, Packetiser, Packing, Picture, Scan as Scanned, WireFormat},
};

use super::{
    super::{pictures::Pictures, selection::Selection},
    *,
};
use crate::socket::ReceiverOptions;

const RATE: FrameRate = FrameRate { num: 50, den: 1 };
const PERIOD: u64 = 20_000_000;
const LAYOUT: FrameLayout = FrameLayout::Mesh(PixelFormat::Uyvy422);

/// Keeps what it is given, and has no room for some frames.
#[derive(Default)]
struct Sink {
    asked: usize,
    room_for: usize,
    frames: Given,
}

/// What is known of frames, and their payloads.
type Given = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// What slots hold when they are given out: they have been used before.
const USED: u8 = 0xEE;

struct Slot(Vec<u8>);

impl FrameSlot for Slot {
    fn payload(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl FrameSink for Sink {
    type Slot = Slot;

    fn slot(&mut self, payload: usize) -> Option<Slot> {
        self.asked += 1;
        (!self.asked.is_multiple_of(self.room_for)).then(|| Slot(vec![USED; payload]))
    }

    fn commit(&mut self, slot: Slot, frame: &Received<'_>) -> bool {
        self.frames.lock().unwrap().push((format!("{frame:?}"), slot.0));
        true
    }
}

/// All of a session but its sockets.
struct Session {
    selection: Selection,
    frames: Frames<Sink, Pictures>,
    given: Given,
}

impl Session {
    fn new(picture: Picture, paths: usize, incomplete: IncompleteFrames, room_for: usize) -> Self {
        let path = ReceiverOptions::new([127, 0, 0, 1].into(), 0);
        let origin =
            Origin { skew: Duration::from_millis(3), ..Origin::new(vec![path; paths], 96) };
        let stream = Stream {
            origin: &origin,
            width: NumberWidth::Bits32,
            traffic: Traffic { packets: 1000, bytes: 0 },
            rate: RATE,
            scan: match picture.scan() {
                Scanned::Progressive => Scan::Progressive,
                Scanned::Interlaced => Scan::Interlaced,
                Scanned::Psf => Scan::Psf,
            },
            height: picture.height(),
            incomplete,
            ancillary: None,
        };
        let stats = Arc::new(ReceiveStats::new(paths, Vec::new()));
        let (width, packets) = (stream.width, stream.traffic.packets);
        let selection =
            Selection::new(&origin, width, packets, &stream.analyser(), Arc::clone(&stats));
        let given = Given::default();
        let sink = Sink { asked: 0, room_for, frames: given.clone() };
        let pictures = Pictures::new(picture, LAYOUT).unwrap();
        let frames = Frames::new(&stream, pictures, sink, None, stats);
        Self { selection, frames, given }
    }

    fn receive(&mut self, path: usize, datagrams: Datagrams<'_>, at: Tai) {
        let frames = &mut self.frames;
        self.selection.datagrams(path, datagrams, at, &mut |packets| {
            let taken = frames.packets(packets);
            assert!(taken.wants_more);
            taken.refused
        });
    }

    /// All that others see of it.
    fn state(&mut self) -> String {
        self.selection.publish();
        self.selection.show();
        self.frames.publish();
        let stats = self.selection.stats();
        let paths: Vec<_> = stats.paths().collect();
        let deadline = self.frames.window.deadline();
        format!("{:?} {paths:?} {deadline:?} {:?}", stats.get(), stats.analyses())
    }
}

/// Datagrams that arrive on a path at once.
struct Bundle {
    at: u64,
    path: usize,
    bytes: Vec<u8>,
    length: usize,
    /// The last one was shorter.
    closed: bool,
}

/// A sender, and a network that does anything to its packets.
struct Network<'a> {
    picture: Picture,
    packetiser: &'a Packetiser,
    path: usize,
    ssrc: u32,
    number: u32,
    time: u64,
    sent: VecDeque<Vec<u8>>,
    held: Option<Vec<u8>>,
    bundles: Vec<Bundle>,
}

impl Network<'_> {
    fn frames(&mut self, start: u64, choices: &[u8]) {
        let mut choices = choices.iter().copied();
        let packets = self.packetiser.frame_packets() as u64;
        for n in 0.. {
            let frame = vec![n as u8 + 1; self.packetiser.frame_size()];
            let began = start + n * PERIOD;
            self.time = self.time.max(began);
            for (index, field) in self.picture.fields().iter().enumerate() {
                let ticks = (began + index as u64 * PERIOD / 2) / 100_000 * 9;
                for index in 0..self.packetiser.packets(*field) {
                    let Some(choice) = choices.next() else { return };
                    self.time += PERIOD / packets / 2;
                    let mut packet = vec![0; Header::LEN + self.packetiser.size(*field, index)];
                    let range = index..index + 1;
                    self.packetiser.write(&frame, *field, range, self.number, &mut packet).unwrap();
                    let header = Header {
                        marker: index + 1 == self.packetiser.packets(*field),
                        payload_type: 96,
                        sequence: self.number as u16,
                        timestamp: ticks as u32,
                        ssrc: self.ssrc,
                    };
                    packet[..Header::LEN].copy_from_slice(&header.to_bytes());
                    self.number = self.number.wrapping_add(1);
                    self.packet(packet, header, choice);
                }
            }
        }
    }

    fn packet(&mut self, mut packet: Vec<u8>, header: Header, choice: u8) {
        let put = |packet: &mut Vec<u8>, header: Header| {
            packet[..Header::LEN].copy_from_slice(&header.to_bytes());
        };
        match choice {
            0 => return,
            1 => self.arrive(&packet.clone()),
            2 | 3 => {
                if let Some(old) = self.held.replace(packet) {
                    self.arrive(&old);
                }
                return;
            }
            4 => put(&mut packet, Header { ssrc: 77, ..header }),
            5 => put(&mut packet, Header { payload_type: 97, ..header }),
            6 => put(&mut packet, Header { timestamp: header.timestamp + 900_000, ..header }),
            7 => put(&mut packet, Header { marker: !header.marker, ..header }),
            8 => packet[Header::LEN + 2 + usize::from(choice) % 6] ^= 4,
            9 => packet[Header::LEN + 4] ^= 0x80,
            10 => packet[0] ^= 0x20,
            11 => packet.truncate(usize::from(self.number as u16 % 40)),
            12 | 13 => {
                let index = self.sent.len() / usize::from(choice - 10);
                if let Some(old) = self.sent.get(index).cloned() {
                    self.arrive(&old);
                }
            }
            14 => {
                // The sender starts again after a while.
                (self.ssrc, self.number) = (self.ssrc + 1, self.number ^ 0x5555_0000);
                self.time += 30_000_000;
            }
            15 => self.time += 100_000_000,
            16..60 => self.time += u64::from(choice) * 1000,
            // A new bundle: packets come together as long as they are of one moment.
            60..80 => self.cut(),
            _ => {}
        }
        self.arrive(&packet);
        if let Some(held) = self.held.take() {
            self.arrive(&held);
        }
        self.sent.push_back(packet);
        if self.sent.len() > 40 {
            self.sent.pop_front();
        }
    }

    fn cut(&mut self) {
        if let Some(bundle) = self.bundles.last_mut() {
            bundle.closed = true;
        }
    }

    fn arrive(&mut self, packet: &[u8]) {
        if let Some(bundle) = self.bundles.last_mut()
            && !bundle.closed
            && packet.len() <= bundle.length
            && !packet.is_empty()
        {
            bundle.bytes.extend_from_slice(packet);
            bundle.closed = packet.len() < bundle.length;
            return;
        }
        let (at, path, length) = (self.time, self.path, packet.len());
        let closed = packet.is_empty();
        self.bundles.push(Bundle { at, path, bytes: packet.to_vec(), length, closed });
    }
}

/// The payloads of two frames that are received, the packets of one of them with gaps.
fn with_a_gap(incomplete: IncompleteFrames, frame_with_gap: usize) -> Vec<Vec<u8>> {
    let picture = Picture::new(WireFormat::YCBCR_422_8, 64, 26, Scanned::Progressive).unwrap();
    let packetiser = Packetiser::new(picture, LAYOUT, Packing::General, 256).unwrap();
    let mut network = Network {
        picture,
        packetiser: &packetiser,
        path: 0,
        ssrc: 1,
        number: 0,
        time: 0,
        sent: VecDeque::new(),
        held: None,
        bundles: Vec::new(),
    };
    const SENT: u8 = 255;
    const LOST: u8 = 0;
    let packets = packetiser.frame_packets();
    let mut choices = vec![SENT; 2 * packets];
    choices[frame_with_gap * packets + 3] = LOST;
    network.frames(5_000_000_000_000, &choices);
    let mut session = Session::new(picture, 1, incomplete, 100);
    for bundle in &network.bundles {
        let at = Tai::from_nanos(bundle.at);
        session.receive(0, Datagrams::new(&bundle.bytes, bundle.length), at);
    }
    session.frames.deliver(Tai::from_nanos(u64::MAX), true);
    let given = session.given.lock().unwrap();
    given.iter().map(|(_, payload)| payload.clone()).collect()
}

#[test]
fn missing_pixels_are_zero_whatever_the_slot_held() {
    // Frames are filled with 1 and 2.
    for (incomplete, with_gap, inside) in [
        (IncompleteFrames::Deliver, 0, 0),
        (IncompleteFrames::Deliver, 1, 0),
        // There is nothing to repeat before the first complete frame.
        (IncompleteFrames::Repeat, 0, 0),
        (IncompleteFrames::Repeat, 1, 1),
    ] {
        let frames = with_a_gap(incomplete, with_gap);
        assert_eq!(frames.len(), 2);
        for (number, frame) in frames.iter().enumerate() {
            let own = number as u8 + 1;
            let others: Vec<u8> = frame.iter().copied().filter(|byte| *byte != own).collect();
            assert_eq!(others.is_empty(), number != with_gap, "{incomplete:?} {with_gap}");
            assert!(others.iter().all(|byte| *byte == inside), "{incomplete:?} {with_gap}");
        }
    }
}

proptest! {
    #[test]
    fn bundles_are_received_as_single_datagrams_are(
        choices in prop::collection::vec(any::<u8>(), 1..600),
        scan in prop::sample::select(&[Scanned::Progressive, Scanned::Interlaced, Scanned::Psf][..]),
        paths in 1_usize..3, behind in 0_u64..6_000_000, start in 0_u32..3, room_for in 3_usize..40,
        incomplete in prop::sample::select(
            &[IncompleteFrames::Deliver, IncompleteFrames::Repeat, IncompleteFrames::Drop][..]),
    ) {
        let picture = Picture::new(WireFormat::YCBCR_422_8, 64, 26, scan).unwrap();
        let packetiser = Packetiser::new(picture, LAYOUT, Packing::General, 256).unwrap();
        let mut bundles = Vec::new();
        for path in 0..paths {
            let mut network = Network {
                picture,
                packetiser: &packetiser,
                path,
                ssrc: 10 * path as u32,
                // Near the end of the numbers, and of their low half.
                number: [7, 0xffe0, 0xffff_ff00][start as usize],
                time: 0,
                sent: VecDeque::new(),
                held: None,
                bundles: Vec::new(),
            };
            let begin = 5_000_000_000_000 + behind * path as u64;
            if path == 0 {
                network.frames(begin, &choices);
            } else {
                // Other things happen there.
                let choices: Vec<u8> = choices.iter().map(|choice| choice.rotate_left(3)).collect();
                network.frames(begin, &choices);
            }
            bundles.extend(network.bundles);
        }
        bundles.sort_by_key(|bundle| bundle.at);
        let [mut together, mut alone] =
            [(); 2].map(|()| Session::new(picture, paths, incomplete, room_for));
        for bundle in &bundles {
            let at = Tai::from_nanos(bundle.at);
            let datagrams = Datagrams::new(&bundle.bytes, bundle.length);
            for session in [&mut together, &mut alone] {
                if session.frames.window.deadline().is_some_and(|deadline| deadline < at) {
                    prop_assert!(session.frames.deliver(at, true));
                }
            }
            together.receive(bundle.path, datagrams, at);
            for datagram in datagrams.iter() {
                alone.receive(bundle.path, Datagrams::one(datagram), at);
            }
            prop_assert_eq!(together.state(), alone.state());
        }
        let given = together.given.lock().unwrap();
        prop_assert_eq!(&*given, &*alone.given.lock().unwrap());
    }
}
