//! Waits that a signal ends, for callers that ask for it.
//!
//! A program that sets a flag in a signal handler expects a blocked call to return when the signal
//! comes, as `epoll_wait` and `poll` do, whether or not its handler was installed with
//! `SA_RESTART`. The kernel tells only the thread on which the handler has run.

use crate::error::RingError;
use rustix::io::Errno;
use std::cell::Cell;
use std::time::Duration;

/// State of signals in this thread's present call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// They do not concern it.
    Outside,
    /// A handler that runs during a wait ends the call.
    Listening,
    /// One has run.
    Interrupted,
}

thread_local! {
    static SCOPE: Cell<Scope> = const { Cell::new(Scope::Outside) };
}

/// Signals that a program gets for what it does itself, and whose handlers say nothing about waits.
const SYNCHRONOUS: [i32; 5] =
    [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP];

/// Runs `call`. Waits in it, on this thread, end with [`RingError::Interrupted`] when a signal
/// handler has run meanwhile.
pub fn ending_waits<R>(call: impl FnOnce() -> R) -> R {
    struct Restore(Scope);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0);
        }
    }
    let _restore = Restore(SCOPE.replace(Scope::Listening));
    call()
}

/// Sleeps for so long, or until a signal handler has run where that ends waits.
pub fn sleep(time: Duration) -> Result<(), RingError> {
    let nanos = i64::from(time.subsec_nanos());
    let time = rustix::time::Timespec { tv_sec: time.as_secs() as i64, tv_nsec: nanos };
    if let rustix::thread::NanosleepRelativeResult::Interrupted(_) =
        rustix::thread::nanosleep(&time)
    {
        handled();
    }
    check()
}

/// Fails if a handler has run during a wait of a call that signals end.
pub(crate) fn check() -> Result<(), RingError> {
    if SCOPE.get() == Scope::Interrupted { Err(RingError::Interrupted) } else { Ok(()) }
}

/// Notes the result of `FUTEX_WAIT`, which returns EINTR only if a handler has run.
pub(crate) fn note<T>(result: rustix::io::Result<T>) {
    if matches!(result, Err(Errno::INTR)) {
        handled();
    }
}

/// Notes the result of `futex_waitv`, which also returns EINTR when the process was stopped and
/// continued. If the program has no handler, that was the reason.
pub(crate) fn note_unsure<T>(result: &rustix::io::Result<T>) {
    if matches!(result, Err(Errno::INTR)) && SCOPE.get() == Scope::Listening && has_handlers() {
        handled();
    }
}

fn handled() {
    if SCOPE.get() == Scope::Listening {
        SCOPE.set(Scope::Interrupted);
    }
}

/// Whether the program handles any signal that comes from outside.
fn has_handlers() -> bool {
    (1..=libc::SIGRTMAX()).filter(|signal| !SYNCHRONOUS.contains(signal)).any(|signal| {
        let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: only asks; the structure is filled on success, and read only then.
        unsafe {
            libc::sigaction(signal, std::ptr::null(), action.as_mut_ptr()) == 0
                && !matches!(action.assume_init().sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_call_that_listens_is_interrupted() {
        note::<()>(Err(Errno::INTR));
        assert_eq!(check(), Ok(()));
        ending_waits(|| {
            note::<()>(Err(Errno::TIMEDOUT));
            assert_eq!(check(), Ok(()));
            note::<()>(Err(Errno::INTR));
            assert_eq!(check(), Err(RingError::Interrupted));
            ending_waits(|| assert_eq!(check(), Ok(())));
            assert_eq!(check(), Err(RingError::Interrupted));
        });
        assert_eq!(check(), Ok(()));
    }
}
