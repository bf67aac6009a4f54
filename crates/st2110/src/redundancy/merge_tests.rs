//! Merging of paths that lose, reorder, repeat and start again.

use std::time::Duration;

use media::Tai;
use proptest::prelude::*;

use super::{Merge, Use};
use crate::sequence::NumberWidth;

const SKEW: Duration = Duration::from_millis(10);

fn at(microseconds: u64) -> Tai {
    Tai::from_nanos(1_000_000_000 + microseconds * 1000)
}

fn merge() -> Merge {
    Merge::new(NumberWidth::Bits16, SKEW, 10_000)
}

fn number(outcome: Use) -> Option<u64> {
    match outcome {
        Use::First { number, .. } => Some(number),
        _ => None,
    }
}

#[test]
fn the_window_follows_rate_and_skew() {
    // 10 ms of 259 200 packets a second and a quarter: 3240, rounded up.
    let of = |width, skew, rate| Merge::new(width, skew, rate).window();
    assert_eq!(of(NumberWidth::Bits32, SKEW, 259_200), 4096);
    assert_eq!(of(NumberWidth::Bits32, Duration::from_millis(450), 259_200), 262_144);
    assert_eq!(of(NumberWidth::Bits16, Duration::from_millis(450), 259_200), 16_384);
    assert_eq!(of(NumberWidth::Bits16, SKEW, 1000), 256);
    assert_eq!(of(NumberWidth::Bits32, Duration::MAX, u32::MAX), 1 << 20);
}

#[test]
fn the_first_copy_is_used_and_the_skew_measured() {
    let mut merge = merge();
    assert_eq!(merge.packet(0, at(0), 1, 65_535), Use::First { number: 0x2_ffff, restart: true });
    assert_eq!(merge.packet(0, at(100), 1, 0), Use::First { number: 0x3_0000, restart: false });
    // The other path has its own SSRC.
    assert_eq!(merge.packet(1, at(5000), 2, 65_535), Use::Duplicate);
    assert_eq!(merge.skew(), Some((1, Duration::from_millis(5))));
    // It fills what the first one lost.
    assert_eq!(number(merge.packet(0, at(5001), 1, 2)), Some(0x3_0002));
    assert_eq!(merge.lost(), 1);
    assert_eq!(number(merge.packet(1, at(5200), 2, 1)), Some(0x3_0001));
    assert_eq!(merge.lost(), 0);
    let [a, b] = [merge.counts(0), merge.counts(1)];
    assert_eq!((a.used, a.stream.lost, a.stream.received), (3, 1, 3));
    // The second path has lost 0, and knows nothing of 2.
    assert_eq!((b.used, b.stream.lost, b.stream.received), (1, 1, 2));
    assert_eq!(merge.packet(2, at(5300), 1, 3), Use::Unknown);
}

#[test]
fn the_first_packet_may_be_lost_on_the_earlier_path() {
    let mut merge = merge();
    // Path 1 begins with number 2; 0 and 1 come by path 2 alone, and 3 by none yet.
    let first = Use::First { number: 0x2_0002, restart: true };
    assert_eq!(merge.packet(0, at(0), 1, 2), first);
    assert_eq!(number(merge.packet(0, at(100), 1, 4)), Some(0x2_0004));
    for (expected, wire) in [(Some(0x2_0000), 0), (Some(0x2_0001), 1), (None, 2)] {
        assert_eq!(number(merge.packet(1, at(5000), 2, wire)), expected);
    }
    assert_eq!(merge.lost(), 1);
    assert_eq!((merge.counts(1).used, merge.counts(1).late), (2, 0));
}

