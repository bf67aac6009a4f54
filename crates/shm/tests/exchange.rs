//! Sources and receivers in one process: the guarantees that programs rely on.
#![cfg(not(loom))]

mod common;

use common::{Group, options, put, put_at};
use shm::{Deadline, Origin, Receiver, RingError, Seat, Source};
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use testkit::wait::until;

#[test]
fn frames_arrive_whole_in_order_with_number_time_and_metadata() {
    let group = Group::new(options(1000, 4));
    let receiver = group.receiver(false);
    for number in 0..3u64 {
        let mut slot = group.source.get(Deadline::Now).unwrap();
        slot.payload_mut().fill(number as u8);
        slot.metadata_mut()[..2].copy_from_slice(&[9, number as u8]);
        assert!(slot.set_payload_len(500 + number as usize) && slot.set_metadata_len(2));
        slot.set_tai_ns(1000 + number);
        group.source.put(slot, Deadline::Now, || unreachable!()).unwrap();
    }
    for number in 0..3u64 {
        let frame = receiver.get(Deadline::Now).unwrap();
        assert_eq!(frame.payload(), vec![number as u8; 500 + number as usize]);
        assert_eq!(frame.metadata(), [9, number as u8]);
        let info = frame.info();
        assert_eq!((info.sequence, info.tai_ns, info.missed), (number, 1000 + number, 0));
        assert_eq!(frame.payload_ptr() as usize % 64, 0);
    }
    assert_eq!(receiver.get(Deadline::Now).unwrap_err(), RingError::Timeout("no frame is there"));
}

#[test]
fn lengths_beyond_the_partition_are_refused() {
    let group = Group::new(options(100, 4));
    let mut slot = group.source.get(Deadline::Now).unwrap();
    assert!(!slot.set_payload_len(101) && slot.set_payload_len(100));
    assert!(!slot.set_metadata_len(65) && slot.set_metadata_len(64));
}

#[test]
fn a_source_without_receivers_runs_freely_and_reuses_the_warmest_slot() {
    let group = Group::new(options(100, 4));
    let first = group.source.get(Deadline::Now).unwrap().payload_ptr();
    for _ in 0..100 {
        let slot = group.source.get(Deadline::Now).unwrap();
        assert_eq!(slot.payload_ptr(), first);
        group.source.put(slot, Deadline::Now, || 0).unwrap();
    }
}

#[test]
fn the_slot_that_everyone_has_read_is_reused_first() {
    let group = Group::new(options(100, 8));
    let receivers = [group.receiver(false), group.receiver(false)];
    let mut places = std::collections::HashSet::new();
    for number in 0..50 {
        let slot = group.source.get(Deadline::Now).unwrap();
        places.insert(slot.payload_ptr() as usize);
        group.source.put(slot, Deadline::Now, || 0).unwrap();
        for receiver in &receivers {
            assert_eq!(receiver.get(Deadline::Now).unwrap().info().sequence, number);
        }
    }
    assert_eq!(places.len(), 1);
}

#[test]
fn a_full_queue_makes_put_wait_and_the_buffer_stays() {
    let group = Group::new(options(100, 2));
    let receiver = group.receiver(false);
    put(&group.source, 0);
    put(&group.source, 1);
    let slot = group.source.get(Deadline::Now).unwrap();
    let (slot, error) = group.source.put(slot, Deadline::Now, || 0).unwrap_err();
    assert!(matches!(error, RingError::Timeout(_)));
    drop(receiver.get(Deadline::Now).unwrap());
    group.source.put(slot, Deadline::Now, || 0).unwrap();
}

