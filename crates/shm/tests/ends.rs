//! A receiver's stream ends only when its source closes in order.

mod common;

use common::{Group, options, put};
use shm::{AtEnd, Deadline, Receiver, RingError, SourceOptions};
use std::sync::Arc;
use std::thread;
use testkit::wait::until;

fn group(at_end: AtEnd) -> Group {
    Group::new(SourceOptions { at_end, ..options(100, 4) })
}

fn take(receiver: &Receiver) -> u8 {
    receiver.get(Deadline::Never).unwrap().payload()[0]
}

#[track_caller]
fn has_nothing(receiver: &Receiver) {
    assert!(matches!(receiver.get(Deadline::Now), Err(RingError::Timeout(_))));
}

#[test]
fn a_ring_that_its_source_leaves_is_no_end() {
    for at_end in [None, Some(AtEnd::Close), Some(AtEnd::Grace)] {
        let receiver = Receiver::new(at_end);
        let first = group(AtEnd::Close);
        first.seat_of(&receiver);
        put(&first.source, 1);
        first.source.leave("replaced");
        assert!(matches!(first.source.get(Deadline::Now), Err(RingError::Closed(_))));
        assert_eq!(receiver.stats().peers, 0);
        assert_eq!(take(&receiver), 1);
        has_nothing(&receiver);
        // What is dropped afterwards says nothing more.
        drop(first);
        has_nothing(&receiver);
        let second = group(AtEnd::Close);
        second.seat_of(&receiver);
        put(&second.source, 2);
        assert_eq!(take(&receiver), 2);
        second.source.close("the end");
        let ended = receiver.get(Deadline::Never).unwrap_err();
        assert_eq!(ended, RingError::Ended);
    }
}

#[test]
fn a_sleeper_in_a_ring_that_is_left_gets_the_next_ones_frames() {
    let receiver = Arc::new(Receiver::new(Some(AtEnd::Close)));
    let first = group(AtEnd::Close);
    first.seat_of(&receiver);
    let sleeper = {
        let receiver = Arc::clone(&receiver);
        thread::spawn(move || take(&receiver))
    };
    until("the receiver waits", || receiver.stats().waits == 1);
    first.source.leave("replaced");
    let second = group(AtEnd::Close);
    second.seat_of(&receiver);
    put(&second.source, 9);
    assert_eq!(sleeper.join().unwrap(), 9);
}

/// Without `endOfStream` on either side a receiver ends with its source, unless another source
/// follows.
#[test]
fn a_source_that_is_replaced_in_time_is_no_end() {
    let receiver = Receiver::new(None);
    for number in 0..3 {
        let group = group(AtEnd::Grace);
        group.seat_of(&receiver);
        put(&group.source, number);
        drop(group);
        assert_eq!(u64::from(take(&receiver)), number);
        has_nothing(&receiver);
        has_nothing(&receiver);
    }
    let ended = receiver.get(Deadline::Never).unwrap_err();
    assert_eq!(ended, RingError::Ended);
    // That is for ever.
    let late = group(AtEnd::Grace);
    late.seat_of(&receiver);
    put(&late.source, 9);
    assert!(matches!(receiver.get(Deadline::Now), Err(RingError::Ended)));
}

/// A bridge that is there again does not mean that there is a source: frames do.
#[test]
fn a_relay_goes_on_with_a_stream_only_by_its_frames() {
    let relay = || {
        let options = SourceOptions { relay: true, at_end: AtEnd::Grace, ..options(100, 4) };
        Group::new(options)
    };
    let receiver = Receiver::new(None);
    let (first, second, third) = (relay(), relay(), relay());
    for group in [&first, &second] {
        group.seat_of(&receiver);
        group.source.close("the end");
    }
    has_nothing(&receiver);
    third.seat_of(&receiver);
    put(&third.source, 3);
    assert_eq!(take(&receiver), 3);
    third.source.close("the end");
    // One that is dropped without a word, as where a bridge fails, is none.
    let silent = relay();
    silent.seat_of(&receiver);
    drop(silent);
    let idle = relay();
    idle.seat_of(&receiver);
    assert!(matches!(receiver.get(Deadline::Never), Err(RingError::Ended)));
}

#[test]
fn the_descriptor_of_a_receiver_tells_of_an_end_by_grace() {
    let receiver = Receiver::new(None);
    drop({
        let group = group(AtEnd::Grace);
        group.seat_of(&receiver);
        group
    });
    receiver.wait_ready(Deadline::Never).unwrap();
    assert!(matches!(receiver.get(Deadline::Now), Err(RingError::Ended)));
}

/// A bridge learns of each close, between the frames of the two sources.
#[test]
fn goodbyes_are_told_in_their_place() {
    let receiver = Receiver::new(Some(AtEnd::Wait)).telling_ends();
    let (first, second, third) = (group(AtEnd::Wait), group(AtEnd::Close), group(AtEnd::Wait));
    for group in [&first, &second, &third] {
        group.seat_of(&receiver);
        put(&group.source, 7);
    }
    drop(first);
    assert_eq!(take(&receiver), 7);
    receiver.wait_ready(Deadline::Now).unwrap();
    assert_eq!(receiver.get(Deadline::Now).unwrap_err(), RingError::SourceClosed);
    // The second ring is left, which is no close.
    second.source.leave("replaced");
    assert_eq!((take(&receiver), take(&receiver)), (7, 7));
    third.source.close("the end");
    assert_eq!(receiver.get(Deadline::Never).unwrap_err(), RingError::SourceClosed);
    has_nothing(&receiver);
}
