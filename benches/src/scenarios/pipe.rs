//! The same frames through a pipe for each receiver, the usual way without a ring.

use super::Options;
use super::rounds::{CAPACITY, FRAME, Outcome, PACKET, Pair, put, receivers, slot_of};
use crate::case::{Case, Unit};
use crate::crew::{Crew, Placement, paced, round_of};
use crate::error::BenchError;
use crate::order::Order;
use shm::{Source, monotonic_ns};
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::time::Duration;

const NAME: &str = "pipe";
/// Size of the pipe: the largest that an ordinary user may set.
const PIPE_SIZE: usize = 1 << 20;

pub(super) fn run(options: &Options, report: &mut impl FnMut(Case)) -> Result<(), BenchError> {
    let rounds = options.either(5, 2);
    let video = Duration::from_nanos(1_000_000_000 / 60);
    let audio = Duration::from_millis(1);
    for count in [1, 4] {
        let crew = Crew::start(count, Placement::Apart)?;
        let measure = |size, frames, period| -> Result<Pair, BenchError> {
            let source = crew.ring(size, CAPACITY)?;
            let stream = Stream { crew: &crew, image: vec![7; size], frames, period };
            Pair::measure(rounds, || stream.ring(&source), || stream.pipe())
        };
        let name = receivers(count);
        let pair = measure(FRAME, options.either(40, 15), None)?;
        report(pair.rate(NAME, format!("flat out, {name}"), Unit::PerSecond, "pipe"));
        let pair = measure(FRAME, options.either(30, 15), Some(video))?;
        report(pair.delay(NAME, format!("60 frames a second, {name}"), "pipe"));
        let pair = measure(PACKET, options.either(250, 100), Some(audio))?;
        report(pair.delay(NAME, format!("1000 packets a second, {name}"), "pipe"));
    }
    Ok(())
}

struct Stream<'a> {
    crew: &'a Crew,
    image: Vec<u8>,
    frames: usize,
    /// Flat out without.
    period: Option<Duration>,
}

impl Stream<'_> {
    /// The image is copied in before the put, as a source does that does not render into the slot.
    fn ring(&self, source: &Source) -> Result<Outcome, BenchError> {
        let order = Order::Ring { round: round_of(self.frames), checksum: false };
        self.crew.begin(&order, &[])?;
        self.run(|| {
            let mut slot = slot_of(source)?;
            slot.payload_mut().copy_from_slice(&self.image);
            put(source, slot)
        })
    }

    fn pipe(&self) -> Result<Outcome, BenchError> {
        let mut reading = Vec::new();
        let mut writing = Vec::new();
        for _ in 0..self.crew.len() {
            let (reader, writer) = std::io::pipe()?;
            // Beyond the user's limit the pipe stays as it is.
            let _ = rustix::pipe::fcntl_setpipe_size(&writer, PIPE_SIZE);
            reading.push(OwnedFd::from(reader));
            writing.push(File::from(OwnedFd::from(writer)));
        }
        let order = Order::Pipe { round: round_of(self.frames), size: self.image.len() };
        self.crew.begin_each(&order, &reading)?;
        self.run(|| writing.iter_mut().try_for_each(|pipe| Ok(pipe.write_all(&self.image)?)))
    }

    fn run(&self, mut send: impl FnMut() -> Result<(), BenchError>) -> Result<Outcome, BenchError> {
        let start = monotonic_ns();
        let sent = match self.period {
            Some(period) => paced(self.frames, period, |_| send())?,
            None => {
                (0..self.frames).try_for_each(|_| send())?;
                Vec::new()
            }
        };
        self.crew.end()?;
        let rate = self.frames as f64 * 1e9 / (monotonic_ns() - start) as f64;
        Ok(Outcome { rate, delays: self.crew.delays(&sent) })
    }
}
