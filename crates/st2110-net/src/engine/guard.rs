//! Keeps real-time threads from starving the machine.

use media::Tai;
use rustix::time::{ClockId, clock_gettime};

use super::priority::{self, Priority};

/// The kernel stops all real-time threads of a CPU for 50 ms once they have used 95 % of a second (`sched_rt_runtime_us`), and
/// everything else on that CPU waits until then. A thread that comes near to that is better off among the ordinary ones.
const SHARE: u64 = 80;
const WINDOW: u64 = 500_000_000;

/// Watches how much CPU time the calling thread uses.
pub(super) struct Guard {
    priority: Priority,
    since: Tai,
    used: u64,
}

impl Guard {
    pub(super) fn new(priority: Priority, now: Tai) -> Self {
        Self { priority, since: now, used: thread_cpu() }
    }

    /// To be called often. Gives real-time priority up, for good, if the thread hardly ever sleeps.
    pub(super) fn check(&mut self, now: Tai) {
        let passed = now.since(self.since).as_nanos() as u64;
        if passed < WINDOW || !matches!(self.priority, Priority::RealTime(_)) {
            return;
        }
        let used = thread_cpu();
        if (used - self.used) * 100 > passed * SHARE {
            priority::lower();
            self.priority = Priority::Ordinary;
            log::warn!(
                "an ST 2110 thread uses more than {SHARE} % of a CPU and so gives up its real-time priority: \
                 fewer or smaller streams, or more CPUs, would help"
            );
        }
        self.since = now;
        self.used = used;
    }
}

fn thread_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
