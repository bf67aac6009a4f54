//! RTP payloads of ancillary data (RFC 8331 §2).

use super::{AncillaryError, AncillaryPacketError, Block, PacketView};

/// Bytes before the first ancillary packet of a payload.
pub const PAYLOAD_HEADER: usize = 8;
/// Packets that one payload can count.
const MAX_COUNT: u8 = u8::MAX;

/// F: the field that the packets belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldMark {
    /// Progressive, or no particular field.
    Frame,
    /// The first field.
    First,
    /// The second field.
    Second,
}

impl FieldMark {
    const fn bits(self) -> u8 {
        match self {
            Self::Frame => 0b00,
            Self::First => 0b10,
            Self::Second => 0b11,
        }
    }

    const fn from_bits(bits: u8) -> Option<Self> {
        match bits {
            0b00 => Some(Self::Frame),
            0b10 => Some(Self::First),
            0b11 => Some(Self::Second),
            _ => None,
        }
    }
}

/// What stands before the ancillary packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PayloadHeader {
    /// The upper 16 bits of the sequence number.
    pub extended_sequence: u16,
    /// Bytes of the ancillary packets.
    pub length: u16,
    /// ANC_Count: how many packets there are; 0 to say that there are none.
    pub count: u8,
    /// F.
    pub field: FieldMark,
}

impl PayloadHeader {
    /// Writes the header.
    pub fn write(&self, out: &mut [u8; PAYLOAD_HEADER]) {
        out[..2].copy_from_slice(&self.extended_sequence.to_be_bytes());
        out[2..4].copy_from_slice(&self.length.to_be_bytes());
        out[4] = self.count;
        out[5] = self.field.bits() << 6;
        out[6..].fill(0);
    }
}

/// Reads a payload: its header, and its ancillary packets, which are verified.
///
/// # Errors
/// Why it must not be used.
pub fn parse_payload(payload: &[u8]) -> Result<(PayloadHeader, &[u8]), AncillaryPacketError> {
    let Some((head, rest)) = payload.split_first_chunk::<PAYLOAD_HEADER>() else {
        return Err(AncillaryPacketError::Truncated);
    };
    let header = PayloadHeader {
        extended_sequence: u16::from_be_bytes([head[0], head[1]]),
        length: u16::from_be_bytes([head[2], head[3]]),
        count: head[4],
        field: FieldMark::from_bits(head[5] >> 6).ok_or(AncillaryPacketError::Field)?,
    };
    // Octets behind the length are no business of ours.
    let Some(data) = rest.get(..header.length.into()) else {
        return Err(AncillaryPacketError::Truncated);
    };
    let mut at = 0;
    for _ in 0..header.count {
        let packet = PacketView::parse(&data[at..], at);
        at += packet
            .map_err(|error| match error {
                // Packets that do not fit the length that was announced.
                AncillaryError::Truncated { .. } => AncillaryPacketError::Length,
                other => other.into(),
            })?
            .bytes()
            .len();
    }
    if at != data.len() {
        return Err(AncillaryPacketError::Length);
    }
    Ok((header, data))
}

/// The payloads of one field of a block, in order. There is at least one: ST 2110-40 wants a packet
/// for each field, even if it says that there is nothing.
#[derive(Clone, Debug)]
pub struct Payloads<'a> {
    packets: Vec<&'a [u8]>,
    field: FieldMark,
    room: usize,
    next: usize,
    done: bool,
}

impl<'a> Payloads<'a> {
    /// For the packets of `field` of a block; the second one only for [`FieldMark::Second`].
    /// `max_payload` is for how many bytes an RTP packet has room behind its header.
    ///
    /// # Errors
    /// A packet does not fit `max_payload`.
    pub fn new(
        block: &Block<'a>,
        field: FieldMark,
        max_payload: usize,
    ) -> Result<Self, AncillaryError> {
        let index = usize::from(field == FieldMark::Second);
        let packets: Vec<_> = block.packets(index).map(|packet| packet.bytes()).collect();
        // The length has 16 bits.
        let room = max_payload.saturating_sub(PAYLOAD_HEADER).min(u16::MAX.into());
        let needed = packets.iter().map(|bytes| bytes.len()).max().unwrap_or(0);
        if needed > room || max_payload < PAYLOAD_HEADER {
            return Err(AncillaryError::Room {
                needed: needed + PAYLOAD_HEADER,
                room: max_payload,
            });
        }
        Ok(Self { packets, field, room, next: 0, done: false })
    }

