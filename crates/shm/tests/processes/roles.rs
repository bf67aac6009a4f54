//! The child processes: a source that fills frames, and receivers that check them.

use crate::wire::{Kind, receive, send};
use rustix::fd::AsFd;
use shm::{AtEnd, Deadline, Frame, Reader, Receiver, Seat, Source, SourceOptions};
use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;
use testkit::random::Random;

pub(crate) const CAPACITY: usize = 4;
/// Frames that a receiver holds at most.
pub(crate) const HOLD: u64 = 3;
const PAYLOAD: usize = 8 << 10;
/// Words before the random part of a frame: run, sequence, words that follow, checksum.
const HEADER: usize = 4;

pub(crate) fn number(name: &str) -> u64 {
    env::var(name).unwrap().parse().unwrap()
}

/// Runs the part that the environment names, if any.
pub(crate) fn play() {
    let Ok(role) = env::var("MCM_RING_ROLE") else { return };
    // A failed check in any thread ends the child, and the controller sees how.
    std::panic::set_hook(Box::new(|info| {
        eprintln!("{}: {info}", env::var("MCM_RING_ROLE").unwrap());
        // SAFETY: ends the process without any handler.
        unsafe { libc::_exit(3) };
    }));
    match role.as_str() {
        "source" => source(),
        "receiver" => receiver(),
        other => panic!("unknown role {other}"),
    }
    std::process::exit(0);
}

fn patience() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn words(bytes: &[u8]) -> impl Iterator<Item = u64> {
    bytes.chunks_exact(8).map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()))
}

fn checksum(words: impl Iterator<Item = u64>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |sum, word| {
        (sum ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(5)
    })
}

fn put_frame(source: &Source, run: u64, random: &mut Random) {
    let mut slot = source.get(patience()).unwrap();
    let sequence = source.stats().frames;
    let body = random.below((PAYLOAD / 8 - HEADER) as u64) as usize;
    let seed = random.number();
    let content = (0..body as u64).map(|index| seed.wrapping_mul(index | 1) ^ sequence);
    let header = [run, sequence, body as u64, checksum(content.clone())];
    let places = slot.payload_mut().chunks_exact_mut(8);
    for (place, word) in places.zip(header.into_iter().chain(content)) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    assert!(slot.set_payload_len((HEADER + body) * 8));
    source.put(slot, patience(), || 0).map_err(|(_, error)| error).unwrap();
}

/// Returns the run that a frame comes from, after checking that it is whole and carries its number.
fn check(frame: &Frame) -> u64 {
    let mut header = words(frame.payload());
    let (run, sequence) = (header.next().unwrap(), header.next().unwrap());
    let (body, sum) = (header.next().unwrap() as usize, header.next().unwrap());
    assert_eq!(sequence, frame.info().sequence, "a frame of another number");
    assert_eq!(frame.payload_len(), (HEADER + body) * 8, "a frame of another length");
    assert_eq!(checksum(words(frame.payload()).skip(HEADER)), sum, "a torn frame");
    run
}

fn source() {
    let control = std::io::stdin();
    let control = control.as_fd();
    let (run, paced) = (number("MCM_RING_RUN"), number("MCM_RING_PACED") == 1);
    let mut random = Random::new(number("MCM_RING_CHILD_SEED"));
    let options = SourceOptions {
        payload_size: PAYLOAD,
        metadata_size: 0,
        capacity: CAPACITY,
        live: false,
        stall_time: Duration::from_millis(number("MCM_RING_STALL_MS")),
        wait_for_receivers: 0,
        at_end: AtEnd::Wait,
        regions: 0,
        relay: false,
    };
    let source = Source::new(options, u128::from(run).to_le_bytes()).unwrap();
    send(control, Kind::Made, &[run], &[source.pool_fd(), source.board_fd()]);
    let (order, orders) = mpsc::channel::<u64>();
    let worker = {
        let source = source.clone();
        move || {
            while let Ok(count) = orders.recv() {
                for _ in 0..count {
                    put_frame(&source, run, &mut random);
                }
                // Not paced: as fast as it goes, until the end.
                while !paced && orders.try_recv() == Err(mpsc::TryRecvError::Empty) {
                    put_frame(&source, run, &mut random);
                }
            }
        }
    };
    let mut worker = Some(thread::spawn(worker));
    let mut order = Some(order);
    while let Some(message) = receive(control) {
        let [id, ..] = message.numbers;
        match message.kind {
            Kind::Join => {
                let seat = message.fds.into_iter().next().unwrap();
                let start = source.join(id, seat, false).unwrap();
                send(control, Kind::Joined, &[id, start], &[]);
            }
            Kind::Reap => source.reap(id),
            Kind::Put => order.as_ref().unwrap().send(message.numbers[0]).unwrap(),
            Kind::HoldAll => {
                // The worker must not hold one meanwhile.
                order = None;
                worker.take().unwrap().join().unwrap();
                let slots: Vec<_> =
                    (0..CAPACITY).map(|_| source.get(patience()).unwrap()).collect();
                assert_eq!(source.stats().held as usize, slots.len());
                assert_eq!(source.stats().peers, 0);
                drop(slots);
                send(control, Kind::HeldAll, &[], &[]);
            }
            other => panic!("{other:?} is not for a source"),
        }
    }
}

