//! One ancillary data packet in the coding of RFC 8331 §2.1.

use super::AncillaryError;
use super::bits::{put_words, word};

/// Bytes of the largest packet: 32 bits of place, 259 words of 10 bits, up to a multiple of 4
/// bytes.
pub const MAX_PACKET: usize = 328;

/// Bits before the first word.
const PLACE: usize = 32;
/// Words beside the user data: DID, SDID, Data_Count, checksum.
const FRAME_WORDS: usize = 4;

/// A value of 8 bits with its parity: bit 8 makes the number of ones even, bit 9 is its inverse (ST
/// 291-1).
#[must_use]
pub const fn parity_word(value: u8) -> u16 {
    let odd = (value.count_ones() % 2) as u16;
    value as u16 | odd << 8 | (1 - odd) << 9
}

/// The checksum of these words: the sum of their lower 9 bits, and the inverse of its highest bit
/// (ST 291-1).
fn checksum(words: impl Iterator<Item = u16>) -> u16 {
    let sum = words.fold(0_u16, |sum, word| (sum + (word & 0x1ff)) & 0x1ff);
    sum | (!sum & 0x100) << 1
}

const fn encoded_len(user_words: usize) -> usize {
    (PLACE + (FRAME_WORDS + user_words) * 10).div_ceil(32) * 4
}

/// An ancillary data packet to be written.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// C: it belongs to the colour difference samples, where luma and colour difference are
    /// separate.
    pub colour_difference: bool,
    /// Line_Number, 11 bits; 0x7ff: none in particular, 0x7fe and 0x7fd: somewhere in the vertical
    /// ancillary space.
    pub line: u16,
    /// Horizontal_Offset, 12 bits; 0xfff: none in particular, 0xffe: in the horizontal ancillary
    /// space.
    pub offset: u16,
    /// StreamNum, 7 bits, if S says that it is meant.
    pub stream: Option<u8>,
    /// Data identification.
    pub did: u8,
    /// Secondary data identification; data block number of type 1 packets.
    pub sdid: u8,
    /// User data words of 10 bits, at most 255.
    pub user: Vec<u16>,
}

impl Packet {
    /// A packet without a particular place, with user data of 8 bits that get their parity here.
    #[must_use]
    pub fn new(did: u8, sdid: u8, user: &[u8]) -> Self {
        Self {
            colour_difference: false,
            line: 0x7ff,
            offset: 0xfff,
            stream: None,
            did,
            sdid,
            user: user.iter().map(|byte| parity_word(*byte)).collect(),
        }
    }

    /// Bytes that [`Packet::write`] needs.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        encoded_len(self.user.len())
    }

    /// Writes the packet and returns how many bytes it has.
    ///
    /// # Errors
    /// A value does not fit its field, or the room is too small.
    pub fn write(&self, out: &mut [u8]) -> Result<usize, AncillaryError> {
        let widest = usize::from(self.user.iter().copied().max().unwrap_or(0));
        for (field, value, max) in [
            ("Line_Number", self.line.into(), 0x7ff),
            ("Horizontal_Offset", self.offset.into(), 0xfff),
            ("StreamNum", self.stream.unwrap_or(0).into(), 0x7f),
            ("Data_Count", self.user.len(), 0xff),
            ("User_Data_Word", widest, 0x3ff),
        ] {
            if value > max {
                return Err(AncillaryError::Value { field, value, max });
            }
        }
        let (needed, room) = (self.encoded_len(), out.len());
        let Some(out) = out.get_mut(..needed) else {
            return Err(AncillaryError::Room { needed, room });
        };
        out.fill(0);
        let place = u32::from(self.colour_difference) << 31
            | u32::from(self.line) << 20
            | u32::from(self.offset) << 8
            | u32::from(self.stream.is_some()) << 7
            | u32::from(self.stream.unwrap_or(0));
        out[..4].copy_from_slice(&place.to_be_bytes());
        let count = u8::try_from(self.user.len()).unwrap_or(u8::MAX);
        let head = [parity_word(self.did), parity_word(self.sdid), parity_word(count)];
        let words = || head.into_iter().chain(self.user.iter().copied());
        let sum = checksum(words());
        put_words(out, PLACE, words().chain([sum]));
        Ok(needed)
    }
}

/// A packet in place, whose parity and checksum have been verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketView<'a> {
    bytes: &'a [u8],
}

impl<'a> PacketView<'a> {
    /// The packet at the start of these bytes. `at` is where they lie, for errors.
    ///
    /// Data words need not have parity: applications may use all ten bits of them. The checksum
    /// covers them.
    ///
    /// # Errors
    /// It is cut short, or a parity or checksum is wrong.
    pub fn parse(bytes: &'a [u8], at: usize) -> Result<Self, AncillaryError> {
        if bytes.len() < encoded_len(0) {
            return Err(AncillaryError::Truncated { at });
        }
        for (n, name) in ["DID", "SDID", "Data_Count"].into_iter().enumerate() {
            let value = word(bytes, PLACE + n * 10);
            if value != parity_word(value as u8) {
                return Err(AncillaryError::Parity { at, word: name });
            }
        }
        let count = usize::from(word(bytes, PLACE + 20) as u8);
        let Some(bytes) = bytes.get(..encoded_len(count)) else {
            return Err(AncillaryError::Truncated { at });
        };
        let view = Self { bytes };
        let found = view.word(3 + count);
        let expected = checksum((0..3 + count).map(|n| view.word(n)));
        if found != expected {
            return Err(AncillaryError::Checksum { at, found, expected });
        }
        Ok(view)
    }

    fn word(&self, n: usize) -> u16 {
        word(self.bytes, PLACE + n * 10)
    }