#[test]
fn a_put_that_waits_goes_on_as_soon_as_a_frame_is_taken() {
    let mut options = options(100, 2);
    options.stall_time = Duration::from_secs(3600);
    let group = Group::new(options);
    let receiver = group.receiver(false);
    put(&group.source, 0);
    put(&group.source, 1);
    let source = group.source.clone();
    let waiting =
        thread::spawn(move || put_at(&source, 2, Deadline::after(Duration::from_secs(60))));
    until("the source waits", || group.source.stats().waits == 1);
    // Held, not given back: taking alone makes room in the queue.
    let held = receiver.get(Deadline::Now).unwrap();
    waiting.join().unwrap().unwrap();
    drop(held);
}

#[test]
fn a_receiver_that_sleeps_is_woken() {
    let group = Group::new(options(100, 4));
    let receiver = group.receiver(false);
    let sleeper = {
        let receiver = receiver.clone();
        thread::spawn(move || {
            receiver.get(Deadline::after(Duration::from_secs(60))).unwrap().info()
        })
    };
    until("the receiver waits", || receiver.stats().waits == 1);
    put(&group.source, 0);
    assert_eq!(sleeper.join().unwrap().sequence, 0);
}

#[test]
fn a_late_receiver_costs_the_stall_time_once_and_learns_what_it_missed() {
    let mut options = options(100, 4);
    options.stall_time = Duration::from_millis(20);
    let group = Group::new(options);
    let (late, good) = (group.receiver(false), group.receiver(false));
    let mut waits = Vec::new();
    for number in 0..100 {
        put_at(&group.source, number, Deadline::after(Duration::from_secs(60))).unwrap();
        waits.push(group.source.stats().waits);
        assert_eq!(good.get(Deadline::Now).unwrap().info().sequence, number);
    }
    assert_eq!(group.source.stats().waits, 1, "one put waits, then none");
    let frame = late.get(Deadline::Now).unwrap();
    // It finds its oldest frames gone, and goes on with the newest.
    assert_eq!((frame.info().sequence, frame.info().missed), (99, 99));
    assert_eq!((good.stats().missed, late.stats().missed), (0, 99));
}

#[test]
fn a_receiver_that_holds_all_it_may_is_no_hostage_taker() {
    let mut options = options(100, 4);
    options.stall_time = Duration::from_millis(20);
    let group = Group::new(options);
    let hogs = [(); 4].map(|()| group.receiver(false));
    let good = group.receiver(false);
    let mut held = Vec::new();
    let mut number = 0;
    for hog in &hogs {
        for _ in 0..4 {
            put_at(&group.source, number, Deadline::after(Duration::from_secs(60))).unwrap();
            assert_eq!(good.get(Deadline::Now).unwrap().info().sequence, number);
            loop {
                let frame = hog.get(Deadline::Now).unwrap();
                if frame.info().sequence == number {
                    held.push((number, frame));
                    break;
                }
            }
            number += 1;
        }
        assert!(matches!(hog.get(Deadline::Now), Err(RingError::Timeout(_))), "holds the limit");
    }
    for _ in 0..50 {
        put_at(&group.source, number, Deadline::after(Duration::from_secs(60))).unwrap();
        assert_eq!(good.get(Deadline::Now).unwrap().info().sequence, number);
        number += 1;
    }
    for (number, frame) in held {
        assert_eq!(frame.payload()[0], number as u8, "a held frame is never written");
    }
}

#[test]
fn live_receivers_and_live_sources_never_wait() {
    let group = Group::new(options(100, 4));
    let live = group.receiver(true);
    (0..100).for_each(|number| put(&group.source, number));
    assert_eq!(group.source.stats().waits, 0);
    let mut next = 0;
    let mut seen = 0;
    while let Ok(frame) = live.get(Deadline::Now) {
        assert_eq!(frame.info().sequence, next + frame.info().missed);
        next = frame.info().sequence + 1;
        seen += 1;
    }
    assert_eq!((next, seen + live.stats().missed), (100, 100));

    let group = Group::new(shm::SourceOptions { live: true, ..options(100, 4) });
    let _receiver = group.receiver(false);
    (0..100).for_each(|number| put(&group.source, number));
    assert_eq!(group.source.stats().waits, 0);
}

