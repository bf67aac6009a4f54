//! Boards and seats whose words change at random while the other side works: no panic, no hang, no
//! effect on other receivers.
#![cfg(not(loom))]

mod common;
#[path = "common/forge.rs"]
mod forge;

use common::{Group, options, put_at};
use forge::Forged;
use shm::layout::{ENTRIES_OFFSET, Geometry, HEAD_OFFSET, SEAT_LINE_OFFSET, SLOTS_OFFSET};
use shm::words::{ENTRIES, FLAG_ABANDONED};
use shm::{AtEnd, BoardMonitor, Deadline, Reader, Receiver, RingError, Seat, SeatMonitor};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;
use testkit::random::Random;

fn soon() -> Deadline {
    Deadline::after(Duration::from_micros(200))
}

fn patience() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// Ends the scribbling, also where the test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// A word that is wild, or nearly right.
fn word(random: &mut Random, near: u64) -> u64 {
    match random.below(4) {
        0 => random.number(),
        1 => u64::MAX - random.below(3),
        _ => near.wrapping_add(random.below(300)),
    }
}

/// Publishes a frame as a source does, but without a check for leases of its slot.
fn publish(board: &Forged, random: &mut Random, count: u64) {
    let slot = random.below(12);
    board.write(SLOTS_OFFSET + slot as usize * 64, &[count]);
    board.write(ENTRIES_OFFSET + (count % ENTRIES as u64) as usize * 8, &[count << 8 | slot]);
    board.write(HEAD_OFFSET, &[(count + 1) << 9 | slot << 1]);
}

/// Spoils a word. Where it is the head, a wild one sends the receiver so far ahead that little
/// happens afterwards.
fn scribble_board(board: &Forged, random: &mut Random, count: u64, wild_head: bool) {
    let at = |offset: usize, index: u64| &board.words()[offset / 8 + index as usize];
    match random.below(4) {
        0 if wild_head => at(HEAD_OFFSET, 0).store(word(random, count << 9), Relaxed),
        0 => {
            let (count, closed) = (count + random.below(3), u64::from(random.below(100) == 0));
            at(HEAD_OFFSET, 0).store(count << 9 | random.below(256) << 1 | closed, Relaxed);
        }
        1 => {
            // Mostly without the flag by which a source leaves, behind which little happens.
            let left = u64::from(FLAG_ABANDONED) << 32;
            let kept = if random.below(100) == 0 { u64::MAX } else { !left };
            at(HEAD_OFFSET, 1).store(random.number() & kept, Relaxed);
        }
        2 => {
            let entry = word(random, count) << 8 | random.below(256);
            at(ENTRIES_OFFSET, random.below(ENTRIES as u64)).store(entry, Relaxed);
        }
        _ => {
            let (slot, field) = (random.below(255), random.below(5));
            at(SLOTS_OFFSET, slot * 8 + field).store(word(random, count), Relaxed);
        }
    }
}

#[test]
fn a_receiver_survives_any_board() {
    let mut random = Random::of_test("board");
    let geometry = Geometry::new(1000, 100, 4).unwrap();
    let mut frames = 0;
    for round in 0..12 {
        let board = forge::board(&geometry);
        let pool = Forged::new(geometry.pool_size(), shm::REQUIRED_SEALS);
        let monitor = BoardMonitor::open(board.give()).unwrap();
        let receiver = Receiver::new([None, Some(AtEnd::Wait), Some(AtEnd::Close)][round % 3]);
        let start = if round % 4 == 1 { word(&mut random, 0) } else { random.below(4) };
        let seat = Seat::new().unwrap();
        let seen = SeatMonitor::open(seat.fd().try_clone_to_owned().unwrap()).unwrap();
        receiver.offer(Reader::open(&pool.give(), board.give(), seat, start).unwrap());
        let (mut scribbler, mut count) = (Random::new(random.number()), 0);
        let mut act = || {
            if scribbler.below(2) == 0 {
                publish(&board, &mut scribbler, count);
                count += 1;
            } else {
                scribble_board(&board, &mut scribbler, count, round % 4 == 0);
            }
        };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stop = Stop(&done);
            // Either at any moment, as fast as it goes, or between two calls, so that much is
            // found.
            let mut act = if round % 2 == 0 {
                scope.spawn(|| {
                    while !done.load(Relaxed) {
                        act();
                    }
                });
                None
            } else {
                Some(&mut act)
            };
            let mut held = Vec::new();
            for _ in 0..500 {
                if let Some(act) = &mut act {
                    (0..random.below(6)).for_each(|_| act());
                }
                match receiver.get(soon()) {
                    Ok(frame) => {
                        assert!(frame.payload().len() <= 1000 && frame.metadata().len() <= 100);
                        let inside = frame.payload().iter().chain(frame.metadata());
                        assert_eq!(inside.map(|&byte| u64::from(byte)).sum::<u64>(), 0);
                        held.push(frame);
                        frames += 1;
                    }
                    Err(RingError::Timeout(_)) => {}
                    Err(RingError::Closed(_) | RingError::Ended) => break,
                    Err(other) => panic!("{other}"),
                }
                assert!(held.len() <= geometry.lease_limit());
                if random.below(2) == 0 && !held.is_empty() {
                    held.swap_remove(random.below(held.len() as u64) as usize);
                    receiver.released();
                }
                let _ = (receiver.wait_ready(soon()), receiver.stats());
                let _ = (monitor.published(), monitor.closed(), monitor.waits());
                assert!(monitor.waiting(seen.position()) <= 256);
                assert!(seen.held() as usize <= geometry.lease_limit());
            }
        });
    }
    assert!(frames >= 100, "{frames} frames: the boards were too wild to show anything");
}

