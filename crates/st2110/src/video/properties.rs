//! Property tests: frames that are packetised, shuffled and depacketised come back unchanged.

use media::PixelFormat;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// A stream that can be sent, and a layout that holds exactly its samples.
#[derive(Clone, Debug)]
struct Stream {
    picture: Picture,
    layout: FrameLayout,
    packing: Packing,
    max_udp_payload: usize,
}

fn streams() -> impl Strategy<Value = Stream> {
    let formats: Vec<_> = WireFormat::all().collect();
    let shape = (select(formats), select(Scan::ALL), any::<bool>());
    let size = (1usize..90, 1usize..12, 256usize..1500, any::<prop::sample::Index>());
    (shape, size).prop_filter_map("cannot be sent", |((format, scan, block), size)| {
        let (columns, rows, max_udp_payload, layout) = size;
        let pgroup = format.pgroup();
        let (width, height) = ((columns * pgroup.pixels) as u32, (rows * pgroup.lines) as u32);
        let picture = Picture::new(format, width, height, scan).ok()?;
        let fits = |layout: &FrameLayout| {
            [Direction::Send, Direction::Receive]
                .into_iter()
                .all(|direction| Conversion::new(picture, *layout, direction, Simd::SCALAR).is_ok())
        };
        let mesh = PixelFormat::ALL.iter();
        let mesh = mesh.flat_map(|f| [FrameLayout::Mesh(*f), FrameLayout::Narrowed(*f)]);
        let layouts: Vec<_> = mesh.chain([FrameLayout::Wire]).filter(fits).collect();
        let layout = *layout.get(&layouts);
        let packing = if block { Packing::Block } else { Packing::General };
        Packetiser::new(picture, layout, packing, max_udp_payload).ok()?;
        Some(Stream { picture, layout, packing, max_udp_payload })
    })
}

/// A frame of random samples without rubbish in unused bits: what arrives when random octets are
/// unpacked.
fn frame(stream: &Stream, seed: u64) -> Vec<u8> {
    let conversion =
        Conversion::new(stream.picture, stream.layout, Direction::Receive, Simd::detect()).unwrap();
    let mut frame = vec![0; conversion.frame_size()];
    let mut wire = vec![0; stream.picture.row_octets()];
    let mut state = seed;
    for row in 0..stream.picture.rows() {
        for octet in &mut wire {
            // Steele, Lea, Flood: SplitMix64.
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            *octet = (mixed >> 56) as u8;
        }
        let count = stream.picture.row_pgroups();
        conversion.unpack(&wire, &mut frame, Segment { row, first: 0, count });
    }
    frame
}

/// All packets of a frame, without room for RTP, and what they must be like.
fn packets(stream: &Stream, packetiser: &Packetiser, frame: &[u8]) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut sequence = 0xFFF0u32;
    for field in stream.picture.fields() {
        let count = packetiser.packets(*field);
        let mut first = 0;
        while first < count {
            let run = (count - first).min(7);
            let sizes: Vec<_> =
                (first..first + run).map(|index| packetiser.size(*field, index) + 12).collect();
            let mut buffer = vec![0xEE; sizes.iter().sum()];
            let range = first..first + run;
            let used = packetiser.write(frame, *field, range, sequence, &mut buffer).unwrap();
            assert_eq!(used, buffer.len());
            let mut rest = &buffer[..];
            for (index, size) in sizes.iter().enumerate() {
                let packet;
                (packet, rest) = rest.split_at(*size);
                assert!(*size <= stream.max_udp_payload);
                assert_eq!(packet[..12], [0xEE; 12]);
                let number = sequence + index as u32;
                assert_eq!(packet[12..14], ((number >> 16) as u16).to_be_bytes());
                let extended = (number >> 16) as u16;
                let header = packetiser.header(*field, first + index, extended);
                let (head, data) = packet[12..].split_at(header.as_bytes().len());
                assert_eq!(head, header.as_bytes());
                if let Some(source) = packetiser.source(*field, first + index) {
                    let gathered: Vec<_> = source.flat_map(|range| &frame[range]).collect();
                    assert!(gathered.into_iter().eq(data));
                }
                let last = first + index + 1 == count;
                assert!(stream.packing == Packing::General || last || data.len() % 180 == 0);
                packets.push(packet[12..].to_vec());
            }
            first += run;
            sequence += run as u32;
        }
    }
    assert_eq!(packets.len(), packetiser.frame_packets());
    packets
}