    /// How many payloads follow.
    #[must_use]
    pub fn remaining(&self) -> usize {
        let mut rest = self.clone();
        let mut payload = vec![0; self.room + PAYLOAD_HEADER];
        std::iter::from_fn(|| rest.write(0, &mut payload)).count()
    }

    /// Writes the next payload: how many bytes it has, and whether it is the last of the field,
    /// which the RTP marker says. `None` when there are no more. `payload` has at least
    /// `max_payload` bytes.
    pub fn write(&mut self, extended_sequence: u16, payload: &mut [u8]) -> Option<(usize, bool)> {
        if self.done {
            return None;
        }
        let (head, data) = payload.split_first_chunk_mut::<PAYLOAD_HEADER>()?;
        let (mut length, mut count) = (0, 0);
        while let Some(packet) = self.packets.get(self.next) {
            if count == MAX_COUNT || length + packet.len() > self.room {
                break;
            }
            data.get_mut(length..length + packet.len())?.copy_from_slice(packet);
            length += packet.len();
            count += 1;
            self.next += 1;
        }
        self.done = self.next == self.packets.len();
        let header =
            PayloadHeader { extended_sequence, length: length as u16, count, field: self.field };
        header.write(head);
        Some((PAYLOAD_HEADER + length, self.done))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::packet::tests::any_packet;
    use super::super::{Packet, write_block};
    use super::*;

    #[test]
    fn a_field_without_packets_says_so() {
        let mut payloads = Payloads::new(&Block::default(), FieldMark::Second, 1440).unwrap();
        assert_eq!(payloads.remaining(), 1);
        let mut out = [0xff; 1440];
        assert_eq!(payloads.write(7, &mut out), Some((8, true)));
        assert_eq!(out[..8], [0, 7, 0, 0, 0, 0xc0, 0, 0]);
        assert_eq!(payloads.write(8, &mut out), None);
        let (header, data) = parse_payload(&out[..8]).unwrap();
        assert_eq!((header.count, header.field, data.len()), (0, FieldMark::Second, 0));
    }

    #[test]
    fn hostile_payloads_are_refused_by_reason() {
        let packet = Packet::new(0x61, 1, &[1, 2, 3]);
        let mut block = [0; 64];
        let len = write_block([&[packet], &[]], &mut block).unwrap();
        let block = Block::parse(&block[..len]).unwrap();
        let mut out = [0; 100];
        let mut payloads = Payloads::new(&block, FieldMark::Frame, 100).unwrap();
        let (len, _) = payloads.write(0, &mut out).unwrap();
        let good = out[..len].to_vec();
        assert!(parse_payload(&good).is_ok());
        let change = |byte: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[byte] = value;
            parse_payload(&bytes).map(|_| ())
        };
        use AncillaryPacketError as E;
        assert_eq!(parse_payload(&good[..7]), Err(E::Truncated));
        assert_eq!(parse_payload(&good[..len - 1]), Err(E::Truncated));
        assert_eq!(change(3, 255), Err(E::Truncated));
        assert_eq!(change(3, 12), Err(E::Length));
        assert_eq!(change(4, 2), Err(E::Length));
        assert_eq!(change(4, 0), Err(E::Length));
        assert_eq!(change(5, 0x40), Err(E::Field));
        assert_eq!(change(12, good[12] ^ 1), Err(E::Parity));
        assert_eq!(change(17, good[17] ^ 1), Err(E::Checksum));
        assert!(Payloads::new(&block, FieldMark::Frame, 20).is_err());
    }

    proptest! {
        #[test]
        fn payloads_carry_a_field_whole(
            packets in proptest::collection::vec(any_packet(), 0..12), room in 336_usize..1500,
        ) {
            let mut bytes = vec![0; 8192];
            let len = write_block([&[], &packets], &mut bytes).unwrap();
            let block = Block::parse(&bytes[..len]).unwrap();
            let mut payloads = Payloads::new(&block, FieldMark::Second, room).unwrap();
            let (mut read, mut last) = (Vec::new(), false);
            let expected = payloads.remaining();
            let mut out = vec![0; room];
            let mut written = 0;
            while let Some((len, end)) = payloads.write(0, &mut out) {
                prop_assert!(len <= room && !last);
                let (header, mut data) = parse_payload(&out[..len]).unwrap();
                for _ in 0..header.count {
                    let view = PacketView::parse(data, 0).unwrap();
                    data = &data[view.bytes().len()..];
                    read.push(view.to_packet());
                }
                last = end;
                written += 1;
            }
            prop_assert!(last);
            prop_assert_eq!(written, expected);
            prop_assert_eq!(read, packets);
        }

        #[test]
        fn no_payload_makes_the_reader_panic(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_payload(&payload);
        }
    }
}
