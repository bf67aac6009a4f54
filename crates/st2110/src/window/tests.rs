//! Tests of the frame window.

use std::time::Duration;

use media::{FrameRate, Tai};
use proptest::prelude::*;

use super::*;
use crate::time::{MediaClock, RtpTimestamp};

const MS: u64 = 1_000_000;
const P50: FrameRate = FrameRate { num: 50, den: 1 };
const FRAME: u32 = 1800;

fn at(milliseconds: u64) -> Tai {
    Tai::from_nanos(1_000_000_000 + milliseconds * MS)
}

fn limits(fields: Fields) -> WindowLimits {
    WindowLimits::new(fields, P50, MediaClock::VIDEO, Duration::from_millis(5))
}

/// Slots are lists of the packets that went into them.
type Window = FrameWindow<Vec<u32>>;

fn window(fields: Fields) -> Window {
    FrameWindow::new(limits(fields))
}

/// Places packet `packet`; the frame's id if it found one.
fn place(window: &mut Window, now: Tai, timestamp: u32, packet: u32) -> Option<FrameId> {
    match window.packet(now, RtpTimestamp(timestamp), false, false, |_| Some(Vec::new())) {
        Place::Slot { frame, slot } => {
            slot.push(packet);
            Some(frame)
        }
        _ => None,
    }
}

fn field(window: &mut Window, now: Tai, timestamp: u32, second: bool, marker: bool) -> bool {
    let place = window.packet(now, RtpTimestamp(timestamp), second, marker, |_| Some(Vec::new()));
    matches!(place, Place::Slot { .. })
}

fn popped(window: &mut Window, now: Tai) -> Vec<(u32, End)> {
    std::iter::from_fn(|| window.pop(now)).map(|frame| (frame.timestamp.0, frame.end)).collect()
}

#[test]
fn usual_limits() {
    let limits = limits(Fields::One);
    assert_eq!((limits.frame_ticks, limits.open, limits.leap), (FRAME, 3, 90_000));
    assert_eq!(limits.timeout, Duration::from_millis(45));
    assert_eq!(limits.patience, Duration::from_millis(245));
    let far = WindowLimits::new(Fields::One, P50, MediaClock::VIDEO, Duration::from_millis(450));
    assert_eq!(far.open, 25);
    // Class D at any rate.
    let fast = FrameRate { num: 240, den: 1 };
    let far = WindowLimits::new(Fields::One, fast, MediaClock::VIDEO, Duration::from_millis(450));
    assert_eq!(far.open, 3 + 108);
}

#[test]
fn a_complete_frame_is_delivered_at_once() {
    let mut window = window(Fields::One);
    let frame = place(&mut window, at(0), FRAME, 1).unwrap();
    assert_eq!(place(&mut window, at(1), FRAME, 2), Some(frame));
    assert_eq!(window.pop(at(1)), None);
    window.complete(frame);
    assert_eq!(window.deadline(), Some(Tai::from_nanos(0)));
    let expected =
        Finished { timestamp: RtpTimestamp(FRAME), slot: vec![1, 2], end: End::Complete };
    assert_eq!(window.pop(at(1)), Some(expected));
    assert_eq!((window.deadline(), window.is_empty()), (None, true));
    // What comes now is late; so is an older frame.
    assert_eq!(place(&mut window, at(1), FRAME, 3), None);
    assert_eq!(place(&mut window, at(1), 0, 3), None);
    assert_eq!(window.counts().late, 2);
}

#[test]
fn a_marker_ends_a_frame_after_the_skew() {
    let mut window = window(Fields::One);
    assert!(field(&mut window, at(0), 0, false, true));
    // A packet that was overtaken by the marker still finds its place.
    assert!(place(&mut window, at(4), 0, 1).is_some());
    assert_eq!(window.deadline(), Some(at(5)));
    assert_eq!(popped(&mut window, at(4)), []);
    assert_eq!(popped(&mut window, at(5)), [(0, End::Marker)]);
    assert_eq!(window.counts().incomplete, 1);
}

#[test]
fn a_newer_frame_ends_an_older_one_after_the_skew() {
    let mut window = window(Fields::One);
    place(&mut window, at(0), 0, 1);
    let newer = place(&mut window, at(20), FRAME, 2).unwrap();
    assert_eq!(window.deadline(), Some(at(25)));
    // A complete frame waits for the one before it.
    window.complete(newer);
    assert_eq!(popped(&mut window, at(24)), []);
    assert_eq!(popped(&mut window, at(25)), [(0, End::Newer), (FRAME, End::Complete)]);
}

