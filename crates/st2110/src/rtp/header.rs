//! The RTP header (RFC 3550 §5.1), as ST 2110-10 §6.2 uses it.

use std::ops::Range;

const VERSION: u8 = 2;
/// Octets of a fixed header, of a CSRC entry, and of the word that an extension starts with.
const FIXED: usize = Header::LEN;
const CSRC: usize = 4;
const EXTENSION: usize = 4;

/// The fixed part of an RTP header. CSRC lists and extensions are skipped when reading and never
/// written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Header {
    /// The marker bit: in video the last packet of a frame or field.
    pub marker: bool,
    /// Payload type, 0…127; ST 2110 uses the dynamic ones, 96…127.
    pub payload_type: u8,
    /// The low 16 bits of the sequence number.
    pub sequence: u16,
    /// Media clock of the sample that the packet belongs to, modulo 2³².
    pub timestamp: u32,
    /// Synchronisation source: a number that the sender has drawn.
    pub ssrc: u32,
}

impl Header {
    /// Octets that [`Header::write`] fills.
    pub const LEN: usize = 12;

    /// Writes the header: version 2, no padding, no extension, no CSRC. Of the payload type the low
    /// seven bits count.
    pub fn write(&self, out: &mut [u8; Self::LEN]) {
        out[0] = VERSION << 6;
        out[1] = u8::from(self.marker) << 7 | self.payload_type & 0x7f;
        out[2..4].copy_from_slice(&self.sequence.to_be_bytes());
        out[4..8].copy_from_slice(&self.timestamp.to_be_bytes());
        out[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
    }

    /// The header as octets; see [`Header::write`].
    pub fn to_bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        self.write(&mut out);
        out
    }

    /// Reads the header of a whole datagram. The range is where the payload lies in `datagram`:
    /// after the CSRC list and the extension, before the padding; it may be empty.
    ///
    /// # Errors
    /// The datagram is shorter than its header says, is not RTP version 2, or is RTCP on the same
    /// port (RFC 5761 §4).
    pub fn parse(datagram: &[u8]) -> Result<(Self, Range<usize>), RtpError> {
        let len = datagram.len();
        let Some(fixed) = datagram.first_chunk::<FIXED>() else {
            return Err(RtpError::TooShort { len });
        };
        let version = fixed[0] >> 6;
        if version != VERSION {
            return Err(RtpError::Version { found: version });
        }
        if (192..=223).contains(&fixed[1]) {
            return Err(RtpError::Rtcp { packet_type: fixed[1] });
        }
        let csrc_count = fixed[0] & 0x0f;
        let mut start = FIXED + CSRC * usize::from(csrc_count);
        if start > len {
            return Err(RtpError::CsrcList { count: csrc_count, len });
        }
        if fixed[0] & 0x10 != 0 {
            // The profile's 16 bits, then the length in words of 32 bits, not counting this one.
            let Some(word) = datagram[start..].first_chunk::<EXTENSION>() else {
                return Err(RtpError::Extension { words: 0, len });
            };
            let words = u16::from_be_bytes([word[2], word[3]]);
            start += EXTENSION + 4 * usize::from(words);
            if start > len {
                return Err(RtpError::Extension { words, len });
            }
        }
        let mut end = len;
        if fixed[0] & 0x20 != 0 {
            // The last octet counts itself. Without a payload at all it belongs to the header and
            // is no count.
            let padding = if start < len { datagram[len - 1] } else { 0 };
            if padding == 0 || usize::from(padding) > len - start {
                return Err(RtpError::Padding { found: padding, room: len - start });
            }
            end -= usize::from(padding);
        }
        let header = Self {
            marker: fixed[1] & 0x80 != 0,
            payload_type: fixed[1] & 0x7f,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        Ok((header, start..end))
    }
}

/// Why a datagram is not an RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum RtpError {
    /// There is no room for the fixed header.
    #[error("RTP packet of {len} octets, at least 12 are needed")]
    TooShort {
        /// Octets of the datagram.
        len: usize,
    },
    /// Another version than 2.
    #[error("RTP version {found}, only 2 is accepted")]
    Version {
        /// The version field.
        found: u8,
    },
    /// An RTCP packet.
    #[error("RTCP packet of type {packet_type} on the port of an RTP stream")]
    Rtcp {
        /// RTCP packet type, 192…223.
        packet_type: u8,
    },
    /// The CSRC list goes past the end.
    #[error("RTP packet of {len} octets cannot hold {count} CSRC entries")]
    CsrcList {
        /// Entries that the header announces.
        count: u8,
        /// Octets of the datagram.
        len: usize,
    },
    /// The header extension goes past the end.
    #[error("RTP packet of {len} octets cannot hold a header extension of {words} words")]
    Extension {
        /// Words of 32 bits that the extension announces; 0 if even its first word is missing.
        words: u16,
        /// Octets of the datagram.
        len: usize,
    },
    /// The count of padding octets is 0 or greater than what is left.
    #[error("RTP padding of {found} octets, accepted are 1 to the {room} behind the header")]
    Padding {
        /// The last octet of the datagram.
        found: u8,
        /// Octets behind the header.
        room: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> Header {
        Header {
            marker: true,
            payload_type: 96,
            sequence: 0x1234,
            timestamp: 0x89ab_cdef,
            ssrc: 0x0bad_cafe,
        }
    }

    fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
        let mut packet = header().to_bytes().to_vec();
        packet[0] = first;
        packet.extend_from_slice(rest);
        packet
    }

