//! RTP payloads of audio: packets of any length at any time stamp.
#![no_main]

use libfuzzer_sys::fuzz_target;
use media::{Audio, AudioFormat, PacketTime};
use st2110::Transport;
use st2110::audio::Reslicer;

fuzz_target!(|data: &[u8]| {
    let Some((kind, mut rest)) = data.split_first() else { return };
    let (transport, format) = match kind % 3 {
        0 => (Transport::St2110_30, AudioFormat::PcmS8),
        1 => (Transport::St2110_30, AudioFormat::PcmS16be),
        _ => (Transport::St2110_31, AudioFormat::PcmS24be),
    };
    let audio = Audio { format, packet_time: PacketTime::Us125, ..Audio::default() };
    let mut reslicer = Reslicer::new(transport, &audio, u32::from(*kind)).expect("a good format");
    let mut frame = vec![0; reslicer.frame_len()];
    let mut missing = Vec::new();
    let mut base = 0_u32;
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        // Mostly near the packet before, now and then anywhere.
        base = match head[0] {
            255 => u32::from_be_bytes([head[1], head[2], head[3], head[0]]),
            _ => base.wrapping_add_signed(i32::from(head[1].cast_signed())),
        };
        let (payload, next) = tail.split_at(usize::from(head[3]).min(tail.len()));
        let _ = reslicer.push(base, payload);
        if head[2] == 255 {
            reslicer.give_up();
        }
        while let Some(slice) = reslicer.pop(&mut frame, &mut missing).expect("room") {
            let lost: usize = missing.iter().map(|gap| gap.len()).sum();
            assert_eq!(lost, slice.missing as usize * reslicer.format().memory_size());
        }
        rest = next;
    }
    let counts = reslicer.counts();
    let frames = counts.frames * u64::from(reslicer.frame_samples());
    assert!(frames <= counts.samples - counts.dropped_samples + counts.missing_samples);
});
