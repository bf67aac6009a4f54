//! Host to host: bridges over libfabric, beside bare TCP that moves the same buffers between the
//! same hosts.

use super::Options;
use super::rounds::{FRAME, Outcome, Pair};
use crate::case::{Case, Figure, Target, Unit};
use crate::error::BenchError;
use crate::hosts::Hosts;
use crate::samples::Samples;
use crate::wire::{Cpu, Mesh, Plain, Round};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

const NAME: &str = "fabric";

/// A part of the processors' time.
type Part = fn(&Cpu) -> f64;

/// The reported CPU times.
const CPU: [(&str, Part); 3] =
    [("all", |cpu| cpu.all), ("egress", |cpu| cpu.senders), ("ingress", |cpu| cpu.receivers)];

pub(super) fn run(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    if let Err(error) = fabric::library_version() {
        eprintln!("scenario {NAME} is left out: {error}");
        return Ok(());
    }
    let rounds = options.either(7, 2);
    for destinations in [1, 3] {
        let hosts = Arc::new(Hosts::new(destinations)?);
        let place = if hosts.are_apart() { "nodes" } else { "loopback" };
        let mesh = Mesh::start(&hosts, destinations, FRAME, false)?;
        let plain = Plain::start(&hosts, destinations, FRAME)?;
        let whom = format!("to {destinations} {place}");
        let frames = options.either(120, 30) / destinations;
        let cpu = RefCell::new((Vec::new(), Vec::new()));
        let pair = Pair::measure(
            rounds,
            || {
                let round = mesh.round(frames, None)?;
                cpu.borrow_mut().0.push(round.cpu);
                Ok(outcome(round))
            },
            || {
                let round = plain.round(frames, None)?;
                cpu.borrow_mut().1.push(round.cpu);
                Ok(outcome(round))
            },
        )?;
        let case = pair.rate(NAME, format!("flat out, {whom}"), Unit::PerSecond, "TCP");
        report(case.wants(Target::RatioAtLeast(0.9)));
        let (ring, floor) = cpu.into_inner();
        for (what, part) in CPU {
            let [ring, floor] = [&ring, &floor].map(|all| samples(all, part));
            report(processors(format!("CPU per frame, {what}, {whom}"), &ring, &floor));
        }
        let period = Some(Duration::from_nanos(1_000_000_000 / 60));
        let frames = options.either(60, 20);
        let pair = Pair::measure(
            rounds,
            || mesh.round(frames, period).map(outcome),
            || plain.round(frames, period).map(outcome),
        )?;
        let case = pair.delay(NAME, format!("60 frames a second, {whom}"), "TCP");
        report(case.wants(Target::AddsAtMost(200.0)));
    }
    let hosts = Arc::new(Hosts::new(1)?);
    let sealed = Mesh::start(&hosts, 1, FRAME, true)?;
    let plain = Plain::start(&hosts, 1, FRAME)?;
    let frames = options.either(60, 20);
    let pair = Pair::measure(
        rounds,
        || sealed.round(frames, None).map(outcome),
        || plain.round(frames, None).map(outcome),
    )?;
    report(pair.rate(NAME, "flat out, encrypted, to 1", Unit::PerSecond, "TCP in the clear"));
    Ok(())
}

fn outcome(round: Round) -> Outcome {
    Outcome { rate: round.rate, delays: round.delays }
}

fn samples(all: &[Cpu], part: Part) -> Samples {
    let mut samples = Samples::default();
    samples.extend(all.iter().map(part));
    samples
}

fn processors(case: String, ring: &Samples, floor: &Samples) -> Case {
    let figure = |samples: &Samples| Figure { median: samples.median(), p99: None };
    Case {
        scenario: NAME,
        case,
        unit: Unit::Microseconds,
        ring: figure(ring),
        floor_name: "TCP",
        floor: figure(floor),
        ratio: ring.ratio(floor),
        target: None,
        met: None,
    }
}