#[test]
fn the_next_packets_are_decided_at_once() {
    let mut merge = merge();
    // The first one follows no known packet.
    assert_eq!(merge.packets(0, at(0), 1, 65_534, 4), None);
    merge.packet(0, at(0), 1, 65_534);
    merge.packet(1, at(0), 2, 65_534);
    let next = Use::First { number: 0x2_ffff, restart: false };
    assert_eq!(merge.packets(0, at(100), 1, 65_535, 4), Some(next));
    // A gap, a stranger, and packets of which only some are copies.
    assert_eq!(merge.packets(0, at(200), 1, 4, 2), None);
    assert_eq!(merge.packets(0, at(200), 3, 3, 2), None);
    assert_eq!(merge.packets(1, at(200), 2, 65_535, 5), None);
    assert_eq!(merge.packets(2, at(200), 2, 65_535, 4), None);
    assert_eq!(merge.packets(1, at(300), 2, 65_535, 4), Some(Use::Duplicate));
    assert_eq!(merge.packets(1, at(400), 2, 3, 300), None);
    let [a, b] = [merge.counts(0), merge.counts(1)];
    assert_eq!((a.stream.received, a.used), (5, 5));
    assert_eq!((b.stream.received, b.used), (5, 0));
}

#[test]
fn a_path_may_be_away_for_long() {
    let mut merge = merge();
    let mut used = 0;
    // Ten wraps of the numbers at 10 000 packets a second, most of them on one path only.
    for i in 0..655_360_u32 {
        let time = at(u64::from(i) * 100);
        used += usize::from(number(merge.packet(0, time, 1, i & 0xffff)).is_some());
        if !(1000..600_000).contains(&i) {
            assert_eq!(
                merge.packet(1, time, 2, i & 0xffff),
                match i {
                    600_000..600_001 if merge.counts(1).stream.restarts == 0 => Use::Unknown,
                    _ => Use::Duplicate,
                }
            );
        }
    }
    assert_eq!(used, 655_360);
    assert_eq!((merge.lost(), merge.counts(1).used, merge.counts(0).late), (0, 0, 0));
}

#[test]
fn a_slow_path_beyond_the_window_is_late() {
    let mut merge = merge();
    merge.packet(1, at(0), 2, 0);
    for i in 0..1000 {
        merge.packet(0, at(u64::from(i) * 100), 1, i);
    }
    // 256 packets is the window.
    assert_eq!(merge.packet(1, at(100_000), 2, 999 - 255), Use::Duplicate);
    assert_eq!(merge.packet(1, at(100_000), 2, 1), Use::Late);
    assert_eq!(merge.counts(1).used, 1);
}

#[test]
fn a_path_of_another_stream_waits() {
    let mut merge = merge();
    for i in 0..100 {
        let time = at(u64::from(i) * 100);
        assert!(number(merge.packet(0, time, 1, i)).is_some());
        assert_eq!(merge.packet(1, time, 2, 30_000 + i), Use::Unknown);
    }
    assert_eq!(merge.counts(1).apart, 100);
    // The first path ends: after the skew the other one is the stream.
    assert_eq!(merge.packet(1, at(9_900 + 9_000), 2, 30_100), Use::Unknown);
    let outcome = merge.packet(1, at(9_900 + 10_001), 2, 30_101);
    assert_eq!(outcome, Use::First { number: 0x2_0000 + 30_101, restart: false });
    assert_eq!(merge.packet(0, at(9_900 + 10_002), 1, 100), Use::Unknown);
}

