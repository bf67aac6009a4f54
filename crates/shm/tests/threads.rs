//! One source or one receiver used by several threads.
#![cfg(not(loom))]

mod common;

use common::{Group, options, put_at};
use shm::{Deadline, RingError};
use std::thread;
use std::time::Duration;
use testkit::wait::until;

#[test]
fn a_buffer_put_by_one_thread_lets_another_get_one() {
    let group = Group::new(options(100, 2));
    let held: Vec<_> = (0..2).map(|_| group.source.get(Deadline::Now).unwrap()).collect();
    let source = group.source.clone();
    let waiting = thread::spawn(move || drop(source.get(Deadline::Never).unwrap()));
    until("the source waits", || group.source.stats().waits == 1);
    for slot in held {
        group.source.put(slot, Deadline::Now, || 0).unwrap();
    }
    waiting.join().unwrap();
}

#[test]
fn a_buffer_of_another_source_is_refused() {
    let (small, large) = (Group::new(options(100, 2)), Group::new(options(100, 128)));
    let slot = large.source.get(Deadline::Now).unwrap();
    let (slot, error) = small.source.put(slot, Deadline::Now, || 0).unwrap_err();
    assert!(matches!(error, RingError::Shape(_)));
    large.source.put(slot, Deadline::Now, || 0).unwrap();
}

/// Gives frames back from one thread and takes them in others, at the limit: none may get lost on
/// the way.
#[test]
fn frames_given_back_while_others_wait_for_that_lose_nothing() {
    let mut options = options(100, 2);
    options.stall_time = Duration::from_secs(3600);
    let group = Group::new(options);
    let receiver = group.receiver(false);
    let (hand_over, held) = std::sync::mpsc::channel();
    let taker = {
        let receiver = receiver.clone();
        thread::spawn(move || {
            for number in 0..20_000 {
                let frame = receiver.get(Deadline::after(Duration::from_secs(60))).unwrap();
                assert_eq!((frame.info().sequence, frame.info().missed), (number, 0));
                hand_over.send(frame).unwrap();
            }
        })
    };
    let releaser = {
        let receiver = receiver.clone();
        thread::spawn(move || {
            for frame in held {
                drop(frame);
                receiver.released();
            }
        })
    };
    for number in 0..20_000 {
        put_at(&group.source, number, Deadline::after(Duration::from_secs(60))).unwrap();
    }
    taker.join().unwrap();
    releaser.join().unwrap();
}

#[test]
fn nothing_is_published_after_the_goodbye() {
    for _ in 0..200 {
        let group = Group::new(shm::SourceOptions { at_end: shm::AtEnd::Close, ..options(100, 2) });
        let receiver = group.receiver(false);
        let putter = {
            let source = group.source.clone();
            thread::spawn(move || (0..).all(|n| put_at(&source, n, Deadline::Never).is_ok()))
        };
        drop(receiver.get(Deadline::Never).unwrap());
        group.source.close("done");
        while receiver.get(Deadline::after(Duration::from_secs(60))).is_ok() {}
        let end = receiver.get(Deadline::after(Duration::from_secs(60))).map(drop);
        assert_eq!(end, Err(RingError::Ended));
        putter.join().unwrap();
    }
}