proptest! {
    #[test]
    fn many_at_once_are_placed_as_one_after_the_other(
        stream in streams(),
        seed: u64,
        picks in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..24, 0_usize..16), 1..60),
        most in 1_usize..9,
    ) {
        let Stream { picture, layout, packing, max_udp_payload } = stream;
        let packetiser = Packetiser::new(picture, layout, packing, max_udp_payload).unwrap();
        let all = packets(&stream, &packetiser, &frame(&stream, seed));
        let mut next = 0;
        let payloads: Vec<_> = picks.into_iter().map(|(pick, kind, place)| {
            // Mostly what follows; now and then another one, or damage.
            next = if kind == 0 { pick.index(all.len()) } else { (next + 1) % all.len() };
            let mut payload = all[next].clone();
            match kind {
                1 => payload[place % 8] ^= 1 << (place % 8),
                2 => payload.truncate(place),
                _ => {}
            }
            payload
        }).collect();
        let depacketiser = Depacketiser::new(picture, layout, RowNumbering::PerField).unwrap();
        let [mut many, mut each] =
            [(); 2].map(|()| (vec![0; depacketiser.frame_size()], Arrival::new(picture)));
        for mut rest in payloads.chunks(most) {
            while let Some(first) = rest.first() {
                let complete = many.1.is_complete();
                let field = Depacketiser::field(first).unwrap_or(Field::First);
                let payloads = rest.iter().map(Vec::as_slice);
                let placed =
                    depacketiser.place_all(field, payloads, &mut many.0, &mut many.1).unwrap();
                for payload in &rest[..placed] {
                    prop_assert_eq!(Depacketiser::field(payload), Ok(field));
                    prop_assert!(!each.1.is_complete());
                    prop_assert!(depacketiser.place(payload, &mut each.0, &mut each.1).is_ok());
                }
                prop_assert!(many == each);
                rest = &rest[placed..];
                let Some((refused, others)) = rest.split_first() else { break };
                let [result, expected] = [&mut many, &mut each]
                    .map(|it| depacketiser.place(refused, &mut it.0, &mut it.1));
                prop_assert_eq!(result, expected);
                let goes_on = Depacketiser::field(refused) == Ok(field);
                let wrong = expected.is_err();
                prop_assert!(wrong || complete || many.1.is_complete() || !goes_on);
                rest = others;
            }
        }
        prop_assert!(many == each);
    }

    #[test]
    fn frames_survive(
        stream in streams(),
        seed in any::<u64>(),
        order in any::<u64>(),
        lost in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
    ) {
        let Stream { picture, layout, packing, max_udp_payload } = stream;
        let packetiser = Packetiser::new(picture, layout, packing, max_udp_payload).unwrap();
        let sent = frame(&stream, seed);
        let packets = packets(&stream, &packetiser, &sent);

        // In any order, the first ones twice.
        let mut shuffled: Vec<_> = (0..packets.len()).collect();
        shuffled.sort_by_key(|index| (*index as u64 ^ order).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        shuffled.extend_from_within(..packets.len().min(3));

        let depacketiser = Depacketiser::new(picture, layout, RowNumbering::PerField).unwrap();
        let mut received = vec![0xAA; depacketiser.frame_size()];
        let mut arrival = Arrival::new(picture);
        let gaps: Vec<_> = lost.iter().map(|index| index.index(packets.len())).collect();
        for index in shuffled.iter().filter(|index| !gaps.contains(*index)) {
            depacketiser.place(&packets[*index], &mut received, &mut arrival).unwrap();
        }
        prop_assert_eq!(arrival.is_complete(), gaps.is_empty());
        let missing: u32 = arrival.missing().map(|gap| gap.lines * gap.pixels).sum();
        prop_assert_eq!(missing as usize, arrival.missing_pixels());

        // The gaps filled from another frame are its pixels; late packets then complete the frame.
        let previous = frame(&stream, !seed);
        let mut repeated = received.clone();
        depacketiser.fill_missing(&arrival, &previous, &mut repeated).unwrap();
        let mut expected = vec![0xAA; received.len()];
        let mut all = Arrival::new(picture);
        for packet in &packets {
            depacketiser.place(packet, &mut expected, &mut all).unwrap();
        }
        depacketiser.fill_missing(&arrival, &previous, &mut expected).unwrap();
        prop_assert_eq!(&repeated, &expected);
        // Cleared, they are as in memory that was zero before.
        let mut cleared = received.clone();
        depacketiser.clear_missing(&arrival, &mut cleared).unwrap();
        let mut fresh = vec![0; received.len()];
        let mut part = Arrival::new(picture);
        for (_, packet) in packets.iter().enumerate().filter(|(index, _)| !gaps.contains(index)) {
            depacketiser.place(packet, &mut fresh, &mut part).unwrap();
        }
        prop_assert_eq!(&cleared, &fresh);
        for index in &gaps {
            depacketiser.place(&packets[*index], &mut received, &mut arrival).unwrap();
        }
        prop_assert!(arrival.is_complete());
        prop_assert_eq!(received, sent);
    }

    /// Whatever arrives: what is refused leaves no trace, and what is not is accounted for.
    #[test]
    fn hostile_packets_do_no_harm(
        stream in streams(),
        payload in proptest::collection::vec(any::<u8>(), 0..200),
        small in any::<bool>(),
        rows in select(vec![RowNumbering::PerField, RowNumbering::PerFrame]),
    ) {
        let mut payload = payload;
        if small {
            // Mostly plausible: high octets of length, line and offset are 0.
            for octet in payload.iter_mut().skip(2).take(18).step_by(2) {
                *octet &= 0x80;
            }
        }
        let depacketiser = Depacketiser::new(stream.picture, stream.layout, rows).unwrap();
        let mut frame = vec![0xAA; depacketiser.frame_size()];
        let mut arrival = Arrival::new(stream.picture);
        let before = arrival.missing_pixels();
        let placed = depacketiser.place(&payload, &mut frame, &mut arrival);
        let pgroup = stream.picture.pgroup();
        let marked = (before - arrival.missing_pixels()) / pgroup.pixels / pgroup.lines;
        prop_assert_eq!(placed.unwrap_or(0), marked * pgroup.octets);
        if marked == 0 {
            prop_assert!(frame.iter().all(|octet| *octet == 0xAA));
        }
    }
}
