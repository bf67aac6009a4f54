//! Memory protection: no process can write another's memory, and memory without the required seals
//! is never mapped.
#![cfg(not(loom))]

mod common;
#[path = "common/forge.rs"]
mod forge;

use common::{Group, options, put};
use forge::Forged;
use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use rustix::fs::{FallocateFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap, mprotect, munmap};
use shm::layout::{BOARD_SIZE, Geometry, LAYOUT_VERSION, SEAT_SIZE};
use shm::{BoardMonitor, Deadline, REQUIRED_SEALS, RingError, Seat, SeatMonitor};
use std::os::unix::fs::FileExt;

const LEN: usize = 4096;

fn map(
    fd: impl AsFd,
    protection: ProtFlags,
    flags: MapFlags,
) -> rustix::io::Result<*mut std::ffi::c_void> {
    // SAFETY: a new mapping at a place of the kernel's choice.
    unsafe { mmap(std::ptr::null_mut(), LEN, protection, flags, fd, 0) }
}

/// End of a child that writes one byte there: the signal, or 0.
fn signal_of_write(place: *mut u8) -> i32 {
    // SAFETY: the child does nothing but write that byte and end.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            libc::signal(libc::SIGSEGV, libc::SIG_DFL);
            place.write_volatile(1);
            libc::_exit(0);
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
        if libc::WIFSIGNALED(status) { libc::WTERMSIG(status) } else { 0 }
    }
}

/// Tries everything that a process with this descriptor can try, whatever its user.
fn assert_unwritable(fd: BorrowedFd<'_>) {
    let both = ProtFlags::READ | ProtFlags::WRITE;
    assert_eq!(map(fd, both, MapFlags::SHARED), Err(Errno::PERM));
    assert_eq!(map(fd, ProtFlags::WRITE, MapFlags::SHARED), Err(Errno::PERM));

    let start = map(fd, ProtFlags::READ, MapFlags::SHARED).unwrap();
    // SAFETY: the byte is mapped; others may change it, so it is read as volatile.
    let before = unsafe { start.cast::<u8>().read_volatile() };
    assert_eq!(signal_of_write(start.cast()), libc::SIGSEGV);
    // SAFETY: changes the protection of a mapping that is this test's.
    let changed = unsafe { mprotect(start, LEN, MprotectFlags::READ | MprotectFlags::WRITE) };
    assert_eq!(changed, Err(Errno::ACCESS));
    let memory = std::fs::File::options().write(true).open("/proc/self/mem");
    if let Ok(memory) = memory {
        assert!(memory.write_at(&[before ^ 1], start as u64).is_err(), "past the protection");
    }

    assert_eq!(rustix::io::write(fd, b"x"), Err(Errno::PERM));
    assert_eq!(rustix::io::pwrite(fd, b"x", 0), Err(Errno::PERM));
    for len in [0, 1, 1 << 40] {
        assert_eq!(rustix::fs::ftruncate(fd, len), Err(Errno::PERM));
    }
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    assert_eq!(rustix::fs::fallocate(fd, punch, 0, LEN as u64), Err(Errno::PERM));
    let grow = rustix::fs::fallocate(fd, FallocateFlags::empty(), 0, 1 << 40);
    assert_eq!(grow, Err(Errno::PERM));
    assert_eq!(rustix::fs::fcntl_add_seals(fd, SealFlags::WRITE), Err(Errno::PERM));

    // Another description of the same memory, opened for writing where the mode or root's rights
    // allow it.
    let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
    match std::fs::File::options().read(true).write(true).open(path) {
        Ok(again) => {
            assert_eq!(map(&again, both, MapFlags::SHARED), Err(Errno::PERM));
            assert_eq!(rustix::io::write(&again, b"x"), Err(Errno::PERM));
            assert_eq!(rustix::fs::ftruncate(&again, 0), Err(Errno::PERM));
        }
        Err(error) => assert_ne!(rustix::process::geteuid().as_raw(), 0, "{error}"),
    }

    // A private copy may be written, and affects no other process.
    let copy = map(fd, both, MapFlags::PRIVATE).unwrap();
    // SAFETY: both bytes are mapped, the first one for writing too.
    unsafe {
        copy.cast::<u8>().write_volatile(before ^ 1);
        assert_eq!(start.cast::<u8>().read_volatile(), before);
        munmap(copy, LEN).unwrap();
        munmap(start, LEN).unwrap();
    }
}

