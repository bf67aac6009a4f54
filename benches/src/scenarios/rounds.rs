//! Measuring rounds that several scenarios share, and the combination of pairs of rounds to a case.

use crate::case::{Case, Figure, Unit};
use crate::crew::{Crew, paced, round_of};
use crate::error::BenchError;
use crate::order::{Order, Wait};
use crate::samples::Samples;
use shm::{Deadline, Source, WriteSlot, monotonic_ns};
use std::time::Duration;

/// 1080p, 10 bits in 16, 4:2:2.
pub(super) const FRAME: usize = 1920 * 1080 * 4;
/// One millisecond of two channels at 48 kHz, 24 bits.
pub(super) const PACKET: usize = 288;
/// Frames in a queue, unless a scenario says otherwise.
pub(super) const CAPACITY: usize = 4;

/// Longest wait of a source within a round.
const PATIENCE: Duration = Duration::from_secs(60);

/// Result of a round: its figure, and the times from put to the last get if the case counts them.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) rate: f64,
    pub(super) delays: Samples,
}

/// Results of several rounds.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    pub(super) rates: Samples,
    pub(super) delays: Samples,
    medians: Samples,
}

impl Series {
    fn add(&mut self, outcome: Outcome) {
        self.rates.push(outcome.rate);
        self.medians.push(outcome.delays.median());
        self.delays.extend(outcome.delays);
    }

    fn rate(&self) -> Figure {
        Figure { median: self.rates.median(), p99: None }
    }

    fn delay(&self) -> Figure {
        Figure { median: self.delays.median(), p99: Some(self.delays.quantile(0.99)) }
    }
}

/// Series of the ring and of its floor, round by round in turn.
#[derive(Clone, Debug, Default)]
pub(super) struct Pair {
    pub(super) ring: Series,
    pub(super) floor: Series,
}

impl Pair {
    /// Runs `rounds` rounds of each, after one of each that does not count.
    pub(super) fn measure(
        rounds: usize,
        mut ring: impl FnMut() -> Result<Outcome, BenchError>,
        mut floor: impl FnMut() -> Result<Outcome, BenchError>,
    ) -> Result<Self, BenchError> {
        let mut pair = Self::default();
        ring()?;
        floor()?;
        for number in 0..rounds {
            // Neither is always the first.
            if number % 2 == 0 {
                pair.ring.add(ring()?);
                pair.floor.add(floor()?);
            } else {
                pair.floor.add(floor()?);
                pair.ring.add(ring()?);
            }
        }
        Ok(pair)
    }

    /// The case of the rates.
    pub(super) fn rate(
        &self,
        scenario: &'static str,
        case: impl Into<String>,
        unit: Unit,
        floor_name: &'static str,
    ) -> Case {
        let ratio = self.ring.rates.ratio(&self.floor.rates);
        let (ring, floor) = (self.ring.rate(), self.floor.rate());
        let case = case.into();
        Case { scenario, case, unit, ring, floor_name, floor, ratio, target: None, met: None }
    }

    /// The case of the times from put to the last get.
    pub(super) fn delay(
        &self,
        scenario: &'static str,
        case: impl Into<String>,
        floor_name: &'static str,
    ) -> Case {
        let ratio = self.ring.medians.ratio(&self.floor.medians);
        let (ring, floor) = (self.ring.delay(), self.floor.delay());
        let (case, unit) = (case.into(), Unit::Microseconds);
        Case { scenario, case, unit, ring, floor_name, floor, ratio, target: None, met: None }
    }
}

/// `1 receiver`, `2 receivers`.
pub(super) fn receivers(count: usize) -> String {
    format!("{count} receiver{}", if count == 1 { "" } else { "s" })
}

pub(super) fn slot_of(source: &Source) -> Result<WriteSlot, BenchError> {
    Ok(source.get(Deadline::after(PATIENCE))?)
}

pub(super) fn put(source: &Source, slot: WriteSlot) -> Result<(), BenchError> {
    Ok(source.put(slot, Deadline::after(PATIENCE), || 0).map_err(|(_, error)| error)?)
}

/// Frames put at a steady pace; each receiver just takes them.
pub(super) fn paced_ring(
    crew: &Crew,
    source: &Source,
    count: usize,
    period: Duration,
) -> Result<Outcome, BenchError> {
    crew.begin(&Order::Ring { round: round_of(count), checksum: false }, &[])?;
    let mut slot = Some(slot_of(source)?);
    let sent = paced(count, period, |number| {
        if let Some(slot) = slot.take() {
            put(source, slot)?;
        }
        if number + 1 < count {
            slot = Some(slot_of(source)?);
        }
        Ok(())
    })?;
    crew.end()?;
    Ok(Outcome { rate: f64::NAN, delays: crew.delays(&sent) })
}

/// A bare futex broadcast at a steady pace.
pub(super) fn paced_futex(
    crew: &Crew,
    count: usize,
    period: Duration,
) -> Result<Outcome, BenchError> {
    let order = Order::Word { round: round_of(count), base: crew.word(), how: Wait::Futex };
    crew.begin(&order, &[])?;
    let sent = paced(count, period, |_| {
        crew.hand_off(true);
        Ok(())
    })?;
    crew.end()?;
    Ok(Outcome { rate: f64::NAN, delays: crew.delays(&sent) })
}

/// Frames put flat out. In lock-step each waits until all receivers have given back the one before.
pub(super) fn flat_ring(
    crew: &Crew,
    source: &Source,
    count: usize,
    lock_step: bool,
) -> Result<Outcome, BenchError> {
    let round = round_of(count);
    crew.begin(&Order::Ring { round, checksum: false }, &[])?;
    let deadline = Deadline::after(PATIENCE);
    let outcome = flat_out(crew, count, if lock_step { 1 } else { count }, |sent| {
        let slot = source.get(deadline)?;
        sent(monotonic_ns);
        source.put(slot, deadline, || 0).map_err(|(_, error)| error)?;
        Ok(())
    })?;
    crew.end()?;
    Ok(outcome)
}

/// Bare hand-offs flat out, at most `window` ahead of the slowest receiver.
pub(super) fn flat_word(
    crew: &Crew,
    count: usize,
    window: usize,
    how: Wait,
) -> Result<Outcome, BenchError> {
    crew.begin(&Order::Word { round: round_of(count), base: crew.word(), how }, &[])?;
    let outcome = flat_out(crew, count, window, |sent| {
        sent(monotonic_ns);
        crew.hand_off(how == Wait::Futex);
        Ok(())
    })?;
    crew.end()?;
    Ok(outcome)
}

/// Hands off `count` times, at most `window` ahead of the slowest receiver. `hand_off` says when it
/// begins to.
fn flat_out(
    crew: &Crew,
    count: usize,
    window: usize,
    mut hand_off: impl FnMut(&mut dyn FnMut(fn() -> u64)) -> Result<(), BenchError>,
) -> Result<Outcome, BenchError> {
    let sampled = round_of(count).sampled;
    let mut times = Vec::with_capacity(count / sampled + 1);
    let start = monotonic_ns();
    for number in 0..count {
        if number >= window {
            crew.await_progress((number + 1 - window) as u64)?;
        }
        hand_off(&mut |clock| {
            if number.is_multiple_of(sampled) {
                times.push(clock());
            }
        })?;
    }
    crew.await_progress(count as u64)?;
    let nanos = monotonic_ns() - start;
    let rate = count as f64 * 1e9 / nanos as f64;
    Ok(Outcome { rate, delays: crew.delays(&times) })
}
