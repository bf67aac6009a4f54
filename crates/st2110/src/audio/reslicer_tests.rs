//! Tests of the reslicer.

use media::{AudioFormat, PacketTime};
use proptest::prelude::*;

use super::*;

const STEREO: usize = 4;

/// 16 bits, two channels, frames of 48 samples, 96 samples held back.
fn reslicer() -> Reslicer {
    let audio = Audio { format: AudioFormat::PcmS16be, ..Audio::default() };
    Reslicer::new(Transport::St2110_30, &audio, 96).unwrap()
}

/// The sample at each timestamp.
fn payload(timestamp: u32, count: u32) -> Vec<u8> {
    (0..count).flat_map(|i| timestamp.wrapping_add(i).to_be_bytes()).collect()
}

#[derive(Default)]
struct Out {
    slices: Vec<Slice>,
    gaps: Vec<Vec<Range<usize>>>,
}

/// Takes out what is ready, and checks each sample.
fn drain(reslicer: &mut Reslicer, out: &mut Out) {
    let mut frame = vec![0xff; reslicer.frame_len()];
    let mut missing = Vec::new();
    while let Some(slice) = reslicer.pop(&mut frame, &mut missing).unwrap() {
        let mut expected = payload(slice.timestamp, 48);
        for gap in &missing {
            expected[gap.clone()].fill(0);
        }
        assert_eq!(frame, expected);
        assert_eq!(missing.iter().map(Range::len).sum::<usize>(), slice.missing as usize * STEREO);
        out.slices.push(slice);
        out.gaps.push(missing.clone());
    }
}

fn feed(reslicer: &mut Reslicer, out: &mut Out, packets: &[(u32, u32)]) {
    for (timestamp, count) in packets {
        let _ = reslicer.push(*timestamp, &payload(*timestamp, *count));
        drain(reslicer, out);
    }
}

#[test]
fn other_packet_times_are_cut_anew() {
    for count in [1, 6, 48, 64, 192, 360] {
        let (mut reslicer, mut out) = (reslicer(), Out::default());
        let first = u32::MAX - 200;
        let packets: Vec<_> =
            (0..960 / count).map(|n| (first.wrapping_add(n * count), count)).collect();
        feed(&mut reslicer, &mut out, &packets);
        let whole = (packets.len() as u32 * count / 48) as usize;
        assert_eq!(out.slices.len(), whole, "{count}");
        for (n, slice) in out.slices.iter().enumerate() {
            let timestamp = first.wrapping_add(n as u32 * 48);
            assert_eq!(*slice, Slice { timestamp, missing: 0, restart: n == 0 });
        }
    }
}

#[test]
fn a_lost_packet_leaves_a_gap_of_its_samples() {
    let (mut reslicer, mut out) = (reslicer(), Out::default());
    // Of packets of 12 samples the third, samples 24 to 35, is lost.
    let packets: Vec<_> = (0..40).filter(|n| *n != 2).map(|n| (n * 12, 12)).collect();
    feed(&mut reslicer, &mut out, &packets);
    assert_eq!(out.slices[0], Slice { timestamp: 0, missing: 12, restart: true });
    assert_eq!(out.gaps[0], vec![24 * STEREO..36 * STEREO; 1]);
    assert!(out.slices[1..].iter().all(|slice| slice.missing == 0));
    let counts = reslicer.counts();
    assert_eq!((counts.packets, counts.samples, counts.missing_samples), (39, 468, 12));
    assert_eq!((counts.frames, counts.incomplete_frames), (10, 1));
}

#[test]
fn reordering_within_the_hold_loses_nothing() {
    let (mut reslicer, mut out) = (reslicer(), Out::default());
    feed(&mut reslicer, &mut out, &[(0, 48), (96, 48), (48, 48), (144, 48), (144, 48), (0, 48)]);
    assert_eq!(
        out.slices.iter().map(|slice| slice.timestamp).collect::<Vec<_>>(),
        [0, 48, 96, 144]
    );
    let counts = reslicer.counts();
    assert_eq!(counts.missing_samples, 0);
    assert_eq!(counts.refused[AudioPacketError::Late.index()], 2);
}

#[test]
fn a_second_copy_is_a_duplicate() {
    let mut reslicer = reslicer();
    assert_eq!(reslicer.push(0, &payload(0, 24)), Ok(()));
    assert_eq!(reslicer.push(0, &payload(0, 24)), Err(AudioPacketError::Duplicate));
    assert_eq!(reslicer.push(12, &payload(12, 24)), Ok(()));
    let counts = reslicer.counts();
    assert_eq!((counts.samples, counts.duplicate_samples), (36, 12));
}

#[test]
fn giving_up_delivers_what_is_there() {
    let (mut reslicer, mut out) = (reslicer(), Out::default());
    feed(&mut reslicer, &mut out, &[(0, 48), (48, 24)]);
    assert_eq!(out.slices.len(), 1);
    reslicer.give_up();
    drain(&mut reslicer, &mut out);
    assert_eq!(out.slices[1], Slice { timestamp: 48, missing: 24, restart: false });
    assert!(!reslicer.is_ready());
    // What comes after it is late.
    assert_eq!(reslicer.push(72, &payload(72, 24)), Err(AudioPacketError::Late));
}

