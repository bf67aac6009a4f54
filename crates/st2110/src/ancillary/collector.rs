//! Collecting of RTP packets into the block of each frame.

use std::collections::VecDeque;

use media::{FrameRate, Scan};

use super::block::HEAD;
use super::{AncillaryError, AncillaryPacketError, FieldMark, parse_payload};
use crate::rtp::Header;

/// Frames that are open at a time. One more, and the oldest is delivered as it is.
const OPEN: usize = 3;
/// How far the timestamp of a field may be from where it should be, in ticks: both are rounded.
const ROUNDING: i32 = 2;

/// Counts of a collector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// RTP packets that were used.
    pub packets: u64,
    /// Ancillary packets in them.
    pub ancillary_packets: u64,
    /// Frames delivered.
    pub frames: u64,
    /// Frames delivered of which RTP packets were missing.
    pub incomplete_frames: u64,
    /// Refused RTP packets, by [`AncillaryPacketError::index`].
    pub refused: [u64; AncillaryPacketError::ALL.len()],
}

/// A frame that was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collected {
    /// RTP timestamp of the frame, or of its first field.
    pub timestamp: u32,
    /// Bytes of the block.
    pub len: usize,
    /// Whether all RTP packets of the frame came.
    pub complete: bool,
}

#[derive(Clone, Debug, Default)]
struct Field {
    /// Sequence number, number of ancillary packets and their bytes, ordered.
    parts: Vec<(u16, u8, Vec<u8>)>,
    /// Sequence number of the packet with the marker.
    end: Option<u16>,
}

impl Field {
    /// Whether it reaches without a gap to the marker, and from the packet before it, if that is
    /// known.
    fn is_complete(&self, first: Option<u16>) -> bool {
        let Some(end) = self.end else { return false };
        let next = self.parts.windows(2).all(|pair| pair[1].0 == pair[0].0.wrapping_add(1));
        let (Some(start), Some(last)) = (self.parts.first(), self.parts.last()) else {
            return false;
        };
        next && last.0 == end && first.is_none_or(|first| start.0 == first)
    }
}

#[derive(Clone, Debug)]
struct Open {
    timestamp: u32,
    fields: [Field; 2],
    bytes: usize,
}

/// Collects the ancillary packets of a stream frame by frame, in order.
#[derive(Clone, Debug)]
pub struct Collector {
    interlaced: bool,
    /// Whether a second field shows that pictures are interlaced.
    learns: bool,
    /// Ticks from the first field to the second.
    half: i32,
    limit: usize,
    open: VecDeque<Open>,
    /// Timestamp of the frame delivered last.
    last: Option<u32>,
    /// Sequence number of the first packet of the next frame.
    next: Option<u16>,
    give_up: bool,
    /// Frames up to this timestamp are not waited for.
    given_up: Option<u32>,
    counts: Counts,
}

impl Collector {
    /// For pictures of this rate and scan, with blocks of at most `limit` bytes.
    #[must_use]
    pub fn new(rate: FrameRate, scan: Scan, limit: usize) -> Self {
        let half = 45_000 * u64::from(rate.den) / u64::from(rate.num.max(1));
        Self {
            interlaced: scan == Scan::Interlaced,
            learns: false,
            half: i32::try_from(half).unwrap_or(i32::MAX),
            limit: limit.max(HEAD),
            open: VecDeque::new(),
            last: None,
            next: None,
            give_up: false,
            given_up: None,
            counts: Counts::default(),
        }
    }

    /// The same where progressive pictures are an assumption, as session descriptions do not tell
    /// the scan (RFC 8331 §4): packets of a second field (F = 11) show that they are interlaced,
    /// until one of no field (F = 00) comes. The second field of the frame that shows it is lost.
    #[must_use]
    pub fn learning_scan(self) -> Self {
        Self { learns: !self.interlaced, ..self }
    }

    /// What was counted so far.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Takes an RTP packet in. Frames that are ready must be taken out with [`Collector::pop`]
    /// before the next one comes.
    ///
    /// # Errors
    /// Why nothing of it was used; it is counted.
    pub fn push(&mut self, header: &Header, payload: &[u8]) -> Result<(), AncillaryPacketError> {
        self.place(header, payload).inspect_err(|error| self.counts.refused[error.index()] += 1)
    }

