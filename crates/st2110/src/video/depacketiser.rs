//! Depacketising into frames in memory.

use super::divisor::Divisor;
use super::header::{SegmentHeader, split};
use super::{
    Arrival, Conversion, Direction, Field, FrameLayout, PacketError, Pgroup, Picture, Scan,
    Segment, Simd, VideoError,
};

/// How a sender numbers the lines of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RowNumbering {
    /// Each field from 0 (ST 2110-20).
    #[default]
    PerField,
    /// As they lie in the frame: even numbers in the first field, odd ones in the second, as
    /// GStreamer's `rtpvrawpay` does.
    PerFrame,
}

/// Places packets into frames.
///
/// It is made once for a stream. What belongs to a frame is in its [`Arrival`], so that several
/// frames can be under way. Which frame a packet belongs to is for the caller to say, by RTP
/// timestamp (and F bit).
#[derive(Clone, Debug)]
pub struct Depacketiser {
    picture: Picture,
    conversion: Conversion,
    rows: RowNumbering,
    pgroups: Pgroups,
}

/// By what numbers on the wire are divided, of each packet.
#[derive(Clone, Copy, Debug)]
struct Pgroups {
    octets: Divisor,
    pixels: Divisor,
    lines: Divisor,
}

impl Depacketiser {
    /// For frames that shall lie in memory as `layout`.
    ///
    /// # Errors
    /// If the layout does not hold all samples of the wire.
    pub fn new(
        picture: Picture,
        layout: FrameLayout,
        rows: RowNumbering,
    ) -> Result<Self, VideoError> {
        let conversion = Conversion::new(picture, layout, Direction::Receive, Simd::detect())?;
        let Pgroup { octets, pixels, lines } = picture.pgroup();
        let [octets, pixels, lines] = [octets, pixels, lines].map(Divisor::new);
        Ok(Self { picture, conversion, rows, pgroups: Pgroups { octets, pixels, lines } })
    }

    /// What is received.
    #[must_use]
    pub const fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Size of a frame in memory.
    #[must_use]
    pub const fn frame_size(&self) -> usize {
        self.conversion.frame_size()
    }

    /// Changes how lines are numbered, after [`PacketError::RowsPerFrame`] or
    /// [`PacketError::RowsPerField`] told that a sender does it the other way. Frames under way
    /// must begin anew: their lines may be in wrong places.
    pub const fn set_row_numbering(&mut self, rows: RowNumbering) {
        self.rows = rows;
    }

    /// The field of a packet, by its first segment header, from the RTP payload.
    ///
    /// # Errors
    /// If there is no segment header.
    pub fn field(payload: &[u8]) -> Result<Field, PacketError> {
        let (mut headers, _) = split(payload)?;
        headers.next().map(|header| header.field).ok_or(PacketError::HeaderTruncated)
    }

    /// Checks an RTP payload and places its segments into `frame`. Returns how many octets of its
    /// data were new; what `arrival` has already is not written again.
    ///
    /// Any number of segments of any length in pgroups is accepted, and octets after the last of
    /// them are ignored.
    ///
    /// # Errors
    /// See [`PacketError`]. Nothing is placed then.
    pub fn place(
        &self,
        payload: &[u8],
        frame: &mut [u8],
        arrival: &mut Arrival,
    ) -> Result<usize, PacketError> {
        self.check(frame, arrival)?;
        self.put(payload, frame, arrival)
    }

