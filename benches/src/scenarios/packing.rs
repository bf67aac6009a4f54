//! Frames of 1080 lines to pgroups of ST 2110-20 and back, packet by packet, beside memcpy of as many octets.
//!
//! Frames lie in memory, more of them than the caches hold; the packets are a buffer that is sent or received again and again.

use super::Options;
use super::rounds::{Outcome, Pair};
use crate::case::{Case, Unit};
use crate::cpu::{Cpus, pin};
use crate::error::BenchError;
use media::PixelFormat;
use ring::monotonic_ns;
use st2110::video::{
    Conversion, Direction, FrameLayout, Picture, Scan, Segment, Simd, VideoError, WireFormat,
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
    }
    cpus.unpin()
}

struct Stream {
    conversion: Conversion,
    picture: Picture,
    frames: Vec<Vec<u8>>,
    packets: Vec<u8>,
}

impl Stream {
    fn new(layout: PixelFormat, simd: Simd) -> Result<Self, VideoError> {
        let format = WireFormat::of(layout).unwrap_or(WireFormat::YCBCR_422_10);
        Self::with(format, FrameLayout::Mesh(layout), simd)
    }

    /// Frames that lie in memory as on the wire: a conversion of these is memcpy.
    fn new_floor(layout: PixelFormat) -> Result<Self, VideoError> {
        let format = WireFormat::of(layout).unwrap_or(WireFormat::YCBCR_422_10);
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
        self.outcome(monotonic_ns() - start)
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
        self.outcome(monotonic_ns() - start)
    }

    fn outcome(&self, nanos: u64) -> Outcome {
        let rate = (self.picture.packed_size() * FRAMES) as f64 / nanos as f64;
        Outcome { rate, ..Outcome::default() }
    }
}
