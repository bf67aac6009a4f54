//! JPEG XS picture segments: boxes, headers and slices (ISO/IEC 21122-1 and -3), as far as carrying
//! them needs it.

use std::ops::Range;

use super::JpegXsError;

const SOC: u16 = 0xFF10;
const EOC: u16 = 0xFF11;
const PICTURE_HEADER: u16 = 0xFF12;
const COMPONENT_TABLE: u16 = 0xFF13;
const SLICE_HEADER: u16 = 0xFF20;
/// Length of a slice header after its marker: the length itself and the slice's number.
const SLICE_HEADER_LENGTH: u16 = 4;
/// Most slices that packets can number.
const MAX_SLICES: usize = 2047;

/// What the picture header and the component table say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PictureHeader {
    /// Ppih: the profile (ISO/IEC 21122-2).
    pub profile: u16,
    /// Plev: level in the high octet, sublevel in the low one.
    pub level: u16,
    /// Pixels of a line.
    pub width: u16,
    /// Lines of the picture: of a field, where it is one.
    pub height: u16,
    /// Bits of a sample of the first component; 0 without a component table.
    pub depth: u8,
    /// How many components there are.
    pub components: u8,
    /// Horizontal and vertical subsampling of the second component; 0 without one.
    pub subsampling: (u8, u8),
}

/// A picture in JPEG XS: maybe boxes, then a codestream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureSegment<'a> {
    bytes: &'a [u8],
    codestream: usize,
    first_slice: usize,
    header: PictureHeader,
}

/// A cursor over octets that may end anywhere.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take<const N: usize>(&mut self, within: &'static str) -> Result<[u8; N], JpegXsError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let bytes =
            rest.first_chunk().ok_or(JpegXsError::Truncated { len: self.bytes.len(), within })?;
        self.at += N;
        Ok(*bytes)
    }

    fn word(&mut self, within: &'static str) -> Result<u16, JpegXsError> {
        self.take(within).map(u16::from_be_bytes)
    }

    fn slice(&mut self, len: usize, within: &'static str) -> Result<&'a [u8], JpegXsError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let part =
            rest.get(..len).ok_or(JpegXsError::Truncated { len: self.bytes.len(), within })?;
        self.at += len;
        Ok(part)
    }
}

