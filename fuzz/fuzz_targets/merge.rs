//! Packets with any numbers and time stamps on two paths, merged and put together to frames.
#![no_main]

use std::collections::HashSet;
use std::time::Duration;

use fuzz::Choices;
use libfuzzer_sys::fuzz_target;
use media::{FrameRate, Tai};
use st2110::redundancy::{Merge, Use};
use st2110::sequence::NumberWidth;
use st2110::time::{MediaClock, RtpTimestamp};
use st2110::window::{Fields, FrameWindow, Place, WindowLimits};

fuzz_target!(|data: &[u8]| {
    let _ = play(&mut Choices(data));
});

fn play(choices: &mut Choices<'_>) -> Option<()> {
    let shape = choices.byte()?;
    let width = if shape & 1 == 0 { NumberWidth::Bits16 } else { NumberWidth::Bits32 };
    let fields = if shape & 2 == 0 { Fields::One } else { Fields::Two };
    let skew = Duration::from_micros(u64::from(shape >> 2) * 500);
    let rate = FrameRate { num: 60_000, den: 1001 };
    let limits = WindowLimits::new(fields, rate, MediaClock::VIDEO, skew);
    let mut merge = Merge::new(width, skew, 100_000);
    let mut window = FrameWindow::new(limits);
    let mut used = HashSet::new();
    let (mut time, mut number, mut stamp) = (choices.number()? >> 1, 0_u32, 0_u32);
    let (mut opened, mut taken) = (0_u64, 0_u64);
    while let Some(kind) = choices.byte() {
        let step = choices.byte()?;
        time = time.saturating_add(u64::from(step) << (kind >> 4));
        let path = usize::from(kind & 1);
        // Mostly a stream that goes on.
        number = match kind >> 1 & 7 {
            0 => choices.number()? as u32,
            1 => number.wrapping_sub(u32::from(choices.byte()?)),
            2 => number.wrapping_add(choices.short()? as u32),
            _ => number.wrapping_add(1),
        };
        stamp = match step & 15 {
            0 => choices.number()? as u32,
            1 => stamp.wrapping_sub(750),
            2..=4 => stamp.wrapping_add(1501),
            _ => stamp,
        };
        let now = Tai::from_nanos(time);
        let ssrc = u32::from(step >> 6 == 3);
        if let Use::First { number, restart } = merge.packet(path, now, ssrc, number & width.mask())
        {
            assert!(used.insert(number), "{number} is used twice");
            if restart {
                window.restart(now);
            }
            let (second, marker) = (kind & 4 != 0, step & 16 != 0);
            let slot = |_| {
                let refused = step & 32 != 0;
                opened += u64::from(!refused);
                (!refused).then_some(())
            };
            match window.packet(now, RtpTimestamp(stamp), second, marker, slot) {
                Place::Slot { frame, .. } if kind & 8 != 0 => window.complete(frame),
                _ => {}
            }
        }
        if step & 64 != 0 {
            taken += std::iter::from_fn(|| window.pop(now)).count() as u64;
            assert!(window.deadline().is_none_or(|deadline| deadline > now));
        }
        assert!(window.len() <= limits.open + 1);
    }
    // When nothing comes any more, nothing stays open.
    let end = Tai::from_nanos(time.saturating_add(limits.patience.as_nanos() as u64));
    taken += std::iter::from_fn(|| window.pop(end)).count() as u64;
    assert!(window.is_empty());
    assert_eq!(taken, opened);
    let counts = [merge.counts(0), merge.counts(1)];
    assert_eq!(counts[0].used + counts[1].used, used.len() as u64);
    Some(())
}
