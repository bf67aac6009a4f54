//! What the fuzz targets share: memory that was not made by the library, and input read as a
//! sequence of choices.

use shm::REQUIRED_SEALS;
use rustix::fd::OwnedFd;
use rustix::fs::{MemfdFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Sealed memory that its maker can still write.
pub struct Forged {
    fd: OwnedFd,
    start: *mut u8,
    len: usize,
}

impl Forged {
    /// `len` bytes of zeros.
    pub fn new(len: usize) -> Self {
        let fd = memfd_create("fuzz", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
        ftruncate(&fd, len as u64).unwrap();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping at a place of the kernel's choice.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, &fd, 0) };
        fcntl_add_seals(&fd, REQUIRED_SEALS).unwrap();
        Self { fd, start: start.unwrap().cast(), len }
    }

    /// A descriptor to hand out.
    pub fn give(&self) -> OwnedFd {
        self.fd.try_clone().unwrap()
    }

    /// Stores words from `offset` on. What lies beyond the end is left out.
    pub fn write(&self, offset: usize, words: &[u64]) {
        // SAFETY: the mapping is page-aligned, as large, and accessed as atomics only.
        let all: &[AtomicU64] =
            unsafe { std::slice::from_raw_parts(self.start.cast(), self.len / 8) };
        for (place, word) in all.iter().skip(offset / 8).zip(words) {
            place.store(*word, Relaxed);
        }
    }
}

impl Drop for Forged {
    fn drop(&mut self) {
        // SAFETY: the mapping is this object's.
        let _ = unsafe { munmap(self.start.cast(), self.len) };
    }
}

/// The input as a sequence of numbers.
pub struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        self.take::<1>().map(|[byte]| byte)
    }

    /// The next two bytes.
    pub fn short(&mut self) -> Option<usize> {
        self.take().map(|bytes| usize::from(u16::from_le_bytes(bytes)))
    }

    /// A number that is small, close to the largest, or anything.
    pub fn number(&mut self) -> Option<u64> {
        match self.byte()? {
            small @ 0..=127 => Some(u64::from(small)),
            large @ 128..=191 => Some(u64::MAX - u64::from(large - 128)),
            _ => self.take().map(u64::from_le_bytes),
        }
    }
}
