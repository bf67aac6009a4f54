//! Interrupts for threads that block in a source or receiver: a change in this process, a cancel, a
//! close.

use crate::error::RingError;
use crate::futex::{self, Expected};
use crate::signals;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// A word on which blocked threads wait beside their condition, and the reason of its last change.
#[derive(Debug, Default)]
pub(crate) struct Interrupt {
    word: AtomicU32,
    /// Threads that wait on the word.
    waiters: AtomicUsize,
    /// Those of them that a cancel interrupts.
    cancellable: AtomicUsize,
    shut: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: Option<&'static str>,
    cancels: u64,
    pending_cancel: bool,
}

/// A thread that is about to block.
#[derive(Debug)]
pub(crate) struct Waiter<'a> {
    interrupt: &'a Interrupt,
    /// The number of cancels before it came; `None` for a thread that cancels do not interrupt.
    cancels: Option<u64>,
}

impl Interrupt {
    /// Enters the slow path. Fails at once if this side is closed, or if an earlier cancel found no
    /// thread to interrupt.
    pub(crate) fn enter(&self) -> Result<Waiter<'_>, RingError> {
        let mut state = self.state.lock();
        if let Some(reason) = state.closed {
            return Err(RingError::Closed(reason));
        }
        if std::mem::take(&mut state.pending_cancel) {
            return Err(RingError::Cancelled);
        }
        self.waiters.fetch_add(1, Ordering::SeqCst);
        self.cancellable.fetch_add(1, Ordering::SeqCst);
        Ok(Waiter { interrupt: self, cancels: Some(state.cancels) })
    }

    /// Enters the slow path without a program's call, so that cancels do not interrupt it.
    pub(crate) fn watch(&self) -> Result<Waiter<'_>, RingError> {
        self.check_open()?;
        self.waiters.fetch_add(1, Ordering::SeqCst);
        Ok(Waiter { interrupt: self, cancels: None })
    }

    /// The present value of the word.
    pub(crate) fn value(&self) -> u32 {
        self.word.load(Ordering::SeqCst)
    }

    /// Fails if this side is closed.
    pub(crate) fn check_open(&self) -> Result<(), RingError> {
        if !self.is_closed() {
            return Ok(());
        }
        self.state.lock().closed.map_or(Ok(()), |reason| Err(RingError::Closed(reason)))
    }

    /// Wakes blocked threads after a change of their condition.
    pub(crate) fn bump(&self) {
        self.word.fetch_add(1, Ordering::SeqCst);
        if self.waiters.load(Ordering::SeqCst) != 0 {
            futex::wake_all_here(&self.word);
        }
    }

    /// As [`bump`](Self::bump), but without effect while no thread has entered. That suffices for a
    /// condition that the threads check under a lock, since they enter before they take it.
    pub(crate) fn nudge(&self) {
        if self.waiters.load(Ordering::SeqCst) != 0 {
            self.bump();
        }
    }

    /// Interrupts all blocked threads, or else the next that would block.
    pub(crate) fn cancel(&self) {
        {
            let mut state = self.state.lock();
            if self.cancellable.load(Ordering::SeqCst) == 0 {
                state.pending_cancel = true;
            } else {
                state.cancels += 1;
            }
        }
        self.bump();
    }

    /// Closes this side for good. The first reason stays.
    pub(crate) fn close(&self, reason: &'static str) {
        self.state.lock().closed.get_or_insert(reason);
        self.shut.store(true, Ordering::SeqCst);
        self.bump();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }
}

impl Waiter<'_> {
    /// The word to wait on, with its value before the caller checks its condition.
    pub(crate) fn word(&self) -> Expected<'_> {
        Expected::own(&self.interrupt.word, self.interrupt.word.load(Ordering::SeqCst))
    }

    /// Fails if the thread was interrupted.
    pub(crate) fn check(&self) -> Result<(), RingError> {
        let state = self.interrupt.state.lock();
        if let Some(reason) = state.closed {
            return Err(RingError::Closed(reason));
        }
        let Some(before) = self.cancels else { return Ok(()) };
        if before != state.cancels {
            return Err(RingError::Cancelled);
        }
        signals::check()
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.cancels.is_some() {
            self.interrupt.cancellable.fetch_sub(1, Ordering::SeqCst);
        }
        self.interrupt.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_interrupts_those_who_wait_or_the_next() {
        let interrupt = Interrupt::default();
        let waiter = interrupt.enter().unwrap();
        assert!(waiter.check().is_ok());
        interrupt.cancel();
        assert_eq!(waiter.check(), Err(RingError::Cancelled));
        drop(waiter);
        assert!(interrupt.enter().unwrap().check().is_ok());
        interrupt.cancel();
        assert_eq!(interrupt.enter().map(drop), Err(RingError::Cancelled));
        assert!(interrupt.enter().is_ok());
    }

    #[test]
    fn cancels_are_not_meant_for_watchers() {
        let interrupt = Interrupt::default();
        let watcher = interrupt.watch().unwrap();
        interrupt.cancel();
        assert!(watcher.check().is_ok());
        assert_eq!(interrupt.enter().map(drop), Err(RingError::Cancelled));
    }

    #[test]
    fn a_closed_gate_stays_closed() {
        let interrupt = Interrupt::default();
        let waiter = interrupt.enter().unwrap();
        interrupt.close("first");
        interrupt.close("second");
        assert_eq!(waiter.check(), Err(RingError::Closed("first")));
        assert!(
            interrupt.enter().is_err() && interrupt.is_closed() && interrupt.check_open().is_err()
        );
    }
}