#[test]
fn several_buffers_are_out_at_once_and_come_back_in_any_order() {
    let group = Group::new(options(100, 4));
    let receiver = group.receiver(false);
    let mut slots: Vec<_> = (0..4).map(|_| group.source.get(Deadline::Now).unwrap()).collect();
    assert!(matches!(group.source.get(Deadline::Now), Err(RingError::Timeout(_))));
    assert_eq!(group.source.stats().held, 4);
    slots.reverse();
    for (number, mut slot) in slots.into_iter().enumerate() {
        slot.payload_mut()[0] = number as u8;
        group.source.put(slot, Deadline::Now, || 0).unwrap();
    }
    let mut frames: Vec<_> = (0..4).map(|_| receiver.get(Deadline::Now).unwrap()).collect();
    assert_eq!(receiver.stats().held, 4);
    for index in [2, 0, 1, 0] {
        drop(frames.remove(index));
    }
    assert_eq!(receiver.stats().held, 0);
    for number in 4..100 {
        put(&group.source, number);
        assert_eq!(receiver.get(Deadline::Now).unwrap().payload()[0], number as u8);
    }
}

#[test]
fn a_discarded_buffer_comes_back() {
    let group = Group::new(options(100, 2));
    for _ in 0..100 {
        drop(group.source.get(Deadline::Now).unwrap());
    }
    assert_eq!((group.source.stats().held, group.source.stats().frames), (0, 0));
}

#[test]
fn the_first_buffer_waits_for_the_audience() {
    let group = Group::new(shm::SourceOptions { wait_for_receivers: 2, ..options(100, 4) });
    let _first = group.receiver(false);
    assert!(matches!(group.source.get(Deadline::Now), Err(RingError::Timeout(_))));
    let source = group.source.clone();
    let waiting = thread::spawn(move || source.get(Deadline::Never).map(drop));
    let second = group.receiver(false);
    waiting.join().unwrap().unwrap();
    drop(second);
    assert!(group.source.get(Deadline::Now).is_ok(), "once is enough");
}

