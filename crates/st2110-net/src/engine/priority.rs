//! Scheduling policy and priority of the engine's threads.

use std::io;

/// How the kernel schedules a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// SCHED_FIFO with this priority, 1…99.
    RealTime(u8),
    /// The ordinary class, preferred by this nice value.
    Preferred(i8),
    /// As any other thread.
    Ordinary,
}

impl std::fmt::Display for Priority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RealTime(priority) => write!(f, "SCHED_FIFO {priority}"),
            Self::Preferred(nice) => write!(f, "nice {nice}"),
            Self::Ordinary => f.write_str("ordinary"),
        }
    }
}

impl Priority {
    /// What threads that asked for real time lack with this, and what helps; `None` if this is real
    /// time.
    pub fn shortfall(self) -> Option<String> {
        if matches!(self, Self::RealTime(_)) {
            return None;
        }
        Some(format!(
            "no real-time priority for ST 2110 threads ({self} instead), on a busy host packets are paced less exactly and may be \
             lost: give the program CAP_SYS_NICE or a limit on rtprio (ulimit -r 50)"
        ))
    }
}

const NICE: i8 = -11;

/// Gives the calling thread the best priority that it may have, and timers that are not grouped
/// with others.
pub(super) fn raise(real_time: Option<u8>) -> Priority {
    // SAFETY: takes a number and no pointer. It concerns the calling thread, and cannot fail with
    // this value.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1) };
    let Some(priority) = real_time else { return Priority::Ordinary };
    if set_fifo(priority).is_ok() {
        return Priority::RealTime(priority);
    }
    match rustix::process::setpriority_process(Some(rustix::thread::gettid()), i32::from(NICE)) {
        Ok(()) => Priority::Preferred(NICE),
        Err(_) => Priority::Ordinary,
    }
}

/// Back among the ordinary threads.
pub(super) fn lower() {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the structure lives through the call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_OTHER, &raw const parameters) };
}

/// Real-time priority for the calling thread. Threads and processes that it starts do not inherit
/// it.
pub(super) fn set_fifo(priority: u8) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: i32::from(priority) };
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: the structure lives through the call; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// CPU time that a thread of this process has used so far. None once it has ended.
pub(super) fn cpu_time(thread: rustix::thread::Pid) -> Option<std::time::Duration> {
    // How Linux names the CPU clock of a thread: all bits of its number inverted, then 4 for a
    // thread and 2 for the scheduler's clock.
    let clock = !thread.as_raw_nonzero().get() << 3 | 6;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure lives through the call.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } != 0 {
        return None;
    }
    Some(std::time::Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}