    #[test]
    fn octets_of_a_header() {
        let expected = [0x80, 0xe0, 0x12, 0x34, 0x89, 0xab, 0xcd, 0xef, 0x0b, 0xad, 0xca, 0xfe];
        assert_eq!(header().to_bytes(), expected);
        assert_eq!(Header::parse(&expected), Ok((header(), 12..12)));
    }

    #[test]
    fn a_payload_type_does_not_touch_the_marker() {
        let wide = Header { marker: false, payload_type: 0xff, ..header() };
        assert_eq!(wide.to_bytes()[1], 0x7f);
    }

    #[test]
    fn lists_extensions_and_padding_are_skipped() {
        // Two CSRC entries.
        assert_eq!(Header::parse(&packet(0x82, &[0; 11])), Ok((header(), 20..23)));
        // An extension of one word.
        assert_eq!(
            Header::parse(&packet(0x90, &[0xbe, 0xde, 0, 1, 1, 2, 3, 4, 9])),
            Ok((header(), 20..21))
        );
        // An empty extension, and one CSRC entry before it.
        assert_eq!(
            Header::parse(&packet(0x91, &[0, 0, 0, 0, 0xbe, 0xde, 0, 0, 7])),
            Ok((header(), 20..21))
        );
        // Three octets of padding; then nothing but padding.
        assert_eq!(Header::parse(&packet(0xa0, &[1, 2, 0, 0, 3])), Ok((header(), 12..14)));
        assert_eq!(Header::parse(&packet(0xa0, &[0, 2])), Ok((header(), 12..12)));
        // Everything at once.
        let all = [0, 0, 0, 0, 0, 0, 0, 1, 5, 5, 5, 5, 42, 43, 1];
        assert_eq!(Header::parse(&packet(0xb1, &all)), Ok((header(), 24..26)));
    }

    #[test]
    fn what_is_not_rtp_is_refused() {
        assert_eq!(Header::parse(&[]), Err(RtpError::TooShort { len: 0 }));
        assert_eq!(Header::parse(&[0x80; 11]), Err(RtpError::TooShort { len: 11 }));
        assert_eq!(Header::parse(&packet(0x40, &[])), Err(RtpError::Version { found: 1 }));
        assert_eq!(
            Header::parse(&packet(0x83, &[0; 11])),
            Err(RtpError::CsrcList { count: 3, len: 23 })
        );
        assert_eq!(
            Header::parse(&packet(0x90, &[0, 0, 0])),
            Err(RtpError::Extension { words: 0, len: 15 })
        );
        assert_eq!(
            Header::parse(&packet(0x90, &[0, 0, 0xff, 0xff, 1])),
            Err(RtpError::Extension { words: 0xffff, len: 17 })
        );
        for (rest, found, room) in
            [(&[][..], 0, 0), (&[1, 0], 0, 2), (&[1, 3], 3, 2), (&[0, 0xff], 0xff, 2)]
        {
            assert_eq!(
                Header::parse(&packet(0xa0, rest)),
                Err(RtpError::Padding { found, room }),
                "{rest:?}"
            );
        }
        let mut report = packet(0x80, &[0; 16]);
        report[1] = 200;
        assert_eq!(Header::parse(&report), Err(RtpError::Rtcp { packet_type: 200 }));
    }

    proptest! {
        #[test]
        fn a_header_is_read_back(
            marker: bool, payload_type in 0_u8..64, sequence: u16, timestamp: u32, ssrc: u32,
            payload in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let header = Header { marker, payload_type, sequence, timestamp, ssrc };
            let mut packet = header.to_bytes().to_vec();
            packet.extend_from_slice(&payload);
            prop_assert_eq!(Header::parse(&packet), Ok((header, 12..packet.len())));
        }

        #[test]
        fn a_range_lies_in_its_datagram(
            first in 0x80_u8..0xc0, rest in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let mut datagram = vec![first];
            datagram.extend_from_slice(&rest);
            if let Ok((_, payload)) = Header::parse(&datagram) {
                prop_assert!(payload.start >= 12 && payload.start <= payload.end);
                prop_assert!(payload.end <= datagram.len());
            }
        }
    }
}
