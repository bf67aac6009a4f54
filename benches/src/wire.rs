//! Frames between hosts: bridges between rings, and bare TCP with the same buffers.

mod mesh;
mod plain;
mod rings;

use crate::error::BenchError;
use crate::samples::Samples;
pub(crate) use mesh::Mesh;
pub(crate) use plain::Plain;
use shm::monotonic_ns;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Longest wait for a round.
const PATIENCE: Duration = Duration::from_secs(60);

/// Times of arrival at one destination.
#[derive(Clone, Debug, Default)]
pub(crate) struct Arrivals(Arc<(Mutex<Vec<u64>>, Condvar)>);

impl Arrivals {
    pub(crate) fn now(&self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(monotonic_ns());
        self.0.1.notify_all();
    }

    fn forget(&self) {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The first `count` times, once they have passed.
    fn wait(&self, count: usize) -> Result<Vec<u64>, BenchError> {
        let times = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let early = |times: &mut Vec<u64>| times.len() < count;
        let result = self.0.1.wait_timeout_while(times, PATIENCE, early);
        let (times, late) = result.unwrap_or_else(PoisonError::into_inner);
        if late.timed_out() {
            return Err(BenchError::Late {
                seconds: PATIENCE.as_secs(),
                what: "frames of a round",
            });
        }
        Ok(times[..count].to_vec())
    }
}

/// Result of a round.
#[derive(Debug)]
pub(crate) struct Round {
    /// Frames a second.
    pub(crate) rate: f64,
    /// Microseconds from each frame's start to its arrival at the last destination.
    pub(crate) delays: Samples,
    /// Microseconds of processors' time for each frame and destination.
    pub(crate) cpu: Cpu,
}

/// Microseconds of processors' time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// Of everything in this process, the kernel's work for it included.
    pub(crate) all: f64,
    /// Of the threads that send. The kernel brings their packets to the other host's sockets in
    /// their time.
    pub(crate) senders: f64,
    /// Of the threads that receive.
    pub(crate) receivers: f64,
}

impl Cpu {
    /// Names of the threads that send and of those that receive begin so.
    pub(super) const SENDER: &str = "bench-out";
    pub(super) const RECEIVER: &str = "bench-in";

    fn now() -> Self {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let all = time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1000.0;
        let mut cpu = Self { all, ..Self::default() };
        for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let read = |file| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let (name, times) = (read("comm"), read("schedstat"));
            // Its first word is the time on a processor, in nanoseconds.
            let nanos: f64 =
                times.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0.0);
            if name.starts_with(Self::SENDER) {
                cpu.senders += nanos / 1000.0;
            } else if name.starts_with(Self::RECEIVER) {
                cpu.receivers += nanos / 1000.0;
            }
        }
        cpu
    }

    /// For each of so many frames since then.
    fn since(earlier: Self, frames: f64) -> Self {
        let now = Self::now();
        Self {
            all: (now.all - earlier.all) / frames,
            senders: (now.senders - earlier.senders) / frames,
            receivers: (now.receivers - earlier.receivers) / frames,
        }
    }
}

/// Sends `count` frames, flat out or at a steady pace, and waits until they have arrived
/// everywhere.
pub(crate) fn round(
    arrivals: &[Arrivals],
    count: usize,
    period: Option<Duration>,
    mut send: impl FnMut() -> Result<(), BenchError>,
) -> Result<Round, BenchError> {
    arrivals.iter().for_each(Arrivals::forget);
    let cpu = Cpu::now();
    let start = monotonic_ns();
    let sent = match period {
        Some(period) => crate::crew::paced(count, period, |_| send())?,
        None => (0..count).map(|_| send().map(|()| start)).collect::<Result<_, _>>()?,
    };
    let mut last = vec![0; count];
    for destination in arrivals {
        for (last, time) in last.iter_mut().zip(destination.wait(count)?) {
            *last = time.max(*last);
        }
    }
    let nanos = last.last().copied().unwrap_or(start).saturating_sub(start);
    let mut delays = Samples::default();
    delays.extend(
        last.iter().zip(&sent).map(|(last, sent)| last.saturating_sub(*sent) as f64 / 1000.0),
    );
    let frames = (count * arrivals.len()) as f64;
    let rate = count as f64 * 1e9 / nanos as f64;
    Ok(Round { rate, delays, cpu: Cpu::since(cpu, frames) })
}
