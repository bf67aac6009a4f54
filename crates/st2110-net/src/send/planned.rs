//! Packets of a frame that are all written before the first is sent, for essences that are small or
//! cut into uneven pieces.

use st2110::rtp::Header;

use super::{outgoing::Rtp, paths::Paths};
use crate::socket::BUNDLE;

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

    /// Adds a packet to a unit. `write` gets room for a payload of up to `room` bytes and says how
    /// many it has used; if it says nothing, there is no packet, and the answer is false.
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

    /// Sends up to `most` packets of a unit from `first` on, at least one. Returns how many.
    pub(super) fn send(
        &mut self,
        unit: usize,
        first: usize,
        most: usize,
        rtp: &mut Rtp,
        paths: &mut Paths,
    ) -> usize {
        let (start, last) = (self.begin(unit, first), self.count(unit) - 1);
        let mut lengths = [0; BUNDLE];
        let (mut count, mut end) = (0, start);
        for (length, next) in lengths.iter_mut().zip(&self.ends[unit][first..]).take(most.max(1)) {
            *length = next - end;
            let packet = &mut self.bytes[end..*next];
            let extended = (rtp.sequence() >> 16) as u16;
            packet[..Header::LEN].copy_from_slice(&rtp.next(first + count == last).to_bytes());
            if self.start == Start::ExtendedSequence {
                packet[Header::LEN..][..2].copy_from_slice(&extended.to_be_bytes());
            }
            (count, end) = (count + 1, *next);
        }
        paths.send_each_of(&self.bytes[start..end], &lengths[..count]);
        count
    }
}
