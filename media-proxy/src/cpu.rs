//! CPU time of this process's threads, from the kernel's accounting.

use std::time::Duration;

/// A thread's clock, which others can read while the thread runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThreadClock {
    tid: i32,
    /// Its start, in ticks since boot: another thread may get its number later.
    start: u64,
}

/// The kernel's state of a thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThreadState {
    pub(crate) name: String,
    pub(crate) start: u64,
    pub(crate) used: Duration,
}

impl ThreadClock {
    /// Of the calling thread.
    pub(crate) fn here() -> Self {
        let tid = rustix::thread::gettid().as_raw_nonzero().get();
        Self { tid, start: state_of(tid).map_or(0, |state| state.start) }
    }

    /// CPU time since the thread's start; `None` once it has ended.
    pub(crate) fn used(self) -> Option<Duration> {
        state_of(self.tid).filter(|state| state.start == self.start).map(|state| state.used)
    }
}

/// The threads of this process.
pub(crate) fn threads() -> Vec<(i32, ThreadState)> {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let tids = tasks.filter_map(|task| task.file_name().to_str()?.parse().ok());
    tids.filter_map(|tid| Some((tid, state_of(tid)?))).collect()
}

fn state_of(tid: i32) -> Option<ThreadState> {
    let ticks = rustix::param::clock_ticks_per_second();
    parse(&std::fs::read_to_string(format!("/proc/self/task/{tid}/stat")).ok()?, ticks)
}

/// Reads a line of `/proc/PID/stat`: `number (name) state …`, see proc_pid_stat(5).
pub(crate) fn parse(stat: &str, ticks_per_second: u64) -> Option<ThreadState> {
    let (head, tail) = stat.rsplit_once(')')?;
    let (_, name) = head.split_once('(')?;
    // The first field here is the third of the line.
    let field = |number: usize| tail.split_ascii_whitespace().nth(number - 3)?.parse::<u64>().ok();
    let ticks = field(14)?.checked_add(field(15)?)?;
    let used = Duration::from_secs_f64(ticks as f64 / ticks_per_second.max(1) as f64);
    Some(ThreadState { name: name.to_owned(), start: field(22)?, used })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_whatever_the_name() {
        let rest = "S 1 1 1 0 -1 4194304 5 0 0 0 150 50 0 0 20 0 3 0 777 1 2 3";
        let state = parse(&format!("12 (a) (b c)) {rest}"), 100).unwrap();
        assert_eq!((state.name.as_str(), state.start), ("a) (b c)", 777));
        assert_eq!(state.used, Duration::from_secs(2));
        for bad in ["", "12 (a", "12 (a) S 1 2", "12 (a) S 1 1 1 0 -1 4194304 5 0 0 0 x 50"] {
            assert_eq!(parse(bad, 100), None, "{bad}");
        }
    }

    #[test]
    fn a_thread_that_has_ended_has_no_clock() {
        let own = ThreadClock::here();
        assert!(own.used().is_some());
        let other = std::thread::spawn(ThreadClock::here).join().unwrap();
        // The kernel may take a moment to tidy up.
        let start = std::time::Instant::now();
        while other.used().is_some() {
            assert!(start.elapsed() < Duration::from_secs(20));
            std::thread::yield_now();
        }
        assert!(threads().iter().any(|(tid, _)| *tid == own.tid));
    }
}
