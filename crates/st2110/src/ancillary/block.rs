//! The block of a frame's ancillary packets, as the mesh carries it.

use super::{AncillaryError, Packet, PacketView};

/// Bytes before the first packet of a block.
pub const HEAD: usize = 4;

/// A block whose packets have been verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block<'a> {
    /// Packets of each field.
    counts: [u16; 2],
    /// Bytes of each field's packets.
    fields: [&'a [u8]; 2],
}

impl<'a> Block<'a> {
    /// Reads a block. No bytes at all are an empty block.
    ///
    /// # Errors
    /// A packet is cut short or damaged, or bytes follow the last one.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, AncillaryError> {
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let Some((head, _)) = bytes.split_first_chunk::<HEAD>() else {
            return Err(AncillaryError::Truncated { at: 0 });
        };
        let counts =
            [u16::from_be_bytes([head[0], head[1]]), u16::from_be_bytes([head[2], head[3]])];
        let mut at = HEAD;
        let mut fields: [&[u8]; 2] = [&[]; 2];
        for (field, count) in fields.iter_mut().zip(counts) {
            let start = at;
            for _ in 0..count {
                at += PacketView::parse(&bytes[at..], at)?.bytes().len();
            }
            *field = &bytes[start..at];
        }
        if at != bytes.len() {
            return Err(AncillaryError::Extra { extra: bytes.len() - at });
        }
        Ok(Self { counts, fields })
    }

    /// Whether there are no packets.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts == [0; 2]
    }

    /// How many packets a field has; field 0 is the frame if the picture is not interlaced.
    #[must_use]
    pub fn count(&self, field: usize) -> u16 {
        self.counts.get(field).copied().unwrap_or(0)
    }

    /// The packets of a field.
    pub fn packets(&self, field: usize) -> impl Iterator<Item = PacketView<'a>> + use<'a> {
        let mut rest = self.fields.get(field).copied().unwrap_or(&[]);
        std::iter::from_fn(move || {
            // They were verified when the block was read.
            let view = PacketView::parse(rest, 0).ok()?;
            rest = &rest[view.bytes().len()..];
            Some(view)
        })
    }
}

/// Writes a block of the packets of each field and returns how many bytes it has.
///
/// # Errors
/// A packet cannot be written, there are more than 65535 in a field, or the room is too small.
pub fn write_block(fields: [&[Packet]; 2], out: &mut [u8]) -> Result<usize, AncillaryError> {
    let room = out.len();
    let needed =
        HEAD + fields.iter().flat_map(|field| *field).map(Packet::encoded_len).sum::<usize>();
    if needed > room {
        return Err(AncillaryError::Room { needed, room });
    }
    let mut at = HEAD;
    for (n, field) in fields.into_iter().enumerate() {
        let value = field.len();
        let count = u16::try_from(value).map_err(|_| AncillaryError::Value {
            field: "number of packets",
            value,
            max: u16::MAX.into(),
        })?;
        out[n * 2..n * 2 + 2].copy_from_slice(&count.to_be_bytes());
        for packet in field {
            at += packet.write(&mut out[at..])?;
        }
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::packet::tests::any_packet;
    use super::*;

    #[test]
    fn bytes_after_the_last_packet_are_refused() {
        assert_eq!(Block::parse(&[]).map(|block| block.is_empty()), Ok(true));
        assert_eq!(Block::parse(&[0; 4]).map(|block| block.is_empty()), Ok(true));
        assert_eq!(Block::parse(&[0; 5]), Err(AncillaryError::Extra { extra: 1 }));
        assert_eq!(Block::parse(&[0; 3]), Err(AncillaryError::Truncated { at: 0 }));
        assert_eq!(Block::parse(&[0, 1, 0, 0]), Err(AncillaryError::Truncated { at: 4 }));
        let packet = Packet::new(1, 2, &[3]);
        let mut out = [0; 16];
        let error = write_block([&[packet], &[]], &mut out[..15]).unwrap_err();
        assert_eq!(error, AncillaryError::Room { needed: 16, room: 15 });
    }

    proptest! {
        #[test]
        fn blocks_are_read_back(
            first in proptest::collection::vec(any_packet(), 0..6),
            second in proptest::collection::vec(any_packet(), 0..6),
        ) {
            let mut out = vec![0; 8192];
            let len = write_block([&first, &second], &mut out).unwrap();
            let block = Block::parse(&out[..len]).unwrap();
            for (n, field) in [first, second].into_iter().enumerate() {
                prop_assert_eq!(usize::from(block.count(n)), field.len());
                let packets: Vec<_> = block.packets(n).map(|view| view.to_packet()).collect();
                prop_assert_eq!(packets, field);
            }
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Block::parse(&bytes);
        }
    }
}
