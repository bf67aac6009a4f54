//! Interrupts for threads that block in a source or receiver: a change in this process, a cancel, a
//! close.

use crate::error::RingError;
use crate::futex::{self, Expected};
use crate::signals;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

/// The word that blocked threads also sleep on, and what they find when it changes.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    word: AtomicU32,
    /// Threads that sleep on the word.
    waiters: AtomicUsize,
    /// Those of them that a cancel is meant for.
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
    gate: &'a Gate,
    /// Cancels before it came; `None` for a thread that none is meant for.
    cancels: Option<u64>,
}

impl Gate {
    /// Enters the slow path. Fails at once where the side was closed, or a cancel found nobody to interrupt before.
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
        Ok(Waiter { gate: self, cancels: Some(state.cancels) })
    }

    /// Enters the slow path on behalf of nobody's call: cancels pass by.
    pub(crate) fn watch(&self) -> Result<Waiter<'_>, RingError> {
        self.check_open()?;
        self.waiters.fetch_add(1, Ordering::SeqCst);
        Ok(Waiter { gate: self, cancels: None })
    }

    /// What the word to sleep on shows now.
    pub(crate) fn value(&self) -> u32 {
        self.word.load(Ordering::SeqCst)
    }

    /// Fails where the side was closed.
    pub(crate) fn check_open(&self) -> Result<(), RingError> {
        if !self.is_closed() {
            return Ok(());
        }
        self.state.lock().closed.map_or(Ok(()), |reason| Err(RingError::Closed(reason)))
    }

    /// Something that blocked threads look at has changed.
    pub(crate) fn bump(&self) {
        self.word.fetch_add(1, Ordering::SeqCst);
        if self.waiters.load(Ordering::SeqCst) != 0 {
            futex::wake_all_here(&self.word);
        }
    }

    /// As [`bump`](Self::bump), but without effect while nobody has entered. Enough where what has changed is guarded by the
    /// lock under which the blocked threads look, since they enter before that.
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

    /// Ends this side for good. The first reason stays.
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
    /// The word to sleep on, and its value before the caller looks at what it waits for.
    pub(crate) fn word(&self) -> Expected<'_> {
        Expected::own(&self.gate.word, self.gate.word.load(Ordering::SeqCst))
    }

    /// Whether the thread was interrupted.
    pub(crate) fn check(&self) -> Result<(), RingError> {
        let state = self.gate.state.lock();
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
            self.gate.cancellable.fetch_sub(1, Ordering::SeqCst);
        }
        self.gate.waiters.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancel_interrupts_those_who_wait_or_the_next() {
        let gate = Gate::default();
        let waiter = gate.enter().unwrap();
        assert!(waiter.check().is_ok());
        gate.cancel();
        assert_eq!(waiter.check(), Err(RingError::Cancelled));
        drop(waiter);
        assert!(gate.enter().unwrap().check().is_ok());
        gate.cancel();
        assert_eq!(gate.enter().map(drop), Err(RingError::Cancelled));
        assert!(gate.enter().is_ok());
    }

    #[test]
    fn cancels_are_not_meant_for_watchers() {
        let gate = Gate::default();
        let watcher = gate.watch().unwrap();
        gate.cancel();
        assert!(watcher.check().is_ok());
        assert_eq!(gate.enter().map(drop), Err(RingError::Cancelled));
    }

    #[test]
    fn a_closed_gate_stays_closed() {
        let gate = Gate::default();
        let waiter = gate.enter().unwrap();
        gate.close("first");
        gate.close("second");
        assert_eq!(waiter.check(), Err(RingError::Closed("first")));
        assert!(gate.enter().is_err() && gate.is_closed() && gate.check_open().is_err());
    }
}