#[test]
fn receivers_cannot_write_pool_or_board_nor_sources_a_seat() {
    println!("as user {}", rustix::process::geteuid().as_raw());
    let group = Group::new(options(10_000, 4));
    let receiver = group.receiver(false);
    put(&group.source, 7);
    let frame = receiver.get(Deadline::Now).unwrap();
    assert_unwritable(group.source.pool_fd());
    assert_unwritable(group.source.board_fd());
    assert_unwritable(receiver.current().unwrap().seat().fd());
    assert!(frame.payload().iter().all(|&byte| byte == 7));
}

#[test]
fn a_mapped_frame_cannot_be_written() {
    let group = Group::new(options(10_000, 4));
    let receiver = group.receiver(false);
    put(&group.source, 7);
    let frame = receiver.get(Deadline::Now).unwrap();
    let page = frame.payload_ptr().map_addr(|address| address & !(LEN - 1)).cast_mut().cast();
    // SAFETY: were it to succeed, nothing would be written.
    let changed = unsafe { mprotect(page, LEN, MprotectFlags::READ | MprotectFlags::WRITE) };
    assert_eq!(changed, Err(Errno::ACCESS));
    let memory = std::fs::File::options().write(true).open("/proc/self/mem").unwrap();
    assert!(memory.write_at(b"x", frame.payload_ptr() as u64).is_err());
    assert_eq!(frame.payload()[0], 7);
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, RingError>, what: &str, value: &str) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, RingError::Foreign { object, .. } if object == what), "{text}");
    assert!(text.contains(value), "{text:?} does not name {value:?}");
}

fn geometry() -> Geometry {
    Geometry::new(1000, 0, 4).unwrap()
}

/// Opens a descriptor as what it claims to be.
fn open(what: &str, fd: OwnedFd) -> Result<(), RingError> {
    match what {
        "board" => BoardMonitor::open(fd).map(drop),
        "seat" => SeatMonitor::open(fd).map(drop),
        _ => {
            let board = forge::board(&geometry());
            BoardMonitor::open(board.give()).unwrap().check_pool(fd.as_fd())
        }
    }
}

#[test]
fn memory_without_each_of_the_seals_is_refused() {
    let sizes = [("board", BOARD_SIZE), ("seat", SEAT_SIZE), ("pool", geometry().pool_size())];
    for (what, size) in sizes {
        for missing in [
            SealFlags::FUTURE_WRITE,
            SealFlags::SHRINK,
            SealFlags::GROW,
            SealFlags::SEAL,
            REQUIRED_SEALS,
        ] {
            let seals = REQUIRED_SEALS.difference(missing);
            let forged = Forged::new(size, seals);
            assert_refused(open(what, forged.give()), what, &format!("{seals:?}"));
        }
        let file = OwnedFd::from(std::fs::File::open("/proc/self/exe").unwrap());
        assert_refused(open(what, file), what, "no seals");
        let (pipe, _) = std::io::pipe().unwrap();
        assert_refused(open(what, pipe.into()), what, "no seals");
    }
}

#[test]
fn memory_of_another_size_is_refused() {
    let sizes = [("board", BOARD_SIZE), ("seat", SEAT_SIZE), ("pool", geometry().pool_size())];
    for (what, size) in sizes {
        // Two megabytes are one huge page, which only a pool may be made of, and only a large one.
        for wrong in [1, size - 1, size + 1, size + 4096, 2 << 20, 4 << 20] {
            let forged = Forged::new(wrong, REQUIRED_SEALS);
            assert_refused(open(what, forged.give()), what, &format!("{wrong} bytes"));
        }
        let empty = rustix::fs::memfd_create("empty", rustix::fs::MemfdFlags::ALLOW_SEALING);
        let empty = empty.unwrap();
        rustix::fs::fcntl_add_seals(&empty, REQUIRED_SEALS).unwrap();
        assert_refused(open(what, empty), what, "0 bytes");
    }
}

