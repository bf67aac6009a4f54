//! The trait of an essence that is sent.

use st2110::rtp::Header;

use super::{Identity, paths::Paths};

/// Turns frames into packets. One frame at a time, one or two units (fields) in each.
pub(super) trait Outgoing: Send {
    /// Units of a frame: 2 for interlaced and segmented frames, otherwise 1.
    fn units(&self) -> usize;

    /// Looks at a new frame. False: its size is not the stream's.
    fn begin(&mut self, payload: &[u8], metadata: &[u8]) -> bool;

    /// Packets of a unit of the present frame.
    fn packets(&self, unit: usize) -> u32;

    /// There is time until the next packets may leave: whatever can be done for those from `first`
    /// on is done, so that they leave at once when they may. `sequence` is the first one's number.
    fn prepare(&mut self, _payload: &[u8], _unit: usize, _first: u32, _sequence: u32) {}

    /// Sends `most` packets of a unit from `first` on, or fewer, at least one. Returns how many.
    fn send(
        &mut self,
        payload: &[u8],
        unit: usize,
        first: u32,
        most: u32,
        rtp: &mut Rtp,
        paths: &mut Paths,
    ) -> u32;
}

/// Headers of a stream's packets.
#[derive(Clone, Debug)]
pub(super) struct Rtp {
    identity: Identity,
    /// Timestamp of the present unit.
    pub(super) timestamp: u32,
}

impl Rtp {
    pub(super) fn new(identity: Identity) -> Self {
        Self { identity, timestamp: 0 }
    }

    /// The 32-bit sequence number of the next packet.
    pub(super) fn sequence(&self) -> u32 {
        self.identity.sequence
    }

    /// The next packet's header.
    pub(super) fn next(&mut self, marker: bool) -> Header {
        let header = Header {
            marker,
            payload_type: self.identity.payload_type,
            sequence: self.identity.sequence as u16,
            timestamp: self.timestamp,
            ssrc: self.identity.ssrc,
        };
        self.identity.sequence = self.identity.sequence.wrapping_add(1);
        header
    }
}
