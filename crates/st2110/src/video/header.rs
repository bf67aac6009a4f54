//! The payload header: extended sequence number and segment headers (RFC 4175, clause 4.2; ST
//! 2110-20, clause 6.1).

use super::{Field, PacketError};

/// Octets of the RTP header, which stands before the payload header.
pub const RTP_HEADER: usize = 12;

/// Octets of the extended sequence number.
pub(super) const EXTENDED_SEQUENCE: usize = 2;
/// Octets of the header of a segment ("sample row data").
pub(super) const SEGMENT_HEADER: usize = 6;
/// Most segments in a packet that is sent (ST 2110-20, clause 6.2).
pub(super) const MAX_SEGMENTS: usize = 3;

/// The flag in the offset: another segment header follows.
const CONTINUATION: u16 = 0x8000;
/// The flag in the line number: second field.
const SECOND_FIELD: u16 = 0x8000;

/// A segment header, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    /// Octets of the segment.
    pub(super) length: u16,
    /// The F bit.
    pub(super) field: Field,
    /// Number of its line, or of the upper line for pgroups of two lines.
    pub(super) line: u16,
    /// Its first pixel.
    pub(super) offset: u16,
    /// Whether another header follows.
    pub(super) more: bool,
}

impl SegmentHeader {
    fn write(self, out: &mut [u8; SEGMENT_HEADER]) {
        let line = self.line | if self.field == Field::Second { SECOND_FIELD } else { 0 };
        let offset = self.offset | if self.more { CONTINUATION } else { 0 };
        out[..2].copy_from_slice(&self.length.to_be_bytes());
        out[2..4].copy_from_slice(&line.to_be_bytes());
        out[4..].copy_from_slice(&offset.to_be_bytes());
    }

    fn read(bytes: [u8; SEGMENT_HEADER]) -> Self {
        let [a, b, c, d, e, f] = bytes;
        let [length, line, offset] = [[a, b], [c, d], [e, f]].map(u16::from_be_bytes);
        Self {
            length,
            field: if line & SECOND_FIELD == 0 { Field::First } else { Field::Second },
            line: line & !SECOND_FIELD,
            offset: offset & !CONTINUATION,
            more: offset & CONTINUATION != 0,
        }
    }
}

/// Splits a payload into its segment headers and what follows them.
///
/// # Errors
/// If the headers do not end within the payload.
pub(super) fn split(
    payload: &[u8],
) -> Result<(impl ExactSizeIterator<Item = SegmentHeader> + Clone + '_, &[u8]), PacketError> {
    let rest = payload.get(EXTENDED_SEQUENCE..).ok_or(PacketError::HeaderTruncated)?;
    let (headers, _) = rest.as_chunks::<SEGMENT_HEADER>();
    let last = headers.iter().position(|bytes| !SegmentHeader::read(*bytes).more);
    let count = last.ok_or(PacketError::HeaderTruncated)? + 1;
    let headers = headers[..count].iter().map(|bytes| SegmentHeader::read(*bytes));
    Ok((headers, &rest[count * SEGMENT_HEADER..]))
}

/// A payload header to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadHeader {
    bytes: [u8; EXTENDED_SEQUENCE + MAX_SEGMENTS * SEGMENT_HEADER],
    len: usize,
}

impl PayloadHeader {
    /// `extended` is the high half of the 32-bit sequence number. `segments` are 1 to 3; their
    /// `more` is filled in here.
    pub(super) fn new(extended: u16, segments: impl Iterator<Item = SegmentHeader>) -> Self {
        let mut header = Self { bytes: [0; _], len: EXTENDED_SEQUENCE };
        let (sequence, rest) = header.bytes.split_at_mut(EXTENDED_SEQUENCE);
        sequence.copy_from_slice(&extended.to_be_bytes());
        let mut segments = segments.peekable();
        for place in rest.as_chunks_mut().0 {
            let Some(segment) = segments.next() else { break };
            SegmentHeader { more: segments.peek().is_some(), ..segment }.write(place);
            header.len += SEGMENT_HEADER;
        }
        header
    }

    /// The header's octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(length: u16, field: Field, line: u16, offset: u16) -> SegmentHeader {
        SegmentHeader { length, field, line, offset, more: false }
    }

    /// By hand from the figure in RFC 4175, clause 4.2.
    #[test]
    fn bits_are_where_the_figure_has_them() {
        let segments =
            [segment(1200, Field::Second, 0x123, 0x456), segment(5, Field::First, 539, 0)];
        let header = PayloadHeader::new(0xABCD, segments.into_iter());
        let bytes = [
            0xAB, 0xCD, // extended sequence number
            0x04, 0xB0, 0x81, 0x23, 0x84, 0x56, // 1200 octets, F, line 0x123, C, offset 0x456
            0x00, 0x05, 0x02, 0x1B, 0x00, 0x00, // 5 octets, line 539, offset 0
        ];
        assert_eq!(header.as_bytes(), bytes);
        let with_data = [&bytes[..], b"data"].concat();
        let (headers, data) = split(&with_data).unwrap();
        assert_eq!(data, b"data");
        let read: Vec<_> = headers.collect();
        assert_eq!(read, [SegmentHeader { more: true, ..segments[0] }, segments[1]]);
    }

    #[test]
    fn headers_that_do_not_end_are_refused() {
        let segments = [segment(5, Field::First, 0, 0); 3];
        let header = PayloadHeader::new(0, segments.into_iter());
        assert_eq!(header.as_bytes().len(), 20);
        for len in 0..20 {
            let cut = split(&header.as_bytes()[..len]).map(|(headers, _)| headers.count());
            assert_eq!(cut, Err(PacketError::HeaderTruncated), "{len}");
        }
        assert_eq!(split(header.as_bytes()).unwrap().0.count(), 3);
    }
}
