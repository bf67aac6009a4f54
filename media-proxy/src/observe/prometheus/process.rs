//! This process, as the kernel sees it; under the names that Prometheus recommends for processes.

use crate::cpu;
use daemon::exposition::{Exposition, Kind::Counter, Kind::Gauge};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What has been seen of the threads. Their times add up by name, so that a sum does not fall when
/// a thread ends.
#[derive(Debug, Default)]
pub(crate) struct Process {
    /// Thread and its start, and the time that it had used.
    seen: HashMap<(i32, u64), Duration>,
    by_name: BTreeMap<String, Duration>,
}

impl Process {
    pub(super) fn write(&mut self, out: &mut Exposition) {
        let used = clock_gettime(ClockId::ProcessCPUTime);
        let used = used.tv_sec as f64 + used.tv_nsec as f64 / 1e9;
        out.single("process_cpu_seconds_total", Counter, "CPU time of this process.", used);
        let threads = cpu::threads();
        out.single("process_threads", Gauge, "Threads of this process.", threads.len());
        if let Some(started) = start_time() {
            let help = "When this process started, in seconds since the Unix epoch.";
            out.single("process_start_time_seconds", Gauge, help, started);
        }
        if let Some([virtual_bytes, resident]) = memory() {
            let help = "Address space of this process, rings that it sees included.";
            out.single("process_virtual_memory_bytes", Gauge, help, virtual_bytes);
            let help = "Memory of this process, rings that it has touched included.";
            out.single("process_resident_memory_bytes", Gauge, help, resident);
        }
        if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
            let help = "Open file descriptors of this process.";
            // One of them is that of the directory.
            out.single("process_open_fds", Gauge, help, open.count().saturating_sub(1));
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            out.single("process_max_fds", Gauge, "Open file descriptors that it may have.", most);
        }
        self.note(threads);
        let help = "CPU time of this process's threads by what they do. Threads that come and go between two scrapes are missed.";
        let mut family = out.family("mcm_thread_cpu_seconds_total", Counter, help);
        for (name, used) in &self.by_name {
            family.sample(&[("thread", name)], used.as_secs_f64());
        }
    }

    fn note(&mut self, threads: Vec<(i32, cpu::ThreadState)>) {
        let mut seen = HashMap::new();
        for (tid, state) in threads {
            let before = self.seen.get(&(tid, state.start)).copied().unwrap_or_default();
            // Threads of a pool differ in the number at the end of their names.
            let name = state.name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
            *self.by_name.entry(name.to_owned()).or_default() += state.used.saturating_sub(before);
            seen.insert((tid, state.start), state.used.max(before));
        }
        self.seen = seen;
    }
}

fn start_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let ticks = rustix::param::clock_ticks_per_second();
    let since_boot = cpu::parse(&stat, ticks)?.start as f64 / ticks as f64;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    let boottime = clock_gettime(ClockId::Boottime);
    let uptime = boottime.tv_sec as f64 + boottime.tv_nsec as f64 / 1e9;
    Some(now - uptime + since_boot)
}

/// Address space and resident memory in bytes.
fn memory() -> Option<[u64; 2]> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split_ascii_whitespace().map_while(|field| field.parse::<u64>().ok());
    let page = rustix::param::page_size() as u64;
    Some([pages.next()? * page, pages.next()? * page])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::ThreadState;

    #[test]
    fn sums_do_not_fall_when_threads_end() {
        let thread = |tid: i32, name: &str, seconds: u64| {
            (tid, ThreadState { name: name.into(), start: 1, used: Duration::from_secs(seconds) })
        };
        let mut process = Process::default();
        process.note(vec![thread(1, "pool-0", 3), thread(2, "pool-1", 4), thread(3, "main", 1)]);
        process.note(vec![thread(2, "pool-1", 6)]);
        assert_eq!(process.by_name["pool"], Duration::from_secs(9));
        assert_eq!(process.by_name["main"], Duration::from_secs(1));
    }

    #[test]
    fn this_process_has_a_start_and_memory() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let started = start_time().unwrap();
        assert!(started > now - 3600.0 && started <= now + 1.0, "{started}");
        let [virtual_bytes, resident] = memory().unwrap();
        assert!(virtual_bytes > resident && resident > 0);
    }
}