#[test]
fn a_sender_that_starts_again_on_both_paths_is_followed() {
    let mut merge = merge();
    for i in 0..100 {
        merge.packet(0, at(i * 100), 1, 50_000 + i as u32);
        merge.packet(1, at(i * 100 + 50), 2, 50_000 + i as u32);
    }
    let mut used = Vec::new();
    for i in 0..500 {
        let time = 10_000 + 30_000 + i * 100;
        used.extend(number(merge.packet(0, at(time), 11, i as u32)));
        used.extend(number(merge.packet(1, at(time + 50), 12, i as u32)));
    }
    // One packet is needed to believe it.
    assert_eq!(used.len(), 499);
    assert!(used.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

proptest! {
    #[test]
    fn the_union_is_delivered_once(
        fates in prop::collection::vec((0_u8..100, 0_u8..100, 0_u64..40, 0_u64..40), 1..800),
        loss in 0_u8..60, start: u16, behind in 0_u64..5000, wide: bool,
    ) {
        let width = if wide { NumberWidth::Bits32 } else { NumberWidth::Bits16 };
        let mut merge = Merge::new(width, SKEW, 10_000);
        // Packets each 100 µs, path 1 behind, both with jitter that reorders.
        let mut arrivals = Vec::new();
        for (i, (a, b, jitter_a, jitter_b)) in (0_u32..).zip(&fates) {
            let time = u64::from(i) * 100;
            if *a >= loss {
                arrivals.push((time + jitter_a * 10, 0, i));
            }
            if *b >= loss {
                arrivals.push((behind + time + jitter_b * 10, 1, i));
            }
        }
        arrivals.sort();
        let union: std::collections::BTreeSet<u32> =
            arrivals.iter().map(|(_, _, i)| *i).collect();
        let mut delivered = Vec::new();
        for (time, path, i) in &arrivals {
            let wire = u32::from(start).wrapping_add(*i) & width.mask();
            if let Use::First { number, .. } = merge.packet(*path, at(*time), *path as u32, wire) {
                delivered.push((number as u32).wrapping_sub(u32::from(start)) & width.mask());
            }
        }
        delivered.sort();
        prop_assert_eq!(delivered, union.iter().copied().collect::<Vec<_>>());
        let span = union.last().map_or(0, |highest| highest + 1 - union.first().unwrap());
        prop_assert_eq!(merge.lost(), u64::from(span) - union.len() as u64);
        let used = merge.counts(0).used + merge.counts(1).used;
        prop_assert_eq!(used, union.len() as u64);
    }

    #[test]
    fn hostile_numbers_do_not_keep_a_sender_out(
        packets in prop::collection::vec((0_usize..3, 0_u32..3, any::<u32>(), 0_u64..50_000), 1..300),
    ) {
        let mut merge = merge();
        for (path, ssrc, number, time) in packets {
            merge.packet(path, at(time), ssrc, number & 0xffff);
        }
        let mut used = 0;
        for i in 0..400 {
            used += u32::from(number(merge.packet(0, at(100_000 + u64::from(i) * 100), 9, i)).is_some());
        }
        prop_assert!(used > 390, "{used}");
    }

    #[test]
    fn many_at_once_are_as_one_after_the_other(
        steps in prop::collection::vec(
            (0_usize..2, 0_u8..40, 1_u32..40, -30_i32..30, 0_u64..4000), 1..200),
        start: u32, wide: bool, constant: bool,
    ) {
        let width = if wide { NumberWidth::Bits32 } else { NumberWidth::Bits16 };
        let mut together = Merge::new(width, SKEW, 10_000);
        let mut model = together.clone();
        let (mut next, mut time) = ([start; 2], [0; 2]);
        for (path, kind, count, leap, wait) in steps {
            // The paths lose, repeat, leap, fall silent and start again, each for itself; time goes
            // back in some steps.
            next[path] = match kind {
                0..4 => next[path].wrapping_add_signed(leap),
                4 => next[path].wrapping_add_signed(leap * 3000),
                5 => next[1 - path],
                _ => next[path],
            };
            time[path] = match kind {
                6 => time[path] - wait.min(time[path]),
                7 => time[path] + wait * 100,
                _ => time[path].max(time[1 - path]) + wait,
            };
            let ssrc = if kind == 8 { 3 } else { path as u32 };
            // A sender that does not use the extension leaves it at 0.
            let wire = |number: u32| if constant { number & 0xffff } else { number & width.mask() };
            let first = wire(next[path]);
            let unbroken = (1..count).all(|index| {
                wire(next[path].wrapping_add(index)) == first.wrapping_add(index) & width.mask()
            });
            let at = at(time[path]);
            let outcome = if unbroken { together.packets(path, at, ssrc, first, count) } else { None };
            for index in 0..count {
                let number = wire(next[path].wrapping_add(index));
                let expected = model.packet(path, at, ssrc, number);
                let found = match outcome {
                    Some(Use::First { number, restart }) =>
                        Use::First { number: number + u64::from(index), restart },
                    Some(outcome) => outcome,
                    None => together.packet(path, at, ssrc, number),
                };
                prop_assert_eq!(found, expected);
            }
            next[path] = next[path].wrapping_add(count);
            prop_assert_eq!(
                (together.counts(path), together.lost(), together.skew()),
                (model.counts(path), model.lost(), model.skew())
            );
        }
        // All that is remembered, not only what is shown.
        prop_assert_eq!(format!("{together:?}"), format!("{model:?}"));
    }
}
