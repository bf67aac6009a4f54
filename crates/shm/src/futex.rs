//! Futex waits and wakes on words in shared memory. They work on read-only mappings.

use crate::clock::monotonic_ns;
use crate::signals;
use rustix::io::Errno;
use rustix::thread::futex::{self, Flags, Wait, WaitFlags, WaitPtr, WaitvFlags};
use rustix::time::{ClockId, Timespec};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// The kernel's limit for one wait.
pub(crate) const MAX_WORDS: usize = 128;
/// Longest wait without a check of all words, if the kernel cannot wait for several.
const BLIND_NS: u64 = 10_000_000;

static NO_WAITV: AtomicBool = AtomicBool::new(false);

/// Number of words of a wait that is cheap to prepare: a source's interrupt and the tick of its one
/// receiver.
const FEW_WORDS: usize = 2;

/// A word and the value that it is slept on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    word: &'a AtomicU32,
    value: u32,
    /// Only this process changes the word, which spares the kernel a look-up of the page behind it.
    own: bool,
}

impl<'a> Expected<'a> {
    /// A word that another process changes and wakes with [`wake_all`].
    pub(crate) fn shared(word: &'a AtomicU32, value: u32) -> Self {
        Self { word, value, own: false }
    }

    /// A word that this process changes and wakes with [`wake_all_here`].
    pub(crate) fn own(word: &'a AtomicU32, value: u32) -> Self {
        Self { word, value, own: true }
    }

    /// The word.
    pub(crate) fn word(&self) -> &'a AtomicU32 {
        self.word
    }

    /// The value that it is slept on.
    pub(crate) fn value(&self) -> u32 {
        self.value
    }

    /// Whether the word has changed, so that a wait would return at once.
    pub(crate) fn changed(&self) -> bool {
        self.word.load(Ordering::Relaxed) != self.value
    }
}

/// The low half of a 64-bit word, for the kernel only.
pub(crate) fn low_half(word: &AtomicU64) -> &AtomicU32 {
    // SAFETY: on a little-endian machine the low half starts the word, and is aligned. The
    // reference is handed to the kernel, which loads it atomically; this program never accesses the
    // word through it.
    unsafe { &*std::ptr::from_ref(word).cast::<AtomicU32>() }
}

/// Wakes everyone who sleeps on the word.
pub(crate) fn wake_all(word: &AtomicU32) {
    let _ = futex::wake(word, Flags::empty(), i32::MAX as u32);
}

/// Wakes everyone of this process who sleeps on the word.
pub(crate) fn wake_all_here(word: &AtomicU32) {
    let _ = futex::wake(word, Flags::PRIVATE, i32::MAX as u32);
}

/// Sleeps until one of the words has been woken or differs, a signal came, or `CLOCK_MONOTONIC`
/// shows `until` nanoseconds. It may also return early; the caller looks again in any case. At most
/// [`MAX_WORDS`] words; the first is the likeliest.
pub(crate) fn wait_any(words: &[Expected<'_>], until: u64) {
    debug_assert!(!words.is_empty() && words.len() <= MAX_WORDS);
    if words.len() > 1 && !NO_WAITV.load(Ordering::Relaxed) {
        let result = if words.len() <= FEW_WORDS {
            wait_for::<FEW_WORDS>(words, until)
        } else {
            wait_for::<MAX_WORDS>(words, until)
        };
        signals::note_unsure(&result);
        if matches!(result, Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT)) {
            return;
        }
        // Unknown to the kernel, or forbidden by a sandbox that answers with an error of its
        // choice.
        NO_WAITV.store(true, Ordering::Relaxed);
    }
    let now = monotonic_ns();
    let mut left = until.saturating_sub(now);
    if words.len() > 1 {
        left = left.min(BLIND_NS);
    }
    let Expected { word, value, own } = words[0];
    let flags = if own { Flags::PRIVATE } else { Flags::empty() };
    signals::note(futex::wait(word, flags, value, Some(&timespec(left))));
}

/// Waits for at most `N` words.
fn wait_for<const N: usize>(words: &[Expected<'_>], until: u64) -> rustix::io::Result<usize> {
    let mut waiters = [const { Wait::new() }; N];
    for (waiter, expected) in waiters.iter_mut().zip(words) {
        waiter.val = u64::from(expected.value);
        waiter.uaddr = WaitPtr::new(expected.word.as_ptr().cast());
        let own = if expected.own { WaitFlags::PRIVATE } else { WaitFlags::empty() };
        waiter.flags = WaitFlags::SIZE_U32 | own;
    }
    let waiters = &waiters[..words.len()];
    futex::waitv(waiters, WaitvFlags::empty(), Some(&timespec(until)), ClockId::Monotonic)
}

fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: (nanos / 1_000_000_000).min(i64::MAX as u64) as i64,
        tv_nsec: (nanos % 1_000_000_000) as i64,
    }
}
