//! Spinning where it cannot help: all processes on one CPU, and more receivers than CPUs. It must
//! be no slower than without.

use super::Options;
use super::rounds::{Outcome, PACKET, Pair, flat_ring, paced_ring, receivers};
use crate::case::{Case, Target, Unit};
use crate::cpu::Cpus;
use crate::crew::{Crew, Placement};
use crate::error::BenchError;
use shm::Source;
use std::time::Duration;

const NAME: &str = "spinning";
const QUEUE: usize = 16;
const FLOOR: &str = "the same without spinning";

pub(super) fn run(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let crowd = 2 * Cpus::usable()?.count().min(8);
    let places = [
        (1, Placement::Together, "one CPU"),
        (4, Placement::Together, "one CPU"),
        (crowd, Placement::Free, "any CPU"),
    ];
    for (count, placement, place) in places {
        let with = Crew::start(count, placement)?;
        let source_with = with.ring(PACKET, QUEUE)?;
        let mut without = Crew::start(count, placement)?;
        without.set_spinning(false);
        let source_without = without.ring(PACKET, QUEUE)?;
        let pair = |round: &dyn Fn(&Crew, &Source) -> Result<Outcome, BenchError>| {
            Pair::measure(
                options.either(9, 3),
                || round(&with, &source_with),
                || round(&without, &source_without),
            )
        };
        let name = |what| format!("{what}, {}, {place}", receivers(count));
        let many = options.either(40_000, 10_000) / count;
        let free = pair(&|crew, source| flat_ring(crew, source, many, false))?;
        let case = free.rate(NAME, name("free-running"), Unit::PerSecond, FLOOR);
        report(case.wants(Target::RatioAtLeast(0.95)));
        let frames = options.either(250, 100);
        let audio =
            pair(&|crew, source| paced_ring(crew, source, frames, Duration::from_millis(1)))?;
        let case = audio.delay(NAME, name("1000/s"), FLOOR);
        report(case.wants(Target::RatioAtMost(1.05)));
    }
    Ok(())
}
