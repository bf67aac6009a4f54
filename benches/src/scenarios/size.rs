//! Put, get and release cost the same for frames of any size.

use super::Options;
use super::rounds::{CAPACITY, Outcome, Pair};
use crate::case::{Case, Target, Unit};
use crate::cpu::{Cpus, pin};
use crate::crew::new_source;
use crate::error::BenchError;
use shm::{Deadline, Reader, Receiver, Seat, Source, monotonic_ns};
use std::time::Duration;

/// Time for a pool of 33 MB frames to be made ready.
const READY_NS: u64 = 1_000_000_000;

/// A source and a receiver within this thread.
struct Loop {
    source: Source,
    receiver: Receiver,
}

impl Loop {
    fn new(payload_size: usize) -> Result<Self, BenchError> {
        let source = new_source(payload_size, CAPACITY)?;
        let copy = |fd: std::os::fd::BorrowedFd<'_>| fd.try_clone_to_owned();
        let seat = Seat::new()?;
        let start = source.join(0, copy(seat.fd())?, false)?;
        let reader = Reader::open(&copy(source.pool_fd())?, copy(source.board_fd())?, seat, start)?;
        let receiver = Receiver::new(None);
        receiver.offer(reader);
        Ok(Self { source, receiver })
    }

    fn round(&self, count: usize) -> Result<Outcome, BenchError> {
        let deadline = Deadline::after(Duration::from_secs(60));
        let start = monotonic_ns();
        for _ in 0..count {
            let slot = self.source.get(deadline)?;
            self.source.put(slot, deadline, || 0).map_err(|(_, error)| error)?;
            drop(self.receiver.get(Deadline::Now)?);
        }
        let nanos = (monotonic_ns() - start) as f64;
        Ok(Outcome { rate: nanos / count as f64, ..Outcome::default() })
    }
}

pub(super) fn run(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let cpus = Cpus::usable()?;
    pin(cpus.of_source())?;
    let (rounds, count) = (options.either(15, 5), 20_000);
    let small = Loop::new(1024)?;
    for (size, name) in [(8 << 20, "8 MB"), (33 << 20, "33 MB")] {
        let large = Loop::new(size)?;
        // Pages are made ready in the background at first, which shares the CPUs and caches with
        // what is measured.
        let ready = monotonic_ns() + READY_NS;
        while monotonic_ns() < ready {
            large.round(1000)?;
        }
        let pair = Pair::measure(rounds, || large.round(count), || small.round(count))?;
        let case = pair.rate("size", name, Unit::Nanoseconds, "1 KB frames");
        report(case.wants(Target::RatioAtMost(1.1)));
    }
    cpus.unpin()
}
