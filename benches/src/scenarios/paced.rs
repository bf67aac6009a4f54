//! Frames and packets at a steady pace: latency from put to the last receiver's get, beside a bare
//! futex broadcast.

use super::Options;
use super::rounds::{CAPACITY, FRAME, PACKET, Pair, paced_futex, paced_ring, receivers};
use crate::case::{Case, Target};
use crate::crew::{Crew, Placement};
use crate::error::BenchError;
use std::time::Duration;

pub(super) fn video(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let pace = Pace {
        name: "video",
        payload: FRAME,
        period: Duration::from_nanos(1_000_000_000 / 60),
        frames: options.either(30, 15),
        rounds: options.either(10, 3),
        most: 1.2,
    };
    [1, 2, 4, 16].into_iter().try_for_each(|count| pace.run(count, report))
}

pub(super) fn audio(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let pace = Pace {
        name: "audio",
        payload: PACKET,
        period: Duration::from_millis(1),
        frames: options.either(250, 100),
        rounds: options.either(10, 3),
        most: 1.3,
    };
    [1, 2, 4].into_iter().try_for_each(|count| pace.run(count, report))
}

struct Pace {
    name: &'static str,
    payload: usize,
    period: Duration,
    frames: usize,
    rounds: usize,
    most: f64,
}

impl Pace {
    fn run(&self, count: usize, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
        let crew = Crew::start(count, Placement::Apart)?;
        let source = crew.ring(self.payload, CAPACITY)?;
        let pair = Pair::measure(
            self.rounds,
            || paced_ring(&crew, &source, self.frames, self.period),
            || paced_futex(&crew, self.frames, self.period),
        )?;
        let case = pair.delay(self.name, receivers(count), "futex broadcast");
        report(case.wants(Target::RatioAtMost(self.most)));
        Ok(())
    }
}
