//! CPU affinity of the benchmark's processes.

use crate::error::BenchError;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Processors that this process may use, in ascending order.
#[derive(Clone, Debug)]
pub(crate) struct Cpus {
    set: CpuSet,
    numbers: Vec<usize>,
}

impl Cpus {
    /// Those of now.
    pub(crate) fn usable() -> Result<Self, BenchError> {
        let set = sched_getaffinity(None).map_err(BenchError::system("sched_getaffinity"))?;
        let numbers = (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect();
        Ok(Self { set, numbers })
    }

    pub(crate) fn count(&self) -> usize {
        self.numbers.len()
    }

    /// The source has the first one to itself, as far as there are more.
    pub(crate) fn of_source(&self) -> usize {
        self.numbers[0]
    }

    /// Receivers share the others.
    pub(crate) fn of_receiver(&self, index: usize) -> usize {
        match self.numbers.len() {
            1 => self.numbers[0],
            count => self.numbers[1 + index % (count - 1)],
        }
    }

    /// Takes [`pin`] back.
    pub(crate) fn unpin(&self) -> Result<(), BenchError> {
        sched_setaffinity(None, &self.set).map_err(BenchError::system("sched_setaffinity"))
    }
}

/// Binds this thread, and those that it starts, to one processor.
pub(crate) fn pin(cpu: usize) -> Result<(), BenchError> {
    let mut set = CpuSet::new();
    set.set(cpu);
    sched_setaffinity(None, &set).map_err(BenchError::system("sched_setaffinity"))
}
