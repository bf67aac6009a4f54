//! A source that fills whole frames by memcpy, beside bare memcpy over as many buffers as the ring really used.

use super::Options;
use super::rounds::{CAPACITY, FRAME, Outcome, Pair, put, receivers, slot_of};
use crate::area::{Mapping, memory_file};
use crate::case::{Case, Target, Unit};
use crate::crew::{Crew, Placement, paced, round_of};
use crate::error::BenchError;
use crate::order::Order;
use crate::samples::Samples;
use ring::{Source, monotonic_ns};
use std::cell::Cell;
use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

const NAME: &str = "fill";
const PERIOD: Duration = Duration::from_nanos(1_000_000_000 / 60);
/// Makes huge pages where the system has them for shared memory, as the ring does.
const MADV_COLLAPSE: i32 = 25;

pub(super) fn run(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let rounds = options.either(11, 3);
    let image: Vec<u8> = (0..FRAME).map(|byte| byte as u8).collect();
    for count in [1, 4] {
        let crew = Crew::start(count, Placement::Apart)?;
        let source = crew.ring(FRAME, CAPACITY)?;
        let fill = Fill { crew: &crew, source: &source, image: &image, buffers: Cell::new(1) };
        let floor = Buffers::new(source.geometry().slot_count)?;
        let frames = options.either(100, 40);
        let pair = Pair::measure(
            rounds,
            || fill.flat_out(frames),
            || floor.flat_out(&image, frames, fill.buffers.get()),
        )?;
        let name = format!("{}, {} in turn", receivers(count), fill.buffers.get());
        let case = pair.rate(NAME, name, Unit::GigabytesPerSecond, "memcpy");
        report(case.wants(Target::RatioAtLeast(0.95)));

        let frames = options.either(30, 15);
        let pair = Pair::measure(
            rounds,
            || fill.paced(frames),
            || floor.paced(&crew, &image, frames, fill.buffers.get().max(2)),
        )?;
        let name = format!("{} that read, {} in turn", receivers(count), fill.buffers.get());
        let case = pair.rate(NAME, name, Unit::GigabytesPerSecond, "memcpy, futex, readers");
        report(case.wants(Target::RatioAtLeast(0.95)));
    }
    Ok(())
}

struct Fill<'a> {
    crew: &'a Crew,
    source: &'a Source,
    image: &'a [u8],
    /// Slots that the last round used.
    buffers: Cell<usize>,
}

impl Fill<'_> {
    /// One frame after the other; the rate is that of the whole loop, waits and all.
    fn flat_out(&self, frames: usize) -> Result<Outcome, BenchError> {
        let order = Order::Ring { round: round_of(frames), checksum: false };
        self.crew.begin(&order, &[])?;
        let mut used = HashSet::new();
        let start = monotonic_ns();
        for _ in 0..frames {
            let mut slot = slot_of(self.source)?;
            used.insert(slot.payload_ptr().addr());
            slot.payload_mut().copy_from_slice(self.image);
            put(self.source, slot)?;
        }
        let rate = gigabytes(frames, monotonic_ns() - start);
        self.crew.end()?;
        self.buffers.set(used.len());
        Ok(Outcome { rate, ..Outcome::default() })
    }

    /// 60 frames a second, with receivers that read them: the median rate of a frame's get, memcpy and put.
    fn paced(&self, frames: usize) -> Result<Outcome, BenchError> {
        let order = Order::Ring { round: round_of(frames), checksum: true };
        self.crew.begin(&order, &[])?;
        let mut used = HashSet::new();
        let mut rates = Samples::default();
        paced(frames, PERIOD, |_| {
            let start = monotonic_ns();
            let mut slot = slot_of(self.source)?;
            used.insert(slot.payload_ptr().addr());
            slot.payload_mut().copy_from_slice(self.image);
            put(self.source, slot)?;
            rates.push(gigabytes(1, monotonic_ns() - start));
            Ok(())
        })?;
        self.crew.end()?;
        self.buffers.set(used.len());
        Ok(Outcome { rate: rates.median(), ..Outcome::default() })
    }
}

/// Shared buffers without a ring.
struct Buffers {
    fd: OwnedFd,
    memory: Mapping,
    count: usize,
}

impl Buffers {
    fn new(count: usize) -> Result<Self, BenchError> {
        let fd = memory_file(count * FRAME)?;
        let memory = Mapping::new(&fd, count * FRAME)?;
        memory.advise(MADV_COLLAPSE);
        Ok(Self { fd, memory, count })
    }

    fn fill(&self, image: &[u8], number: usize, buffers: usize) {
        let start = self.memory.start().wrapping_add(number % buffers.min(self.count) * FRAME);
        // SAFETY: within the mapping, apart from the image, and only this process writes.
        unsafe { std::ptr::copy_nonoverlapping(image.as_ptr(), start, image.len()) };
        std::hint::black_box(start);
    }

    fn flat_out(&self, image: &[u8], frames: usize, buffers: usize) -> Result<Outcome, BenchError> {
        let start = monotonic_ns();
        (0..frames).for_each(|number| self.fill(image, number, buffers));
        let rate = gigabytes(frames, monotonic_ns() - start);
        Ok(Outcome { rate, ..Outcome::default() })
    }

    fn paced(
        &self,
        crew: &Crew,
        image: &[u8],
        frames: usize,
        buffers: usize,
    ) -> Result<Outcome, BenchError> {
        let buffers = buffers.min(self.count);
        let order =
            Order::Buffers { round: round_of(frames), base: crew.word(), buffers, size: FRAME };
        crew.begin(&order, &[self.fd.as_fd()])?;
        let mut rates = Samples::default();
        paced(frames, PERIOD, |number| {
            let start = monotonic_ns();
            self.fill(image, number, buffers);
            crew.hand_off(true);
            rates.push(gigabytes(1, monotonic_ns() - start));
            Ok(())
        })?;
        crew.end()?;
        Ok(Outcome { rate: rates.median(), ..Outcome::default() })
    }
}

fn gigabytes(frames: usize, nanos: u64) -> f64 {
    (frames * FRAME) as f64 / nanos as f64
}
