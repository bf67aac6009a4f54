//! Runs of consecutive packets of one sender.

use std::ops::{Range, RangeInclusive};

use super::{Datagrams, Header, RtpError};
use crate::sequence::NumberWidth;

/// Version 2, no padding, no extension, no CSRC.
const PLAIN: u8 = 0x80;
const MARKER: u8 = 0x80;
/// What would be the type of an RTCP packet on the same port (RFC 5761 §4).
const RTCP: RangeInclusive<u8> = 192..=223;
/// Octets of RFC 4175's extension of the sequence number, at the beginning of the payload.
const EXTENSION: usize = 2;

/// One packet, or several that one sender sent one after the other with one timestamp: their
/// numbers go up by one, and only the last may have a marker. What the kernel hands over at once is
/// mostly such a run, and much is the same for all of its packets.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    datagrams: Datagrams<'a>,
    first: Header,
    /// The payload of the first packet, from the beginning of its datagram. The others have nothing
    /// between header and payload, and no padding.
    start: usize,
    end: usize,
    number: Option<u32>,
    marker: bool,
}

impl<'a> Run<'a> {
    /// Cuts datagrams into runs as long as possible. `width` is that of the sequence number: RTP's,
    /// or with RFC 4175's extension in the payload. Of what is not RTP each datagram gives its
    /// error.
    pub fn all(
        datagrams: Datagrams<'a>,
        width: NumberWidth,
    ) -> impl Iterator<Item = Result<Self, RtpError>> + use<'a> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let rest = datagrams.part(at..datagrams.count())?;
            let run = Self::first_of(rest, width);
            at += run.map_or(1, |run| run.count());
            Some(run)
        })
    }

    fn first_of(datagrams: Datagrams<'a>, width: NumberWidth) -> Result<Self, RtpError> {
        let datagram = datagrams.get(0).unwrap_or_default();
        let (first, payload) = Header::parse(datagram)?;
        let number = number(first, &datagram[payload.clone()], width);
        let (mut count, mut marker) = (1, first.marker);
        let plain = Fixed::of(datagram, width).filter(|fixed| fixed.is_plain() && !marker);
        if let Some(fixed) = plain {
            while let Some(next) = datagrams.get(count)
                && let Some(marked) = fixed.before(next, count, width)
            {
                (count, marker) = (count + 1, marked);
                if marked {
                    break;
                }
            }
        }
        let datagrams = datagrams.part(0..count).unwrap_or(Datagrams::one(datagram));
        Ok(Self { datagrams, first, start: payload.start, end: payload.end, number, marker })
    }

    /// Packets of the run, at least one.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.datagrams.count()
    }

    /// The first packet's header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.first
    }

    /// The first packet's number, with RFC 4175's extension in the upper half if that was asked
    /// for. `None` if the payload is too short for it; then the run has one packet.
    #[must_use]
    pub const fn number(&self) -> Option<u32> {
        self.number
    }

    /// Packets before the one with the marker; all of them if there is none.
    #[must_use]
    pub fn before_marker(&self) -> usize {
        self.count() - usize::from(self.marker)
    }

    /// The packets as datagrams, with their headers.
    #[must_use]
    pub const fn datagrams(&self) -> &Datagrams<'a> {
        &self.datagrams
    }

    /// Header and payload of the packet with that index, from 0.
    #[must_use]
    pub fn packet(&self, index: usize) -> Option<(Header, &'a [u8])> {
        let datagram = self.datagrams.get(index)?;
        let header = Header {
            // Runs are shorter than the numbers' cycle, and if not, they wrap.
            sequence: self.first.sequence.wrapping_add(index as u16),
            marker: self.marker && index + 1 == self.count(),
            ..self.first
        };
        Some((header, &datagram[self.payload(index, datagram)]))
    }

    /// The packet with that index, from 0, as a run of its own.
    #[must_use]
    pub fn single(&self, index: usize) -> Option<Self> {
        let (first, _) = self.packet(index)?;
        let datagrams = self.datagrams.part(index..index + 1)?;
        let Range { start, end } = self.payload(index, datagrams.get(0)?);
        let number = self.number.map(|number| number.wrapping_add(index as u32));
        Some(Self { datagrams, first, start, end, number, marker: first.marker })
    }

    /// All packets one after the other.
    pub fn packets(&self) -> impl Iterator<Item = (Header, &'a [u8])> + use<'a> {
        let run = *self;
        (0..self.count()).map_while(move |index| run.packet(index))
    }

    fn payload(&self, index: usize, datagram: &[u8]) -> Range<usize> {
        if index == 0 { self.start..self.end } else { Header::LEN..datagram.len() }
    }
}

/// The whole number of a packet.
fn number(header: Header, payload: &[u8], width: NumberWidth) -> Option<u32> {
    let low = u32::from(header.sequence);
    match (width, payload) {
        (NumberWidth::Bits16, _) => Some(low),
        (NumberWidth::Bits32, [a, b, ..]) => Some(u32::from_be_bytes([*a, *b, 0, 0]) | low),
        (NumberWidth::Bits32, _) => None,
    }
}

/// What packets of a run have in common, and by what they follow each other.
#[derive(Clone, Copy)]
struct Fixed {
    /// Version, padding, extension and CSRC count; marker and payload type.
    flags: [u8; 2],
    number: u32,
    /// Timestamp and SSRC.
    origin: [u8; 8],
}

