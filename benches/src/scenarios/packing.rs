//! Conversion of 1080-line frames to pgroups of ST 2110-20 and back, packet by packet, beside
//! memcpy of as many octets.
//!
//! Frames lie in memory, more of them than the caches hold; the packets are one buffer that is sent
//! or received again and again.

use super::Options;
use super::rounds::{Outcome, Pair};
use crate::case::{Case, Unit};
use crate::cpu::{Cpus, pin};
use crate::error::BenchError;
use media::PixelFormat;
use shm::monotonic_ns;
use st2110::video::{
    Arrival, Conversion, Depacketiser, Direction, Field, FrameLayout, MAX_UDP_PAYLOAD, Packetiser,
    Packing, Picture, RTP_HEADER, RowNumbering, Scan, Segment, Simd, VideoError, WireFormat,
};
use std::hint::black_box;

const FRAMES: usize = 8;
/// Packets of a sending buffer, as UDP GSO takes them.
const PACKETS: usize = 44;
/// Of a line: what general packing makes of 1920 pixels in 10 bits.
const PARTS: usize = 4;

pub(super) fn run(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let cpus = Cpus::usable()?;
    pin(cpus.of_source())?;
    let rounds = options.either(15, 5);
    for layout in [PixelFormat::Yuv422p10le, PixelFormat::V210, PixelFormat::Yuv422p] {
        for simd in [Simd::detect(), Simd::SCALAR] {
            let mut stream = Stream::new(layout, simd)?;
            let mut floor = Stream::new_floor(layout)?;
            let pair = Pair::measure(rounds, || Ok(stream.pack()), || Ok(floor.pack()))?;
            let name = format!("{layout} packed, {}", simd.name());
            report(pair.rate("packing", name, Unit::GigabytesPerSecond, "memcpy"));
            let pair = Pair::measure(rounds, || Ok(stream.unpack()), || Ok(floor.unpack()))?;
            let name = format!("{layout} unpacked, {}", simd.name());
            report(pair.rate("packing", name, Unit::GigabytesPerSecond, "memcpy"));
            if simd == Simd::SCALAR {
                break;
            }
        }
        let mut whole = Whole::new(layout)?;
        let mut floor = Stream::new_floor(layout)?;
        let pair = Pair::measure(rounds, || Ok(whole.write()?), || Ok(floor.pack()))?;
        let name = format!("{layout} to packets");
        report(pair.rate("packing", name, Unit::GigabytesPerSecond, "memcpy"));
        let pair = Pair::measure(rounds, || whole.place(), || Ok(floor.unpack()))?;
        let name = format!("{layout} from packets");
        report(pair.rate("packing", name, Unit::GigabytesPerSecond, "memcpy"));
    }
    cpus.unpin()
}

/// Pixel conversion by a sender and a receiver in the fastest code: packets with headers, checks,
/// and the record of received pixels. The received packets are those of a whole frame in memory,
/// while the floor's source stays in the cache.
struct Whole {
    packetiser: Packetiser,
    depacketiser: Depacketiser,
    arrival: Arrival,
    frames: Vec<Vec<u8>>,
    /// All packets of a frame, room for RTP headers included.
    packets: Vec<u8>,
}

impl Whole {
    fn new(layout: PixelFormat) -> Result<Self, VideoError> {
        let picture = Picture::new(WireFormat::of(layout), 1920, 1080, Scan::Progressive)?;
        let layout = FrameLayout::Mesh(layout);
        let packetiser = Packetiser::new(picture, layout, Packing::General, MAX_UDP_PAYLOAD)?;
        let depacketiser = Depacketiser::new(picture, layout, RowNumbering::PerField)?;
        let frames = vec![vec![1; packetiser.frame_size()]; FRAMES];
        let mut packets = vec![0; packetiser.packets(Field::First) * MAX_UDP_PAYLOAD];
        let all = 0..packetiser.packets(Field::First);
        let used = packetiser.write(&frames[0], Field::First, all, 0, &mut packets)?;
        packets.truncate(used);
        Ok(Self { packetiser, depacketiser, arrival: Arrival::new(picture), frames, packets })
    }

