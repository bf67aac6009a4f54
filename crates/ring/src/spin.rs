//! How long to spin before sleeping, learned from success.
//!
//! A spin that pays is doubled, one that does not is halved and soon given up; after a run of short sleeps a small one is
//! tried again. Nobody spins where one CPU is all there is, and a longer spin offers the CPU to others meanwhile.

use crate::clock::monotonic_ns;
use std::sync::OnceLock;

const LEAST_NS: u64 = 500;
const RETRY_NS: u64 = 2_000;
const MOST_NS: u64 = 50_000;
const YIELD_AFTER_NS: u64 = 700;
/// A sleep up to here might have been a spin.
const SHORT_SLEEP_NS: u64 = MOST_NS;
const RETRY_AFTER: u32 = 16;

/// The budget of one waiting side.
#[derive(Debug)]
pub(crate) struct Spin {
    budget: u64,
    short_sleeps: u32,
    allowed: bool,
}

impl Spin {
    pub(crate) fn new() -> Self {
        let allowed = several_cpus();
        Self { budget: if allowed { RETRY_NS } else { 0 }, short_sleeps: 0, allowed }
    }

    /// Allows spinning, as far as there is a second CPU, or ends it.
    pub(crate) fn set_allowed(&mut self, allowed: bool) {
        *self = if allowed { Self::new() } else { Self { budget: 0, short_sleeps: 0, allowed } };
    }

    /// The time that [`spin`] may take now, in nanoseconds; 0 for none.
    pub(crate) fn budget(&self) -> u64 {
        self.budget
    }

    /// Learns what a spin of the present budget came to.
    pub(crate) fn learn(&mut self, spun: Spun) {
        self.budget = match (spun == Spun::Paid, self.budget) {
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

/// Whether the machine has more than one CPU at work. What this thread is bound to does not matter: a receiver that has a
/// CPU of its own is the one that gains most.
fn several_cpus() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    // SAFETY: a query without arguments in memory.
    *SEVERAL.get_or_init(|| unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) } > 1)
}

/// What a spin came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spun {
    /// It was worth it.
    Paid,
    /// What was waited for is there, but only after others had the CPU for longer than any spin may take: to sleep and be
    /// woken, ahead of them, would have been faster.
    Late,
    /// It is not there.
    Failed,
}

impl Spun {
    /// Whether what was waited for is there.
    pub(crate) fn ready(self) -> bool {
        self != Self::Failed
    }
}

/// Spins for at most `budget` nanoseconds until `ready`.
pub(crate) fn spin(budget: u64, mut ready: impl FnMut() -> bool) -> Spun {
    if budget == 0 {
        return Spun::Failed;
    }
    let start = monotonic_ns();
    let mut spent = 0;
    loop {
        for _ in 0..8 {
            if ready() {
                return if spent > MOST_NS { Spun::Late } else { Spun::Paid };
            }
            std::hint::spin_loop();
        }
        if spent > budget {
            return Spun::Failed;
        }
        if spent > YIELD_AFTER_NS {
            std::thread::yield_now();
        }
        spent = monotonic_ns() - start;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_two_cpus() -> Spin {
        Spin { budget: RETRY_NS, short_sleeps: 0, allowed: true }
    }

    #[test]
    fn success_doubles_up_to_the_limit_and_failure_ends_it() {
        let mut spin = on_two_cpus();
        (0..20).for_each(|_| spin.learn(Spun::Paid));
        assert_eq!(spin.budget(), MOST_NS);
        (0..20).for_each(|_| spin.learn(Spun::Late));
        assert_eq!(spin.budget(), 0);
    }

    #[test]
    fn short_sleeps_make_it_try_again_long_ones_do_not() {
        let mut spin = on_two_cpus();
        (0..20).for_each(|_| spin.learn(Spun::Failed));
        for _ in 0..40 {
            spin.slept(1_000);
            spin.slept(16_000_000);
        }
        assert_eq!(spin.budget(), 0);
        (0..RETRY_AFTER).for_each(|_| spin.slept(1_000));
        assert_eq!(spin.budget(), RETRY_NS);
    }

    #[test]
    fn one_cpu_never_spins() {
        let mut lone = Spin { budget: 0, short_sleeps: 0, allowed: false };
        (0..100).for_each(|_| lone.slept(1));
        assert_eq!(lone.budget(), 0);
        assert_eq!(spin(0, || true), Spun::Failed);
    }
}