impl<'a> PictureSegment<'a> {
    /// The picture at the start of `bytes`. What follows it is [`rest`](Self::after): of an
    /// interlaced frame the second field.
    ///
    /// Boxes and header segments of unknown kinds are skipped.
    ///
    /// # Errors
    /// If anything before the first slice is malformed, or the codestream is longer than `bytes` or
    /// does not end with its marker.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, JpegXsError> {
        let codestream = boxes_len(bytes)?;
        let mut reader = Reader { bytes, at: codestream };
        let within = "the codestream's header";
        let found = reader.word(within)?;
        if found != SOC {
            let expected = "the start of a codestream (SOC, 0xff10) or of a box";
            return Err(JpegXsError::Unexpected { at: codestream, found, expected });
        }
        let mut header = PictureHeader::default();
        let mut length = None;
        let first_slice = loop {
            let at = reader.at;
            let marker = reader.word(within)?;
            if marker == SLICE_HEADER {
                break at;
            }
            let expected = "a marker segment before the first slice";
            if marker < 0xFF00 || matches!(marker, SOC | EOC) {
                return Err(JpegXsError::Unexpected { at, found: marker, expected });
            }
            let size = reader.word(within)?;
            let content = usize::from(size).checked_sub(2).ok_or_else(|| JpegXsError::Length {
                what: "a marker segment",
                value: u64::from(size),
                allowed: "at least 2".to_owned(),
            })?;
            let content = reader.slice(content, within)?;
            match marker {
                PICTURE_HEADER => length = Some(header.read_picture(content)?),
                COMPONENT_TABLE => header.read_components(content),
                _ => {}
            }
        };
        let expected = "a picture header (PIH, 0xff12) before the first slice";
        let length = length.ok_or(JpegXsError::Unexpected {
            at: first_slice,
            found: SLICE_HEADER,
            expected,
        })?;
        let available = bytes.len() - codestream;
        let shortest = first_slice + 6 - codestream + 2;
        // 0 stands for a length that was not known when the header was written.
        let length = if length == 0 { available } else { length as usize };
        if !(shortest..=available).contains(&length) {
            return Err(JpegXsError::Length {
                what: "the codestream",
                value: length as u64,
                allowed: format!("between {shortest} and the {available} that there are"),
            });
        }
        let bytes = &bytes[..codestream + length];
        let at = bytes.len() - 2;
        let found = u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        if found != EOC {
            let expected = "the end of the codestream (EOC, 0xff11)";
            return Err(JpegXsError::Unexpected { at, found, expected });
        }
        Ok(Self { bytes, codestream, first_slice, header })
    }

    /// All of it.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows in the octets that it was parsed from.
    #[must_use]
    pub fn after<'b>(&self, all: &'b [u8]) -> &'b [u8] {
        all.get(self.bytes.len()..).unwrap_or_default()
    }

    /// The boxes before the codestream; empty where there are none.
    #[must_use]
    pub fn boxes(&self) -> &'a [u8] {
        &self.bytes[..self.codestream]
    }

    /// The codestream, from SOC to EOC.
    #[must_use]
    pub fn codestream(&self) -> &'a [u8] {
        &self.bytes[self.codestream..]
    }

    /// What its header says.
    #[must_use]
    pub const fn header(&self) -> &PictureHeader {
        &self.header
    }

    /// Where units of slice mode are within [`codestream`](Self::codestream): what comes before the
    /// first slice, then each slice; the last one has the EOC.
    ///
    /// Entropy-coded data may look like a marker. A slice header is taken for one only with its
    /// exact length and the next number: six octets that chance brings forth once in 2⁴⁸ places.
    ///
    /// # Errors
    /// If there are more than 2047 slices.
    pub fn units(&self) -> Result<Vec<Range<usize>>, JpegXsError> {
        let codestream = self.codestream();
        let first = self.first_slice - self.codestream;
        let mut starts = vec![0];
        let mut at = first;
        while let Some(found) = find_slice(&codestream[at..], starts.len() - 1) {
            starts.push(at + found);
            at += found + 6;
        }
        let count = starts.len() - 1;
        // The header has found a slice header, but it may have another number than 0.
        if !(1..=MAX_SLICES).contains(&count) || starts[1] != first {
            return Err(JpegXsError::Slices { count });
        }
        let ends = starts[1..].iter().copied().chain([codestream.len()]);
        Ok(starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect())
    }
}

/// The next slice header with this number.
fn find_slice(bytes: &[u8], number: usize) -> Option<usize> {
    let [a, b] = SLICE_HEADER.to_be_bytes();
    let [c, d] = SLICE_HEADER_LENGTH.to_be_bytes();
    let [e, f] = u16::try_from(number).ok()?.to_be_bytes();
    let pattern = [a, b, c, d, e, f];
    let mut at = 0;
    loop {
        at += bytes.get(at..)?.iter().position(|octet| *octet == a)?;
        if bytes[at..].starts_with(&pattern) {
            return Some(at);
        }
        at += 1;
    }
}

/// Octets of the boxes before a codestream (ISO/IEC 21122-3): a video support box and a colour
/// specification box, or others.
pub(super) fn boxes_len(bytes: &[u8]) -> Result<usize, JpegXsError> {
    let mut reader = Reader { bytes, at: 0 };
    let within = "a box";
    while bytes.get(reader.at).is_some_and(|octet| *octet != 0xFF) {
        let size = u32::from_be_bytes(reader.take(within)?);
        let value = u64::from(size);
        let content = usize::try_from(size).ok().and_then(|size| size.checked_sub(4));
        let content = content.filter(|content| *content >= 4).ok_or_else(|| {
            JpegXsError::Length { what: "a box", value, allowed: "at least 8".to_owned() }
        })?;
        reader.slice(content, within)?;
    }
    Ok(reader.at)
}