    /// Bytes of a packet in `packets`: lines of 1920 pixels make equal ones.
    fn packet(&self) -> usize {
        self.packets.len() / self.packetiser.packets(Field::First)
    }

    fn write(&mut self) -> Result<Outcome, VideoError> {
        let packets = self.packetiser.packets(Field::First);
        let room = self.packet() * PACKETS;
        let start = monotonic_ns();
        for frame in &self.frames {
            for first in (0..packets).step_by(PACKETS) {
                let range = first..packets.min(first + PACKETS);
                let out = &mut self.packets[..room];
                self.packetiser.write(frame, Field::First, range, 0, out)?;
            }
            black_box(&mut self.packets);
        }
        let nanos = monotonic_ns() - start;
        let picture = self.packetiser.picture();
        // Restores what was overwritten.
        let all = 0..packets;
        self.packetiser.write(&self.frames[0], Field::First, all, 0, &mut self.packets)?;
        Ok(outcome(picture, nanos))
    }

    fn place(&mut self) -> Result<Outcome, BenchError> {
        let packet = self.packet();
        let start = monotonic_ns();
        for frame in &mut self.frames {
            self.arrival.clear();
            for packet in self.packets.chunks(packet) {
                let placed =
                    self.depacketiser.place(&packet[RTP_HEADER..], frame, &mut self.arrival);
                assert!(placed.is_ok(), "packets of our own");
            }
            assert!(self.arrival.is_complete());
            black_box(frame);
        }
        Ok(outcome(self.packetiser.picture(), monotonic_ns() - start))
    }
}

struct Stream {
    conversion: Conversion,
    picture: Picture,
    frames: Vec<Vec<u8>>,
    packets: Vec<u8>,
}

impl Stream {
    fn new(layout: PixelFormat, simd: Simd) -> Result<Self, VideoError> {
        let format = WireFormat::of(layout);
        Self::with(format, FrameLayout::Mesh(layout), simd)
    }

    /// Frames that lie in memory as on the wire: a conversion of these is memcpy.
    fn new_floor(layout: PixelFormat) -> Result<Self, VideoError> {
        let format = WireFormat::of(layout);
        Self::with(format, FrameLayout::Wire, Simd::SCALAR)
    }

    fn with(format: WireFormat, layout: FrameLayout, simd: Simd) -> Result<Self, VideoError> {
        let picture = Picture::new(format, 1920, 1080, Scan::Progressive)?;
        let conversion = Conversion::new(picture, layout, Direction::Send, simd)?;
        let frames = vec![vec![1; conversion.frame_size()]; FRAMES];
        let packets = vec![1; picture.row_octets() / PARTS * PACKETS];
        Ok(Self { conversion, picture, frames, packets })
    }

    /// All segments with the packets that they go to.
    fn segments(picture: Picture, packet: usize) -> impl Iterator<Item = (Segment, usize)> {
        let count = picture.row_pgroups() / PARTS;
        let parts = move |row| (0..PARTS).map(move |part| (row, part));
        let segments = (0..picture.rows()).flat_map(parts).enumerate();
        segments.map(move |(number, (row, part))| {
            (Segment { row, first: part * count, count }, number % PACKETS * packet)
        })
    }

    fn pack(&mut self) -> Outcome {
        let packet = self.packets.len() / PACKETS;
        let start = monotonic_ns();
        for frame in &self.frames {
            for (segment, at) in Self::segments(self.picture, packet) {
                self.conversion.pack(frame, segment, &mut self.packets[at..at + packet]);
            }
            black_box(&mut self.packets);
        }
        outcome(&self.picture, monotonic_ns() - start)
    }

    fn unpack(&mut self) -> Outcome {
        let packet = self.packets.len() / PACKETS;
        let start = monotonic_ns();
        for frame in &mut self.frames {
            for (segment, at) in Self::segments(self.picture, packet) {
                self.conversion.unpack(&self.packets[at..at + packet], frame, segment);
            }
            black_box(frame);
        }
        outcome(&self.picture, monotonic_ns() - start)
    }
}

/// Octets on the wire in a second.
fn outcome(picture: &Picture, nanos: u64) -> Outcome {
    let rate = (picture.packed_size() * FRAMES) as f64 / nanos as f64;
    Outcome { rate, ..Outcome::default() }
}