#[test]
fn what_was_put_survives_its_source() {
    for at_end in [shm::AtEnd::Wait, shm::AtEnd::Close] {
        let group = Group::new(shm::SourceOptions { at_end, ..options(100, 4) });
        let receiver = group.receiver(false);
        (0..3).for_each(|number| put(&group.source, number));
        drop(group);
        for number in 0..3 {
            assert_eq!(receiver.get(Deadline::Now).unwrap().payload()[0], number);
        }
        match receiver.get(Deadline::Now).unwrap_err() {
            RingError::Ended => assert_eq!(at_end, shm::AtEnd::Close),
            RingError::Timeout(_) => assert_eq!(at_end, shm::AtEnd::Wait),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_sleeping_receiver_learns_of_the_end() {
    let group = Group::new(shm::SourceOptions { at_end: shm::AtEnd::Close, ..options(100, 4) });
    let receiver = group.receiver(false);
    let sleeper = {
        let receiver = receiver.clone();
        thread::spawn(move || receiver.get(Deadline::Never).map(drop))
    };
    until("the receiver waits", || receiver.stats().waits == 1);
    group.source.close("done");
    assert!(matches!(sleeper.join().unwrap(), Err(RingError::Ended)));
    assert!(matches!(group.source.get(Deadline::Never), Err(RingError::Closed("done"))));
}

#[test]
fn receivers_move_to_the_next_source() {
    let first = Group::new(options(100, 4));
    let receiver = first.receiver(false);
    put(&first.source, 1);
    put(&first.source, 2);
    let held = receiver.get(Deadline::Now).unwrap();
    let second = Group::new(options(100, 4));
    second.seat_of(&receiver);
    put(&second.source, 7);
    drop(first);
    let sequence: Vec<u8> =
        (0..2).map(|_| receiver.get(Deadline::Now).unwrap().payload()[0]).collect();
    assert_eq!(sequence, [2, 7], "the old ring is read to its end first");
    assert_eq!(held.payload()[0], 1, "held frames of the old ring stay");
    assert_eq!(receiver.stats().held, 1);
}

#[test]
fn a_sleeping_receiver_moves_to_the_next_source_when_the_first_has_died() {
    let first = Group::new(options(100, 4));
    let receiver = first.receiver(false);
    let sleeper = {
        let receiver = receiver.clone();
        thread::spawn(move || receiver.get(Deadline::Never).unwrap().payload()[0])
    };
    until("the receiver waits", || receiver.stats().waits == 1);
    receiver.orphan(first.source.ring_id());
    let second = Group::new(options(100, 4));
    second.seat_of(&receiver);
    put(&second.source, 5);
    assert_eq!(sleeper.join().unwrap(), 5);
}

/// As when a proxy has given a receiver up that comes back later.
#[test]
fn a_receiver_that_joins_its_ring_again_gets_each_frame_once() {
    let group = Group::new(options(100, 4));
    let receiver = group.receiver(false);
    put(&group.source, 0);
    put(&group.source, 1);
    let first = receiver.get(Deadline::Now).unwrap();
    // The new seat may begin here, but the old one reads on.
    group.source.detach(1);
    group.seat_of(&receiver);
    put(&group.source, 2);
    put(&group.source, 3);
    for (number, next) in (4..20).zip(2..) {
        let frame = receiver.get(Deadline::Now).unwrap();
        // The second one was given up with the old seat.
        let missed = u64::from(next == 2);
        assert_eq!((frame.info().sequence, frame.info().missed), (next, missed));
        put_at(&group.source, number, Deadline::Now).unwrap();
    }
    assert_eq!(first.info().sequence, 0);
}

#[test]
fn a_source_that_died_before_its_turn_is_not_taken_for_alive() {
    let (first, second) = (Group::new(options(100, 4)), Group::new(options(100, 4)));
    let receiver = first.receiver(false);
    put(&first.source, 1);
    second.seat_of(&receiver);
    put(&second.source, 2);
    receiver.orphan(second.source.ring_id());
    assert_eq!(receiver.get(Deadline::Now).unwrap().payload()[0], 1);
    assert_eq!(receiver.get(Deadline::Now).unwrap().payload()[0], 2);
    assert!(receiver.get(Deadline::Now).is_err());
    assert_eq!(receiver.stats().peers, 0);
}

#[test]
fn frames_missed_at_the_end_of_a_ring_are_counted() {
    let first = Group::new(options(100, 2));
    let receiver = first.receiver(false);
    put(&first.source, 0);
    drop(receiver.get(Deadline::Now).unwrap());
    put(&first.source, 1);
    // Nothing is kept for one that is gone as far as the proxy knows, so the source takes this
    // frame back to write anew.
    first.source.detach(1);
    let _slot = first.source.get(Deadline::Now).unwrap();
    let nothing = receiver.get(Deadline::Now).map(drop);
    assert_eq!(nothing, Err(RingError::Timeout("no frame is there")));
    assert_eq!(receiver.stats().missed, 1, "it is known already");
    let second = Group::new(options(100, 4));
    second.seat_of(&receiver);
    put(&second.source, 7);
    let frame = receiver.get(Deadline::Now).unwrap();
    assert_eq!((frame.payload()[0], frame.info().missed), (7, 1));
    assert_eq!(receiver.stats().missed, 1);
}

/// A bridge puts a frame that has a number elsewhere.
fn relay(source: &Source, mark: u32, sequence: u64) {
    let mut slot = source.get(Deadline::Now).unwrap();
    slot.set_origin(Origin { mark, sequence });
    source.put(slot, Deadline::Now, || 0).unwrap();
}

/// A relayed frame has its number from its source, and what did not come counts as missed, whether
/// it was lost on the way, in this ring, or between two rings.
#[test]
fn relayed_frames_keep_their_numbers_and_what_is_lost_on_the_way_is_missed() {
    let group = Group::new(options(100, 4));
    let receiver = group.receiver(true);
    let take = || {
        let info = receiver.get(Deadline::Now).unwrap().info();
        (info.origin, info.sequence, info.missed)
    };
    relay(&group.source, 5, 100);
    relay(&group.source, 5, 101);
    relay(&group.source, 5, 104);
    assert_eq!([take(), take(), take()], [(5, 100, 0), (5, 101, 0), (5, 104, 2)]);
    // Six are put, of which three stay for a receiver that is not waited for; two more never came.
    for sequence in [105, 106, 107, 109, 110, 112] {
        relay(&group.source, 5, sequence);
    }
    let (mark, first, missed) = take();
    assert_eq!((mark, missed), (5, first - 105), "all between 104 and {first}");
    while let Ok(frame) = receiver.get(Deadline::Now) {
        drop(frame);
    }
    assert_eq!(receiver.stats().frames + receiver.stats().missed, 13, "all from 100 to 112");
    // Another source, whose numbers are its own; and then another bridge from it.
    relay(&group.source, 6, 7);
    assert_eq!(take(), (6, 7, 0));
    let next = Source::new(options(100, 4), [2; 16]).unwrap();
    let seat = Seat::new().unwrap();
    let start = next.join(9, seat.fd().try_clone_to_owned().unwrap(), true).unwrap();
    let (pool, board) = (next.pool_fd(), next.board_fd());
    let (pool, board) = (pool.try_clone_to_owned().unwrap(), board.try_clone_to_owned().unwrap());
    receiver.offer(shm::Reader::open(&pool, board, seat, start).unwrap());
    relay(&next, 6, 10);
    assert_eq!(take(), (6, 10, 2));
    // A bridge that lies about numbers leaps, and no more.
    relay(&next, 6, u64::MAX);
    relay(&next, 6, 3);
    assert_eq!(take(), (6, u64::MAX, u64::MAX - 11));
    assert_eq!(take(), (6, 3, 0));
    // What does not say where it is from counts as this ring's.
    put(&next, 0);
    assert_eq!(take(), (next.ring_id().mark(), 3, 0));
}

#[test]
fn cancel_interrupts_both_sides() {
    let group = Group::new(options(100, 2));
    let receiver = group.receiver(false);
    let sleeper = {
        let receiver = receiver.clone();
        thread::spawn(move || receiver.get(Deadline::Never).map(drop))
    };
    until("the receiver waits", || receiver.stats().waits == 1);
    receiver.cancel();
    assert_eq!(sleeper.join().unwrap(), Err(RingError::Cancelled));
    group.source.cancel();
    let held: Vec<_> = (0..2).map(|_| group.source.get(Deadline::Now).unwrap()).collect();
    assert_eq!(group.source.get(Deadline::Never).map(drop), Err(RingError::Cancelled));
    drop(held);
    put(&group.source, 0);
    receiver.get(Deadline::Never).unwrap();
}

#[test]
fn a_receiver_that_left_is_forgotten_and_its_leases_with_it() {
    let group = Group::new(options(100, 2));
    let receiver = group.receiver(false);
    put(&group.source, 0);
    put(&group.source, 1);
    drop(receiver);
    (2..20).for_each(|number| put(&group.source, number));
    assert_eq!(group.source.stats().peers, 0);
    assert_eq!(group.source.sweep(), [1]);
}

#[test]
fn a_detached_receiver_is_not_waited_for_but_keeps_its_leases_until_reaped() {
    let group = Group::new(options(100, 2));
    let receiver = group.receiver(false);
    put(&group.source, 42);
    let held = receiver.get(Deadline::Now).unwrap();
    group.source.detach(1);
    for number in 0..200 {
        put(&group.source, number);
        assert_eq!(held.payload()[0], 42);
    }
    assert_eq!(group.source.stats().waits, 0);
    group.source.reap(1);
    assert_eq!(group.source.stats().peers, 0);
}

#[test]
fn there_is_room_for_128_receivers_and_16_bridges() {
    let group = Group::new(options(100, 4));
    let receivers: Vec<_> = (0..144).map(|_| group.receiver(false)).collect();
    let seat = Seat::new().unwrap();
    let refused = group.source.join(999, seat.fd().try_clone_to_owned().unwrap(), false);
    assert_eq!(refused, Err(RingError::Full(144)));
    for number in 0..20 {
        put(&group.source, number);
        for receiver in &receivers {
            assert_eq!(receiver.get(Deadline::Now).unwrap().payload()[0], number as u8);
        }
    }
}

#[test]
fn readiness_is_told_without_taking() {
    let group = Group::new(options(100, 4));
    let receiver = group.receiver(false);
    assert!(receiver.wait_ready(Deadline::after(Duration::from_millis(1))).is_err());
    put(&group.source, 0);
    receiver.wait_ready(Deadline::Never).unwrap();
    receiver.wait_ready(Deadline::Never).unwrap();
    assert_eq!(receiver.get(Deadline::Now).unwrap().info().sequence, 0);
}

#[test]
fn sources_of_impossible_shapes_are_refused() {
    assert!(matches!(Source::new(options(0, 4), [0; 16]), Err(RingError::Shape(_))));
    assert!(matches!(Source::new(options(1, 1), [0; 16]), Err(RingError::Shape(_))));
}

#[test]
fn a_source_tells_when_a_buffer_can_be_had_and_put() {
    let mut options = options(100, 2);
    options.stall_time = Duration::from_secs(3600);
    let group = Group::new(options);
    let receiver = group.receiver(false);
    group.source.wait_ready(Deadline::Never).unwrap();
    put(&group.source, 0);
    put(&group.source, 1);
    assert!(group.source.wait_ready(Deadline::after(Duration::from_millis(1))).is_err());
    drop(receiver.get(Deadline::Now).unwrap());
    group.source.wait_ready(Deadline::Never).unwrap();
    put(&group.source, 2);
}

#[test]
fn an_interrupt_reaches_a_receiver_on_its_way_to_sleep() {
    let group = Group::new(options(100, 4));
    let receiver = group.receiver(false);
    for _ in 0..2000 {
        let sleeper = {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.get(Deadline::Never).map(drop))
        };
        // At any moment of the other thread's way: before it looks, after, or when it sleeps.
        receiver.cancel();
        assert_eq!(sleeper.join().unwrap(), Err(RingError::Cancelled));
    }
}

#[test]
fn long_queues_leave_room_beside_four_receivers_that_hold_all_they_may() {
    for capacity in [2, 16, 61, 62, 128] {
        let geometry = shm::Geometry::new(1, 0, capacity).unwrap();
        assert!(geometry.lease_limit() <= capacity && geometry.lease_limit() >= capacity.min(61));
        assert!(4 * (geometry.lease_limit() + 1) + 4 <= geometry.slot_count);
    }
}

#[test]
fn what_is_missing_of_a_frame_is_told() {
    use shm::Region;
    let group = Group::new(shm::SourceOptions { regions: 2, ..options(100, 4) });
    let receiver = group.receiver(false);
    let put = |missing: Option<&[(u32, u32)]>| {
        let mut slot = group.source.get(Deadline::Now).unwrap();
        slot.set_metadata_len(64);
        slot.metadata_mut().fill(0xff);
        if let Some(missing) = missing {
            slot.set_missing(missing.iter().map(|&(offset, len)| Region { offset, len }));
        }
        group.source.put(slot, Deadline::Now, || 1).unwrap();
        let frame = receiver.get(Deadline::Now).unwrap();
        assert!(frame.metadata().iter().all(|byte| *byte == 0xff));
        let missing: Vec<_> = frame.missing().map(|region| (region.offset, region.len)).collect();
        (frame.info().incomplete, missing)
    };
    assert_eq!(put(Some(&[(0, 10), (50, 50)])), (true, vec![(0, 10), (50, 50)]));
    assert_eq!(put(Some(&[(0, 10), (20, 10), (40, 20)])), (true, vec![(0, 10), (20, 40)]));
    assert_eq!(put(Some(&[])), (true, vec![]), "a source may not know which");
    assert_eq!(
        put(None),
        (false, vec![]),
        "what was said of another frame in the same slot is gone"
    );
}

/// Delays are counted where monitors see them: of frames that are put slowly each one, of those put
/// fast some.
#[test]
fn delays_are_counted_in_the_seat() {
    let group = Group::new(options(64, 8));
    let tai = || 5_000_000_000;
    let receiver = Receiver::new(None).with_tai_clock(tai);
    let seat = Seat::new().unwrap();
    let monitor = shm::SeatMonitor::open(seat.fd().try_clone_to_owned().unwrap()).unwrap();
    group.seat_in(&receiver, seat, false);
    let put = |tai_ns: u64| {
        let mut slot = group.source.get(Deadline::Now).unwrap();
        slot.set_tai_ns(tai_ns);
        group.source.put(slot, Deadline::Now, || 0).unwrap();
        drop(receiver.get(Deadline::Now).unwrap());
    };
    // 1 ms before, 2 s after, an hour and more before, a day after.
    for tai_ns in [4_999_000_000, 7_000_000_000, 0, 86_405_000_000_000] {
        let start = shm::monotonic_ns();
        while shm::monotonic_ns() < start + shm::APART_NS {
            std::hint::spin_loop();
        }
        put(tai_ns);
    }
    let (handoff, age) = (monitor.handoff(), monitor.age());
    assert_eq!(handoff.count(), 4, "{handoff:?}");
    assert!(handoff.sum_ns > 0);
    assert_eq!((age.count(), age.sum_ns), (3, 5_001_000_000), "{age:?}");
    let start = shm::monotonic_ns();
    let mut frames = 0;
    while shm::monotonic_ns() < start + 3_000_000 || monitor.handoff().count() == 4 {
        put(5_000_000_000);
        frames += 1;
    }
    let measured = monitor.handoff().count() - 4;
    let most = (shm::monotonic_ns() - start) / shm::APART_NS + 1;
    assert!((1..=frames.min(most)).contains(&measured), "{measured} of {frames}");
}

/// Frames that a receiver has missed do not count as waiting, whatever lies between its position
/// and the newest frame.
#[test]
fn a_monitor_sees_how_many_frames_wait_for_a_receiver() {
    let group = Group::new(options(100, 4));
    let receiver = Arc::new(Receiver::new(None));
    let seat = Seat::new().unwrap();
    let seen = shm::SeatMonitor::open(seat.fd().try_clone_to_owned().unwrap()).unwrap();
    let board = group.source.board_fd().try_clone_to_owned().unwrap();
    let board = shm::BoardMonitor::open(board).unwrap();
    group.seat_in(&receiver, seat, true);
    let waiting = || board.waiting(seen.position());
    assert_eq!(waiting(), 0);
    for (number, expected) in [(0, 1), (1, 2)] {
        put(&group.source, number);
        assert_eq!(waiting(), expected);
    }
    for number in 2..50 {
        put(&group.source, number);
        // There are two slots more than the queue has, which are not needed yet.
        assert!((1..=6).contains(&waiting()), "{} after {number}", waiting());
    }
    // It gets exactly those.
    let expected = waiting();
    let mut taken = 0;
    while receiver.get(Deadline::Now).is_ok() {
        taken += 1;
        assert_eq!(waiting(), expected - taken);
    }
    assert_eq!((taken, waiting()), (expected, 0));
}
