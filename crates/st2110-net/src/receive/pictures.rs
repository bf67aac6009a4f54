//! Reception of uncompressed video, ST 2110-20: packets are placed straight into the sink's slots.

use media::FrameRate;
use st2110::{
    sequence::NumberWidth,
    video::{Arrival, Depacketiser, Field, FrameLayout, PacketError, Picture, RowNumbering, Scan},
};

use super::{
    Origin, Receiving,
    frames::{Assembler, Gaps, Placed, Stream, Undelivered},
    intake::Traffic,
    selection::Packet,
    stats::RefusedCounters,
};
use crate::{
    Counter, Error, IncompleteFrames,
    engine::Engine,
    frame::{FrameSink, FrameSlot, Gap},
};

/// A session that receives uncompressed video (ST 2110-20).
#[derive(Clone, Debug)]
pub struct VideoReceiver {
    /// The picture on the network.
    pub picture: Picture,
    /// How frames lie in memory.
    pub layout: FrameLayout,
    /// Frames a second; of interlaced video, whole frames.
    pub rate: FrameRate,
    /// Which packets belong to the stream.
    pub origin: Origin,
    /// How frames with gaps are treated.
    pub incomplete: IncompleteFrames,
    /// The associated ancillary stream (ST 2110-40), whose packets become the frames' metadata, as
    /// far as the slot has room. While it is alive a finished frame waits for them, for that
    /// stream's skew at most.
    pub ancillary: Option<Origin>,
}

/// The smallest packets that are planned for, in octets of data, to estimate packets a second.
const SMALL_PACKET: usize = 700;

impl VideoReceiver {
    /// Starts to receive into `sink`.
    ///
    /// # Errors
    /// The layout does not hold the picture, a value of an origin is out of range, or a socket
    /// cannot be opened.
    pub fn start<S: FrameSink>(&self, engine: &Engine, sink: S) -> Result<Receiving, Error> {
        let frame = self.picture.packed_size();
        let packets = frame.div_ceil(SMALL_PACKET) as f64 * self.rate.as_f64();
        let bytes = frame as f64 * self.rate.as_f64();
        let stream = Stream {
            origin: &self.origin,
            width: NumberWidth::Bits32,
            traffic: Traffic { packets: packets as u32, bytes: bytes as u64 },
            rate: self.rate,
            scan: match self.picture.scan() {
                Scan::Progressive => media::Scan::Progressive,
                Scan::Interlaced => media::Scan::Interlaced,
                Scan::Psf => media::Scan::Psf,
            },
            height: self.picture.height(),
            incomplete: self.incomplete,
            ancillary: self.ancillary.as_ref(),
        };
        stream.start(engine, Pictures::new(self.picture, self.layout)?, sink)
    }
}

/// Pictures under way.
pub(super) struct Pictures {
    depacketiser: Depacketiser,
    /// Records that are not in use.
    spare: Vec<Arrival>,
}

impl Pictures {
    pub(super) fn new(picture: Picture, layout: FrameLayout) -> Result<Self, Error> {
        let depacketiser = Depacketiser::new(picture, layout, RowNumbering::PerField)?;
        Ok(Self { depacketiser, spare: Vec::new() })
    }

    fn recycle(&mut self, mut arrival: Arrival) {
        arrival.clear();
        self.spare.push(arrival);
    }
}

/// A slot that packets are placed into, and the record of those that were.
pub(super) struct Filling<T> {
    slot: T,
    arrival: Arrival,
}

impl<S: FrameSink> Assembler<S> for Pictures {
    type Frame = Filling<S::Slot>;
    type Header = Field;
    type Error = PacketError;

    fn counter(refused: &RefusedCounters, error: PacketError) -> &Counter {
        match error {
            PacketError::HeaderTruncated | PacketError::DataTruncated => &refused.truncated,
            PacketError::Length => &refused.length,
            PacketError::Offset => &refused.offset,
            PacketError::Field => &refused.field,
            // The numbering of lines is learned from the packets, and slots always have the
            // picture's size: the last three do not get here.
            PacketError::Row
            | PacketError::RowsPerFrame
            | PacketError::RowsPerField
            | PacketError::Frame => &refused.line,
        }
    }

    fn header(&self, payload: &[u8]) -> Result<Field, PacketError> {
        Depacketiser::field(payload)
    }

    fn is_second(field: Field) -> bool {
        field == Field::Second
    }

    fn begin(&mut self, _: Field, sink: &mut S) -> Option<Self::Frame> {
        let slot = sink.slot(self.depacketiser.frame_size())?;
        let picture = self.depacketiser.picture();
        let arrival = self.spare.pop().unwrap_or_else(|| Arrival::new(*picture));
        Some(Filling { slot, arrival })
    }

    fn place(
        &mut self,
        frame: &mut Self::Frame,
        _: Field,
        packet: &Packet<'_>,
    ) -> Result<Placed, PacketError> {
        let Filling { slot, arrival } = frame;
        let rows = match self.depacketiser.place(packet.payload, slot.payload(), arrival) {
            Ok(_) if arrival.is_complete() => return Ok(Placed::Complete),
            Ok(_) => return Ok(Placed::Open),
            Err(PacketError::RowsPerFrame) => RowNumbering::PerFrame,
            Err(PacketError::RowsPerField) => RowNumbering::PerField,
            Err(error) => return Err(error),
        };
        // Frames under way have lines in wrong places.
        self.depacketiser.set_row_numbering(rows);
        Ok(Placed::Misplaced)
    }

    fn place_all<'a>(
        &mut self,
        frame: &mut Self::Frame,
        field: Field,
        payloads: impl Iterator<Item = &'a [u8]>,
    ) -> (usize, bool) {
        let Filling { slot, arrival } = frame;
        let placed = self.depacketiser.place_all(field, payloads, slot.payload(), arrival);
        (placed.unwrap_or(0), arrival.is_complete())
    }

    fn finish(
        &mut self,
        frame: Self::Frame,
        gaps: Option<Gaps<'_>>,
        _: &mut S,
    ) -> Result<(S::Slot, usize), Undelivered> {
        let Filling { mut slot, arrival } = frame;
        let size = self.depacketiser.frame_size();
        if let Some(Gaps { repeat, missing }) = gaps {
            let pixels = &mut slot.payload()[..size];
            // Slots are used again, so they may hold pixels of an older frame, even of another
            // stream.
            let filled = match repeat {
                Some(previous) => self.depacketiser.fill_missing(&arrival, previous, pixels),
                None => self.depacketiser.clear_missing(&arrival, pixels),
            };
            // Both frames have the picture's size and the record is the picture's, which is all
            // that is asked for.
            debug_assert!(filled.is_ok());
            missing.extend(arrival.missing().map(Gap::Pixels));
        }
        self.recycle(arrival);
        Ok((slot, size))
    }

    fn discard(&mut self, frame: Self::Frame) {
        self.recycle(frame.arrival);
    }
}