#[test]
fn a_stream_that_stops_leaves_nothing_open() {
    let mut window = window(Fields::One);
    place(&mut window, at(0), 0, 1);
    assert_eq!(window.deadline(), Some(at(245)));
    assert_eq!(popped(&mut window, at(244)), []);
    assert_eq!(popped(&mut window, at(245)), [(0, End::Timeout)]);
}

#[test]
fn a_stall_in_the_middle_of_a_frame_loses_nothing() {
    let mut window = window(Fields::One);
    let frame = place(&mut window, at(0), 0, 1).unwrap();
    // Sender, network or host stand still for twelve periods: the rest waits somewhere.
    assert_eq!(popped(&mut window, at(239)), []);
    assert_eq!(place(&mut window, at(240), 0, 2), Some(frame));
    window.complete(frame);
    assert_eq!(popped(&mut window, at(240)), [(0, End::Complete)]);
    // If the rest was lost, the next frame says so without that delay.
    place(&mut window, at(260), FRAME, 3);
    place(&mut window, at(280), 2 * FRAME, 4);
    assert_eq!(popped(&mut window, at(285)), [(FRAME, End::Newer)]);
}

#[test]
fn frames_come_in_order_and_old_ones_are_pushed_out() {
    let mut window = window(Fields::One);
    let start = u32::MAX - 2 * FRAME + 1;
    // The third frame's first packet overtakes the second frame; timestamps wrap.
    for step in [0, 2, 1] {
        place(&mut window, at(0), start.wrapping_add(step * FRAME), step);
    }
    assert_eq!(popped(&mut window, at(0)), []);
    place(&mut window, at(0), start.wrapping_add(3 * FRAME), 3);
    assert_eq!(popped(&mut window, at(0)), [(start, End::Pushed)]);
    let rest = popped(&mut window, at(245));
    let rest: Vec<_> = rest.iter().map(|(key, _)| key.wrapping_sub(start) / FRAME).collect();
    assert_eq!(rest, [1, 2, 3]);
}

#[test]
fn a_caller_who_takes_nothing_gets_no_more_slots() {
    let mut window = window(Fields::One);
    let places = (0..10).map(|i| place(&mut window, at(0), i * FRAME, 0).is_some());
    assert_eq!(places.filter(|found| *found).count(), 4);
    assert_eq!(window.len(), 4);
    assert_eq!(window.clear().count(), 4);
}

#[test]
fn a_frame_without_a_slot_is_passed_over_whole() {
    let mut window = window(Fields::One);
    let stamp = RtpTimestamp(0);
    assert!(matches!(window.packet(at(0), stamp, false, false, |_| None), Place::NoSlot));
    // A slot that becomes free in between does not start half a frame.
    assert_eq!(place(&mut window, at(1), 0, 1), None);
    let next = place(&mut window, at(20), FRAME, 2).unwrap();
    window.complete(next);
    assert_eq!(popped(&mut window, at(25)), [(FRAME, End::Complete)]);
    assert_eq!((window.counts().without_slot, window.counts().incomplete), (1, 0));
}

#[test]
fn implausible_timestamps_do_not_move_the_stream() {
    let mut window = window(Fields::One);
    place(&mut window, at(0), 0, 1);
    for implausible in [90_001, 0x8000_0000, u32::MAX - 90_001] {
        assert_eq!(place(&mut window, at(1), implausible, 9), None);
    }
    assert_eq!(window.counts().implausible, 3);
    assert!(place(&mut window, at(20), FRAME, 2).is_some());
    // Unless nothing else comes.
    assert!(place(&mut window, at(20 + 44), 0x8000_0000, 3).is_none());
    assert!(place(&mut window, at(20 + 45), 0x8000_0000, 3).is_some());
    let ends = popped(&mut window, at(65));
    assert_eq!(ends, [(0, End::Newer), (FRAME, End::Restart)]);
    assert_eq!(window.len(), 1);
}

#[test]
fn a_sender_that_starts_again_may_go_back() {
    let mut window = window(Fields::One);
    place(&mut window, at(0), 10 * FRAME, 1);
    window.restart(at(1));
    assert!(place(&mut window, at(1), 2 * FRAME, 2).is_some());
    assert_eq!(popped(&mut window, at(1)), [(10 * FRAME, End::Restart)]);
    assert!(place(&mut window, at(2), 3 * FRAME, 3).is_some());
    let rest = popped(&mut window, at(300));
    assert_eq!(rest.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [2 * FRAME, 3 * FRAME]);
}

