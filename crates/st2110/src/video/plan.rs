//! Distribution of a field's pgroups among packets.

use super::header::{EXTENDED_SEQUENCE, MAX_SEGMENTS, RTP_HEADER, SEGMENT_HEADER};
use super::{Packing, Picture, VideoError};

/// Payload of the largest datagram of the standard size: 1460 octets with the UDP header (ST
/// 2110-10).
pub const MAX_UDP_PAYLOAD: usize = 1452;
/// The same for the extended size of 8960 octets (ST 2110-10).
pub const LARGEST_UDP_PAYLOAD: usize = 8952;

/// With less than this a packet would not hold a block and its headers.
const LEAST_UDP_PAYLOAD: usize = 256;
/// Octets of a block of block packing (ST 2110-20, clause 6.3).
const BLOCK: usize = 180;

/// One packet more for so many is a fair price for equal ones.
const EQUAL_COST: usize = 7;

/// For each packet the first of its pgroups, counted from the start of the field, and the number of
/// all pgroups at the end.
///
/// Packets carry the pgroups of a field in order, so this says everything.
pub(super) type Starts = Vec<u32>;

/// Plans a field of `rows` rows.
///
/// # Errors
/// If the size of payloads is out of range, or rows are too short for block packing.
pub(super) fn plan(
    picture: &Picture,
    rows: usize,
    packing: Packing,
    max_udp_payload: usize,
) -> Result<Starts, VideoError> {
    if !(LEAST_UDP_PAYLOAD..=LARGEST_UDP_PAYLOAD).contains(&max_udp_payload) {
        let (least, most) = (LEAST_UDP_PAYLOAD, LARGEST_UDP_PAYLOAD);
        return Err(VideoError::UdpPayload { value: max_udp_payload, least, most });
    }
    let field = FieldShape {
        row: picture.row_pgroups(),
        total: picture.row_pgroups() * rows,
        octets: picture.pgroup().octets,
        room: max_udp_payload - RTP_HEADER - EXTENDED_SEQUENCE,
    };
    match packing {
        Packing::General => Ok(field.general()),
        Packing::Block => field.blocks(),
    }
}

/// A field as one sequence of pgroups.
struct FieldShape {
    /// Pgroups of a row.
    row: usize,
    /// Of the field.
    total: usize,
    /// Octets of a pgroup.
    octets: usize,
    /// Octets of a packet for segments and their headers.
    room: usize,
}

impl FieldShape {
    /// The fewest packets that keep pgroups whole and do not cross lines: as many whole lines as
    /// fit, or the parts of one line. Parts are of one length, and what does not divide is missing
    /// in the last one.
    ///
    /// Lines of many packets are cut in equal parts if that makes few more of them. From equal
    /// packets the kernel cuts whole bursts (UDP GSO) where others end with each line, which costs
    /// a sender of 2160 lines a third more CPU time.
    fn general(&self) -> Starts {
        let row_octets = self.row * self.octets;
        let rows = (self.room / (row_octets + SEGMENT_HEADER)).min(MAX_SEGMENTS);
        if rows > 0 {
            return self.share_out(|_| rows * self.row);
        }
        let fitting = (self.room - SEGMENT_HEADER) / self.octets;
        let fewest = self.row.div_ceil(fitting);
        let equal =
            (fewest..=fewest + fewest / EQUAL_COST).find(|parts| self.row.is_multiple_of(*parts));
        let length = self.row.div_ceil(equal.unwrap_or(fewest));
        self.share_out(|start| length.min(self.row - start % self.row))
    }

    fn blocks(&self) -> Result<Starts, VideoError> {
        if !BLOCK.is_multiple_of(self.octets) {
            return Err(VideoError::BlockPgroup { octets: self.octets });
        }
        // However a packet begins, one block ends within three rows.
        let least = BLOCK / (MAX_SEGMENTS - 1);
        if self.row * self.octets < least {
            return Err(VideoError::BlockPacking { octets: self.row * self.octets, least });
        }
        // All packets are planned with room for three headers: a packet's size does not depend on
        // where rows end.
        let fitting = (self.room - MAX_SEGMENTS * SEGMENT_HEADER) / BLOCK;
        Ok(self.share_out(|start| {
            let within_three_rows = (MAX_SEGMENTS * self.row - start % self.row) * self.octets;
            fitting.min(within_three_rows / BLOCK) * BLOCK / self.octets
        }))
    }

