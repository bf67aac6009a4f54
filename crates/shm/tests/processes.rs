//! Rings between processes that are killed, stopped and replaced at random moments.
#![cfg(not(loom))]

#[path = "processes/controller.rs"]
mod controller;
#[path = "processes/roles.rs"]
mod roles;
#[path = "processes/wire.rs"]
mod wire;

use controller::{Group, Plan};
use rustix::fd::BorrowedFd;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use shm::layout::{BOARD_SIZE, COUNTS_OFFSET};
use shm::words::SourceCounts;
use std::sync::atomic::Ordering::Relaxed;
use testkit::random::Random;

/// Not a test of its own: the children of the others are this program, called with a role.
#[test]
fn plays_a_part_when_asked() {
    roles::play();
}

/// Number of slots of its pool that a source has used so far.
fn slots_touched(board: BorrowedFd<'_>) -> u32 {
    // SAFETY: a new mapping of a sealed board; the counts are atomics that lie within it, and it is
    // unmapped after use.
    unsafe {
        let null = std::ptr::null_mut();
        let start = mmap(null, BOARD_SIZE, ProtFlags::READ, MapFlags::SHARED, board, 0).unwrap();
        let counts = &*start.cast::<u8>().add(COUNTS_OFFSET).cast::<SourceCounts>();
        let touched = counts.slots_touched.load(Relaxed);
        munmap(start, BOARD_SIZE).unwrap();
        touched
    }
}

#[test]
fn whoever_is_killed_the_others_get_every_frame_whole_and_in_order() {
    let random = Random::of_test("killed");
    // No receiver may be late by this much, so none may miss a frame.
    let plan =
        Plan { receivers: 3, stall_ms: 50_000, paced: false, hold: roles::HOLD, lossless: true };
    let mut group = Group::new(plan, random);
    group.until(Group::all_read);
    // Anyone, at any moment: also while others are being replaced.
    while group.kills < 300 {
        let delay = group.random().below(30_000_000);
        let victim = group.random().below(4).checked_sub(1);
        group.serve_for(delay);
        group.kill(victim.map(|index| index as usize));
    }
    group.until(Group::all_read);
    // Many receivers under one source.
    while group.kills < 500 {
        let delay = group.random().below(20_000_000);
        let victim = group.random().below(3) as usize;
        group.serve_for(delay);
        group.kill(Some(victim));
    }
    group.until(Group::all_read);
    let (holding, frames) = (group.died_holding, group.frames + group.board().published());
    println!("{} kills, {holding} of them with frames held; {frames} frames", group.kills);
    assert!(holding >= 20 && frames >= 1000, "the kills came too early to show anything");
    group.end();
}

#[test]
fn a_stopped_receiver_delays_once_and_learns_what_it_missed() {
    let random = Random::of_test("stopped");
    let plan = Plan { receivers: 3, stall_ms: 100, paced: true, hold: 0, lossless: false };
    let mut group = Group::new(plan, random);
    group.until(Group::all_joined);
    let mut published = 0;
    // In step with those that run, so that the source never waits for them.
    let mut step = |group: &mut Group, frames: u64, readers: std::ops::Range<usize>| {
        for _ in 0..frames {
            group.put(1);
            published += 1;
            group.until(|group| {
                readers.clone().all(|index| group.seat(index).position() == published)
            });
        }
        published
    };
    step(&mut group, 20, 0..3);
    for round in 1..=2 {
        let before = group.board().waits();
        group.signal(0, Signal::STOP);
        let pid = Pid::from_raw(group.pid(0));
        waitpid(pid, WaitOptions::UNTRACED).unwrap();
        let (read, missed) = (group.seat(0).position(), group.seat(0).missed());
        step(&mut group, 300, 1..3);
        assert_eq!(group.board().waits() - before, 1, "one put waits for it, the others do not");
        group.signal(0, Signal::CONT);
        let published = step(&mut group, 50, 0..3);
        assert_eq!(group.board().waits() - before, 1, "round {round}: it is back at once");
        let seat = group.seat(0);
        assert_eq!(seat.received() + seat.missed(), published, "each frame is read or missed");
        assert!(seat.missed() > missed && seat.missed() - missed < published - read);
        for index in 1..3 {
            let seat = group.seat(index);
            assert_eq!((seat.received(), seat.missed()), (published, 0));
        }
    }
    group.end();
}