#[test]
fn two_fields_are_one_frame() {
    // Timestamps half a frame apart, rounded either way, or the same.
    for half in [FRAME / 2, FRAME / 2 + 1, 0] {
        let mut window = window(Fields::Two);
        assert!(field(&mut window, at(0), FRAME, false, true));
        assert!(field(&mut window, at(10), FRAME + half, true, false));
        // The first field's marker does not finish the frame, the second's does.
        assert_eq!(popped(&mut window, at(10)), []);
        assert!(field(&mut window, at(11), FRAME + half, true, true));
        assert_eq!(window.len(), 1);
        assert_eq!(popped(&mut window, at(16)), [(FRAME, End::Marker)]);
        assert!(!field(&mut window, at(16), FRAME + half, true, true));
        assert!(field(&mut window, at(20), 2 * FRAME, false, false));
    }
}

#[test]
fn a_frame_may_begin_with_its_second_field() {
    for (half, key) in [(FRAME / 2, FRAME), (0, FRAME / 2)] {
        let mut window = window(Fields::Two);
        assert!(field(&mut window, at(0), FRAME + half, true, false));
        // The first field was overtaken.
        assert!(field(&mut window, at(1), FRAME, false, false));
        assert!(field(&mut window, at(1), FRAME + half, true, true));
        assert_eq!(popped(&mut window, at(6)), [(FRAME, End::Marker)]);
        // Or it is lost.
        let mut window = self::window(Fields::Two);
        assert!(field(&mut window, at(0), FRAME + half, true, false));
        assert!(field(&mut window, at(0), FRAME + half, true, true));
        assert_eq!(popped(&mut window, at(6)), [(key, End::Marker)]);
        assert!(!field(&mut window, at(6), FRAME, false, false));
        assert!(field(&mut window, at(20), 2 * FRAME, false, false));
    }
}

proptest! {
    #[test]
    fn frames_come_out_once_and_in_order(
        order in prop::collection::vec((0_u64..8, any::<bool>()), 20..400), start: u32,
    ) {
        // Ten packets a frame of 20 ms, delayed by up to 4 ms, some lost.
        let mut packets: Vec<_> = order.iter().enumerate().map(|(i, (delay, lost))| {
            let i = i as u64;
            (i * 4 + delay, i as u32, *lost && i % 7 == 3)
        }).collect();
        packets.sort();
        let mut window = window(Fields::One);
        let mut frames = Vec::new();
        for (time, i, lost) in packets {
            let now = at(time / 2);
            if lost {
                continue;
            }
            place(&mut window, now, start.wrapping_add(i / 10 * FRAME), i);
            frames.extend(std::iter::from_fn(|| window.pop(now)));
            prop_assert!(window.len() <= 3);
        }
        let deadline = window.deadline().unwrap();
        frames.extend(std::iter::from_fn(|| window.pop(at(100_000))));
        prop_assert!(deadline <= at(100_000));
        prop_assert_eq!(window.counts().late + window.counts().implausible, 0);
        let keys: Vec<_> = frames.iter().map(|frame| frame.timestamp.0.wrapping_sub(start) / FRAME).collect();
        let expected: Vec<_> = (0..keys.len() as u32).collect();
        prop_assert_eq!(keys, expected);
        for (key, frame) in frames.iter().enumerate() {
            prop_assert!(frame.slot.iter().all(|packet| *packet as usize / 10 == key));
        }
    }

    #[test]
    fn anything_may_come(
        packets in prop::collection::vec((any::<u32>(), 0_u32..20_000, any::<bool>(), any::<(bool, bool)>(), 0_u64..60), 1..300),
        fields in prop::sample::select(vec![Fields::One, Fields::Two]),
    ) {
        let mut window = window(fields);
        let mut time = 0;
        let mut opened = 0_u64;
        let mut taken = 0_u64;
        for (wild, tame, is_wild, (second, marker), step) in packets {
            time += step;
            let stamp = RtpTimestamp(if is_wild { wild } else { tame });
            window.packet(at(time), stamp, second, marker, |_| { opened += 1; Some(Vec::new()) });
            taken += std::iter::from_fn(|| window.pop(at(time))).count() as u64;
            prop_assert!(window.len() <= 4);
        }
        // After the timeout nothing is left.
        taken += std::iter::from_fn(|| window.pop(at(time + 246))).count() as u64;
        prop_assert_eq!((window.len(), taken), (0, opened));
    }
}