#[test]
fn one_wild_time_stamp_is_refused_and_two_in_a_row_restart() {
    let (mut reslicer, mut out) = (reslicer(), Out::default());
    feed(&mut reslicer, &mut out, &[(0, 48), (48, 24)]);
    assert_eq!(reslicer.push(1 << 31, &payload(1 << 31, 48)), Err(AudioPacketError::Timestamp));
    assert_eq!(reslicer.push(72, &payload(72, 24)), Ok(()));
    let wild = 0x4000_0000;
    assert_eq!(reslicer.push(wild, &payload(wild, 48)), Err(AudioPacketError::Timestamp));
    assert_eq!(reslicer.push(wild + 48, &payload(wild + 48, 48)), Ok(()));
    drain(&mut reslicer, &mut out);
    // Nothing of the new stream is lost.
    let last = &out.slices[out.slices.len() - 2..];
    assert_eq!(last[0], Slice { timestamp: wild, missing: 0, restart: true });
    assert_eq!(last[1], Slice { timestamp: wild + 48, missing: 0, restart: false });
    let counts = reslicer.counts();
    assert_eq!((counts.restarts, counts.dropped_samples), (1, 48));
    // The one that was not continued stays refused.
    assert_eq!((counts.refused[AudioPacketError::Timestamp.index()], counts.packets), (1, 5));
}

#[test]
fn payloads_of_another_shape_are_refused() {
    let mut reslicer = reslicer();
    assert_eq!(reslicer.push(0, &[]), Err(AudioPacketError::Empty));
    assert_eq!(reslicer.push(0, &[0; 5]), Err(AudioPacketError::Length));
    assert_eq!(reslicer.push(0, &vec![0; 65_000]), Err(AudioPacketError::TooLong));
    assert_eq!(reslicer.counts().refused.iter().sum::<u64>(), 3);
    assert!(reslicer.pop(&mut [0; 3], &mut Vec::new()).is_err());
}

#[test]
fn codings_that_differ_from_memory_are_converted() {
    let audio = Audio { format: AudioFormat::PcmS8, channels: 1, ..Audio::default() };
    let mut eight = Reslicer::new(Transport::St2110_30, &audio, 0).unwrap();
    eight.push(0, &[0x80; 48]).unwrap();
    let mut frame = [1; 48];
    assert!(eight.pop(&mut frame, &mut Vec::new()).unwrap().is_some());
    assert_eq!(frame, [0; 48]);

    let audio = Audio { packet_time: PacketTime::Us80, ..Audio::default() };
    let mut aes3 = Reslicer::new(Transport::St2110_31, &audio, 0).unwrap();
    let wire: Vec<u8> = (0..8).flat_map(|n| [0x38, n, n + 1, n + 2]).collect();
    aes3.push(7, &wire).unwrap();
    let mut frame = [0; 24];
    assert!(aes3.pop(&mut frame, &mut Vec::new()).unwrap().is_some());
    assert_eq!(frame[..6], [0, 1, 2, 1, 2, 3]);
}

proptest! {
    /// Whatever comes, every sample that came in comes out once or is accounted for, and frames
    /// follow each other.
    #[test]
    fn every_sample_is_accounted_for(
        packets in proptest::collection::vec((0_u32..4000, 1_u32..200), 1..200),
        offset: u32,
    ) {
        let (mut reslicer, mut out) = (reslicer(), Out::default());
        let packets: Vec<_> =
            packets.into_iter().map(|(t, n)| (t.wrapping_add(offset), n)).collect();
        feed(&mut reslicer, &mut out, &packets);
        reslicer.give_up();
        drain(&mut reslicer, &mut out);
        let counts = *reslicer.counts();
        prop_assert_eq!(counts.frames, out.slices.len() as u64);
        prop_assert_eq!(counts.frames * 48, counts.samples - counts.dropped_samples + counts.missing_samples);
        prop_assert_eq!(counts.packets + counts.refused.iter().sum::<u64>(), packets.len() as u64);
        for pair in out.slices.windows(2) {
            prop_assert!(pair[1].restart || pair[1].timestamp == pair[0].timestamp.wrapping_add(48));
        }
    }

    #[test]
    fn no_packet_makes_it_panic(
        packets in proptest::collection::vec((any::<u32>(), proptest::collection::vec(any::<u8>(), 0..64)), 0..50),
    ) {
        let mut reslicer = reslicer();
        for (timestamp, bytes) in &packets {
            let _ = reslicer.push(*timestamp, bytes);
            let mut frame = vec![0; reslicer.frame_len()];
            while reslicer.pop(&mut frame, &mut Vec::new()).unwrap().is_some() {}
        }
    }
}
