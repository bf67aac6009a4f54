//! The source's waits for its receivers.

use super::seats::Blocker;
use super::{Inner, Source, State};
use crate::clock::{Deadline, monotonic_ns};
use crate::error::RingError;
use crate::futex::{self, Expected, MAX_WORDS};
use crate::interrupt::Waiter;
use crate::protocol;
use crate::spin;
use crate::words::Board;
use parking_lot::MutexGuard;
use std::sync::atomic::Ordering::Relaxed;

/// Longest wait without a check of all receivers.
const LOOK_NS: u64 = 1_000_000_000;

/// The board says "waiting" while this lives.
struct Announced<'a>(Board<'a>);

impl<'a> Announced<'a> {
    fn new(board: Board<'a>) -> Self {
        protocol::begin_wait(board);
        Self(board)
    }
}

impl Drop for Announced<'_> {
    fn drop(&mut self) {
        protocol::end_wait(self.0);
    }
}

impl Source {
    /// Blocks until `ready` gives something, with the stall clock running for those who block.
    /// Without a waiter it does not block.
    pub(super) fn wait<'a, T>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        deadline: Deadline,
        waiter: Option<Waiter<'_>>,
        what: &'static str,
        ready: impl Fn(&Inner, &mut State) -> Option<T>,
    ) -> Result<T, RingError> {
        let inner = &*self.0;
        let since = monotonic_ns();
        let stall_ns = u64::try_from(inner.options.stall_time.as_nanos()).unwrap_or(u64::MAX);
        let mut counted = false;
        loop {
            // First the ticks, then the announcement, then another look: a receiver that moves in
            // between changes a tick.
            let interrupt = waiter.as_ref().map(Waiter::word);
            let mut blockers = state.seats.blockers();
            if let Some(interrupt) = interrupt {
                // Unannounced, so that receivers that move meanwhile make no system call.
                let found;
                (state, found) = inner.spin(state, &mut blockers, interrupt, &ready);
                if let Some(result) = found {
                    return Ok(result);
                }
            }
            let announced = Announced::new(inner.board());
            if let Some(result) = ready(inner, &mut state) {
                return Ok(result);
            }
            let now = monotonic_ns();
            let next_stall = inner.stall(&mut state, now, since, stall_ns);
            if next_stall == now {
                drop(announced);
                continue;
            }
            let (Some(waiter), Some(interrupt)) = (&waiter, interrupt) else {
                return Err(RingError::Timeout(what));
            };
            waiter.check()?;
            if deadline.passed(now) {
                return Err(RingError::Timeout(what));
            }
            if !std::mem::replace(&mut counted, true) {
                inner.counts().waits.fetch_add(1, Relaxed);
            }
            drop(state);
            let mut words = Vec::with_capacity(MAX_WORDS.min(1 + blockers.len()));
            words.push(interrupt);
            let ticks = blockers
                .iter()
                .map(|blocker| Expected::shared(&blocker.view.line().tick, blocker.tick));
            words.extend(ticks.take(MAX_WORDS - 1));
            let mut until = deadline.or(next_stall).min(now + LOOK_NS);
            if blockers.len() >= MAX_WORDS {
                // More receivers than the kernel watches at once: check all of them now and then.
                until = until.min(now + LOOK_NS / 100);
            }
            futex::wait_any(&words, until);
            drop(announced);
            inner.spin.lock().slept(monotonic_ns() - now);
            state = inner.lock();
        }
    }
}

impl Inner {
    /// Spins until `ready` gives something, looking whenever a receiver has moved, for as long as
    /// that has paid before. The lock is given up meanwhile. Ticks are brought up to date.
    fn spin<'a, T>(
        &'a self,
        state: MutexGuard<'a, State>,
        blockers: &mut [Blocker],
        interrupt: Expected<'_>,
        ready: impl Fn(&Self, &mut State) -> Option<T>,
    ) -> (MutexGuard<'a, State>, Option<T>) {
        let turn = self.spin.lock().turn();
        let Some(turn) = turn else { return (state, None) };
        drop(state);
        let mut found = None;
        let spun = spin::spin(turn, || {
            let mut moved = false;
            for blocker in &mut *blockers {
                let tick = protocol::tick(blocker.view.line());
                moved |= std::mem::replace(&mut blocker.tick, tick) != tick;
            }
            if moved {
                let mut state = self.lock();
                found = ready(self, &mut state).map(|result| (state, result));
            }
            found.is_some() || interrupt.changed()
        });
        self.spin.lock().learn(spun);
        match found {
            Some((state, result)) => (state, Some(result)),
            None => (self.lock(), None),
        }
    }

    /// Runs the stall clock of those who block the source now. Returns when it next strikes.
    fn stall(&self, state: &mut State, now: u64, since: u64, stall_ns: u64) -> u64 {
        let State { slots, seats, audience_met } = state;
        if !*audience_met {
            return u64::MAX;
        }
        let capacity = self.geometry.capacity as u64;
        let published = slots.published();
        let any_full = seats.any_full(published, capacity);
        // If queues are full, their receivers block the source; otherwise all slots are held, and
        // every receiver that holds one does.
        seats.stall(
            now,
            since,
            stall_ns,
            |standing| !any_full || standing.unread(published) >= capacity,
            |sequence| slots.published_at(sequence),
        )
    }
}
