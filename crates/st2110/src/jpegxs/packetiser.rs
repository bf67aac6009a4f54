//! Packetising of codestreams.

use std::ops::Range;

use super::boxes::{self, VideoInformation};
use super::header::{COUNTER, HEADER_UNIT, SIZE};
use super::{JpegXsError, PacketMode, Part, PayloadHeader, PictureSegment, TransmissionMode};
use crate::video::{LARGEST_UDP_PAYLOAD, RTP_HEADER};

/// With less than this, headers would outweigh data.
const LEAST_UDP_PAYLOAD: usize = 256;

/// Makes packets of codestreams.
#[derive(Clone, Debug)]
pub struct Packetiser {
    mode: PacketMode,
    transmission: TransmissionMode,
    data_size: usize,
    information: Option<VideoInformation>,
}

impl Packetiser {
    /// Packets of at most `max_udp_payload` octets with the RTP header, usually
    /// [`MAX_UDP_PAYLOAD`](crate::video::MAX_UDP_PAYLOAD). All packets of a unit are of one size,
    /// only the last may be smaller, as UDP GSO needs it.
    ///
    /// With `information`, boxes are written before codestreams that have none, as RFC 9134 wants
    /// them.
    ///
    /// # Errors
    /// If whole codestreams shall be sent out of order, or `max_udp_payload` is not within 256 to
    /// 8952.
    pub fn new(
        mode: PacketMode,
        transmission: TransmissionMode,
        max_udp_payload: usize,
        information: Option<VideoInformation>,
    ) -> Result<Self, JpegXsError> {
        if (mode, transmission) == (PacketMode::Codestream, TransmissionMode::OutOfOrder) {
            return Err(JpegXsError::Transmission);
        }
        let (least, most) = (LEAST_UDP_PAYLOAD, LARGEST_UDP_PAYLOAD);
        if !(least..=most).contains(&max_udp_payload) {
            return Err(JpegXsError::UdpPayload { value: max_udp_payload, least, most });
        }
        let data_size = max_udp_payload - RTP_HEADER - SIZE;
        Ok(Self { mode, transmission, data_size, information })
    }

    /// The packets of a picture. `frame` is the number of its frame, of which the low 5 bits are
    /// sent.
    ///
    /// # Errors
    /// If there are more slices or packets than can be numbered.
    pub fn packets<'a>(
        &self,
        picture: &PictureSegment<'a>,
        part: Part,
        frame: u64,
    ) -> Result<Packets<'a>, JpegXsError> {
        let codestream = picture.codestream();
        let boxes = match &self.information {
            Some(information) if picture.boxes().is_empty() => {
                let octets = boxes::SIZE + codestream.len();
                Boxes::Written(information.boxes(picture.header(), part, octets))
            }
            _ => Boxes::Given(picture.boxes()),
        };
        let before = boxes.bytes().len();
        let total = before + codestream.len();
        let mut pieces = Vec::with_capacity(total / self.data_size + 64);
        match self.mode {
            PacketMode::Codestream => {
                let whole = 0..total;
                self.split(whole, COUNTER * COUNTER, &mut pieces, |number| {
                    (number / COUNTER, number % COUNTER)
                })?;
            }
            PacketMode::Slice => {
                let seps = [usize::from(HEADER_UNIT)].into_iter().chain(0..);
                for (unit, sep) in picture.units()?.into_iter().zip(seps) {
                    let start = if unit.start == 0 { 0 } else { unit.start + before };
                    let unit = start..unit.end + before;
                    self.split(unit, COUNTER, &mut pieces, |number| (sep, number))?;
                }
            }
        }
        let header = PayloadHeader {
            transmission: self.transmission,
            mode: self.mode,
            last: false,
            part,
            frame: (frame % 32) as u8,
            sep: 0,
            packet: 0,
        };
        Ok(Packets { boxes, codestream, header, pieces })
    }

    /// Splits a unit into packets, at most `most`. `counters` gives SEP and P counter of each.
    fn split(
        &self,
        unit: Range<usize>,
        most: usize,
        pieces: &mut Vec<Piece>,
        counters: impl Fn(usize) -> (usize, usize),
    ) -> Result<(), JpegXsError> {
        let packets = unit.len().div_ceil(self.data_size);
        if packets > most {
            return Err(JpegXsError::Packets { packets, most });
        }
        pieces.extend(unit.clone().step_by(self.data_size).enumerate().map(|(number, start)| {
            let (sep, packet) = counters(number);
            Piece {
                range: start..unit.end.min(start + self.data_size),
                // Both are below 2¹¹.
                sep: sep as u16,
                packet: packet as u16,
                last: number + 1 == packets,
            }
        }));
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Boxes<'a> {
    Given(&'a [u8]),
    Written([u8; boxes::SIZE]),
}

impl Boxes<'_> {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Given(bytes) => bytes,
            Self::Written(bytes) => bytes,
        }
    }
}

/// A packet's data, counted from the start of the boxes, and its counters.
#[derive(Clone, Debug)]
struct Piece {
    range: Range<usize>,
    sep: u16,
    packet: u16,
    last: bool,
}

/// The packets of a picture. Sizes are in octets; RTP headers are not part of them unless said
/// otherwise.
///
/// The RTP marker belongs to the last packet of all.
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    boxes: Boxes<'a>,
    codestream: &'a [u8],
    header: PayloadHeader,
    pieces: Vec<Piece>,
}

