//! Shared memory for measurements: the floors' words, progress, and times of arrival.

use crate::error::BenchError;
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use std::ffi::c_void;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// Most receivers of one scenario.
pub(crate) const MAX_RECEIVERS: usize = 16;
/// Most arrivals that are kept for each receiver and round.
pub(crate) const MAX_SAMPLES: usize = 1 << 13;

const LINE: usize = 64;
const TIMES_OFFSET: usize = 4096;
const SIZE: usize = TIMES_OFFSET + MAX_RECEIVERS * MAX_SAMPLES * 8;

/// A shared writable mapping.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut c_void,
    size: usize,
}

// SAFETY: the mapping is plain memory that lives until drop; who may access it when is up to the
// users of `start`.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the first `size` bytes, with all pages present.
    pub(crate) fn new(fd: impl AsFd, size: usize) -> Result<Self, BenchError> {
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let start =
            unsafe { mmap(null_mut(), size, ProtFlags::READ | ProtFlags::WRITE, flags, fd, 0) };
        let start = start.map_err(BenchError::system("mmap"))?;
        Ok(Self { start, size })
    }

    /// Advises the kernel, which need not follow.
    pub(crate) fn advise(&self, advice: i32) {
        // SAFETY: the range is this mapping. The advice of callers is about page sizes and changes
        // no content.
        unsafe { libc::madvise(self.start, self.size, advice) };
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start.cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped by `new`, and references into it do not outlive self.
        let _ = unsafe { munmap(self.start, self.size) };
    }
}

/// A file in memory.
pub(crate) fn memory_file(size: usize) -> Result<OwnedFd, BenchError> {
    let fd = memfd_create("mcm-bench", MemfdFlags::CLOEXEC)
        .map_err(BenchError::system("memfd_create"))?;
    ftruncate(&fd, size as u64).map_err(BenchError::system("ftruncate"))?;
    Ok(fd)
}

/// The shared words.
#[derive(Debug)]
pub(crate) struct Area(Mapping);

impl Area {
    /// A fresh area, and its descriptor.
    pub(crate) fn create() -> Result<(Self, OwnedFd), BenchError> {
        let fd = memory_file(SIZE)?;
        Ok((Self::open(&fd)?, fd))
    }

    /// The area behind a descriptor of [`create`](Self::create).
    pub(crate) fn open(fd: impl AsFd) -> Result<Self, BenchError> {
        Mapping::new(fd, SIZE).map(Self)
    }

    /// The number of hand-offs that the floor has published.
    pub(crate) fn word(&self) -> &AtomicU32 {
        // SAFETY: the first line of the area holds this atomic; any bits are valid.
        unsafe { &*self.0.start().cast() }
    }

    /// A receiver's progress in this round.
    pub(crate) fn progress(&self, receiver: usize) -> &AtomicU64 {
        assert!(receiver < MAX_RECEIVERS);
        // SAFETY: lines 1 to MAX_RECEIVERS lie before the times and hold this atomic; any bits are
        // valid.
        unsafe { &*self.0.start().add((1 + receiver) * LINE).cast() }
    }

    /// Arrival times of this round's samples at a receiver, `CLOCK_MONOTONIC` in nanoseconds.
    pub(crate) fn times(&self, receiver: usize) -> &[AtomicU64] {
        assert!(receiver < MAX_RECEIVERS);
        let offset = TIMES_OFFSET + receiver * MAX_SAMPLES * 8;
        // SAFETY: within the area, aligned, and any bits are valid for atomics.
        unsafe { std::slice::from_raw_parts(self.0.start().add(offset).cast(), MAX_SAMPLES) }
    }
}
