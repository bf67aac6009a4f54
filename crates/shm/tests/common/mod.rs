//! Rings within one process, without a proxy.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use shm::{AtEnd, Deadline, Reader, Receiver, RingError, Seat, Source, SourceOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub fn options(payload_size: usize, capacity: usize) -> SourceOptions {
    SourceOptions {
        payload_size,
        metadata_size: 64,
        capacity,
        live: false,
        stall_time: Duration::from_millis(100),
        wait_for_receivers: 0,
        at_end: AtEnd::Wait,
        regions: 0,
        relay: false,
    }
}

/// A source and the means to join it.
pub struct Group {
    pub source: Source,
    seats: AtomicU64,
}

impl Group {
    pub fn new(options: SourceOptions) -> Self {
        static RINGS: AtomicU64 = AtomicU64::new(1);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&RINGS.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        Self { source: Source::new(options, id).unwrap(), seats: AtomicU64::new(1) }
    }

    pub fn receiver(&self, live: bool) -> Arc<Receiver> {
        let receiver = Arc::new(Receiver::new(None));
        self.join(&receiver, live);
        receiver
    }

    pub fn seat_of(&self, receiver: &Receiver) {
        self.join(receiver, false);
    }

    fn join(&self, receiver: &Receiver, live: bool) {
        self.seat_in(receiver, Seat::new().unwrap(), live);
    }

    /// Joins a receiver with this seat.
    pub fn seat_in(&self, receiver: &Receiver, seat: Seat, live: bool) {
        let id = self.seats.fetch_add(1, Ordering::Relaxed);
        let start = self.source.join(id, seat.fd().try_clone_to_owned().unwrap(), live).unwrap();
        let pool = self.source.pool_fd().try_clone_to_owned().unwrap();
        let board = self.source.board_fd().try_clone_to_owned().unwrap();
        receiver.offer(Reader::open(&pool, board, seat, start).unwrap());
    }
}

/// Puts a frame filled with a number.
pub fn put_at(source: &Source, number: u64, deadline: Deadline) -> Result<(), RingError> {
    let mut slot = source.get(deadline)?;
    slot.payload_mut().fill(number as u8);
    source.put(slot, deadline, || 0).map_err(|(_, error)| error)
}

pub fn put(source: &Source, number: u64) {
    put_at(source, number, Deadline::Now).unwrap();
}
