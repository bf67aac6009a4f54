//! Reception of compressed video, ST 2110-22: JPEG XS codestreams.
//!
//! Each packet says whether codestreams are sent whole or in slices, so a receiver need not be
//! told.

use media::{FrameRate, Scan};
use st2110::{
    jpegxs::{Assembly, PacketError, Part, PayloadHeader},
    sequence::NumberWidth,
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

/// A session that receives JPEG XS (ST 2110-22, RFC 9134). A frame's payload is a codestream,
/// without the boxes that stand before it on the network; of interlaced and segmented video two of
/// them, one behind the other.
#[derive(Clone, Debug)]
pub struct CodestreamReceiver {
    /// Frames a second; of interlaced video, whole frames.
    pub rate: FrameRate,
    /// How frames are scanned.
    pub scan: Scan,
    /// Lines of a frame, for the analysis of conformance.
    pub height: u32,
    /// Largest size of a frame's codestreams, in bytes.
    pub limit: usize,
    /// Which packets belong to the stream.
    pub origin: Origin,
    /// How frames with gaps are treated. If they are delivered, then with what comes before the
    /// gap, or with all whole slices; to repeat means the whole last complete frame.
    pub incomplete: IncompleteFrames,
    /// The associated ancillary stream (ST 2110-40), whose packets become the frames' metadata, as
    /// far as the slot has room. While it is alive a finished frame waits for them, for that
    /// stream's skew at most.
    pub ancillary: Option<Origin>,
}

impl CodestreamReceiver {
    /// Starts to receive into `sink`.
    ///
    /// # Errors
    /// A value of an origin is out of range, or a socket cannot be opened.
    pub fn start<S: FrameSink>(&self, engine: &Engine, sink: S) -> Result<Receiving, Error> {
        let packets = self.limit.div_ceil(SMALL_PACKET) as f64 * self.rate.as_f64();
        let bytes = self.limit as f64 * self.rate.as_f64();
        let stream = Stream {
            origin: &self.origin,
            width: NumberWidth::Bits16,
            traffic: Traffic { packets: packets as u32, bytes: bytes as u64 },
            rate: self.rate,
            scan: self.scan,
            height: self.height,
            incomplete: self.incomplete,
            ancillary: self.ancillary.as_ref(),
        };
        let codestreams = Codestreams {
            fields: if self.scan == Scan::Progressive { 1 } else { 2 },
            limit: self.limit,
            spare: Vec::new(),
            segment: Vec::new(),
        };
        stream.start(engine, codestreams, sink)
    }
}

/// Octets of boxes that may stand before a codestream; those of RFC 9134 are 60.
const BOXES: usize = 1024;
/// The smallest packets that are planned for, in octets of data.
const SMALL_PACKET: usize = 512;

/// Codestreams under way, one for each field of a frame.
struct Codestreams {
    fields: usize,
    limit: usize,
    spare: Vec<[Assembly; 2]>,
    /// A codestream with its boxes.
    segment: Vec<u8>,
}

impl Codestreams {
    /// Writes the codestreams of a frame, as far as they came, one behind the other. Returns their
    /// length; `None` if there is not room for all.
    fn write(&mut self, parts: &[Assembly], out: &mut [u8]) -> Option<usize> {
        let mut len = 0;
        for part in parts {
            self.segment.resize(part.size(), 0);
            // There is room for all of it, so that an error means that nothing usable came.
            let Ok(received) = part.finish(&mut self.segment) else { continue };
            let codestream = &self.segment[received.codestream];
            out.get_mut(len..len + codestream.len())?.copy_from_slice(codestream);
            len += codestream.len();
        }
        Some(len)
    }
}

impl<S: FrameSink> Assembler<S> for Codestreams {
    type Frame = [Assembly; 2];
    type Header = PayloadHeader;
    type Error = PacketError;

    fn counter(refused: &RefusedCounters, error: PacketError) -> &Counter {
        match error {
            PacketError::HeaderTruncated => &refused.truncated,
            PacketError::Empty => &refused.empty,
            PacketError::Mode => &refused.mode,
            PacketError::Interlace => &refused.field,
            PacketError::Picture => &refused.picture,
            PacketError::TooLarge => &refused.room,
            PacketError::Last => &refused.last,
        }
    }

    fn header(&self, payload: &[u8]) -> Result<PayloadHeader, PacketError> {
        let (header, _) = PayloadHeader::read(payload)?;
        if (header.part == Part::Progressive) != (self.fields == 1) {
            return Err(PacketError::Interlace);
        }
        Ok(header)
    }

    fn is_second(header: PayloadHeader) -> bool {
        header.part == Part::Second
    }

    fn begin(&mut self, header: PayloadHeader, _: &mut S) -> Option<[Assembly; 2]> {
        let (mode, size) = (header.mode, self.limit + BOXES);
        let new = || [(); 2].map(|()| Assembly::new(mode, size));
        let mut parts = self.spare.pop().unwrap_or_else(new);
        parts.iter_mut().for_each(|part| part.begin(mode));
        Some(parts)
    }

    fn place(
        &mut self,
        parts: &mut [Assembly; 2],
        header: PayloadHeader,
        packet: &Packet<'_>,
    ) -> Result<Placed, PacketError> {
        let part = &mut parts[usize::from(header.part == Part::Second)];
        part.place(packet.payload, packet.header.marker)?;
        let complete = parts[..self.fields].iter().all(Assembly::is_complete);
        Ok(if complete { Placed::Complete } else { Placed::Open })
    }

    fn finish(
        &mut self,
        parts: [Assembly; 2],
        gaps: Option<Gaps<'_>>,
        sink: &mut S,
    ) -> Result<(S::Slot, usize), Undelivered> {
        let written = sink.slot(self.limit).ok_or(Undelivered::NoSlot).and_then(|mut slot| {
            let out = &mut slot.payload()[..self.limit];
            let repeat = gaps.as_ref().and_then(|gaps| gaps.repeat);
            let len = match repeat {
                Some(previous) => {
                    out[..previous.len()].copy_from_slice(previous);
                    previous.len()
                }
                // The boxes may be smaller than planned, and each field fit, but not both.
                None => self.write(&parts[..self.fields], out).ok_or(Undelivered::TooLarge)?,
            };
            Ok((slot, len))
        });
        if let Some(Gaps { missing, .. }) = gaps {
            missing.push(Gap::Packets);
        }
        self.spare.push(parts);
        written
    }

    fn discard(&mut self, parts: [Assembly; 2]) {
        self.spare.push(parts);
    }
}
