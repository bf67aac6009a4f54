//! Packetising of frames in memory.

use std::ops::Range;

use super::header::{EXTENDED_SEQUENCE, RTP_HEADER, SEGMENT_HEADER, SegmentHeader};
use super::plan::{Starts, plan};
use super::{
    Conversion, Direction, Field, FrameLayout, Packing, PayloadHeader, Picture, Segment, Simd,
    VideoError,
};

/// Knows all packets of a frame, and writes them.
///
/// It is made once for a stream and used for every frame. Sizes are in octets; RTP headers are not
/// part of them unless said otherwise.
#[derive(Clone, Debug)]
pub struct Packetiser {
    picture: Picture,
    conversion: Conversion,
    /// Of the first field, and of the second where it has fewer lines.
    starts: Vec<Starts>,
}

impl Packetiser {
    /// Packets of at most `max_udp_payload` octets with the RTP header, usually
    /// [`MAX_UDP_PAYLOAD`](super::MAX_UDP_PAYLOAD), for frames that lie in memory as `layout`.
    ///
    /// General packing makes the fewest packets that do not cross lines: whole lines, or parts of a
    /// line. Parts are equal if that takes no more packets, or one more for every seven; else the
    /// last one of a line is a little shorter.
    ///
    /// # Errors
    /// If the layout does not hold exactly the samples of the wire, `max_udp_payload` is not within
    /// 256 to 8952, or rows are shorter than 90 octets with block packing.
    pub fn new(
        picture: Picture,
        layout: FrameLayout,
        packing: Packing,
        max_udp_payload: usize,
    ) -> Result<Self, VideoError> {
        let conversion = Conversion::new(picture, layout, Direction::Send, Simd::detect())?;
        let mut starts = Vec::new();
        for field in picture.fields() {
            let rows = picture.field_rows(*field);
            if *field == Field::First || rows != picture.field_rows(Field::First) {
                starts.push(plan(&picture, rows, packing, max_udp_payload)?);
            }
        }
        Ok(Self { picture, conversion, starts })
    }

    /// What is sent.
    #[must_use]
    pub const fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Size of a frame in memory.
    #[must_use]
    pub const fn frame_size(&self) -> usize {
        self.conversion.frame_size()
    }

    fn starts(&self, field: Field) -> &Starts {
        &self.starts[field.index().min(self.starts.len() - 1)]
    }

    /// Packets of a field. Progressive frames have [`Field::First`] only.
    #[must_use]
    pub fn packets(&self, field: Field) -> usize {
        if field.index() < self.picture.fields().len() { self.starts(field).len() - 1 } else { 0 }
    }

    /// Packets of a frame, both fields together.
    #[must_use]
    pub fn frame_packets(&self) -> usize {
        self.picture.fields().iter().map(|field| self.packets(*field)).sum()
    }

    /// Segments of a packet, with rows of the frame.
    ///
    /// # Panics
    /// If the field has no such packet, as all methods that take an index.
    fn segments(
        &self,
        field: Field,
        index: usize,
    ) -> impl Iterator<Item = Segment> + Clone + use<'_> {
        let starts = self.starts(field);
        let (mut start, end) = (starts[index] as usize, starts[index + 1] as usize);
        let row_pgroups = self.picture.row_pgroups();
        std::iter::from_fn(move || {
            if start == end {
                return None;
            }
            let (row, first) = (start / row_pgroups, start % row_pgroups);
            let count = (row_pgroups - first).min(end - start);
            start += count;
            Some(Segment { row: self.picture.frame_row(field, row), first, count })
        })
    }

    /// Octets of a packet's data.
    #[must_use]
    pub fn data_size(&self, field: Field, index: usize) -> usize {
        let starts = self.starts(field);
        (starts[index + 1] - starts[index]) as usize * self.picture.pgroup().octets
    }

    /// Octets of a packet: payload header and data, without the RTP header.
    #[must_use]
    pub fn size(&self, field: Field, index: usize) -> usize {
        let segments = self.segments(field, index).count();
        EXTENDED_SEQUENCE + segments * SEGMENT_HEADER + self.data_size(field, index)
    }

    /// A packet's payload header. `extended` is the high half of its 32-bit sequence number.
    #[must_use]
    pub fn header(&self, field: Field, index: usize, extended: u16) -> PayloadHeader {
        let pgroup = self.picture.pgroup();
        let fields = self.picture.fields().len();
        // Dimensions have 15 bits and a segment is smaller than a datagram, so nothing is cut off
        // here.
        let headers = self.segments(field, index).map(|segment| SegmentHeader {
            length: (segment.count * pgroup.octets) as u16,
            field,
            line: (segment.row / fields * pgroup.lines) as u16,
            offset: (segment.first * pgroup.pixels) as u16,
            more: false,
        });
        PayloadHeader::new(extended, headers)
    }

    /// For frames that lie in memory as on the wire: where in the frame a packet's data is, in one
    /// to three ranges, so that header and data can be sent without a pass over the pixels. `None`
    /// for all other layouts.
    #[must_use]
    pub fn source(
        &self,
        field: Field,
        index: usize,
    ) -> Option<impl Iterator<Item = Range<usize>> + use<'_>> {
        if !self.conversion.is_copy() {
            return None;
        }
        let octets = self.picture.pgroup().octets;
        let row_octets = self.picture.row_octets();
        let mut segments = self.segments(field, index).peekable();
        Some(std::iter::from_fn(move || {
            let range = |segment: Segment| {
                let start = segment.row * row_octets + segment.first * octets;
                start..start + segment.count * octets
            };
            let mut whole = range(segments.next()?);
            // Neighbouring lines of progressive frames are one range.
            while let Some(next) = segments.next_if(|next| range(*next).start == whole.end) {
                whole.end = range(next).end;
            }
            Some(whole)
        }))
    }

    /// Writes packets one after the other into `out`, converting the pixels on the way: for each,
    /// 12 octets are left as they are for the RTP header, then come payload header and data.
    /// `sequence` is the 32-bit sequence number of the first packet. Returns the octets used.
    ///
    /// # Errors
    /// If the field has no such packets, `frame` is smaller than [`frame_size`](Self::frame_size),
    /// or `out` is too small.
    pub fn write(
        &self,
        frame: &[u8],
        field: Field,
        packets: Range<usize>,
        sequence: u32,
        out: &mut [u8],
    ) -> Result<usize, VideoError> {
        let Range { start, end } = packets;
        if start > end || end > self.packets(field) {
            return Err(VideoError::Packets { start, end, packets: self.packets(field) });
        }
        let least = self.frame_size();
        if frame.len() < least {
            return Err(VideoError::Buffer { name: "frame", value: frame.len(), least });
        }
        let (mut used, value) = (0, out.len());
        for (index, number) in packets.zip(0u32..) {
            let extended = (sequence.wrapping_add(number) >> 16) as u16;
            let header = self.header(field, index, extended);
            let header = header.as_bytes();
            let before = RTP_HEADER + header.len();
            let size = before + self.data_size(field, index);
            let Some(packet) = out.get_mut(used..used + size) else {
                return Err(VideoError::Buffer { name: "out", value, least: used + size });
            };
            let (head, mut data) = packet.split_at_mut(before);
            head[RTP_HEADER..].copy_from_slice(header);
            for segment in self.segments(field, index) {
                let part;
                (part, data) = data.split_at_mut(segment.count * self.picture.pgroup().octets);
                self.conversion.pack(frame, segment, part);
            }
            used += size;
        }
        Ok(used)
    }
}