impl Fixed {
    /// `None` if the datagram is too short for a header and a whole number.
    fn of(datagram: &[u8], width: NumberWidth) -> Option<Self> {
        let (header, payload) = datagram.split_first_chunk::<{ Header::LEN }>()?;
        let &[first, second, a, b, ref origin @ ..] = header;
        let [high, low] = match width {
            NumberWidth::Bits16 => [0; EXTENSION],
            NumberWidth::Bits32 => *payload.first_chunk::<EXTENSION>()?,
        };
        let number = u32::from_be_bytes([high, low, a, b]);
        Some(Self { flags: [first, second], number, origin: *origin })
    }

    /// Whether the payload lies between the fixed header and the end of the datagram.
    fn is_plain(&self) -> bool {
        self.flags[0] == PLAIN
    }

    /// Whether `next` is the packet that comes `distance` packets after this one, which has no
    /// marker; and if so, whether it has a marker.
    fn before(&self, next: &[u8], distance: usize, width: NumberWidth) -> Option<bool> {
        let next = Self::of(next, width)?;
        let [first, second] = next.flags;
        let expected = self.number.wrapping_add(distance as u32) & width.mask();
        let same = [first, second & !MARKER] == self.flags && next.origin == self.origin;
        // With a marker some payload types would be RTCP.
        let rtcp = RTCP.contains(&second);
        (same && !rtcp && next.number == expected).then_some(second & MARKER != 0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(first: u8, header: Header, extension: u16, len: usize) -> Vec<u8> {
        let mut packet = header.to_bytes().to_vec();
        packet[0] = first;
        packet.extend(extension.to_be_bytes());
        packet.resize(len, 1);
        packet
    }

    fn counts(bytes: &[u8], length: usize, width: NumberWidth) -> Vec<usize> {
        let runs = Run::all(Datagrams::new(bytes, length), width);
        runs.map(|run| run.map_or(0, |run| run.count())).collect()
    }

    #[test]
    fn a_run_ends_with_a_marker_and_a_gap() {
        let header =
            |sequence, marker| Header { sequence, marker, payload_type: 96, ..Header::default() };
        let make = |numbers: &[(u16, u16, bool)]| -> Vec<u8> {
            let packets = numbers
                .iter()
                .map(|(high, low, marker)| packet(PLAIN, header(*low, *marker), *high, 20));
            packets.flatten().collect()
        };
        let numbers =
            [(7, 65_534, false), (7, 65_535, false), (8, 0, true), (8, 1, false), (8, 3, true)];
        assert_eq!(counts(&make(&numbers), 20, NumberWidth::Bits32), [3, 1, 1]);
        // The extension stays what it was: callers that rely on it must look.
        let constant = [(0, 65_535, false), (0, 0, false)];
        assert_eq!(counts(&make(&constant), 20, NumberWidth::Bits32), [1, 1]);
        assert_eq!(counts(&make(&constant), 20, NumberWidth::Bits16), [2]);
        // The last one may be shorter, but has a whole number.
        let bytes = make(&[(0, 1, false), (0, 2, false)]);
        assert_eq!(counts(&bytes[..34], 20, NumberWidth::Bits32), [2]);
        assert_eq!(counts(&bytes[..33], 20, NumberWidth::Bits32), [1, 1]);
        assert_eq!(counts(&bytes[..32], 20, NumberWidth::Bits16), [2]);
        assert_eq!(counts(&bytes[..31], 20, NumberWidth::Bits16), [1, 0]);
    }

    proptest! {
        #[test]
        fn packets_are_what_their_headers_say(
            packets in prop::collection::vec(
                (0_u8..40, 0_u16..12, any::<bool>(), any::<bool>(), any::<u8>()), 1..40),
            start: u32, payload_type in 0_u8..128, cut in 0_usize..9, wide: bool,
        ) {
            let width = if wide { NumberWidth::Bits32 } else { NumberWidth::Bits16 };
            let mut bytes = Vec::new();
            let mut number = start;
            for (kind, leap, marker, constant, any) in packets {
                let header = Header {
                    marker: marker && kind % 4 == 0,
                    payload_type: if kind == 1 { any } else { payload_type },
                    sequence: number as u16,
                    timestamp: u32::from(kind == 2),
                    ssrc: u32::from(kind == 3),
                };
                let first = if kind == 4 { any } else { PLAIN };
                let extension = if constant && kind == 5 { 0 } else { (number >> 16) as u16 };
                bytes.extend(packet(first, header, extension, 20));
                number = number.wrapping_add(if leap == 0 { 3 } else { 1 });
            }
            bytes.truncate(bytes.len() - cut);
            let datagrams = Datagrams::new(&bytes, 20);
            let mut each = datagrams.iter();
            for run in Run::all(datagrams, width) {
                let run = match run {
                    Ok(run) => run,
                    Err(error) => {
                        prop_assert_eq!(Header::parse(each.next().unwrap()), Err(error));
                        continue;
                    }
                };
                prop_assert_eq!(run.packets().count(), run.count());
                for (index, (header, payload)) in run.packets().enumerate() {
                    let datagram = each.next().unwrap();
                    let (parsed, range) = Header::parse(datagram).unwrap();
                    prop_assert_eq!((header, payload), (parsed, &datagram[range]));
                    prop_assert_eq!(header.marker, index >= run.before_marker());
                    let single = run.single(index).unwrap();
                    prop_assert_eq!(single.packet(0), Some((header, payload)));
                    prop_assert_eq!(single.number(), super::number(header, payload, width));
                    prop_assert_eq!(single.count(), 1);
                    prop_assert_eq!(single.datagrams().get(0), Some(datagram));
                    let (first, here) = (run.header(), &header);
                    prop_assert_eq!((first.timestamp, first.ssrc), (here.timestamp, here.ssrc));
                }
            }
            prop_assert_eq!(each.next(), None);
        }
    }
}
