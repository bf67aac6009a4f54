//! Property tests: codestreams that are packetised, shuffled and assembled come back unchanged.

use media::FrameRate;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::sample::{Sample, codestream};
use super::*;

/// Any codestreams with at least one slice.
fn samples() -> impl Strategy<Value = Sample> {
    let slices = proptest::collection::vec(0usize..4000, 1..12);
    (slices, any::<u8>(), any::<bool>()).prop_map(|(slices, fill, length_known)| Sample {
        slices,
        fill,
        length_known,
    })
}

fn information() -> impl Strategy<Value = Option<VideoInformation>> {
    let rate = FrameRate { num: 50, den: 1 };
    let some = VideoInformation { rate, colour: Colour::HLG, rgb: false };
    select(vec![None, Some(some)])
}

proptest! {
    #[test]
    fn pictures_survive(
        sample in samples(),
        (mode, information) in (select(PacketMode::ALL), information()),
        part in select(vec![Part::Progressive, Part::First, Part::Second]),
        (frame, payload, order) in (any::<u64>(), 256usize..1500, any::<u64>()),
        lost in any::<Option<Index>>(),
    ) {
        let bytes = codestream(&sample);
        let picture = PictureSegment::parse(&bytes).unwrap();
        let sequential = TransmissionMode::Sequential;
        let packetiser = Packetiser::new(mode, sequential, payload, information).unwrap();
        let packets = packetiser.packets(&picture, part, frame).unwrap();
        let mut all = Vec::new();
        let mut first = 0;
        while first < packets.len() {
            let run = (packets.len() - first).min(5);
            let mut buffer = vec![0xEE; run * payload];
            let used = packets.write(first..first + run, &mut buffer).unwrap();
            let mut rest = &buffer[..used];
            for index in first..first + run {
                let packet;
                (packet, rest) = rest.split_at(packets.size(index) + 12);
                prop_assert!(packet.len() <= payload);
                all.push(packet[12..].to_vec());
            }
            prop_assert!(rest.is_empty());
            first += run;
        }
        prop_assert_eq!(all.len(), packets.len());

        let mut shuffled: Vec<_> = (0..all.len()).collect();
        shuffled.sort_by_key(|index| (*index as u64 ^ order).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let gap = lost.map(|index| index.index(all.len()));
        let mut assembly = Assembly::new(mode, 1 << 20);
        for index in shuffled.iter().filter(|index| Some(**index) != gap) {
            prop_assert_eq!(assembly.place(&all[*index], index + 1 == all.len()), Ok(true));
        }
        let mut out = vec![0; assembly.size()];
        let received = assembly.finish(&mut out).unwrap();
        prop_assert_eq!(received.complete, gap.is_none());
        if let Some(gap) = gap {
            prop_assert!(received.len < bytes.len() + 60);
            assembly.place(&all[gap], gap + 1 == all.len()).unwrap();
        }
        let mut out = vec![0; assembly.size()];
        let received = assembly.finish(&mut out).unwrap();
        prop_assert!(received.complete && received.missing_slices.is_empty());
        prop_assert_eq!(&out[received.codestream.clone()], &bytes[..]);
        prop_assert_eq!(received.codestream.start == 60, information.is_some());
        let again = PictureSegment::parse(&out[..received.len]).unwrap();
        prop_assert_eq!(again.header(), picture.header());
        prop_assert_eq!(assembly.place(&all[0], all.len() == 1), Ok(false));
    }

    #[test]
    fn damaged_pictures_do_no_harm(
        sample in samples(),
        damage in proptest::collection::vec((any::<Index>(), any::<u8>()), 0..8),
        end in any::<Index>(),
    ) {
        let mut bytes = codestream(&sample);
        for (at, value) in &damage {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        bytes.truncate(end.index(bytes.len() * 4));
        if let Ok(picture) = PictureSegment::parse(&bytes) {
            let units = picture.units().unwrap_or_default();
            prop_assert!(units.iter().all(|unit| unit.end <= picture.codestream().len()));
        }
    }
}
