//! Neither side loses a wake-up.

use crate::model::{Ring, check};
use crate::rules::{
    MovedWithoutFence, PublishWithoutFence, Real, Rules, SleepOverwrites, SleepWithoutFence,
    TicksLast, WaitWithoutFence,
};
use loom::sync::Mutex;
use loom::sync::atomic::Ordering::Acquire;
use loom::thread;
use shm::protocol;
use std::sync::Arc;

/// Receivers wait while the source publishes a frame and then closes.
fn sleep_against_publish<R: Rules>(receivers: usize, close: bool) {
    let ring = Ring::<R>::new(2, receivers);
    let sleepers: Vec<_> = (0..receivers)
        .map(|index| {
            let ring = Arc::clone(&ring);
            thread::spawn(move || {
                let seat = &ring.seats[index];
                ring.sleep_until(seat, 0);
                assert!(ring.read(seat, 0));
                if close {
                    assert!(ring.sleep_until(seat, 1).closed());
                }
            })
        })
        .collect();
    ring.put(0, 0);
    if close {
        ring.close();
    }
    for sleeper in sleepers {
        sleeper.join().unwrap();
    }
}

/// A receiver waits while the source closes without a frame.
fn sleep_against_close<R: Rules>() {
    let ring = Ring::<R>::new(1, 1);
    let sleeper = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || assert!(ring.sleep_until(&ring.seats[0], 0).closed()))
    };
    ring.close();
    sleeper.join().unwrap();
}

/// The source publishes a frame and leaves the ring; a receiver that finds it left must have found
/// the frame. `before`: it looks whether the ring was left before it looks for frames, as it has
/// to.
fn read_out_and_leave(before: bool) {
    let ring = Ring::<Real>::new(1, 1);
    let receiver = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            loop {
                let early = before && protocol::is_abandoned(ring.board());
                if protocol::load_head(ring.board()).count() > 0 {
                    assert!(ring.read(&ring.seats[0], 0));
                    return;
                }
                assert!(
                    !early && (before || !protocol::is_abandoned(ring.board())),
                    "a lost frame"
                );
                thread::yield_now();
            }
        })
    };
    ring.put(0, 0);
    protocol::abandon(ring.board());
    receiver.join().unwrap();
}

/// Two threads get on one receiver, one of them one frame and the other two.
fn two_threads_of_one_receiver<R: Rules>() {
    let ring = Ring::<R>::new(3, 1);
    let next = Arc::new(Mutex::new(0));
    let get = |frames: usize| {
        let (ring, next) = (Arc::clone(&ring), Arc::clone(&next));
        move || {
            let seat = &ring.seats[0];
            for _ in 0..frames {
                loop {
                    // As in the receiver: looks are serialised, sleeps are not.
                    let mut next = next.lock().unwrap();
                    let head = protocol::load_head(ring.board());
                    if head.count() > *next {
                        *next += 1;
                        break;
                    }
                    drop(next);
                    ring.sleep_on(seat, head);
                }
            }
        }
    };
    let (one, two) = (thread::spawn(get(1)), thread::spawn(get(2)));
    (0..3).for_each(|sequence| ring.put(sequence, sequence as usize));
    one.join().unwrap();
    two.join().unwrap();
}

/// The queue is full: the source sleeps until a receiver has taken a frame.
fn wait_for_room<R: Rules>() {
    let ring = Ring::<R>::new(2, 1);
    ring.put(0, 0);
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            assert_eq!(ring.try_take(&ring.seats[0], 0), Some(0));
        })
    };
    ring.wait_until(|| ring.seats[0].position.load(Acquire) > 0);
    ring.put(1, 1);
    reader.join().unwrap();
}

/// All slots are held: the source sleeps until one was given back, and writes there.
fn wait_for_a_slot<R: Rules>() {
    let ring = Ring::<R>::new(1, 1);
    ring.put(0, 0);
    assert_eq!(ring.try_take(&ring.seats[0], 0), Some(0));
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            ring.assert_frame(0, 0);
            ring.give_back(&ring.seats[0], 0);
        })
    };
    if !ring.reclaim(0, &ring.seats) {
        ring.wait_until(|| !ring.leased(0, &ring.seats));
    }
    ring.put(1, 0);
    reader.join().unwrap();
}

/// A lease that comes to nothing is withdrawn while the source waits for just that slot.
fn wait_for_a_withdrawal<R: Rules>() {
    let ring = Ring::<R>::new(1, 1);
    ring.put(0, 0);
    let reader = {
        let ring = Arc::clone(&ring);
        thread::spawn(move || {
            ring.read(&ring.seats[0], 0);
        })
    };
    if !ring.reclaim(0, &ring.seats) {
        ring.wait_until(|| !ring.leased(0, &ring.seats));
    }
    ring.put(1, 0);
    reader.join().unwrap();
}

#[test]
fn a_sleeper_learns_of_a_frame_and_of_the_end() {
    check(3, || sleep_against_publish::<Real>(1, true));
}

#[test]
fn two_sleepers_learn_of_a_frame() {
    check(3, || sleep_against_publish::<Real>(2, false));
}

#[test]
fn a_sleeper_learns_of_an_end_without_frames() {
    check(4, sleep_against_close::<Real>);
}

#[test]
fn a_ring_that_was_left_is_read_to_its_end() {
    check(3, || read_out_and_leave(true));
}

#[test]
#[should_panic(expected = "a lost frame")]
fn control_look_for_frames_first() {
    check(3, || read_out_and_leave(false));
}

#[test]
fn two_threads_share_a_receiver() {
    check(2, two_threads_of_one_receiver::<Real>);
}

#[test]
fn a_source_waits_for_room() {
    check(4, wait_for_room::<Real>);
}

#[test]
fn a_source_waits_for_a_slot() {
    check(4, wait_for_a_slot::<Real>);
}

#[test]
fn a_source_waits_for_a_withdrawn_lease() {
    check(3, wait_for_a_withdrawal::<Real>);
}

#[test]
#[should_panic(expected = "deadlock")]
fn control_sleep_without_fence() {
    check(3, || sleep_against_publish::<SleepWithoutFence>(1, false));
}

#[test]
#[should_panic(expected = "deadlock")]
fn control_publish_without_fence() {
    check(3, || sleep_against_publish::<PublishWithoutFence>(1, false));
}

#[test]
#[should_panic(expected = "deadlock")]
fn control_sleep_that_overwrites() {
    check(2, two_threads_of_one_receiver::<SleepOverwrites>);
}

#[test]
#[should_panic(expected = "deadlock")]
fn control_moved_without_fence() {
    check(3, wait_for_room::<MovedWithoutFence>);
}

#[test]
#[should_panic(expected = "deadlock")]
fn control_wait_without_fence() {
    check(3, wait_for_room::<WaitWithoutFence>);
}

#[test]
#[should_panic(expected = "deadlock")]
fn control_ticks_after_the_look() {
    check(3, wait_for_room::<TicksLast>);
}
