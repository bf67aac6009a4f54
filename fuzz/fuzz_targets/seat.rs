//! A source whose receivers' seats change between any two of its steps. One honest receiver must
//! not notice.
#![no_main]

use fuzz::{Choices, Forged};
use libfuzzer_sys::fuzz_target;
use shm::layout::{LAYOUT_VERSION, SEAT_LINE_OFFSET, SEAT_MAGIC, SEAT_SIZE};
use shm::{AtEnd, Deadline, Reader, Receiver, Seat, SeatMonitor, Source, SourceOptions};
use std::time::Duration;

const HONEST: u64 = 1;

fuzz_target!(|data: &[u8]| {
    let _ = play(&mut Choices(data));
});

fn play(choices: &mut Choices<'_>) -> Option<()> {
    let options = SourceOptions {
        payload_size: 8,
        metadata_size: 0,
        capacity: 2,
        live: choices.byte()? % 8 == 0,
        stall_time: Duration::ZERO,
        wait_for_receivers: 0,
        at_end: AtEnd::Wait,
        regions: 0,
        relay: false,
    };
    let source = Source::new(options, [7; 16]).unwrap();
    let receiver = Receiver::new(None);
    let seat = Seat::new().unwrap();
    let start = source.join(HONEST, seat.fd().try_clone_to_owned().unwrap(), false).unwrap();
    let (pool, board) = (source.pool_fd(), source.board_fd());
    let (pool, board) = (pool.try_clone_to_owned().unwrap(), board.try_clone_to_owned().unwrap());
    receiver.offer(Reader::open(&pool, board, seat, start).unwrap());
    let seats: Vec<Forged> = (0..3).map(|_| Forged::new(SEAT_SIZE)).collect();
    for seat in &seats {
        seat.write(0, &[SEAT_MAGIC, u64::from(LAYOUT_VERSION)]);
    }
    let mut slots = Vec::new();
    let mut number = 0u64;
    for _ in 0..300 {
        let seat = usize::from(choices.byte()?) % seats.len();
        let id = 2 + seat as u64;
        match choices.byte()? % 12 {
            0 => {
                let _ = source.join(id, seats[seat].give(), choices.byte()? % 2 == 0);
            }
            1 => seats[seat].write(choices.short()? % SEAT_SIZE, &[choices.number()?]),
            2..=4 => {
                let offset = SEAT_LINE_OFFSET + usize::from(choices.byte()?) % 64;
                seats[seat].write(offset, &[choices.number()?]);
            }
            5 => source.detach(id),
            6 => source.reap(id),
            7 => {
                let _ = (source.sweep(), source.stats(), source.wait_ready(Deadline::Now));
                if let Ok(view) = SeatMonitor::open(seats[seat].give()) {
                    let _ = (view.position(), view.held(), view.received(), view.is_closed());
                }
            }
            8 => slots.extend(source.get(Deadline::Now)),
            9 => drop(slots.pop()),
            _ => {
                slots.extend(source.get(Deadline::Now));
                let Some(mut slot) = slots.pop() else { continue };
                slot.payload_mut().copy_from_slice(&number.to_le_bytes());
                match source.put(slot, Deadline::Now, || 0) {
                    Ok(()) => {
                        let frame = receiver.get(Deadline::Now).unwrap();
                        assert_eq!(frame.payload(), number.to_le_bytes());
                        assert_eq!((frame.info().sequence, frame.info().missed), (number, 0));
                        number += 1;
                    }
                    Err((slot, _)) => slots.push(slot),
                }
            }
        }
        assert!(slots.len() <= 2, "more than the queue's capacity");
    }
    // Whatever happened, with the hostile ones gone the source can go on.
    (0..3).for_each(|seat| source.reap(2 + seat));
    slots.clear();
    let all: Vec<_> = (0..2).map(|_| source.get(Deadline::Now).unwrap()).collect();
    assert_eq!(all.len(), 2);
    Some(())
}