#[cfg(test)]
mod tests {
    use media::PixelFormat;

    use super::*;
    use crate::video::{Scan, WireFormat};

    fn packetiser(width: u32, height: u32, scan: Scan, packing: Packing) -> Packetiser {
        let picture = Picture::new(WireFormat::YCBCR_422_10, width, height, scan).unwrap();
        let layout = FrameLayout::Mesh(PixelFormat::Yuv422p10Rfc4175);
        Packetiser::new(picture, layout, packing, 1452).unwrap()
    }

    #[test]
    fn a_second_field_numbers_its_own_lines() {
        let packetiser = packetiser(1920, 1080, Scan::Interlaced, Packing::General);
        assert_eq!((packetiser.packets(Field::First), packetiser.frame_packets()), (2160, 4320));
        let header = packetiser.header(Field::Second, 2159, 7);
        // The last 240 pgroups of line 539, pixel 1440.
        assert_eq!(header.as_bytes(), [0, 7, 0x04, 0xB0, 0x82, 0x1B, 0x05, 0xA0]);
        let mut ranges = packetiser.source(Field::Second, 2159).unwrap();
        assert_eq!(ranges.next(), Some(1079 * 4800 + 3600..1080 * 4800));
        assert_eq!(ranges.next(), None);
        assert_eq!(packetiser.size(Field::Second, 2159), 1208);
    }

    #[test]
    fn progressive_has_one_field() {
        let packetiser = packetiser(1920, 1080, Scan::Progressive, Packing::General);
        assert_eq!(packetiser.packets(Field::Second), 0);
        let frame = vec![0; packetiser.frame_size()];
        let error = packetiser.write(&frame, Field::Second, 0..1, 0, &mut [0; 1452]);
        assert_eq!(error, Err(VideoError::Packets { start: 0, end: 1, packets: 0 }));
    }

    #[test]
    fn a_packet_of_two_lines_has_one_header_more() {
        let packetiser = packetiser(1920, 4, Scan::Progressive, Packing::Block);
        let sizes: Vec<_> = (0..5).map(|i| packetiser.size(Field::First, i)).collect();
        assert_eq!(sizes, [1268, 1268, 1268, 1274, 1268]);
        // In a progressive frame two lines are one range.
        assert_eq!(packetiser.source(Field::First, 3).unwrap().count(), 1);
    }

    #[test]
    fn packets_are_written_behind_room_for_rtp() {
        let packetiser = packetiser(4, 3, Scan::Progressive, Packing::General);
        let frame: Vec<u8> = (0..30).collect();
        let mut out = [0xEE; 64];
        let used = packetiser.write(&frame, Field::First, 0..1, 0x0001_FFFF, &mut out).unwrap();
        assert_eq!(used, 12 + 2 + 18 + 30);
        let mut expected = vec![0xEE; 12];
        expected.extend([0, 1, 0, 10, 0, 0, 0x80, 0, 0, 10, 0, 1, 0x80, 0, 0, 10, 0, 2, 0, 0]);
        expected.extend(0..30);
        assert_eq!(out[..used], expected);
        for (frame, room) in [(&frame[1..], 64), (&frame[..], 61)] {
            let result = packetiser.write(frame, Field::First, 0..1, 0, &mut out[..room]);
            assert!(matches!(result, Err(VideoError::Buffer { .. })), "{result:?}");
        }
    }
}
