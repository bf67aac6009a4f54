//! Wire layout of a frame: that of a slot, and the trailer behind it.
//!
//! All numbers are little-endian. The layout is that of a slot in a ring, from its system data on:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 8 | time, milliseconds, TAI; 0 if the sender does not say |
//! | 8 | 4 | the source's number of the frame, modulo 2³²; ignored |
//! | 12 | 4 | payload bytes |
//! | 16 | 4 | metadata bytes |
//! | 20 | 4 | unused |
//! | 24 | ⌈payload size⌉₈ | payload |
//! | 24 + ⌈payload size⌉₈ | ⌈metadata size⌉₈ | metadata |
//!
//! In the *plain* form, which other implementations understand, the sender sends all of it,
//! followed by a u64: the number of the frame in the connection. In the *extended* form the frame
//! ends behind the last byte in use (rounded up to 8); then come a tag and [`Trailer`]. The tag is
//! that of the encryption, or authenticates system data and trailer of a frame in the clear.

/// Bytes of the system data.
pub const SYSDATA: usize = 24;
/// Bytes of an extended trailer.
pub const TRAILER: usize = 40;
/// Bytes of the tag of an extended frame.
pub const TAG: usize = 16;
/// Most bytes behind a frame, for which a slot must have room behind its metadata.
pub const MAX_TAIL: usize = TAG + TRAILER;

/// `MF` and a version.
const MAGIC: u32 = 0x0003_464d;
/// Flag of a frame: parts of its payload did not arrive at its source.
const INCOMPLETE: u32 = 1 << 31;

/// Sizes of a group's partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WireLayout {
    /// Bytes of the payload partition.
    pub payload_size: usize,
    /// Bytes of the metadata partition.
    pub metadata_size: usize,
}

/// System data of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sysdata {
    /// TAI time in milliseconds; `None` if the sender does not say.
    pub tai_ms: Option<u64>,
    /// Payload bytes.
    pub payload_len: usize,
    /// Metadata bytes.
    pub metadata_len: usize,
}

/// Trailer of an extended frame: its fields in this order, and then a u32 with magic and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Number of the frame in its session, from 0.
    pub sequence: u64,
    /// TAI time, nanoseconds.
    pub tai_ns: u64,
    /// The session.
    pub session: u64,
    /// Origin of the number that receivers see.
    pub origin: Origin,
    /// Whether parts of the payload did not arrive at the source. In the highest bit of the word
    /// whose others are the origin's mark.
    pub incomplete: bool,
}

/// The place of a frame among those of its source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Tells sources apart, by 31 bits; 0 if it is not known.
    pub mark: u32,
    /// Number of the frame there.
    pub sequence: u64,
}

/// Why a message is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// It is longer or shorter than it must be.
    #[error("the message has {len} bytes, a frame has {wanted}")]
    Length {
        /// Bytes of the message.
        len: usize,
        /// Bytes that it should have; the least of them where frames have different lengths.
        wanted: usize,
    },
    /// More is in use than there is.
    #[error("{partition} of {len} bytes, the partition has {size}")]
    Partition {
        /// The partition.
        partition: &'static str,
        /// Bytes in use, as the message says.
        len: usize,
        /// Bytes of the partition.
        size: usize,
    },
    /// Something else than a frame.
    #[error("the message does not end as a frame does")]
    Magic,
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk::<N>().copied()
}

impl WireLayout {
    /// Offset of the metadata.
    #[must_use]
    pub const fn metadata_offset(&self) -> usize {
        SYSDATA + self.payload_size.next_multiple_of(8)
    }

    /// Bytes of the whole frame.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.metadata_offset() + self.metadata_size.next_multiple_of(8)
    }

    /// Bytes of the frame that a frame needs in the extended form.
    #[must_use]
    pub const fn used(&self, payload_len: usize, metadata_len: usize) -> usize {
        if metadata_len == 0 {
            SYSDATA + payload_len.next_multiple_of(8)
        } else {
            self.metadata_offset() + metadata_len.next_multiple_of(8)
        }
    }

    /// Reads the system data that a frame begins with.
    pub fn sysdata(&self, frame: &[u8]) -> Result<Sysdata, BadFrame> {
        let short = BadFrame::Length { len: frame.len(), wanted: SYSDATA };
        let field = |at| number(frame, at).map(u32::from_le_bytes).ok_or(short);
        let time = number(frame, 0).map(i64::from_le_bytes).ok_or(short)?;
        let (payload_len, metadata_len) = (field(12)? as usize, field(16)? as usize);
        for (partition, len, size) in [
            ("payload", payload_len, self.payload_size),
            ("metadata", metadata_len, self.metadata_size),
        ] {
            if len > size {
                return Err(BadFrame::Partition { partition, len, size });
            }
        }
        let tai_ms = u64::try_from(time).ok().filter(|time| *time > 0);
        Ok(Sysdata { tai_ms, payload_len, metadata_len })
    }

    /// Reads a message in the plain form.
    pub fn plain(&self, message: &[u8]) -> Result<(Sysdata, u64), BadFrame> {
        let wanted = self.size() + 8;
        let bad = BadFrame::Length { len: message.len(), wanted };
        if message.len() != wanted {
            return Err(bad);
        }
        let sequence = number(message, self.size()).map(u64::from_le_bytes).ok_or(bad)?;
        Ok((self.sysdata(message)?, sequence))
    }

    /// Reads the trailer of a message in the extended form; the rest is the frame and the tag.
    pub fn extended<'a>(&self, message: &'a [u8]) -> Result<(&'a [u8], Trailer), BadFrame> {
        let wanted = SYSDATA + TRAILER;
        let Some((frame, trailer)) = message.split_last_chunk::<TRAILER>() else {
            return Err(BadFrame::Length { len: message.len(), wanted });
        };
        Ok((frame, Trailer::read(trailer).ok_or(BadFrame::Magic)?))
    }

    /// Reads the frame of an extended frame, which is in the clear now.
    pub fn opened(&self, frame: &[u8]) -> Result<Sysdata, BadFrame> {
        let sysdata = self.sysdata(frame)?;
        let wanted = self.used(sysdata.payload_len, sysdata.metadata_len);
        if frame.len() != wanted {
            return Err(BadFrame::Length { len: frame.len(), wanted });
        }
        Ok(sysdata)
    }
}

