//! Keeps real-time threads from starving the machine.

use media::Tai;
use rustix::time::{ClockId, clock_gettime};

use super::priority::{self, Priority};

/// The kernel stops all real-time threads of a CPU for 50 ms once they have used 95 % of a second
/// (`sched_rt_runtime_us`), and everything else on that CPU waits until then. A thread that comes
/// near to that is better off among the ordinary ones.
const SHARE: u64 = 90;
/// So long may a sending thread be that busy. Its work is limited by the pacing of its streams, and
/// without priority it is late.
pub(super) const SENDING_WINDOW: u64 = 500_000_000;
/// So long may a receiving thread be. A flooded socket keeps it busy for as long as it lasts, and
/// without priority nothing is lost as long as the receive buffers last.
pub(super) const RECEIVING_WINDOW: u64 = 100_000_000;
/// After so long it may try again: the reason is often a passing one.
const REST: u64 = 2_000_000_000;

/// Watches how much CPU time the calling thread uses.
pub(super) struct Guard {
    /// What it was given.
    priority: Priority,
    window: u64,
    lowered: bool,
    since: Tai,
    used: u64,
}

impl Guard {
    pub(super) fn new(priority: Priority, window: u64, now: Tai) -> Self {
        Self { priority, window, lowered: false, since: now, used: thread_cpu() }
    }

    /// To be called often. Gives real-time priority up for a while if the thread hardly ever
    /// sleeps.
    pub(super) fn check(&mut self, now: Tai) {
        let passed = u64::try_from(now.since(self.since).as_nanos()).unwrap_or(u64::MAX);
        let Priority::RealTime(level) = self.priority else { return };
        if passed < if self.lowered { REST } else { self.window } {
            return;
        }
        let used = thread_cpu();
        let busy =
            used.saturating_sub(self.used).saturating_mul(100) > passed.saturating_mul(SHARE);
        if busy && !self.lowered {
            priority::lower();
            self.lowered = true;
            log::warn!(
                "an ST 2110 thread uses more than {SHARE} % of a CPU and so gives up its real-time priority for a while: \
                 fewer or smaller streams, or more CPUs, would help"
            );
        } else if self.lowered && !busy {
            self.lowered = priority::set_fifo(level).is_err();
        }
        self.since = now;
        self.used = used;
    }
}

fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
