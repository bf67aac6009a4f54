//! Prefaulting of pages in the background.

use crate::error::RingError;
use crate::fork::ForkMark;
use crate::memory::{HUGE_PAGE, Mapping, OwnMemory, Pages};
use crate::thread::quiet_thread;
use rustix::io::Errno;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// `MADV_COLLAPSE` of Linux 6.1; on shared memory it works even where transparent huge pages are
/// switched off.
const MADV_COLLAPSE: i32 = 25;
/// Bytes that are prefaulted at a time: between two steps the work can be cancelled.
const STEP: usize = 4 * HUGE_PAGE;

/// Memory for a pool: from reserved huge pages if there are enough for it and a successor, else
/// ordinary ones.
///
/// Twice, because the pages of a dead source stay in use until its receivers have moved to the next
/// one.
pub(crate) fn pool_memory(size: usize, base: usize) -> Result<OwnMemory, RingError> {
    if size >= HUGE_PAGE && free_huge_pages() >= 2 * size.div_ceil(HUGE_PAGE) {
        match OwnMemory::new("mcm-pool", size, Pages::Reserved).and_then(|memory| {
            memory.seal()?;
            Ok(memory)
        }) {
            Ok(memory) => return Ok(memory),
            Err(error) => log::debug!("no pool on reserved huge pages: {error}"),
        }
    }
    let memory = OwnMemory::new("mcm-pool", size, Pages::Ordinary)?;
    if base >= HUGE_PAGE {
        // If the system grants it, page faults bring huge pages at once. Otherwise this has no
        // effect.
        let _ = memory.mapping().advise(libc::MADV_HUGEPAGE, 0, base);
    }
    memory.seal()?;
    Ok(memory)
}

fn free_huge_pages() -> usize {
    std::fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0)
}

/// A thread that makes memory ready. Dropping it calls the rest of the work off and waits for the
/// step in progress.
#[derive(Debug)]
pub(crate) struct Prefault {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    made: ForkMark,
}

/// A mapping that can be kept alive by another thread.
pub(crate) trait Prefaultable: Send + Sync + 'static {
    /// The mapping.
    fn mapping(&self) -> &Mapping;
    /// Whether pages are made for writing, by their owner.
    fn own_pages(&self) -> Option<Pages>;
}

impl Prefaultable for OwnMemory {
    fn mapping(&self) -> &Mapping {
        OwnMemory::mapping(self)
    }
    fn own_pages(&self) -> Option<Pages> {
        Some(self.pages())
    }
}

impl Prefaultable for Mapping {
    fn mapping(&self) -> &Mapping {
        self
    }
    fn own_pages(&self) -> Option<Pages> {
        None
    }
}

impl Prefault {
    /// Starts on the first `len` bytes. Without a thread to be had, pages are simply made when they
    /// are touched.
    pub(crate) fn start(memory: Arc<impl Prefaultable>, len: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        // A few pages are not worth a thread.
        if len <= HUGE_PAGE / 8 {
            run(&*memory, len, &stop);
            return Self { stop, thread: None, made: ForkMark::here() };
        }
        let seen = Arc::clone(&stop);
        let work = move || run(&*memory, len, &seen);
        let thread = quiet_thread("mcm-prefault", work).ok();
        Self { stop, thread, made: ForkMark::here() }
    }
}

impl Drop for Prefault {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            if self.made.is_here() {
                let _ = thread.join();
            } else {
                // The thread was not forked, so this wait would never end.
                std::mem::forget(thread);
            }
        }
    }
}

fn run(memory: &impl Prefaultable, len: usize, stop: &AtomicBool) {
    let populate = match memory.own_pages() {
        Some(_) => libc::MADV_POPULATE_WRITE,
        None => libc::MADV_POPULATE_READ,
    };
    let mut collapses = memory.own_pages() == Some(Pages::Ordinary);
    for offset in (0..len).step_by(STEP) {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let step = STEP.min(len - offset);
        let huge = step / HUGE_PAGE * HUGE_PAGE;
        if collapses && huge > 0 {
            collapses = match make_huge(memory.mapping(), offset, huge) {
                // Another process was busy with these pages: they stay as they are, the next ones
                // may succeed.
                Ok(()) | Err(RingError::System { errno: Errno::AGAIN | Errno::BUSY, .. }) => true,
                Err(_) => false,
            };
        }
        if memory.mapping().advise(populate, offset, step).is_err() {
            return;
        }
    }
}

/// Makes huge pages of a range that is hardly touched yet. The kernel collapses a range with one
/// page in it, and spares itself the others; of a range without any it wants to know nothing.
fn make_huge(mapping: &Mapping, offset: usize, len: usize) -> Result<(), RingError> {
    for page in (offset..offset + len).step_by(HUGE_PAGE) {
        mapping.advise(libc::MADV_POPULATE_WRITE, page, 1)?;
    }
    mapping.advise(MADV_COLLAPSE, offset, len)
}