/// Words that hostile receivers write into their seats.
fn scribble_seat(seat: &Forged, random: &mut Random) {
    let at = |index: u64| &seat.words()[SEAT_LINE_OFFSET / 8 + index as usize];
    match random.below(5) {
        // Many leases, few, or none.
        0 => at(random.below(4)).store(random.number(), Relaxed),
        1 => at(0).store(1 << random.below(64), Relaxed),
        2 => (0..4).for_each(|index| at(index).store(0, Relaxed)),
        // The position, the sleep word, the tick. Not the state: a close would end the test.
        3 => at(4 + random.below(2)).store(random.number(), Relaxed),
        _ => at(6).store(random.below(1 << 32), Relaxed),
    }
}

#[test]
fn a_source_and_its_other_receivers_survive_any_seats() {
    let mut random = Random::of_test("seat");
    for _ in 0..10 {
        let mut options = options(1000, 4);
        options.stall_time = Duration::from_millis(5);
        let group = Group::new(options);
        let good = group.receiver(false);
        let seats: Vec<_> = (0..3).map(|_| forge::seat()).collect();
        for (index, seat) in seats.iter().enumerate() {
            group.source.join(100 + index as u64, seat.give(), false).unwrap();
        }
        let mut scribbler = Random::new(random.number());
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let _stop = Stop(&done);
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    let seat = &seats[scribbler.below(3) as usize];
                    scribble_seat(seat, &mut scribbler);
                }
            });
            for number in 0..300 {
                put_at(&group.source, number, patience()).unwrap();
                let frame = good.get(Deadline::Now).unwrap();
                assert_eq!((frame.info().sequence, frame.info().missed), (number, 0));
                assert!(frame.payload().iter().all(|&byte| byte == number as u8));
            }
        });
        for seat in &seats {
            let view = SeatMonitor::open(seat.give()).unwrap();
            let _ = (view.position(), view.held(), view.received(), view.missed());
        }
        for index in 0..3 {
            group.source.reap(100 + index);
        }
        assert_eq!(group.source.stats().peers, 1);
        let all: Vec<_> = (0..4).map(|_| group.source.get(Deadline::Now).unwrap()).collect();
        assert_eq!(all.len(), 4);
    }
}

#[test]
fn a_seat_that_ticks_without_moving_delays_no_longer_than_the_stall_time() {
    let mut options = options(100, 4);
    options.stall_time = Duration::from_millis(20);
    let group = Group::new(options);
    let good = group.receiver(false);
    let seat = forge::seat();
    group.source.join(100, seat.give(), false).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = Stop(&done);
        scope.spawn(|| {
            while !done.load(Relaxed) {
                seat.words()[SEAT_LINE_OFFSET / 8 + 6].fetch_add(1, Relaxed);
            }
        });
        for number in 0..50 {
            let put = put_at(&group.source, number, patience());
            let waits = group.source.stats().waits;
            assert_eq!((put, waits <= 1), (Ok(()), true), "frame {number}");
            assert_eq!(good.get(Deadline::Now).unwrap().info().sequence, number);
        }
    });
}

#[test]
fn a_seat_with_more_leases_than_allowed_is_dropped() {
    let group = Group::new(options(100, 4));
    let seat = forge::seat();
    group.source.join(100, seat.give(), true).unwrap();
    seat.write(SEAT_LINE_OFFSET, &[u64::MAX; 4]);
    for number in 0..50 {
        put_at(&group.source, number, Deadline::Now).unwrap();
    }
    assert_eq!(group.source.stats().peers, 0);
}