/// A receiver's record of one run.
#[derive(Clone, Copy, Debug)]
struct Run {
    next: u64,
    before: u64,
    frames_before: u64,
}

fn receiver() {
    let control = std::io::stdin();
    let control = control.as_fd();
    let receiver = Arc::new(Receiver::new(None));
    let runs = Arc::new(Mutex::new(HashMap::<u64, Run>::new()));
    let worker = {
        let (receiver, runs) = (Arc::clone(&receiver), Arc::clone(&runs));
        move || read(&receiver, &runs)
    };
    thread::spawn(worker);
    let new_seat = || {
        let seat = Seat::new().unwrap();
        send(control, Kind::Standby, &[], &[seat.fd()]);
        seat
    };
    let mut standby = new_seat();
    while let Some(message) = receive(control) {
        let [run, start, before, frames_before] = message.numbers;
        match message.kind {
            Kind::Ring => {
                let mut fds = message.fds.into_iter();
                let (pool, board) = (fds.next().unwrap(), fds.next().unwrap());
                let seat = std::mem::replace(&mut standby, new_seat());
                let reader = Reader::open(&pool, board, seat, start).unwrap();
                runs.lock().unwrap().insert(run, Run { next: start, before, frames_before });
                receiver.offer(reader);
            }
            Kind::NeedSeat => standby = new_seat(),
            Kind::Orphan => {
                let ring = shm::RingId(u128::from(run).to_le_bytes());
                receiver.orphan(ring);
            }
            other => panic!("{other:?} is not for a receiver"),
        }
    }
}

/// Takes frames, holds some of them, gives them back in any order, and checks each when it comes
/// and when it goes.
fn read(receiver: &Receiver, runs: &Mutex<HashMap<u64, Run>>) {
    let hold = number("MCM_RING_HOLD");
    let lossless = number("MCM_RING_LOSSLESS") == 1;
    let mut random = Random::new(number("MCM_RING_CHILD_SEED"));
    let mut held: Vec<Frame> = Vec::new();
    let mut current = 0;
    loop {
        let frame = receiver.get(Deadline::Never).unwrap();
        let run = check(&frame);
        let mut runs = runs.lock().unwrap();
        if run != current {
            // A dead source's frames are all read before the next one's; other frames in between
            // were not for this receiver.
            let Run { before, frames_before, .. } = runs[&run];
            if let Some(old) = runs.get(&before) {
                assert_eq!(old.next, frames_before, "frames of a dead source are missing");
            }
            assert!(run > current, "back to an older source");
            current = run;
        }
        let known = runs.get_mut(&run).unwrap();
        let info = frame.info();
        assert_eq!(info.sequence, known.next + info.missed, "out of order, or missed in silence");
        assert!(!lossless || info.missed == 0, "{} frames missed", info.missed);
        known.next = info.sequence + 1;
        drop(runs);
        held.push(frame);
        if hold > 0 && random.below(64) == 0 {
            // Late now and then, so that a source is killed with its queue full.
            thread::sleep(Duration::from_micros(random.below(20_000)));
        }
        while held.len() as u64 > random.below(hold + 1) {
            let frame = held.swap_remove(random.below(held.len() as u64) as usize);
            check(&frame);
            drop(frame);
            receiver.released();
        }
    }
}
