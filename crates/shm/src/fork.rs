//! Fork detection: whether the process was forked after an object was made.
//!
//! The pool, the board and the seat are not inherited by a forked child, and their destructors must
//! not run there. A page that the kernel wipes in children says so without a system call and
//! without a handler in the host program.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static GENERATIONS: AtomicU64 = AtomicU64::new(1);
static PAGE: OnceLock<Option<&'static AtomicU64>> = OnceLock::new();

fn page() -> Option<&'static AtomicU64> {
    *PAGE.get_or_init(|| {
        const SIZE: usize = 4096;
        // SAFETY: a fresh anonymous mapping that is never unmapped; a u64 fits and any bits are
        // valid.
        unsafe {
            let start = libc::mmap(
                std::ptr::null_mut(),
                SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            if start == libc::MAP_FAILED || libc::madvise(start, SIZE, libc::MADV_WIPEONFORK) != 0 {
                return None;
            }
            Some(&*start.cast::<AtomicU64>())
        }
    })
}

/// Remembers the process that it was made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkMark(u64);

impl ForkMark {
    /// The mark of this process.
    #[must_use]
    pub fn here() -> Self {
        let Some(page) = page() else { return Self(u64::from(std::process::id())) };
        if page.load(Relaxed) == 0 {
            let next = GENERATIONS.fetch_add(1, Relaxed);
            let _ = page.compare_exchange(0, next, Relaxed, Relaxed);
        }
        Self(page.load(Relaxed))
    }

    /// Whether this is still the process where the mark was made, and not a fork of it.
    #[must_use]
    pub fn is_here(self) -> bool {
        match page() {
            Some(page) => page.load(Relaxed) == self.0,
            None => u64::from(std::process::id()) == self.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_knows() {
        let mark = ForkMark::here();
        assert!(mark.is_here());
        // SAFETY: the child only reads memory, makes marks and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let gone = !mark.is_here();
            let own = ForkMark::here();
            let code = i32::from(!(gone && own.is_here() && own != mark));
            // SAFETY: ends the child without running the parent's exit handlers.
            unsafe { libc::_exit(code) };
        }
        let mut status = 0;
        // SAFETY: waits for the child made above.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        assert!(mark.is_here());
    }
}
