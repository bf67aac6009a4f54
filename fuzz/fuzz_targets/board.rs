//! A receiver on a board and pool that are not made by this library and change between any two of
//! its steps.
#![no_main]

use fuzz::{Choices, Forged};
use libfuzzer_sys::fuzz_target;
use shm::layout::{
    BOARD_MAGIC, BOARD_SIZE, ENTRIES_OFFSET, Geometry, HEAD_OFFSET, LAYOUT_VERSION, SLOTS_OFFSET,
};
use shm::words::ENTRIES;
use shm::{AtEnd, BoardMonitor, Deadline, Reader, Receiver, RingId, Seat};

const PAYLOAD: usize = 100;
const METADATA: usize = 16;

fuzz_target!(|data: &[u8]| {
    let _ = play(&mut Choices(data));
});

fn play(choices: &mut Choices<'_>) -> Option<()> {
    let shape = Geometry::new(PAYLOAD, METADATA, 2).unwrap().with_regions(3).unwrap();
    let board = Forged::new(BOARD_SIZE);
    let pool = Forged::new(shape.pool_size());
    let version = u64::from(LAYOUT_VERSION);
    let sizes = [PAYLOAD as u64, METADATA as u64];
    board.write(0, &[BOARD_MAGIC, version | 2 << 32, sizes[0], sizes[1], 1, 2, 3]);
    if choices.byte()? >= 250 {
        board.write(choices.short()? % 56, &[choices.number()?]);
    }
    let Ok(monitor) = BoardMonitor::open(board.give()) else { return None };
    let at_end = [None, Some(AtEnd::Wait), Some(AtEnd::Close)][usize::from(choices.byte()?) % 3];
    let receiver = Receiver::new(at_end);
    let offer = |start: u64| {
        let seat = Seat::new().unwrap();
        if let Ok(reader) = Reader::open(&pool.give(), board.give(), seat, start) {
            receiver.offer(reader);
        }
    };
    offer(choices.number()?);
    let mut held = Vec::new();
    let mut count = 0u64;
    for _ in 0..300 {
        match choices.byte()? % 12 {
            0 => board.write(HEAD_OFFSET + choices.short()? % 64, &[choices.number()?]),
            1 => board.write(choices.short()? % BOARD_SIZE, &[choices.number()?]),
            2 => {
                board.write(HEAD_OFFSET, &[choices.number()? << 9 | choices.short()? as u64 % 512])
            }
            // Mostly a source that keeps to the rules, or else nothing would ever be found.
            3..=5 => {
                let slot = usize::from(choices.byte()?);
                let line = [count, 1, 2, choices.number()?, choices.number()?];
                board.write(SLOTS_OFFSET + slot * 64, &line);
                let entry = count << 8 | slot as u64;
                board.write(ENTRIES_OFFSET + (count as usize % ENTRIES) * 8, &[entry]);
                count += 1;
                board.write(HEAD_OFFSET, &[count << 9 | (slot as u64) << 1]);
            }
            6..=8 => {
                if let Ok(frame) = receiver.get(Deadline::Now) {
                    assert!(frame.payload().len() <= monitor.geometry().payload_size);
                    let size = monitor.geometry().payload_size;
                    assert!(frame.missing().all(|r| (r.offset as usize + r.len as usize) <= size));
                    assert!(frame.metadata().len() <= monitor.geometry().metadata_size);
                    let inside = frame.payload().iter().chain(frame.metadata());
                    assert!(inside.copied().map(u64::from).sum::<u64>() == 0);
                    held.push(frame);
                }
            }
            9 => {
                if !held.is_empty() {
                    held.swap_remove(usize::from(choices.byte()?) % held.len());
                    receiver.released();
                }
            }
            10 => {
                let _ = receiver.wait_ready(Deadline::Now);
                let _ = (receiver.stats(), monitor.published(), monitor.bytes(), monitor.waits());
            }
            _ => match choices.byte()? % 8 {
                0 => receiver.orphan(RingId([0; 16])),
                1 => receiver.orphan(monitor.ring_id()),
                2 => receiver.cancel(),
                3 => receiver.close("the end"),
                _ => offer(choices.number()?),
            },
        }
    }
    Some(())
}
