//! How the pgroups of a field are shared out among packets.

use super::header::{EXTENDED_SEQUENCE, MAX_SEGMENTS, RTP_HEADER, SEGMENT_HEADER};
use super::{Packing, Picture, VideoError};

/// Payload of the largest datagram of the standard size: 1460 octets with the UDP header (ST 2110-10).
pub const MAX_UDP_PAYLOAD: usize = 1452;
/// The same for the extended size of 8960 octets (ST 2110-10).
pub const LARGEST_UDP_PAYLOAD: usize = 8952;

/// With less than this a packet would not hold a block and its headers.
const LEAST_UDP_PAYLOAD: usize = 256;
/// Octets of a block of block packing (ST 2110-20, clause 6.3).
const BLOCK: usize = 180;

/// For each packet the first of its pgroups, counted from the start of the field, and the number of all pgroups at the end.
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
    fn general(&self) -> Starts {
        match self.equal() {
            Some(count) => self.share_out(|_| count),
            None => self.share_out(|start| self.fill(start)),
        }
    }

    /// Pgroups for packets that are all alike, so that the kernel can cut them from one buffer (UDP GSO): whole rows, or
    /// equal parts of a row that fill at least half of a packet.
    fn equal(&self) -> Option<usize> {
        let row_octets = self.row * self.octets;
        let rows = (self.room / (row_octets + SEGMENT_HEADER)).min(MAX_SEGMENTS);
        if rows > 0 {
            return Some(rows * self.row);
        }
        let room = self.room - SEGMENT_HEADER;
        let fewest = row_octets.div_ceil(room);
        let most = row_octets / room.div_ceil(2);
        (fewest..=most).find(|parts| self.row.is_multiple_of(*parts)).map(|parts| self.row / parts)
    }

    /// Pgroups of a packet that begins at `start` and is as full as it can be.
    fn fill(&self, start: usize) -> usize {
        let (mut room, mut count) = (self.room, 0);
        for _ in 0..MAX_SEGMENTS {
            let left_in_row = self.row - (start + count) % self.row;
            let fitting = room.saturating_sub(SEGMENT_HEADER) / self.octets;
            count += fitting.min(left_in_row);
            if fitting <= left_in_row {
                break;
            }
            room -= SEGMENT_HEADER + left_in_row * self.octets;
        }
        count
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
        // All packets are planned with room for three headers: a packet's size does not depend on where rows end.
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

    #[test]
    fn general_packets_are_equal_where_lines_divide() {
        // 4800 octets: four packets of 240 pgroups.
        assert_eq!(starts(1920, 2, Packing::General, 1452)[..6], [0, 240, 480, 720, 960, 1200]);
        // 3200 octets do not divide by three.
        assert_eq!(starts(1280, 720, Packing::General, 1452).len() - 1, 720 * 4);
        // Whole lines: 3 × (400 + 6) octets fit.
        assert_eq!(starts(160, 7, Packing::General, 1452), [0, 240, 480, 560]);
        // Jumbo frames: one line each.
        assert_eq!(starts(1920, 2, Packing::General, 8952), [0, 960, 1920]);
    }

    #[test]
    fn general_packets_are_full_where_lines_do_not_divide() {
        // 683 pgroups, a prime. 286 fill 1438 − 6 octets; what is left of the line, 111, leaves room for 174 of the next
        // in 1438 octets with two headers.
        let starts = starts(1366, 2, Packing::General, 1452);
        assert_eq!(starts, [0, 286, 572, 572 + 111 + 174, 1143, 1366]);
    }

    #[test]
    fn blocks_are_of_180_octets() {
        // Seven blocks are 252 pgroups; the rest of 2 × 960 is 156 of them.
        let plan = starts(1920, 2, Packing::Block, 1452);
        assert_eq!(plan, [0, 252, 504, 756, 1008, 1260, 1512, 1764, 1920]);
        // Rows of 100 octets: three of them hold one block, and what is left of the third one with two more another.
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
