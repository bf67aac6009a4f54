//! A source that fills whole frames by memcpy, beside bare memcpy into as many buffers in the order
//! in which the ring used them.

use super::Options;
use super::rounds::{CAPACITY, FRAME, Outcome, Pair, put, receivers, slot_of};
use crate::area::{Mapping, memory_file};
use crate::case::{Case, Target, Unit};
use crate::crew::{Crew, Placement, paced, round_of};
use crate::error::BenchError;
use crate::order::Order;
use crate::samples::Samples;
use shm::{Source, monotonic_ns};
use std::cell::RefCell;
use std::collections::BTreeSet;
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
        let fill = Fill { crew: &crew, source: &source, image: &image, order: RefCell::default() };
        let floor = Buffers::new(source.geometry().slot_count)?;
        let frames = options.either(100, 40);
        let pair = Pair::measure(
            rounds,
            || fill.flat_out(frames),
            || Ok(floor.flat_out(&image, &fill.order.borrow())),
        )?;
        let name = format!("{}, {} in turn", receivers(count), fill.buffers());
        let case = pair.rate(NAME, name, Unit::GigabytesPerSecond, "memcpy");
        report(case.wants(Target::RatioAtLeast(0.95)));

        let frames = options.either(30, 15);
        let pair = Pair::measure(
            rounds,
            || fill.paced(frames),
            || floor.paced(&crew, &image, &fill.order.borrow()),
        )?;
        let name = format!("{} that read, {} in turn", receivers(count), fill.buffers());
        let case = pair.rate(NAME, name, Unit::GigabytesPerSecond, "memcpy, futex, readers");
        report(case.wants(Target::RatioAtLeast(0.95)));
    }
    Ok(())
}

struct Fill<'a> {
    crew: &'a Crew,
    source: &'a Source,
    image: &'a [u8],
    /// Slots that the last round used, one after the other.
    order: RefCell<Vec<usize>>,
}

impl Fill<'_> {
    /// Remembers the slots of a round, numbered from 0 by their addresses.
    fn used(&self, addresses: &[usize]) {
        let distinct: Vec<usize> =
            addresses.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let number = |address: &usize| distinct.binary_search(address).unwrap_or(0);
        self.order.replace(addresses.iter().map(number).collect());
    }

    /// Number of slots that the ring used.
    fn buffers(&self) -> usize {
        self.order.borrow().iter().max().map_or(0, |last| last + 1)
    }

    /// One frame after the other; the rate is that of the whole loop, waits and all.
    fn flat_out(&self, frames: usize) -> Result<Outcome, BenchError> {
        let order = Order::Ring { round: round_of(frames), checksum: false };
        self.crew.begin(&order, &[])?;
        let mut order = Vec::with_capacity(frames);
        let start = monotonic_ns();
        for _ in 0..frames {
            let mut slot = slot_of(self.source)?;
            order.push(slot.payload_ptr().addr());
            slot.payload_mut().copy_from_slice(self.image);
            put(self.source, slot)?;
        }
        let rate = gigabytes(frames, monotonic_ns() - start);
        self.crew.end()?;
        self.used(&order);
        Ok(Outcome { rate, ..Outcome::default() })
    }

    /// 60 frames a second, with receivers that read them: the median rate of a frame's get, memcpy
    /// and put.
    fn paced(&self, frames: usize) -> Result<Outcome, BenchError> {
        let order = Order::Ring { round: round_of(frames), checksum: true };
        self.crew.begin(&order, &[])?;
        let mut order = Vec::with_capacity(frames);
        let mut rates = Samples::default();
        paced(frames, PERIOD, |_| {
            let start = monotonic_ns();
            let mut slot = slot_of(self.source)?;
            order.push(slot.payload_ptr().addr());
            slot.payload_mut().copy_from_slice(self.image);
            put(self.source, slot)?;
            rates.push(gigabytes(1, monotonic_ns() - start));
            Ok(())
        })?;
        self.crew.end()?;
        self.used(&order);
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

    fn fill(&self, image: &[u8], buffer: usize) {
        let start = self.memory.start().wrapping_add(buffer % self.count * FRAME);
        // SAFETY: within the mapping, apart from the image, and only this process writes.
        unsafe { std::ptr::copy_nonoverlapping(image.as_ptr(), start, image.len()) };
        std::hint::black_box(start);
    }

    fn flat_out(&self, image: &[u8], order: &[usize]) -> Outcome {
        let start = monotonic_ns();
        order.iter().for_each(|&buffer| self.fill(image, buffer));
        let rate = gigabytes(order.len(), monotonic_ns() - start);
        Outcome { rate, ..Outcome::default() }
    }

    fn paced(&self, crew: &Crew, image: &[u8], order: &[usize]) -> Result<Outcome, BenchError> {
        let (round, base, buffers) = (round_of(order.len()), crew.word(), order.to_vec());
        let message = Order::Buffers { round, base, buffers, size: FRAME };
        crew.begin(&message, &[self.fd.as_fd()])?;
        let mut rates = Samples::default();
        paced(order.len(), PERIOD, |number| {
            let start = monotonic_ns();
            self.fill(image, order[number]);
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
