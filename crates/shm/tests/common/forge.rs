//! Forged boards, seats and pools, for tests of hostile peers.
#![allow(dead_code, unreachable_pub, reason = "each test program uses a part")]

use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use shm::layout::{
    BOARD_MAGIC, BOARD_SIZE, BoardHeader, Geometry, LAYOUT_VERSION, SEAT_MAGIC, SEAT_SIZE,
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Memory that its maker can still write after sealing it.
pub struct Forged {
    pub fd: OwnedFd,
    start: *mut u8,
    len: usize,
}

// SAFETY: the mapping is only accessed as atomics, and lives as long as the object.
unsafe impl Send for Forged {}
// SAFETY: as above.
unsafe impl Sync for Forged {}

impl Forged {
    pub fn new(len: usize, seals: SealFlags) -> Self {
        let fd = memfd_create("forged", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&fd, len as u64).unwrap();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, &fd, 0) };
        fcntl_add_seals(&fd, seals).unwrap();
        Self { fd, start: start.unwrap().cast(), len }
    }

    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is page-aligned, as large, and accessed as atomics only.
        unsafe { std::slice::from_raw_parts(self.start.cast(), self.len / 8) }
    }

    pub fn give(&self) -> OwnedFd {
        self.fd.try_clone().unwrap()
    }

    pub fn write(&self, offset: usize, words: &[u64]) {
        for (place, word) in self.words()[offset / 8..].iter().zip(words) {
            place.store(*word, Relaxed);
        }
    }
}

impl Drop for Forged {
    fn drop(&mut self) {
        // SAFETY: the mapping is this object's.
        unsafe { munmap(self.start.cast(), self.len).unwrap() };
    }
}

/// The words of a board's header.
pub fn board_header(geometry: &Geometry) -> [u64; 7] {
    const { assert!(size_of::<BoardHeader>() == 56) };
    [
        BOARD_MAGIC,
        u64::from(LAYOUT_VERSION) | (geometry.capacity as u64) << 32,
        geometry.payload_size as u64,
        geometry.metadata_size as u64,
        1,
        2,
        geometry.regions as u64,
    ]
}

/// A board with a valid header.
pub fn board(geometry: &Geometry) -> Forged {
    let board = Forged::new(BOARD_SIZE, shm::REQUIRED_SEALS);
    board.write(0, &board_header(geometry));
    board
}

/// A seat with a valid header.
pub fn seat() -> Forged {
    let seat = Forged::new(SEAT_SIZE, shm::REQUIRED_SEALS);
    seat.write(0, &[SEAT_MAGIC, u64::from(LAYOUT_VERSION)]);
    seat
}