#[test]
fn other_layouts_and_impossible_shapes_are_refused() {
    let refused = |word: usize, value: u64, named: &str| {
        let board = forge::board(&geometry());
        board.write(word * 8, &[value]);
        assert_refused(BoardMonitor::open(board.give()).map(drop), "board", named);
    };
    refused(0, 0x1234, "0x0000000000001234");
    refused(1, 9 | 4 << 32, "version 9");
    for capacity in [0, 1, 129, u64::from(u32::MAX)] {
        refused(1, u64::from(LAYOUT_VERSION) | capacity << 32, &format!("capacity {capacity}"));
    }
    for payload in [0, (1 << 30) + 1, u64::MAX] {
        refused(2, payload, &format!("payload {payload}"));
    }
    for regions in [1025, u64::MAX] {
        refused(6, regions, "missing regions");
    }
    for metadata in [(16 << 20) + 1, u64::MAX] {
        refused(3, metadata, &format!("metadata {metadata}"));
    }
    for (word, value, named) in [(0, 77, "0x000000000000004d"), (1, 9, "version 9")] {
        let seat = forge::seat();
        seat.write(word * 8, &[value]);
        assert_refused(SeatMonitor::open(seat.give()).map(drop), "seat", named);
        let group = Group::new(options(100, 4));
        assert_refused(group.source.join(1, seat.give(), false), "seat", named);
        assert_eq!(group.source.stats().peers, 0);
    }
}

#[test]
fn a_pool_of_another_ring_is_refused() {
    let (small, large) = (Group::new(options(100, 4)), Group::new(options(100_000, 4)));
    let pool = small.source.pool_fd().try_clone_to_owned().unwrap();
    let board = large.source.board_fd().try_clone_to_owned().unwrap();
    let size = small.source.geometry().pool_size();
    let reader = shm::Reader::open(&pool, board, Seat::new().unwrap(), 0);
    assert_refused(reader.map(drop), "pool", &format!("{size} bytes"));
}

/// The number of reserved huge pages, put back as it was when dropped.
struct HugePages(u64);

const HUGE_PAGES: &str = "/proc/sys/vm/nr_hugepages";

fn huge_pages() -> Option<u64> {
    std::fs::read_to_string(HUGE_PAGES).ok()?.trim().parse().ok()
}

impl HugePages {
    fn reserve(more: u64) -> Option<Self> {
        let before = huge_pages()?;
        std::fs::write(HUGE_PAGES, (before + more).to_string()).ok()?;
        let reserved = Self(before);
        (huge_pages()? >= before + more).then_some(reserved)
    }
}

impl Drop for HugePages {
    fn drop(&mut self) {
        let _ = std::fs::write(HUGE_PAGES, self.0.to_string());
    }
}

fn on_huge_pages(group: &Group) -> bool {
    const HUGETLBFS: u64 = 0x9584_58f6;
    let kind = rustix::fs::fstatfs(group.source.pool_fd()).unwrap().f_type;
    kind as u64 & 0xffff_ffff == HUGETLBFS
}

#[test]
fn reserved_huge_pages_are_used_as_long_as_there_are_any() {
    // A pool of four pages, and as many for its successor.
    let Some(reserved) = HugePages::reserve(8) else {
        println!("skipped: huge pages cannot be reserved here");
        return;
    };
    let work = |group: &Group| {
        let receiver = group.receiver(false);
        for number in 0..20 {
            put(&group.source, number);
            let frame = receiver.get(Deadline::Now).unwrap();
            assert!(frame.payload().iter().all(|&byte| byte == number as u8));
        }
        assert_unwritable_shape(group.source.pool_fd());
    };
    let first = Group::new(options(512 << 10, 2));
    work(&first);
    if !on_huge_pages(&first) {
        println!("skipped: others took the pages, or this kernel does not seal them");
        return;
    }
    let second = Group::new(options(512 << 10, 2));
    assert!(!on_huge_pages(&second), "not enough for a pool and its successor");
    work(&second);
    drop((first, second, reserved));
}

/// The same on huge pages, where mappings are larger.
fn assert_unwritable_shape(fd: BorrowedFd<'_>) {
    let len = 2 << 20;
    // SAFETY: a new mapping at a place of the kernel's choice.
    let mapped = unsafe {
        let both = ProtFlags::READ | ProtFlags::WRITE;
        mmap(std::ptr::null_mut(), len, both, MapFlags::SHARED, fd, 0)
    };
    assert_eq!(mapped, Err(Errno::PERM));
    assert!(rustix::fs::ftruncate(fd, 0).is_err());
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    assert!(rustix::fs::fallocate(fd, punch, 0, len as u64).is_err());
}
