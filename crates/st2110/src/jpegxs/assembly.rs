//! Assembly of codestreams from their packets.

use std::collections::BTreeMap;
use std::ops::Range;

use super::header::{COUNTER, HEADER_UNIT};
use super::segment::boxes_len;
use super::{JpegXsError, PacketError, PacketMode, Part, PayloadHeader};

/// More packets than pictures of the agreed size need, however they are cut.
const SPARE_PACKETS: usize = 4096;
/// Octets of data that packets have at least, apart from the spare ones.
const LEAST_DATA: usize = 512;

/// The packets of one picture, in whatever order they come.
///
/// Which picture an RTP packet belongs to is for the caller to say, by RTP timestamp and [`Part`].
/// Memory is bounded: by the size that pictures may have, and a count of packets that goes with it.
#[derive(Clone, Debug)]
pub struct Assembly {
    mode: PacketMode,
    max_size: usize,
    /// Part and frame counter, by the first packet.
    picture: Option<(Part, u8)>,
    /// Data in the order of arrival.
    data: Vec<u8>,
    /// Where in `data` the packets are, in their own order.
    pieces: BTreeMap<u32, Range<usize>>,
    units: BTreeMap<u32, Unit>,
    complete_units: u32,
    /// The unit of the packet with the RTP marker.
    last_unit: Option<u32>,
}

/// What is known of a unit.
#[derive(Clone, Copy, Debug, Default)]
struct Unit {
    packets: u32,
    highest: u32,
    last: Option<u32>,
}

impl Unit {
    fn is_complete(self) -> bool {
        self.last.is_some_and(|last| self.packets == last + 1)
    }
}

/// What an assembled picture came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Octets written: boxes, if there are any, and codestream.
    pub len: usize,
    /// Where the codestream is in them.
    pub codestream: Range<usize>,
    /// Whether nothing is missing. Otherwise, in codestream mode, it is what came before the first
    /// gap; in slice mode it is all complete slices, or nothing where the header is missing.
    pub complete: bool,
    /// Slices that are missing, as far as later ones show it.
    pub missing_slices: Vec<u16>,
}

impl Assembly {
    /// For pictures of at most `max_size` octets with their boxes.
    #[must_use]
    pub fn new(mode: PacketMode, max_size: usize) -> Self {
        Self {
            mode,
            max_size,
            picture: None,
            data: Vec::new(),
            pieces: BTreeMap::new(),
            units: BTreeMap::new(),
            complete_units: 0,
            last_unit: None,
        }
    }

    /// Begins another picture, whose packets are of this mode.
    pub fn begin(&mut self, mode: PacketMode) {
        self.clear();
        self.mode = mode;
    }

    /// Begins another picture.
    pub fn clear(&mut self) {
        self.picture = None;
        self.data.clear();
        self.pieces.clear();
        self.units.clear();
        self.complete_units = 0;
        self.last_unit = None;
    }

