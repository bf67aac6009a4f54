//! Adaptive spinning before a futex wait.
//!
//! A spin that succeeds doubles the next one; a spin that fails halves it, down to none. After a
//! run of short waits a small spin is tried again. A process with a single CPU never spins, and a
//! long spin yields the CPU between its rounds.

use crate::clock::monotonic_ns;
use std::sync::OnceLock;

const LEAST_NS: u64 = 500;
const RETRY_NS: u64 = 2_000;
const MOST_NS: u64 = 50_000;
const YIELD_AFTER_NS: u64 = 700;
/// A yield that took longer let others run.
const LONE_YIELD_NS: u64 = 1_000;
/// A sleep up to here might have been a spin.
const SHORT_SLEEP_NS: u64 = MOST_NS;
const RETRY_AFTER: u32 = 16;

/// The budget of one waiting side.
#[derive(Debug)]
pub(crate) struct Spin {
    budget: u64,
    short_sleeps: u32,
    allowed: bool,
    /// Others want this CPU too, such as a receiver of the same ring: they get it at once.
    crowded: bool,
}

/// Budget of the next spin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Turn {
    /// For how long, in nanoseconds.
    budget: u64,
    crowded: bool,
}

impl Spin {
    pub(crate) fn new() -> Self {
        Self::with(several_cpus())
    }

    fn with(allowed: bool) -> Self {
        let budget = if allowed { RETRY_NS } else { 0 };
        Self { budget, short_sleeps: 0, allowed, crowded: false }
    }

    /// Allows spinning, as far as there is a second CPU, or ends it.
    pub(crate) fn set_allowed(&mut self, allowed: bool) {
        *self = Self::with(allowed && several_cpus());
    }

    /// The spin to try now, if one is worth it.
    pub(crate) fn turn(&self) -> Option<Turn> {
        (self.budget > 0).then_some(Turn { budget: self.budget, crowded: self.crowded })
    }

    /// Learns what a turn came to.
    pub(crate) fn learn(&mut self, spun: Spun) {
        self.crowded = spun.crowded;
        self.budget = match (spun.end == End::Paid, self.budget) {
            (true, budget) => (budget * 2).min(MOST_NS),
            (false, budget) if budget / 2 < LEAST_NS => 0,
            (false, budget) => budget / 2,
        };
    }

    /// Learns how long the sleep was that followed.
    pub(crate) fn slept(&mut self, nanos: u64) {
        if nanos > SHORT_SLEEP_NS {
            self.short_sleeps = 0;
        } else if self.allowed && self.budget == 0 {
            self.short_sleeps += 1;
            if self.short_sleeps >= RETRY_AFTER {
                self.short_sleeps = 0;
                self.budget = RETRY_NS;
            }
        }
    }
}

/// Whether the machine has more than one CPU online. The thread's own affinity does not matter: a
/// receiver with a CPU of its own gains most.
fn several_cpus() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    // SAFETY: a query without arguments in memory.
    *SEVERAL.get_or_init(|| unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) } > 1)
}

/// Result of a spin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spun {
    end: End,
    /// Others had the CPU when it was offered to them.
    crowded: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It was worth it.
    Paid,
    /// The condition is met, but only after others had the CPU for longer than any spin may take:
    /// waiting would have been faster.
    Late,
    /// It is not there.
    Failed,
}

impl Spun {
    /// Whether the condition is met.
    pub(crate) fn ready(self) -> bool {
        self.end != End::Failed
    }
}

/// Spins as the turn says until `ready`.
pub(crate) fn spin(turn: Turn, mut ready: impl FnMut() -> bool) -> Spun {
    let start = monotonic_ns();
    let mut spent = 0;
    let mut crowded = turn.crowded;
    let end = loop {
        // On a contended CPU each failed check delays the threads that it waits for.
        for _ in 0..if turn.crowded { 1 } else { 8 } {
            if ready() {
                let end = if spent > MOST_NS { End::Late } else { End::Paid };
                return Spun { end, crowded };
            }
            std::hint::spin_loop();
        }
        if spent > turn.budget {
            break End::Failed;
        }
        let before = spent;
        let offer = turn.crowded || spent > YIELD_AFTER_NS;
        if offer {
            std::thread::yield_now();
        }
        spent = monotonic_ns() - start;
        if offer {
            crowded = spent - before > LONE_YIELD_NS;
        }
    };
    Spun { end, crowded }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(ends: impl IntoIterator<Item = End>) -> Spin {
        let mut spin = Spin::with(true);
        ends.into_iter().for_each(|end| spin.learn(Spun { end, crowded: false }));
        spin
    }

    #[test]
    fn success_doubles_up_to_the_limit_and_failure_ends_it() {
        assert_eq!(after([End::Paid; 20]).turn().unwrap().budget, MOST_NS);
        for end in [End::Failed, End::Late] {
            assert!(after([End::Paid; 20].into_iter().chain([end; 20])).turn().is_none());
        }
    }

    #[test]
    fn short_sleeps_make_it_try_again_long_ones_do_not() {
        let mut spin = after([End::Failed; 20]);
        for _ in 0..40 {
            spin.slept(1_000);
            spin.slept(16_000_000);
        }
        assert!(spin.turn().is_none());
        (0..RETRY_AFTER).for_each(|_| spin.slept(1_000));
        assert_eq!(spin.turn().unwrap().budget, RETRY_NS);
    }

    #[test]
    fn one_cpu_never_spins() {
        let mut lone = Spin::with(false);
        (0..100).for_each(|_| lone.slept(1));
        assert!(lone.turn().is_none());
    }

    #[test]
    fn a_spin_ends_by_itself() {
        for crowded in [false, true] {
            let turn = Turn { budget: RETRY_NS, crowded };
            assert!(!spin(turn, || false).ready());
            assert!(spin(turn, || true).ready());
        }
    }
}