impl Trailer {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> [u8; TRAILER] {
        let mark = self.origin.mark & !INCOMPLETE | if self.incomplete { INCOMPLETE } else { 0 };
        let end = u64::from(mark) | u64::from(MAGIC) << 32;
        let words = [self.sequence, self.tai_ns, self.session, self.origin.sequence, end];
        let mut bytes = [0; TRAILER];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8; TRAILER]) -> Option<Self> {
        let word = |at| number(bytes, at).map(u64::from_le_bytes);
        let end = word(32)?;
        let mark = end as u32;
        let trailer = Self {
            sequence: word(0)?,
            tai_ns: word(8)?,
            session: word(16)?,
            origin: Origin { mark: mark & !INCOMPLETE, sequence: word(24)? },
            incomplete: mark & INCOMPLETE != 0,
        };
        ((end >> 32) as u32 == MAGIC).then_some(trailer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LAYOUT: WireLayout = WireLayout { payload_size: 100, metadata_size: 12 };

    fn sysdata(payload: u32, metadata: u32, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        bytes[..8].copy_from_slice(&1234i64.to_le_bytes());
        bytes[12..16].copy_from_slice(&payload.to_le_bytes());
        bytes[16..20].copy_from_slice(&metadata.to_le_bytes());
        bytes
    }

    #[test]
    fn sizes_are_those_of_existing_peers() {
        // Partitions of 24, 104 and 16 bytes, as crates/proto tells applications.
        assert_eq!((LAYOUT.metadata_offset(), LAYOUT.size()), (128, 144));
        let video = WireLayout { payload_size: 8_294_400, metadata_size: 0 };
        assert_eq!(video.size() + 8, 8_294_432);
    }

    #[test]
    fn a_plain_frame_has_one_length_only() {
        let mut message = sysdata(100, 12, 152);
        message[144..].copy_from_slice(&77u64.to_le_bytes());
        let known = Sysdata { tai_ms: Some(1234), payload_len: 100, metadata_len: 12 };
        assert_eq!(LAYOUT.plain(&message), Ok((known, 77)));
        for len in [0, 23, 151] {
            let bad = BadFrame::Length { len, wanted: 152 };
            assert_eq!(LAYOUT.plain(&message[..len]), Err(bad));
        }
        message.push(0);
        assert!(LAYOUT.plain(&message).is_err());
        let bad = LAYOUT.plain(&sysdata(101, 0, 152)).unwrap_err();
        assert_eq!(bad.to_string(), "payload of 101 bytes, the partition has 100");
        assert!(LAYOUT.plain(&sysdata(0, 13, 152)).is_err());
    }

    #[test]
    fn an_extended_frame_is_as_long_as_what_it_carries() {
        assert_eq!((LAYOUT.used(1, 0), LAYOUT.used(100, 0), LAYOUT.used(1, 1)), (32, 128, 136));
        assert!(LAYOUT.opened(&sysdata(9, 0, 40)).is_ok());
        assert!(LAYOUT.opened(&sysdata(9, 0, 41)).is_err());
        assert!(LAYOUT.opened(&sysdata(9, 3, 40)).is_err());
        assert_eq!(LAYOUT.extended(&[0; 100]), Err(BadFrame::Magic));
    }

    proptest! {
        #[test]
        fn trailers_come_back(
            numbers: [u64; 4],
            mark in 0..INCOMPLETE,
            incomplete: bool,
            frame in prop::collection::vec(any::<u8>(), 0..50),
        ) {
            let [sequence, tai_ns, session, number] = numbers;
            let origin = Origin { mark, sequence: number };
            let trailer = Trailer { sequence, tai_ns, session, origin, incomplete };
            let mut message = frame.clone();
            message.extend(trailer.bytes());
            prop_assert_eq!(LAYOUT.extended(&message), Ok((&frame[..], trailer)));
        }

        #[test]
        fn nothing_is_believed_of_a_message(message in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok((sysdata, _)) = LAYOUT.plain(&message) {
                prop_assert!(sysdata.payload_len <= 100 && sysdata.metadata_len <= 12);
            }
            if let Ok(sysdata) = LAYOUT.opened(&message) {
                prop_assert!(LAYOUT.used(sysdata.payload_len, sysdata.metadata_len) <= message.len());
            }
        }
    }
}