impl PictureHeader {
    /// Reads a picture header. Returns the length of the codestream.
    fn read_picture(&mut self, content: &[u8]) -> Result<u32, JpegXsError> {
        let mut reader = Reader { bytes: content, at: 0 };
        let within = "the picture header";
        let length = u32::from_be_bytes(reader.take(within)?);
        self.profile = reader.word(within)?;
        self.level = reader.word(within)?;
        self.width = reader.word(within)?;
        self.height = reader.word(within)?;
        // Width of precincts and height of slices.
        reader.take::<4>(within)?;
        let [components] = reader.take(within)?;
        self.components = components;
        Ok(length)
    }

    fn read_components(&mut self, content: &[u8]) {
        let table = content.as_chunks::<2>().0;
        if let Some([depth, _]) = table.first() {
            self.depth = *depth;
        }
        if let Some([_, sampling]) = table.get(1) {
            self.subsampling = (sampling >> 4, sampling & 0xF);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpegxs::sample::{Sample, codestream};

    #[test]
    fn headers_and_slices_are_found() {
        let sample = Sample { slices: vec![10, 0, 300], ..Sample::default() };
        let bytes = codestream(&sample);
        let segment = PictureSegment::parse(&bytes).unwrap();
        assert_eq!((segment.boxes(), segment.codestream()), (&[][..], &bytes[..]));
        let header = segment.header();
        assert_eq!((header.width, header.height, header.depth), (1920, 1080, 10));
        assert_eq!((header.profile, header.level), (0x3540, 0x1004));
        assert_eq!((header.components, header.subsampling), (3, (2, 1)));
        let units = segment.units().unwrap();
        let sizes: Vec<_> = units.iter().map(Range::len).collect();
        assert_eq!(sizes[1..], [6 + 10, 6, 6 + 300 + 2]);
        assert_eq!(bytes[units[2].clone()], [0xFF, 0x20, 0, 4, 0, 1]);
    }

    #[test]
    fn fields_follow_each_other_and_boxes_are_skipped() {
        let [first, second] =
            [5, 6].map(|size| codestream(&Sample { slices: vec![size], ..Sample::default() }));
        let a_box = [&[0, 0, 0, 11][..], b"jpvsXYZ"].concat();
        let all = [&a_box[..], &a_box, &first, &second].concat();
        let one = PictureSegment::parse(&all).unwrap();
        assert_eq!((one.boxes().len(), one.codestream()), (22, &first[..]));
        let two = PictureSegment::parse(one.after(&all)).unwrap();
        assert_eq!(two.bytes(), second);
        assert!(two.after(one.after(&all)).is_empty());
    }

    #[test]
    fn malformed_pictures_are_refused_by_name() {
        let good = codestream(&Sample::default());
        let refusal = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = good.clone();
            change(&mut bytes);
            let parsed = PictureSegment::parse(&bytes).and_then(|segment| segment.units());
            parsed.map(|units| units.len()).unwrap_err().to_string()
        };
        for (change, words) in [
            (&(|b: &mut Vec<u8>| b.clear()) as &dyn Fn(&mut Vec<u8>), "ends within"),
            (&|b| b.truncate(20), "ends within the codestream's header"),
            (&|b| b[1] = 0x11, "SOC"),
            (&|b| b[0] = 0, "ends within a box"),
            (&|b| b[..4].copy_from_slice(&[0, 0, 0, 7]), "a box says 7 octets"),
            (&|b| b[2] = 0, "marker segment"),
            (&|b| b[5] = 1, "at least 2"),
            (&|b| b.truncate(b.len() - 1), "the codestream says"),
            (&|b| *b.last_mut().unwrap() = 0, "EOC"),
        ] {
            let refusal = refusal(change);
            assert!(refusal.contains(words), "{refusal} / {words}");
        }
        let none = Sample { slices: vec![], ..Sample::default() };
        assert!(PictureSegment::parse(&codestream(&none)).is_err());
        let many = codestream(&Sample { slices: vec![0; 2048], ..Sample::default() });
        let units = PictureSegment::parse(&many).unwrap().units();
        assert_eq!(units, Err(JpegXsError::Slices { count: 2048 }));
    }
}
