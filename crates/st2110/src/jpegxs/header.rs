//! The payload header (RFC 9134, clause 4.3).

use super::{PacketError, PacketMode, TransmissionMode};

/// What a picture is of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Part {
    /// All of it.
    #[default]
    Progressive,
    /// Its first field or segment.
    First,
    /// Its second field or segment.
    Second,
}

/// The four octets before the data of each packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadHeader {
    /// T: whether packets may be sent out of order.
    pub transmission: TransmissionMode,
    /// K: what a packetisation unit is.
    pub mode: PacketMode,
    /// L: last packet of a unit.
    pub last: bool,
    /// I.
    pub part: Part,
    /// F counter: number of the frame modulo 32, the same for both fields.
    pub frame: u8,
    /// SEP counter, 11 bits: the slice, or 0x7FF before the slices, in slice mode; how often the P
    /// counter overran in codestream mode.
    pub sep: u16,
    /// P counter, 11 bits: number of the packet in its unit.
    pub packet: u16,
}

/// Octets of the payload header.
pub(super) const SIZE: usize = 4;
/// SEP counter of the unit before the slices, in slice mode.
pub(super) const HEADER_UNIT: u16 = 0x7FF;
/// Values of an 11-bit counter.
pub(super) const COUNTER: usize = 1 << 11;

impl PayloadHeader {
    /// As it stands on the wire. Of the counters the low 5 and 11 bits count.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SIZE] {
        let interlace = match self.part {
            Part::Progressive => 0b00,
            Part::First => 0b10,
            Part::Second => 0b11,
        };
        let flag = |value, bit: u32| u32::from(value) << bit;
        let bits = flag(self.transmission == TransmissionMode::Sequential, 31)
            | flag(self.mode == PacketMode::Slice, 30)
            | flag(self.last, 29)
            | interlace << 27
            | u32::from(self.frame & 0x1F) << 22
            | u32::from(self.sep & 0x7FF) << 11
            | u32::from(self.packet & 0x7FF);
        bits.to_be_bytes()
    }

    /// The header of an RTP payload, and its data.
    ///
    /// # Errors
    /// If the payload is shorter, or the I field has its reserved value.
    pub fn read(payload: &[u8]) -> Result<(Self, &[u8]), PacketError> {
        let (bytes, data) = payload.split_first_chunk().ok_or(PacketError::HeaderTruncated)?;
        let bits = u32::from_be_bytes(*bytes);
        let flag = |bit: u32| bits >> bit & 1 != 0;
        let part = match bits >> 27 & 0b11 {
            0b00 => Part::Progressive,
            0b10 => Part::First,
            0b11 => Part::Second,
            _ => return Err(PacketError::Interlace),
        };
        let header = Self {
            transmission: if flag(31) {
                TransmissionMode::Sequential
            } else {
                TransmissionMode::OutOfOrder
            },
            mode: if flag(30) { PacketMode::Slice } else { PacketMode::Codestream },
            last: flag(29),
            part,
            frame: (bits >> 22 & 0x1F) as u8,
            sep: (bits >> 11 & 0x7FF) as u16,
            packet: (bits & 0x7FF) as u16,
        };
        Ok((header, data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand from the figure in RFC 9134, clause 4.3.
    #[test]
    fn bits_are_where_the_figure_has_them() {
        let header = PayloadHeader {
            transmission: TransmissionMode::Sequential,
            mode: PacketMode::Slice,
            last: true,
            part: Part::First,
            frame: 0b10101,
            sep: 0b100_0000_0001,
            packet: 0b111_0000_0110,
        };
        // T K L I I F F F | F F S S S S S S | S S S S S P P P | P …
        let bytes = [0b1111_0101, 0b0110_0000, 0b0000_1111, 0b0000_0110];
        assert_eq!(header.to_bytes(), bytes);
        assert_eq!(PayloadHeader::read(&bytes), Ok((header, &[][..])));
        for part in [Part::Progressive, Part::Second] {
            let header =
                PayloadHeader { part, last: false, mode: PacketMode::Codestream, ..header };
            assert_eq!(PayloadHeader::read(&header.to_bytes()).unwrap().0, header);
        }
        assert_eq!(PayloadHeader::read(&bytes[..3]), Err(PacketError::HeaderTruncated));
        assert_eq!(PayloadHeader::read(&[0x08, 0, 0, 0]), Err(PacketError::Interlace));
    }
}