    /// What the picture is of its frame; `None` before the first packet.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        self.picture.map(|(part, _)| part)
    }

    /// Takes an RTP payload. `marker` is the RTP header's. Returns whether it was new.
    ///
    /// # Errors
    /// See [`PacketError`]. Nothing of the packet is kept then.
    pub fn place(&mut self, payload: &[u8], marker: bool) -> Result<bool, PacketError> {
        let (header, data) = PayloadHeader::read(payload)?;
        if header.mode != self.mode {
            return Err(PacketError::Mode);
        }
        if data.is_empty() {
            return Err(PacketError::Empty);
        }
        let picture = (header.part, header.frame);
        if self.picture.is_some_and(|mine| mine != picture) {
            return Err(PacketError::Picture);
        }
        let (unit_number, number) = self.position(&header);
        let key = unit_number * COUNTER as u32 + number;
        let mut unit = self.units.get(&unit_number).copied().unwrap_or_default();
        let new = !self.pieces.contains_key(&key);
        let beyond = unit.last.is_some_and(|last| number > last || (header.last && last != number))
            || (header.last && unit.highest > number)
            || self
                .last_unit
                .is_some_and(|last| unit_number > last || (marker && last != unit_number))
            || (marker
                && self.units.last_key_value().is_some_and(|(other, _)| *other > unit_number));
        if beyond {
            return Err(PacketError::Last);
        }
        if !new {
            return Ok(false);
        }
        let most = self.max_size / LEAST_DATA + SPARE_PACKETS;
        if self.data.len() + data.len() > self.max_size || self.pieces.len() >= most {
            return Err(PacketError::TooLarge);
        }
        self.picture = Some(picture);
        let start = self.data.len();
        self.data.extend_from_slice(data);
        self.pieces.insert(key, start..self.data.len());
        unit.packets += 1;
        unit.highest = unit.highest.max(number);
        if header.last {
            unit.last = Some(number);
        }
        // A unit was incomplete before, or this packet could not be new.
        self.complete_units += u32::from(unit.is_complete());
        self.units.insert(unit_number, unit);
        if marker {
            self.last_unit = Some(unit_number);
        }
        Ok(true)
    }

    /// The unit in the order of the codestream, and the packet's number in it.
    fn position(&self, header: &PayloadHeader) -> (u32, u32) {
        let (sep, packet) = (u32::from(header.sep), u32::from(header.packet));
        match (self.mode, header.sep) {
            (PacketMode::Codestream, _) => (0, sep * COUNTER as u32 + packet),
            (PacketMode::Slice, HEADER_UNIT) => (0, packet),
            (PacketMode::Slice, _) => (sep + 1, packet),
        }
    }

    /// Whether all of the picture is there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        match self.mode {
            PacketMode::Codestream => self.complete_units == 1,
            PacketMode::Slice => self.last_unit.is_some_and(|last| self.complete_units == last + 1),
        }
    }

    /// Octets that [`finish`](Self::finish) writes at most.
    #[must_use]
    pub fn size(&self) -> usize {
        self.data.len()
    }

    /// Writes what is there to the start of `out`. The assembly can be cleared then.
    ///
    /// # Errors
    /// If `out` is smaller than [`size`](Self::size).
    pub fn finish(&self, out: &mut [u8]) -> Result<Received, JpegXsError> {
        let (value, least) = (out.len(), self.size());
        if value < least {
            return Err(JpegXsError::Buffer { name: "picture", value, least });
        }
        let mut len = 0;
        let mut put = |piece: &Range<usize>| {
            let bytes = &self.data[piece.clone()];
            out[len..len + bytes.len()].copy_from_slice(bytes);
            len += bytes.len();
        };
        let mut missing_slices = Vec::new();
        match self.mode {
            PacketMode::Codestream => {
                let in_order = self.pieces.iter().zip(0..).take_while(|((key, _), at)| *key == at);
                in_order.for_each(|((_, piece), _)| put(piece));
            }
            PacketMode::Slice => {
                let complete = |unit: &u32| self.units.get(unit).is_some_and(|u| u.is_complete());
                let last = self.units.last_key_value().map_or(0, |(unit, _)| *unit);
                // Slice numbers have 11 bits.
                let missing = (1..=last).filter(|unit| !complete(unit)).map(|unit| unit - 1);
                missing_slices.extend(missing.map(|slice| slice as u16));
                if complete(&0) {
                    let whole = |(key, _): &(&u32, _)| complete(&(*key / COUNTER as u32));
                    self.pieces.iter().filter(whole).for_each(|(_, piece)| put(piece));
                }
            }
        }
        // Boxes that are no boxes are left to the decoder to refuse.
        let codestream = boxes_len(&out[..len]).unwrap_or(0);
        let complete = self.is_complete();
        Ok(Received { len, codestream: codestream..len, complete, missing_slices })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpegxs::TransmissionMode;

    fn packet(mode: PacketMode, sep: u16, packet: u16, last: bool, data: &[u8]) -> Vec<u8> {
        let header = PayloadHeader {
            transmission: TransmissionMode::Sequential,
            mode,
            last,
            part: Part::Progressive,
            frame: 3,
            sep,
            packet,
        };
        [&header.to_bytes(), data].concat()
    }

    #[test]
    fn whole_slices_survive_the_loss_of_others() {
        let slice =
            |sep, number, last, data: &[u8]| packet(PacketMode::Slice, sep, number, last, data);
        let mut assembly = Assembly::new(PacketMode::Slice, 100);
        assert_eq!(assembly.place(&slice(2, 0, true, b"third"), true), Ok(true));
        assert_eq!(assembly.place(&slice(0, 1, true, b"rst"), false), Ok(true));
        assert_eq!(assembly.place(&slice(0, 1, true, b"rst"), false), Ok(false));
        assert_eq!(assembly.place(&slice(0, 0, false, b"fi"), false), Ok(true));
        let mut out = [0; 100];
        let nothing = assembly.finish(&mut out).unwrap();
        assert_eq!((nothing.len, nothing.missing_slices), (0, vec![1]));
        assembly.place(&slice(0x7FF, 0, true, &[0xFF, 0x10]), false).unwrap();
        let received = assembly.finish(&mut out).unwrap();
        assert_eq!(&out[..received.len], b"\xFF\x10firstthird");
        assert_eq!((received.complete, received.missing_slices), (false, vec![1]));
        assembly.place(&slice(1, 0, true, b"second"), false).unwrap();
        assert!(assembly.is_complete());
        let received = assembly.finish(&mut out).unwrap();
        assert_eq!(&out[..received.len], b"\xFF\x10firstsecondthird");
        assert!(received.complete && received.missing_slices.is_empty());
        assembly.clear();
        assert_eq!((assembly.part(), assembly.size()), (None, 0));
    }

    #[test]
    fn packets_that_do_not_fit_are_refused() {
        let whole = |sep, number, last| packet(PacketMode::Codestream, sep, number, last, b"data");
        let mut assembly = Assembly::new(PacketMode::Codestream, 12);
        assert_eq!(assembly.place(&whole(0, 1, true), true), Ok(true));
        assert_eq!(assembly.place(&whole(0, 2, false), false), Err(PacketError::Last));
        assert_eq!(assembly.place(&whole(0, 0, true), true), Err(PacketError::Last));
        let other = PayloadHeader::read(&whole(0, 0, false)).unwrap().0;
        let field = PayloadHeader { part: Part::First, ..other }.to_bytes();
        let refused = assembly.place(&[&field[..], b"data"].concat(), false);
        assert_eq!(refused, Err(PacketError::Picture));
        let slice = packet(PacketMode::Slice, 0, 0, false, b"data");
        assert_eq!(assembly.place(&slice, false), Err(PacketError::Mode));
        assert_eq!(assembly.place(&whole(0, 0, false)[..4], false), Err(PacketError::Empty));
        let large = packet(PacketMode::Codestream, 0, 0, false, &[0; 9]);
        assert_eq!(assembly.place(&large, false), Err(PacketError::TooLarge));
        assert!(!assembly.is_complete());
        assert_eq!(assembly.place(&whole(0, 0, false), false), Ok(true));
        assert!(assembly.is_complete());
        let small = assembly.finish(&mut [0; 7]);
        assert_eq!(small, Err(JpegXsError::Buffer { name: "picture", value: 7, least: 8 }));
    }

    #[test]
    fn slices_end_with_the_marker() {
        let slice = |sep| packet(PacketMode::Slice, sep, 0, true, b"x");
        let mut assembly = Assembly::new(PacketMode::Slice, 100);
        assembly.place(&slice(5), false).unwrap();
        assert_eq!(assembly.place(&slice(4), true), Err(PacketError::Last));
        assembly.place(&slice(6), true).unwrap();
        assert_eq!(assembly.place(&slice(7), false), Err(PacketError::Last));
    }
}
