//! Delivery: frames are whole and in order while slots are reclaimed and receivers join.

use crate::model::{Ring, check};
use crate::rules::{
    NoHandshake, PositionFirst, Real, RelaxedGiveBack, RelaxedScan, Rules, SettleWithoutFence,
    TakeWithoutFence,
};
use loom::sync::atomic::Ordering::Acquire;
use loom::sync::mpsc;
use loom::thread;
use std::panic::{UnwindSafe, catch_unwind};
use std::sync::Arc;

/// The source takes back a frame that receivers are about to read, and writes the next one into its
/// slot.
fn lease_against_reclaim<R: Rules>(receivers: usize) {
    let ring = Ring::<R>::new(1, receivers);
    ring.put(0, 0);
    let readers: Vec<_> = (0..receivers)
        .map(|index| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                let seat = &ring.seats[index];
                let first = ring.read(seat, 0);
                // One that was lapped goes on with the newest.
                let second = ring.read(seat, 1);
                (first, second)
            })
        })
        .collect();
    // Once more where it is held: by then it may have been given back, and is reused.
    if ring.reclaim(0, &ring.seats) || !ring.leased(0, &ring.seats) {
        ring.put(1, 0);
    }
    for reader in readers {
        reader.join().unwrap();
    }
    assert!(!ring.leased(0, &ring.seats), "a lease was left behind");
}

/// The receiver holds a frame; the source waits until the position has passed it, and reuses the
/// slot when it is free.
fn position_against_reuse<R: Rules>() {
    let ring = Ring::<R>::new(2, 1);
    ring.put(0, 0);
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            assert!(ring.read(&ring.seats[0], 0), "a frame that is waited for was taken away");
        })
    };
    if ring.seats[0].position.load(Acquire) > 0 && ring.reclaim(0, &ring.seats) {
        ring.put(1, 0);
    }
    reader.join().unwrap();
}

/// Two frames are held at once and given back in the other order; the source takes each as it
/// comes.
fn held_frames<R: Rules>() {
    let ring = Ring::<R>::new(2, 1);
    ring.put(0, 0);
    ring.put(1, 1);
    let seat = &ring.seats[0];
    assert_eq!((ring.try_take(seat, 0), ring.try_take(seat, 1)), (Some(0), Some(1)));
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            ring.give_back(&ring.seats[0], 1);
            ring.assert_frame(0, 0);
            ring.give_back(&ring.seats[0], 0);
        })
    };
    assert_eq!(ring.board().slots[0].sequence.load(Acquire), 0);
    let mut next = 2;
    for slot in [0, 1] {
        if ring.reclaim(slot, &ring.seats) {
            ring.put(next, slot);
            next += 1;
        }
    }
    reader.join().unwrap();
}

/// A receiver joins while the source publishes over its only slots: it reads from its start on, and
/// misses nothing.
fn join<R: Rules>() {
    let ring = Ring::<R>::new(2, 1);
    ring.put(0, 0);
    let (confirm, confirmed) = mpsc::channel();
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            let start = if R::HANDSHAKE { confirmed.recv().unwrap() } else { 0 };
            let seat = &ring.seats[0];
            ring.sleep_until(seat, start);
            let found = ring.read(seat, start);
            assert!(found || !R::HANDSHAKE, "a frame that was promised was taken away");
        })
    };
    // The list is empty, so the first frame's slot is free at once.
    assert!(ring.reclaim(0, &[]));
    // Now the seat is, and stands at its start until it has moved.
    let start = 1;
    if R::HANDSHAKE {
        confirm.send(start).unwrap();
    }
    ring.put(1, 0);
    let position = ring.seats[0].position.load(Acquire).max(start);
    if position > 1 && ring.reclaim(0, &ring.seats) {
        ring.put(2, 0);
    }
    reader.join().unwrap();
}

/// A positive control: the checker must find a read during a write, or a frame that is not the one
/// wanted.
fn assert_torn_or_wrong(model: impl Fn() + Sync + Send + UnwindSafe + 'static) {
    let panic = catch_unwind(|| check(4, model)).expect_err("the checker found nothing");
    let message = panic.downcast_ref::<String>().map_or("", String::as_str);
    assert!(
        message.contains("Causality violation") || message.contains("wrong frame"),
        "failed for another reason: {message}"
    );
}

#[test]
fn a_lease_keeps_the_frame_or_is_not_given() {
    check(4, || lease_against_reclaim::<Real>(1));
}

#[test]
fn two_receivers_keep_their_frames() {
    check(3, || lease_against_reclaim::<Real>(2));
}

#[test]
fn a_position_that_moves_past_a_frame_does_not_give_it_up() {
    check(4, position_against_reuse::<Real>);
}

#[test]
fn frames_are_held_and_given_back_in_any_order() {
    check(4, held_frames::<Real>);
}

#[test]
fn a_receiver_joins_a_running_source() {
    check(4, join::<Real>);
}

#[test]
fn control_take_without_fence() {
    assert_torn_or_wrong(|| lease_against_reclaim::<TakeWithoutFence>(1));
}

#[test]
fn control_settle_without_fence() {
    assert_torn_or_wrong(|| lease_against_reclaim::<SettleWithoutFence>(1));
}

#[test]
fn control_relaxed_scan() {
    assert_torn_or_wrong(|| lease_against_reclaim::<RelaxedScan>(1));
}

#[test]
fn control_relaxed_give_back() {
    assert_torn_or_wrong(|| lease_against_reclaim::<RelaxedGiveBack>(1));
}

#[test]
#[should_panic(expected = "a frame that is waited for was taken away")]
fn control_position_before_the_lease() {
    check(4, position_against_reuse::<PositionFirst>);
}

#[test]
fn control_join_without_handshake() {
    assert_torn_or_wrong(join::<NoHandshake>);
}
