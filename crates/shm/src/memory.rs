//! Sealed shared memory: creating, mapping and checking it.

use crate::error::RingError;
use crate::fork::ForkMark;
use rustix::fs::memfd_create;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, fstat, ftruncate};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};
use rustix::process::{Resource, getrlimit};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Seals by which only the creator can write, and the memory cannot shrink under a mapping.
pub const REQUIRED_SEALS: SealFlags =
    SealFlags::FUTURE_WRITE.union(SealFlags::SHRINK).union(SealFlags::GROW).union(SealFlags::SEAL);

/// Refuses a descriptor that lacks seals or whose size is not `size` (or that rounded up to huge
/// pages, if it is as large).
pub fn check_seals(object: &'static str, fd: BorrowedFd<'_>, size: usize) -> Result<(), RingError> {
    let seals = fcntl_get_seals(fd).map_err(|errno| {
        RingError::foreign(
            object,
            format!("descriptor has no seals ({errno}), want a sealed memfd"),
        )
    })?;
    if !seals.contains(REQUIRED_SEALS) {
        return Err(RingError::foreign(
            object,
            format!("has the seals {seals:?}, want at least {REQUIRED_SEALS:?}"),
        ));
    }
    let stat = fstat(fd).map_err(RingError::system("fstat"))?;
    let found = usize::try_from(stat.st_size).unwrap_or(0);
    let on_huge_pages = size >= HUGE_PAGE && found == size.next_multiple_of(HUGE_PAGE);
    if found != size && !on_huge_pages {
        return Err(RingError::foreign(object, format!("is {found} bytes large, want {size}")));
    }
    Ok(())
}

/// Size of a huge page on the machines that this runs on.
pub(crate) const HUGE_PAGE: usize = 2 << 20;

/// Page size of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pages {
    /// Ordinary ones, which the kernel may be asked to collapse.
    Ordinary,
    /// From the pool of huge pages that the administrator reserved.
    Reserved,
}

/// A mapping of shared memory, unmapped when dropped, and absent from forked children.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    len: usize,
    made: ForkMark,
}

// SAFETY: the mapping is plain memory at a fixed place; who may access which part is for the users
// of the pointer.
unsafe impl Send for Mapping {}
// SAFETY: as above; the struct itself is immutable.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn map(fd: BorrowedFd<'_>, len: usize, writable: bool) -> Result<Self, RingError> {
        let protection =
            if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
        let start = if len < HUGE_PAGE {
            // SAFETY: a new mapping at a place of the kernel's choice touches no existing memory.
            unsafe { mmap(std::ptr::null_mut(), len, protection, MapFlags::SHARED, fd, 0) }
        } else {
            map_aligned(fd, len, protection)
        }
        .map_err(RingError::system("mapping shared memory"))?;
        let mapping = Self { start: start.cast(), len, made: ForkMark::here() };
        mapping.advise(libc::MADV_DONTFORK, 0, len)?;
        Ok(mapping)
    }

    /// Maps a checked descriptor of another process.
    pub(crate) fn read_only(fd: BorrowedFd<'_>, len: usize) -> Result<Self, RingError> {
        Self::map(fd, len, false)
    }

    /// First byte.
    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }

    /// Length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether this is still the process that made the mapping; a fork of it has none.
    pub(crate) fn is_here(&self) -> bool {
        self.made.is_here()
    }

    /// The object of type `T` at `offset`.
    ///
    /// # Safety
    /// `T` must be valid for any bits, and everything in it that can change while the reference
    /// lives must be atomic.
    pub(crate) unsafe fn at<T>(&self, offset: usize) -> &T {
        assert!(offset + size_of::<T>() <= self.len && offset.is_multiple_of(align_of::<T>()));
        // SAFETY: inside the mapping and aligned, as asserted; mappings start on page boundaries.
        // The rest is the caller's.
        unsafe { &*self.start.add(offset).cast::<T>() }
    }

    /// `count` objects of type `T` from `offset` on.
    ///
    /// # Safety
    /// As for [`Mapping::at`].
    pub(crate) unsafe fn slice_at<T>(&self, offset: usize, count: usize) -> &[T] {
        let bytes = count * size_of::<T>();
        assert!(offset + bytes <= self.len && offset.is_multiple_of(align_of::<T>()));
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts(self.start.add(offset).cast::<T>(), count) }
    }

    /// Advises the kernel about `len` bytes from `offset` on; both are rounded to pages outwards.
    pub(crate) fn advise(&self, advice: i32, offset: usize, len: usize) -> Result<(), RingError> {
        let from = offset & !0xfff;
        let to = (offset + len).next_multiple_of(4096).min(self.len.next_multiple_of(4096));
        if from >= to {
            return Ok(());
        }
        // SAFETY: inside the mapping; the pieces of advice used here do not change contents.
        let result = unsafe { libc::madvise(self.start.add(from).cast(), to - from, advice) };
        if result == 0 {
            Ok(())
        } else {
            let errno = Errno::from_io_error(&std::io::Error::last_os_error());
            Err(RingError::System { what: "madvise", errno: errno.unwrap_or(Errno::INVAL) })
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        if self.is_here() {
            // SAFETY: this value owns the mapping, and nothing borrows from it any more.
            let _ = unsafe { munmap(self.start.cast(), self.len) };
        }
    }
}