impl Packets<'_> {
    /// How many there are, at least 1.
    #[expect(clippy::len_without_is_empty, reason = "there is always one")]
    #[must_use]
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Octets of a packet: payload header and data.
    ///
    /// # Panics
    /// If there is no such packet, as all methods that take an index.
    #[must_use]
    pub fn size(&self, index: usize) -> usize {
        SIZE + self.pieces[index].range.len()
    }

    /// A packet's payload header.
    #[must_use]
    pub fn header(&self, index: usize) -> [u8; SIZE] {
        let Piece { sep, packet, last, .. } = self.pieces[index];
        PayloadHeader { sep, packet, last, ..self.header }.to_bytes()
    }

    /// A packet's data, in two parts of which one may be empty, so that it can be sent without a
    /// copy.
    #[must_use]
    pub fn data(&self, index: usize) -> [&[u8]; 2] {
        let Range { start, end } = self.pieces[index].range;
        let boxes = self.boxes.bytes();
        let of_boxes = &boxes[start.min(boxes.len())..end.min(boxes.len())];
        let before = boxes.len();
        let of_codestream = start.saturating_sub(before)..end.saturating_sub(before);
        [of_boxes, &self.codestream[of_codestream]]
    }

    /// Writes packets one after the other into `out`: for each, 12 octets are left as they are for
    /// the RTP header, then come payload header and data. Returns the octets used.
    ///
    /// # Errors
    /// If there are no such packets, or `out` is too small.
    pub fn write(&self, packets: Range<usize>, out: &mut [u8]) -> Result<usize, JpegXsError> {
        let Range { start, end } = packets;
        if start > end || end > self.len() {
            return Err(JpegXsError::Range { start, end, packets: self.len() });
        }
        let (mut used, value) = (0, out.len());
        for index in packets {
            let size = RTP_HEADER + self.size(index);
            let Some(packet) = out.get_mut(used..used + size) else {
                return Err(JpegXsError::Buffer { name: "out", value, least: used + size });
            };
            let (header, data) = packet[RTP_HEADER..].split_at_mut(SIZE);
            header.copy_from_slice(&self.header(index));
            let [of_boxes, of_codestream] = self.data(index);
            let (first, second) = data.split_at_mut(of_boxes.len());
            first.copy_from_slice(of_boxes);
            second.copy_from_slice(of_codestream);
            used += size;
        }
        Ok(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jpegxs::sample::{Sample, codestream};

    #[test]
    fn slices_are_units_of_their_own() {
        let bytes = codestream(&Sample { slices: vec![300, 10], ..Sample::default() });
        let picture = PictureSegment::parse(&bytes).unwrap();
        let mode = PacketMode::Slice;
        let packetiser = Packetiser::new(mode, TransmissionMode::OutOfOrder, 256, None).unwrap();
        let packets = packetiser.packets(&picture, Part::Second, 33).unwrap();
        let headers: Vec<_> = (0..packets.len())
            .map(|index| PayloadHeader::read(&packets.header(index)).unwrap().0)
            .map(|header| (header.sep, header.packet, header.last))
            .collect();
        // The header, 306 octets in packets of 240, and 16 + 2.
        assert_eq!(headers, [(0x7FF, 0, true), (0, 0, false), (0, 1, true), (1, 0, true)]);
        let header = PayloadHeader::read(&packets.header(0)).unwrap().0;
        assert_eq!((header.frame, header.part), (1, Part::Second));
        assert_eq!((packets.size(1), packets.size(2), packets.size(3)), (244, 70, 22));
        assert_eq!(packets.data(3)[1], &bytes[bytes.len() - 18..]);
    }

    #[test]
    fn the_extended_counter_goes_on_where_the_packet_counter_ends() {
        let bytes = codestream(&Sample { slices: vec![240 * 2050], ..Sample::default() });
        let picture = PictureSegment::parse(&bytes).unwrap();
        let whole = PacketMode::Codestream;
        let packetiser = Packetiser::new(whole, TransmissionMode::Sequential, 256, None).unwrap();
        let packets = packetiser.packets(&picture, Part::Progressive, 0).unwrap();
        let counters = |index| {
            let header = PayloadHeader::read(&packets.header(index)).unwrap().0;
            (header.sep, header.packet, header.last)
        };
        assert_eq!(packets.len(), 2051);
        assert_eq!([2047, 2048].map(counters), [(0, 2047, false), (1, 0, false)]);
        assert_eq!(counters(2050), (1, 2, true));
        let slices = Packetiser::new(PacketMode::Slice, TransmissionMode::Sequential, 256, None);
        let refused = slices.unwrap().packets(&picture, Part::Progressive, 0).unwrap_err();
        assert_eq!(refused, JpegXsError::Packets { packets: 2051, most: 2048 });
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        let make = |mode, transmission, payload| {
            Packetiser::new(mode, transmission, payload, None).map(|_| ()).unwrap_err()
        };
        let (whole, any) = (PacketMode::Codestream, TransmissionMode::OutOfOrder);
        assert_eq!(make(whole, any, 1452), JpegXsError::Transmission);
        let error = make(PacketMode::Slice, any, 255);
        assert_eq!(error, JpegXsError::UdpPayload { value: 255, least: 256, most: 8952 });
    }
}