    fn place(&mut self, header: &Header, payload: &[u8]) -> Result<(), AncillaryPacketError> {
        let (head, data) = parse_payload(payload)?;
        let second = head.field == FieldMark::Second;
        if second && !self.interlaced {
            if !self.learns {
                return Err(AncillaryPacketError::Field);
            }
            self.interlaced = true;
            // What was taken for a frame was its first field, and this is not the beginning of the
            // next.
            self.next = None;
        } else if self.learns && head.field == FieldMark::Frame {
            self.interlaced = false;
        }
        let index = self.frame(header.timestamp, second)?;
        let open = &mut self.open[index];
        if HEAD + open.bytes + data.len() > self.limit {
            return Err(AncillaryPacketError::Room);
        }
        let field = &mut open.fields[usize::from(second)];
        let sequence = header.sequence;
        let before = |part: &(u16, u8, Vec<u8>)| part.0.wrapping_sub(sequence).cast_signed() < 0;
        let place = field.parts.partition_point(before);
        if field.parts.get(place).is_some_and(|part| part.0 == sequence) {
            return Err(AncillaryPacketError::Duplicate);
        }
        field.parts.insert(place, (sequence, head.count, data.to_vec()));
        if header.marker {
            field.end = Some(sequence);
        }
        open.bytes += data.len();
        self.counts.packets += 1;
        self.counts.ancillary_packets += u64::from(head.count);
        Ok(())
    }

    /// The open frame of a timestamp, opened if it is new.
    fn frame(&mut self, timestamp: u32, second: bool) -> Result<usize, AncillaryPacketError> {
        let half = if second { self.half } else { 0 };
        // Some senders give both fields the timestamp of the frame.
        let belongs = |frame: u32| {
            let distance = timestamp.wrapping_sub(frame).cast_signed();
            distance == 0
                || (second && distance.wrapping_sub(half).unsigned_abs() <= ROUNDING as u32)
        };
        if let Some(index) = self.open.iter().position(|open| belongs(open.timestamp)) {
            return Ok(index);
        }
        let frame = timestamp.wrapping_sub(half.cast_unsigned());
        let distance = |last: u32| frame.wrapping_sub(last).cast_signed();
        if self.last.is_some_and(|last| belongs(last) || distance(last) <= 0) {
            // A sender that was restarted may count from anywhere: far back is another stream.
            let far = 10 * self.half.unsigned_abs() * OPEN as u32;
            if self.last.is_some_and(|last| distance(last).unsigned_abs() < far) {
                return Err(AncillaryPacketError::Late);
            }
            self.last = None;
            self.next = None;
        }
        let after = |open: &Open| open.timestamp.wrapping_sub(frame).cast_signed() < 0;
        let place = self.open.partition_point(after);
        self.open.insert(place, Open { timestamp: frame, fields: Default::default(), bytes: 0 });
        Ok(place)
    }

    /// Every open frame is ready now, complete or not: for when no packet has come for a while.
    pub fn give_up(&mut self) {
        self.give_up = true;
    }

    /// Open frames up to this timestamp are ready now, complete or not: for when a picture is not
    /// to wait any longer.
    pub fn give_up_to(&mut self, timestamp: u32) {
        self.given_up = Some(timestamp);
    }

    fn is_complete(&self, open: &Open) -> bool {
        let [first, second] = &open.fields;
        if !first.is_complete(self.next) {
            return false;
        }
        !self.interlaced || second.is_complete(first.end.map(|end| end.wrapping_add(1)))
    }

    /// Takes the next frame out, if it is ready, and writes its block.
    ///
    /// # Errors
    /// `out` is smaller than the limit of the collector.
    pub fn pop(&mut self, out: &mut [u8]) -> Result<Option<Collected>, AncillaryError> {
        if out.len() < self.limit {
            return Err(AncillaryError::Room { needed: self.limit, room: out.len() });
        }
        let Some(oldest) = self.open.front() else {
            self.give_up = false;
            self.given_up = None;
            return Ok(None);
        };
        let complete = self.is_complete(oldest);
        let until = |last: u32| oldest.timestamp.wrapping_sub(last).cast_signed() <= ROUNDING;
        let given_up = self.give_up || self.given_up.is_some_and(until);
        if !complete && self.open.len() <= OPEN && !given_up {
            self.given_up = None;
            return Ok(None);
        }
        let Some(open) = self.open.pop_front() else { return Ok(None) };
        let mut len = HEAD;
        for (n, field) in open.fields.iter().enumerate() {
            let count: u16 = field.parts.iter().map(|part| u16::from(part.1)).sum();
            out[n * 2..n * 2 + 2].copy_from_slice(&count.to_be_bytes());
            for (_, _, bytes) in &field.parts {
                out[len..len + bytes.len()].copy_from_slice(bytes);
                len += bytes.len();
            }
        }
        let last = &open.fields[usize::from(self.interlaced)];
        self.next = last.end.map(|end| end.wrapping_add(1));
        self.last = Some(open.timestamp);
        self.counts.frames += 1;
        self.counts.incomplete_frames += u64::from(!complete);
        Ok(Some(Collected { timestamp: open.timestamp, len, complete }))
    }
}

#[cfg(test)]
#[path = "collector_tests.rs"]
mod tests;