/// Maps a descriptor at a multiple of the size of huge pages, without which the kernel cannot use
/// them.
fn map_aligned(
    fd: BorrowedFd<'_>,
    len: usize,
    protection: ProtFlags,
) -> Result<*mut std::ffi::c_void, Errno> {
    let len = len.next_multiple_of(4096);
    let room = len + HUGE_PAGE;
    let (nothing, flags) = (ProtFlags::empty(), MapFlags::PRIVATE | MapFlags::NORESERVE);
    // SAFETY: a new mapping at a place of the kernel's choice touches no existing memory.
    let reserved = unsafe { mmap_anonymous(std::ptr::null_mut(), room, nothing, flags) }?;
    let before = reserved.addr().next_multiple_of(HUGE_PAGE) - reserved.addr();
    let start = reserved.wrapping_byte_add(before);
    // SAFETY: replaces a part of the new reservation, which is not shared yet.
    let mapped = unsafe { mmap(start, len, protection, MapFlags::SHARED | MapFlags::FIXED, fd, 0) };
    let mut surplus = vec![(reserved, before), (start.wrapping_byte_add(len), HUGE_PAGE - before)];
    if mapped.is_err() {
        surplus.push((start, len));
    }
    for (place, len) in surplus.into_iter().filter(|(_, len)| *len > 0) {
        // SAFETY: these are the unused parts of the reservation, which is not shared yet.
        let _ = unsafe { munmap(place, len) };
    }
    mapped
}

/// Shared memory that only this process can write: a descriptor to hand out, and the one writable
/// mapping that there will ever be.
#[derive(Debug)]
pub(crate) struct OwnMemory {
    fd: OwnedFd,
    mapping: Mapping,
    pages: Pages,
}

impl OwnMemory {
    /// `size` bytes of zeros, mapped writable, not yet sealed.
    pub(crate) fn new(name: &str, size: usize, pages: Pages) -> Result<Self, RingError> {
        let (flags, size) = match pages {
            Pages::Ordinary => (MemfdFlags::empty(), size),
            Pages::Reserved => {
                (MemfdFlags::HUGETLB | MemfdFlags::HUGE_2MB, size.next_multiple_of(HUGE_PAGE))
            }
        };
        let flags = flags | MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let fd = match memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
            // Kernels before 6.3 do not know the flag.
            Err(Errno::INVAL) => memfd_create(name, flags),
            other => other,
        }
        .map_err(RingError::system("creating shared memory"))?;
        // Beyond the limit the kernel would not only refuse, but end the program with SIGXFSZ.
        if getrlimit(Resource::Fsize).current.is_some_and(|limit| limit < size as u64) {
            return Err(RingError::System {
                what: "sizing shared memory, which the limit on the size of files (ulimit -f) forbids",
                errno: Errno::FBIG,
            });
        }
        ftruncate(&fd, size as u64).map_err(RingError::system("sizing shared memory"))?;
        let mapping = Mapping::map(fd.as_fd(), size, true)?;
        Ok(Self { fd, mapping, pages })
    }

    /// Seals the memory, and proves that the kernel means it: some do not keep the promise for
    /// reserved huge pages.
    pub(crate) fn seal(&self) -> Result<(), RingError> {
        fcntl_add_seals(&self.fd, REQUIRED_SEALS)
            .map_err(RingError::system("sealing shared memory"))?;
        match Mapping::map(self.fd.as_fd(), self.mapping.len(), true) {
            Err(RingError::System { errno: Errno::PERM, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(RingError::System {
                what: "the kernel ignores the write seal",
                errno: Errno::NOTSUP,
            }),
        }
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub(crate) fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub(crate) fn pages(&self) -> Pages {
        self.pages
    }
}