    /// Shares out all pgroups; `count` says how many a packet takes that begins at its argument.
    fn share_out(&self, count: impl Fn(usize) -> usize) -> Starts {
        let mut starts = vec![0];
        let mut start = 0;
        while start < self.total {
            start = (start + count(start)).min(self.total);
            // A field has at most 32767 × 32767 pgroups.
            starts.push(u32::try_from(start).unwrap_or(u32::MAX));
        }
        starts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{Depth, Sampling, Scan, WireFormat};

    fn starts(width: u32, height: u32, packing: Packing, payload: usize) -> Starts {
        let format = WireFormat::YCBCR_422_10;
        let picture = Picture::new(format, width, height, Scan::Progressive).unwrap();
        plan(&picture, picture.rows(), packing, payload).unwrap()
    }

    /// Packets of a frame, and of the first line how long they are.
    fn general(format: (Sampling, Depth), width: u32, height: u32) -> (usize, Vec<usize>) {
        let (sampling, depth) = format;
        let format = WireFormat { sampling, depth };
        let picture = Picture::new(format, width, height, Scan::Progressive).unwrap();
        let starts = plan(&picture, picture.rows(), Packing::General, 1452).unwrap();
        let octets = picture.pgroup().octets;
        let lengths = starts.windows(2).map(|pair| (pair[1] - pair[0]) as usize * octets);
        let packets = starts.len() - 1;
        (packets, lengths.take((packets / picture.rows()).max(1)).collect())
    }

    #[test]
    fn general_packing_takes_the_fewest_packets_that_do_not_cross_lines() {
        use Depth::{Eight, Ten, Twelve};
        use Sampling::{Rgb, YCbCr420, YCbCr422};
        // ceil(octets of a line / 1432), rounded for whole pgroups, as others do it that keep to
        // one line.
        for (format, width, height, packets, lengths) in [
            ((YCbCr422, Ten), 1920, 1080, 4320, vec![1200; 4]),
            ((YCbCr422, Ten), 1280, 720, 2160, vec![1070, 1070, 1060]),
            // Equal ones for a seventh or a fourteenth more.
            ((YCbCr422, Ten), 3840, 2160, 17_280, vec![1200; 8]),
            ((YCbCr422, Ten), 7680, 4320, 64_800, vec![1280; 15]),
            // None of which there are equal ones.
            ((YCbCr422, Ten), 3838, 2160, 15_120, [vec![1375; 6], vec![1345]].concat()),
            ((YCbCr422, Ten), 720, 576, 1152, vec![900; 2]),
            ((YCbCr422, Ten), 1366, 768, 2304, vec![1140, 1140, 1135]),
            ((YCbCr422, Eight), 1920, 1080, 3240, vec![1280; 3]),
            ((YCbCr422, Twelve), 1920, 1080, 5400, vec![1152; 5]),
            ((YCbCr420, Eight), 1920, 1080, 2700, vec![1152; 5]),
            ((Rgb, Eight), 1920, 1080, 5400, vec![1152; 5]),
        ] {
            assert_eq!(general(format, width, height), (packets, lengths), "{width}x{height}");
        }
    }

    #[test]
    fn general_packets_hold_whole_lines_or_parts_of_one() {
        // Whole lines: 3 × (400 + 6) octets fit.
        assert_eq!(starts(160, 7, Packing::General, 1452), [0, 240, 480, 560]);
        // Jumbo frames: one line each.
        assert_eq!(starts(1920, 2, Packing::General, 8952), [0, 960, 1920]);
        assert_eq!(starts(1280, 4, Packing::General, 8952), [0, 1280, 2560]);
        // 683 pgroups, a prime.
        assert_eq!(starts(1366, 2, Packing::General, 1452), [0, 228, 456, 683, 911, 1139, 1366]);
    }

    #[test]
    fn blocks_are_of_180_octets() {
        // Seven blocks are 252 pgroups; the rest of 2 × 960 is 156 of them.
        let plan = starts(1920, 2, Packing::Block, 1452);
        assert_eq!(plan, [0, 252, 504, 756, 1008, 1260, 1512, 1764, 1920]);
        // Rows of 100 octets: three of them hold one block, and what is left of the third one with
        // two more another.
        assert_eq!(starts(40, 6, Packing::Block, 1452), [0, 36, 72, 108, 120]);
    }

    #[test]
    fn sizes_that_make_no_packets_are_refused() {
        let format = WireFormat { sampling: Sampling::Rgb, depth: Depth::Eight };
        let picture = Picture::new(format, 29, 2, Scan::Progressive).unwrap();
        let error = plan(&picture, 2, Packing::Block, 1452).unwrap_err();
        assert_eq!(error, VideoError::BlockPacking { octets: 87, least: 90 });
        let format = WireFormat { sampling: Sampling::YCbCr422, depth: Depth::Sixteen };
        let deep = Picture::new(format, 640, 2, Scan::Progressive).unwrap();
        let error = plan(&deep, 2, Packing::Block, 1452).unwrap_err();
        assert_eq!(error, VideoError::BlockPgroup { octets: 8 });
        for value in [255, 8953] {
            let error = plan(&picture, 2, Packing::General, value).unwrap_err();
            assert_eq!(error, VideoError::UdpPayload { value, least: 256, most: 8952 });
        }
    }
}
