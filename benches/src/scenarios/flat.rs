//! Hand-offs at full speed: in lock-step and free-running, beside a shared cache line and a futex.

use super::Options;
use super::rounds::{Outcome, Pair, flat_ring, flat_word, receivers};
use crate::case::{Case, Target, Unit};
use crate::crew::{Crew, Placement};
use crate::error::BenchError;
use crate::order::Wait;

const NAME: &str = "flat";
const QUEUE: usize = 16;

pub(super) fn run(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let rounds = options.either(9, 3);
    for count in [1, 2, 4] {
        let crew = Crew::start(count, Placement::Apart)?;
        let source = crew.ring(1024, QUEUE)?;
        let many = options.either(200_000, 50_000) / count / count;
        let ring = |lock_step: bool| flat_ring(&crew, &source, many, lock_step);
        let futex = |window| flat_word(&crew, many / 4, window, Wait::Futex);
        // A spinning floor needs a processor for each receiver.
        let line =
            |window| -> Result<Outcome, BenchError> { flat_word(&crew, many, window, Wait::Spin) };
        let lock_step = format!("lock-step, {}", receivers(count));
        let free = format!("free-running, {}", receivers(count));
        if count == 1 {
            let pair = Pair::measure(rounds, || ring(true), || line(1))?;
            let rate = pair.rate(NAME, &lock_step, Unit::PerSecond, "shared cache line");
            report(rate.wants(Target::AtLeast(2e6)));
            let delay = pair.delay(NAME, format!("{lock_step}, put to get"), "shared cache line");
            report(delay.wants(Target::AtMost(0.3)));
            let pair = Pair::measure(rounds, || ring(false), || line(QUEUE))?;
            report(pair.rate(NAME, &free, Unit::PerSecond, "shared cache line"));
        }
        let pair = Pair::measure(rounds, || ring(true), || futex(1))?;
        let case = pair.rate(NAME, lock_step, Unit::PerSecond, "futex");
        report(if count == 4 { case.wants(Target::AtLeast(120e3)) } else { case });
        let pair = Pair::measure(rounds, || ring(false), || futex(QUEUE))?;
        report(pair.rate(NAME, free, Unit::PerSecond, "futex"));
    }
    Ok(())
}
