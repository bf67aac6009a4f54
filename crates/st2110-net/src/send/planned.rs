//! Packets of a frame that are written before the first of them is sent: of essences that are small, or cut in uneven pieces.

use st2110::rtp::Header;

use super::{outgoing::Rtp, paths::Paths};
use crate::socket::BUNDLE;

/// A bundle is at most so long.
pub(super) const BUNDLE_BYTES: usize = 64_000;

/// What stands at the start of each payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// The high half of the 32-bit sequence number (RFC 8331 §2.1).
    ExtendedSequence,
    /// Something else, which was written with the payload.
    Payload,
}

/// The packets of a frame, in one or two units, one behind the other.
pub(super) struct Planned {
    start: Start,
    bytes: Vec<u8>,
    /// Where each packet of a unit ends in `bytes`. The second unit begins where the first ends.
    ends: [Vec<usize>; 2],
}

impl Planned {
    pub(super) fn new(start: Start) -> Self {
        Self { start, bytes: Vec::new(), ends: [Vec::new(), Vec::new()] }
    }

    /// Begins another frame.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.iter_mut().for_each(Vec::clear);
    }

    /// Adds a packet to a unit. `write` gets room for a payload of up to `room` bytes and says how many it has used; if it says
    /// nothing, there is no packet, and the answer is false.
    pub(super) fn push(
        &mut self,
        unit: usize,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Option<usize>,
    ) -> bool {
        let start = self.bytes.len();
        self.bytes.resize(start + Header::LEN + room, 0);
        let used = write(&mut self.bytes[start + Header::LEN..]);
        self.bytes.truncate(start + used.map_or(0, |used| Header::LEN + used));
        if used.is_some() {
            self.ends[unit].push(self.bytes.len());
        }
        used.is_some()
    }

    pub(super) fn count(&self, unit: usize) -> usize {
        self.ends.get(unit).map_or(0, Vec::len)
    }

    /// Where a packet begins.
    fn begin(&self, unit: usize, index: usize) -> usize {
        match (unit, index) {
            (0, 0) => 0,
            (_, 0) => self.ends[0].last().copied().unwrap_or(0),
            (_, index) => self.ends[unit][index - 1],
        }
    }

    /// Sends up to `most` packets of a unit from `first` on, as many as have the same size or are followed by one smaller one.
    /// Returns how many, at least one.
    pub(super) fn send(
        &mut self,
        unit: usize,
        first: usize,
        most: usize,
        rtp: &mut Rtp,
        paths: &mut Paths,
    ) -> usize {
        let (start, last) = (self.begin(unit, first), self.count(unit) - 1);
        let size = self.ends[unit][first] - start;
        let mut count = 0;
        let mut end = start;
        for next in &self.ends[unit][first..] {
            let len = next - end;
            let fits = count < most.clamp(1, BUNDLE) && next - start <= BUNDLE_BYTES.max(size);
            if !fits || len > size {
                break;
            }
            (count, end) = (count + 1, *next);
            if len < size {
                break;
            }
        }
        for (index, packet) in self.bytes[start..end].chunks_mut(size).enumerate() {
            let extended = (rtp.sequence() >> 16) as u16;
            packet[..Header::LEN].copy_from_slice(&rtp.next(first + index == last).to_bytes());
            if self.start == Start::ExtendedSequence {
                packet[Header::LEN..][..2].copy_from_slice(&extended.to_be_bytes());
            }
        }
        paths.send(&self.bytes[start..end], size);
        count
    }
}
