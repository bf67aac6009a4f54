//! A pool uses huge pages where the kernel provides them.
#![cfg(not(loom))]

mod common;

use common::{Group, options};
use rustix::fs::{MemfdFlags, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
use testkit::wait::until;

const HUGE_PAGE: usize = 2 << 20;
/// `MADV_COLLAPSE` of Linux 6.1.
const MADV_COLLAPSE: i32 = 25;

/// Whether this kernel makes huge pages of shared memory when it is asked to.
fn kernel_collapses() -> bool {
    let fd = memfd_create("probe", MemfdFlags::CLOEXEC).unwrap();
    let len = 2 * HUGE_PAGE;
    ftruncate(&fd, len as u64).unwrap();
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
    // SAFETY: a mapping of this test's own, of which one huge page that lies wholly within is
    // touched and collapsed.
    unsafe {
        let start = mmap(std::ptr::null_mut(), len, protection, flags, &fd, 0).unwrap();
        let at_offset_zero = start.addr() % HUGE_PAGE == 0;
        start.cast::<u8>().write(1);
        let collapsed = libc::madvise(start, HUGE_PAGE, MADV_COLLAPSE) == 0;
        munmap(start, len).unwrap();
        // At another place the kernel refuses for the place, which says nothing; it is new enough
        // if it knows the advice.
        collapsed || (!at_offset_zero && kernel_is_at_least(6, 1))
    }
}

fn kernel_is_at_least(major: u32, minor: u32) -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|number| number.trim().parse().ok());
    let found: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    found >= (major, minor)
}

/// Kilobytes of pools that are mapped by huge pages in this process.
fn huge_kilobytes() -> u64 {
    let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut in_pool = false;
    let mut sum = 0;
    for line in maps.lines() {
        let first = line.split(' ').next().unwrap_or_default();
        if first.contains('-') {
            in_pool = line.contains("mcm-pool");
        } else if in_pool && first == "ShmemPmdMapped:" {
            sum += line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap();
        }
    }
    sum
}

#[test]
fn a_large_pool_lies_on_huge_pages() {
    if !kernel_collapses() {
        eprintln!("this kernel makes no huge pages of shared memory; pools lie on ordinary ones");
        return;
    }
    let group = Group::new(options(8_294_400, 4));
    // Some of the 48 MB at least: memory may be short of whole huge pages, and pages in use
    // elsewhere stay as they are.
    until("huge pages", || huge_kilobytes() >= 2 << 10);
    // Shared memory cannot be counted twice: the receiver's mapping of the same pages is as good.
    let before = huge_kilobytes();
    let receiver = group.receiver(false);
    until("huge pages of the receiver", || huge_kilobytes() >= before + (2 << 10));
    drop(receiver);
}