    /// Places payloads one after the other, as [`Depacketiser::place`] does, as long as each is of
    /// `field`, nothing is wrong with it, and the frame is not complete. Returns how many it has
    /// placed.
    ///
    /// # Errors
    /// [`PacketError::Frame`]: the frame is too small, or `arrival` of another picture.
    pub fn place_all<'a>(
        &self,
        field: Field,
        payloads: impl Iterator<Item = &'a [u8]>,
        frame: &mut [u8],
        arrival: &mut Arrival,
    ) -> Result<usize, PacketError> {
        self.check(frame, arrival)?;
        let mut count = 0;
        for payload in payloads {
            if arrival.is_complete()
                || Self::field(payload) != Ok(field)
                || self.put(payload, frame, arrival).is_err()
            {
                break;
            }
            count += 1;
        }
        Ok(count)
    }

    fn check(&self, frame: &[u8], arrival: &Arrival) -> Result<(), PacketError> {
        let fits = frame.len() >= self.frame_size() && *arrival.picture() == self.picture;
        if fits { Ok(()) } else { Err(PacketError::Frame) }
    }

    fn put(
        &self,
        payload: &[u8],
        frame: &mut [u8],
        arrival: &mut Arrival,
    ) -> Result<usize, PacketError> {
        let (mut headers, mut data) = split(payload)?;
        if headers.len() == 1
            && let Some(header) = headers.next()
        {
            let segment = self.segment(header)?;
            let part = data.get(..header.length.into()).ok_or(PacketError::DataTruncated)?;
            return Ok(self.put_segment(segment, part, frame, arrival));
        }
        let mut needed = 0;
        for header in headers.clone() {
            self.segment(header)?;
            needed += usize::from(header.length);
        }
        if needed > data.len() {
            return Err(PacketError::DataTruncated);
        }
        let mut new = 0;
        for header in headers {
            let segment = self.segment(header)?;
            let part;
            (part, data) = data.split_at(usize::from(header.length));
            new += self.put_segment(segment, part, frame, arrival);
        }
        Ok(new)
    }

    /// Returns how many octets were new.
    fn put_segment(
        &self,
        segment: Segment,
        data: &[u8],
        frame: &mut [u8],
        arrival: &mut Arrival,
    ) -> usize {
        let new = arrival.mark(segment);
        if new > 0 {
            self.conversion.unpack(data, frame, segment);
        }
        new * self.picture.pgroup().octets
    }

    /// Where a segment belongs, in rows of the frame.
    #[inline]
    fn segment(&self, header: SegmentHeader) -> Result<Segment, PacketError> {
        if self.picture.scan() == Scan::Progressive && header.field == Field::Second {
            return Err(PacketError::Field);
        }
        let pgroups = &self.pgroups;
        let count = pgroups.octets.exact(header.length).ok_or(PacketError::Length)?;
        let row = pgroups.lines.exact(header.line).ok_or(PacketError::Row)?;
        let row = self.row(header.field, row.into())?;
        let first = pgroups.pixels.exact(header.offset).ok_or(PacketError::Offset)?;
        let segment = Segment { row, first: first.into(), count: count.into() };
        if !self.picture.contains(segment) {
            return Err(PacketError::Offset);
        }
        Ok(segment)
    }

    /// Row of the frame that the wire's row of a field is.
    fn row(&self, field: Field, row: usize) -> Result<usize, PacketError> {
        let interlaced = self.picture.scan() != Scan::Progressive;
        let parity_fits = row % 2 == field.index();
        match self.rows {
            RowNumbering::PerField if row < self.picture.field_rows(field) => {
                Ok(self.picture.frame_row(field, row))
            }
            RowNumbering::PerField if interlaced && row < self.picture.rows() && parity_fits => {
                Err(PacketError::RowsPerFrame)
            }
            RowNumbering::PerFrame if row < self.picture.rows() => {
                if interlaced && !parity_fits {
                    return Err(PacketError::RowsPerField);
                }
                Ok(row)
            }
            _ => Err(PacketError::Row),
        }
    }

    /// Fills what is missing with the pixels of the same places in another frame of the same
    /// layout, usually the last good one. `arrival` still says what was missing.
    ///
    /// # Errors
    /// If a frame is too small or `arrival` is of another picture; nothing is filled then.
    pub fn fill_missing(
        &self,
        arrival: &Arrival,
        previous: &[u8],
        frame: &mut [u8],
    ) -> Result<(), PacketError> {
        self.check(frame, arrival)?;
        self.check(previous, arrival)?;
        let octets = self.picture.pgroup().octets;
        let mut chunk = [0; Segment::CHUNK_OCTETS];
        for part in arrival.gaps().flat_map(Segment::chunks) {
            let chunk = &mut chunk[..part.count * octets];
            self.conversion.pack(previous, part, chunk);
            self.conversion.unpack(chunk, frame, part);
        }
        Ok(())
    }

    /// Sets the bytes of what is missing to zero, whatever `frame` held there before. `arrival`
    /// still says what was missing.
    ///
    /// # Errors
    /// If the frame is too small or `arrival` is of another picture; nothing is cleared then.
    pub fn clear_missing(&self, arrival: &Arrival, frame: &mut [u8]) -> Result<(), PacketError> {
        self.check(frame, arrival)?;
        for gap in arrival.gaps() {
            self.conversion.clear(frame, gap);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use media::PixelFormat;

    use super::*;
    use crate::video::{Depth, Sampling, WireFormat};

    fn depacketiser(scan: Scan, rows: RowNumbering) -> (Depacketiser, Vec<u8>, Arrival) {
        let picture = Picture::new(WireFormat::YCBCR_422_8, 4, 6, scan).unwrap();
        let layout = FrameLayout::Mesh(PixelFormat::Uyvy422);
        let depacketiser = Depacketiser::new(picture, layout, rows).unwrap();
        let frame = vec![0; depacketiser.frame_size()];
        (depacketiser, frame, Arrival::new(picture))
    }

    /// One segment of `data`.
    fn payload(field_and_line: u16, offset: u16, data: &[u8]) -> Vec<u8> {
        let mut payload = vec![0, 0];
        for word in [data.len() as u16, field_and_line, offset] {
            payload.extend(word.to_be_bytes());
        }
        payload.extend(data);
        payload
    }

    #[test]
    fn fields_go_to_their_lines() {
        let (depacketiser, mut frame, mut arrival) =
            depacketiser(Scan::Interlaced, RowNumbering::PerField);
        let mut place = |payload: &[u8]| depacketiser.place(payload, &mut frame, &mut arrival);
        assert_eq!(place(&payload(0x8001, 2, &[1, 2, 3, 4])), Ok(4));
        assert_eq!(place(&payload(0x8001, 2, &[9, 9, 9, 9])), Ok(0), "a duplicate");
        assert_eq!(place(&payload(2, 0, &[5; 8])), Ok(8));
        assert_eq!(frame[3 * 8 + 4..4 * 8], [1, 2, 3, 4]);
        assert_eq!(frame[4 * 8..5 * 8], [5; 8]);
        assert_eq!(arrival.missing_pixels(), 24 - 6);
    }

    #[test]
    fn two_pixels_a_line_in_three_segments() {
        let (depacketiser, mut frame, mut arrival) =
            depacketiser(Scan::Progressive, RowNumbering::PerField);
        let mut packet = vec![0xFF, 0xFF];
        for (line, offset) in [(0u16, 0x8000u16), (1, 0x8002), (2, 0)] {
            packet.extend([0, 4]);
            packet.extend(line.to_be_bytes());
            packet.extend(offset.to_be_bytes());
        }
        packet.extend(1..=12);
        packet.extend([0xEE; 5]);
        assert_eq!(depacketiser.place(&packet, &mut frame, &mut arrival), Ok(12));
        assert_eq!(frame[..4], [1, 2, 3, 4]);
        assert_eq!(frame[12..20], [5, 6, 7, 8, 9, 10, 11, 12]);
        assert!(!frame.contains(&0xEE));
    }

    #[test]
    fn refused_packets_leave_no_trace() {
        let (progressive, mut frame, mut arrival) =
            depacketiser(Scan::Progressive, RowNumbering::PerField);
        let untouched = arrival.clone();
        let mut two = payload(0, 0x8000, &[]);
        two[3] = 4;
        two.extend([0, 4, 0, 6, 0, 0]);
        two.extend([7; 8]);
        let cases = [
            (vec![0, 0, 0, 4, 0, 0, 0x80], PacketError::HeaderTruncated),
            (payload(0, 0, &[7; 8])[..15].to_vec(), PacketError::DataTruncated),
            (payload(0, 0, &[7; 7]), PacketError::Length),
            (payload(6, 0, &[7; 8]), PacketError::Row),
            (payload(0x7FFF, 0, &[7; 8]), PacketError::Row),
            (payload(0, 1, &[7; 4]), PacketError::Offset),
            (payload(0, 2, &[7; 8]), PacketError::Offset),
            (payload(0, 0x7FFE, &[7; 8]), PacketError::Offset),
            (payload(0x8000, 0, &[7; 8]), PacketError::Field),
            (two, PacketError::Row),
        ];
        for (packet, error) in cases {
            let result = progressive.place(&packet, &mut frame, &mut arrival);
            assert_eq!(result, Err(error), "{packet:?}");
            assert!(frame.iter().all(|byte| *byte == 0) && arrival == untouched);
        }
        let good = payload(0, 0, &[7; 8]);
        let short = progressive.place(&good, &mut frame[1..], &mut arrival);
        assert_eq!(short, Err(PacketError::Frame));
        assert_eq!(progressive.place(&payload(0, 4, &[]), &mut frame, &mut arrival), Ok(0));
    }

    #[test]
    fn numbering_within_the_frame_is_noticed() {
        let (mut interlaced, mut frame, mut arrival) =
            depacketiser(Scan::Interlaced, RowNumbering::PerField);
        let last = payload(0x8005, 0, &[7; 8]);
        let result = interlaced.place(&last, &mut frame, &mut arrival);
        assert_eq!(result, Err(PacketError::RowsPerFrame));
        let impossible = interlaced.place(&payload(0x8004, 0, &[7; 8]), &mut frame, &mut arrival);
        assert_eq!(impossible, Err(PacketError::Row));
        interlaced.set_row_numbering(RowNumbering::PerFrame);
        assert_eq!(interlaced.place(&last, &mut frame, &mut arrival), Ok(8));
        assert_eq!(frame[40..], [7; 8]);
        let back = interlaced.place(&payload(0x8000, 0, &[7; 8]), &mut frame, &mut arrival);
        assert_eq!(back, Err(PacketError::RowsPerField));
        assert_eq!(Depacketiser::field(&last), Ok(Field::Second));
    }

    #[test]
    fn lines_of_4_2_0_come_in_pairs() {
        let format = WireFormat { sampling: Sampling::YCbCr420, depth: Depth::Eight };
        let picture = Picture::new(format, 4, 4, Scan::Progressive).unwrap();
        let layout = FrameLayout::Mesh(PixelFormat::Yuv420p);
        let depacketiser = Depacketiser::new(picture, layout, RowNumbering::PerField).unwrap();
        let mut frame = vec![0; depacketiser.frame_size()];
        let mut arrival = Arrival::new(picture);
        let mut place = |packet: Vec<u8>| depacketiser.place(&packet, &mut frame, &mut arrival);
        assert_eq!(place(payload(1, 0, &[1; 6])), Err(PacketError::Row));
        assert_eq!(place(payload(2, 2, &[10, 11, 12, 13, 14, 15])), Ok(6));
        let y = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 10, 11, 0, 0, 12, 13];
        assert_eq!(frame, [&y[..], &[0, 0, 0, 14], &[0, 0, 0, 15]].concat());
    }
}