    /// The packet's bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Data identification.
    #[must_use]
    pub fn did(&self) -> u8 {
        self.word(0) as u8
    }

    /// Secondary data identification.
    #[must_use]
    pub fn sdid(&self) -> u8 {
        self.word(1) as u8
    }

    /// How many user data words there are.
    #[must_use]
    pub fn data_count(&self) -> u8 {
        self.word(2) as u8
    }

    /// The user data words, 10 bits each.
    pub fn user(&self) -> impl Iterator<Item = u16> + '_ {
        (3..3 + usize::from(self.data_count())).map(|n| self.word(n))
    }

    /// A copy that stands alone.
    #[must_use]
    pub fn to_packet(&self) -> Packet {
        let place =
            u32::from_be_bytes([self.bytes[0], self.bytes[1], self.bytes[2], self.bytes[3]]);
        Packet {
            colour_difference: place >> 31 == 1,
            line: (place >> 20 & 0x7ff) as u16,
            offset: (place >> 8 & 0xfff) as u16,
            stream: (place & 0x80 != 0).then_some((place & 0x7f) as u8),
            did: self.did(),
            sdid: self.sdid(),
            user: self.user().collect(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in super::super) fn any_packet() -> impl Strategy<Value = Packet> {
        let place = (any::<bool>(), 0_u16..0x800, 0_u16..0x1000, proptest::option::of(0_u8..0x80));
        let user = proptest::collection::vec(0_u16..0x400, 0..=255);
        (place, any::<u8>(), any::<u8>(), user).prop_map(|(place, did, sdid, user)| Packet {
            colour_difference: place.0,
            line: place.1,
            offset: place.2,
            stream: place.3,
            did,
            sdid,
            user,
        })
    }

    #[test]
    fn words_of_the_standard() {
        // ST 12-2 ancillary time code is DID 0x60: two ones, so bit 8 is 0 and bit 9 is 1.
        assert_eq!(parity_word(0x60), 0x260);
        assert_eq!(parity_word(0x61), 0x161);
        assert_eq!(parity_word(0), 0x200);
        assert_eq!(parity_word(0xff), 0x2ff);
        // The sum of 0x161, 0x101 and 0x101 in 9 bits is 0x163, whose highest bit is set.
        assert_eq!(checksum([0x161, 0x101, 0x101].into_iter()), 0x163);
        assert_eq!(checksum([0x100, 0x100].into_iter()), 0x200);
    }

    /// Closed captions (DID 0x61, SDID 0x01) of three bytes on line 9, put together by hand.
    #[test]
    fn bytes_of_a_packet() {
        let packet = Packet { line: 9, offset: 0, ..Packet::new(0x61, 0x01, &[0x96, 0x69, 0x00]) };
        let mut out = [0xee; 16];
        assert_eq!(packet.write(&mut out), Ok(16));
        let words = [0x161, 0x101, 0x203, 0x296, 0x269, 0x200, 0x164];
        assert_eq!(checksum(words[..6].iter().copied()), words[6]);
        let bits: String = words.iter().map(|word| format!("{word:010b}")).collect();
        let bytes: Vec<u8> = format!("{bits:0<96}")
            .as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap())
            .collect();
        assert_eq!(out[..4], [0x00, 0x90, 0x00, 0x00]);
        assert_eq!(out[4..], bytes);
    }

    #[test]
    fn what_is_damaged_is_refused() {
        let packet = Packet::new(0x61, 0x02, &[1, 2, 3, 4]);
        let mut bytes = vec![0; packet.encoded_len()];
        packet.write(&mut bytes).unwrap();
        let change = |bit: usize| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 0x80 >> (bit % 8);
            PacketView::parse(&bytes, 7).map(|view| view.to_packet())
        };
        for (n, word) in ["DID", "SDID", "Data_Count"].into_iter().enumerate() {
            for bit in 0..10 {
                let error = change(32 + n * 10 + bit);
                assert_eq!(error, Err(AncillaryError::Parity { at: 7, word }), "{bit}");
            }
        }
        // Bit 9 of a data word is not part of the sum.
        for bit in (63..72).chain(103..112).chain([102]) {
            assert!(matches!(change(bit), Err(AncillaryError::Checksum { at: 7, .. })), "{bit}");
        }
        for len in 0..bytes.len() {
            let error = PacketView::parse(&bytes[..len], 0).unwrap_err();
            assert_eq!(error, AncillaryError::Truncated { at: 0 });
        }
    }

    #[test]
    fn values_must_fit_their_fields() {
        let good = Packet::new(1, 2, &[0; 255]);
        let mut out = [0; MAX_PACKET];
        assert_eq!(good.write(&mut out), Ok(MAX_PACKET));
        assert!(matches!(
            good.write(&mut out[1..]),
            Err(AncillaryError::Room { needed: 328, room: 327 })
        ));
        for bad in [
            Packet { line: 0x800, ..good.clone() },
            Packet { offset: 0x1000, ..good.clone() },
            Packet { stream: Some(0x80), ..good.clone() },
            Packet { user: vec![0x400], ..good.clone() },
            Packet { user: vec![0; 256], ..good.clone() },
        ] {
            assert!(matches!(bad.write(&mut out), Err(AncillaryError::Value { .. })), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn packets_are_read_back(packet in any_packet(), rest in proptest::collection::vec(any::<u8>(), 0..8)) {
            let mut bytes = vec![0xff; packet.encoded_len()];
            prop_assert_eq!(packet.write(&mut bytes), Ok(bytes.len()));
            let len = bytes.len();
            bytes.extend(rest);
            let view = PacketView::parse(&bytes, 0).unwrap();
            prop_assert_eq!(view.bytes().len(), len);
            prop_assert_eq!(view.to_packet(), packet);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = PacketView::parse(&bytes, 0);
        }
    }
}
