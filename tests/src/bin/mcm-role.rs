//! One source or receiver, as `mcm_tests::role` describes it. Not for people.

use mcm::{Frame, FrameMut, LengthError, OpenError, Receiver, Source, Stats, WaitError};
use mcm_tests::content::{self, Stamp};
use mcm_tests::role::{Order, Report, Spec, frame_len};
use std::io::Write;
use std::process::ExitCode;
use std::sync::mpsc::{self, TryRecvError, channel};
use std::time::{Duration, Instant};

/// Time limit of a call, after which the role reads its orders.
const LOOK: Duration = Duration::from_millis(20);
/// Time-out of each get when a source counts its buffers.
const PATIENCE: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).unwrap_or_default();
    let spec: Spec = match serde_json::from_str(&argument) {
        Ok(spec) => spec,
        Err(error) => {
            eprintln!("mcm-role: its argument is no specification: {error}");
            return ExitCode::from(2);
        }
    };
    let mut reporter = Reporter::default();
    let outcome = play(&spec, &mut reporter);
    reporter.now.ended = true;
    let code = match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Library(number, reason)) => {
            reporter.now.error = number;
            reporter.now.reason = reason;
            // The test decides whether this error was to come.
            ExitCode::SUCCESS
        }
        Err(Failure::Frame(reason)) => {
            reporter.now.reason = reason;
            ExitCode::FAILURE
        }
    };
    reporter.print();
    code
}

/// Why a role ends early.
enum Failure {
    /// The number that the C API has for the error, and its text.
    Library(i32, String),
    /// Something about the frames is wrong.
    Frame(String),
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Library(error.code(), error.to_string())
    }
}

impl From<WaitError> for Failure {
    fn from(error: WaitError) -> Self {
        Self::Library(error.code(), error.to_string())
    }
}

impl From<LengthError> for Failure {
    fn from(error: LengthError) -> Self {
        Self::Frame(error.to_string())
    }
}

/// The number that the C API has for the end of a stream.
const CLOSED: i32 = 1011;

#[derive(Default)]
struct Reporter {
    now: Report,
    printed: Report,
    at: Option<Instant>,
}

impl Reporter {
    /// Prints the report if it has changed, but not all the time.
    fn tick(&mut self, stats: impl FnOnce() -> Stats) {
        if self.at.is_some_and(|at| at.elapsed() < Duration::from_millis(10)) {
            return;
        }
        self.take(stats());
        self.print();
    }

    fn take(&mut self, stats: Stats) {
        let now = &mut self.now;
        (now.frames, now.missed, now.waits) = (stats.frames, stats.missed, stats.waits);
        (now.held, now.peers) = (stats.held, stats.peers);
    }

    fn print(&mut self) {
        self.at = Some(Instant::now());
        if self.now == self.printed {
            return;
        }
        self.printed = self.now.clone();
        let line = serde_json::to_string(&self.now).unwrap_or_default();
        let mut out = std::io::stdout().lock();
        // A parent that reads no more is about to end this process anyway.
        let _ = writeln!(out, "{line}").and_then(|()| out.flush());
    }
}

/// Orders that are not carried out yet.
struct Orders(mpsc::Receiver<Order>);

impl Orders {
    fn follow() -> Self {
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            for line in std::io::stdin().lines() {
                let word = line.unwrap_or_default();
                let order = Order::ALL.into_iter().find(|order| order.word() == word.trim());
                if order.is_none_or(|order| sender.send(order).is_err()) {
                    break;
                }
            }
        });
        Self(receiver)
    }

    fn next(&self) -> Option<Order> {
        match self.0.try_recv() {
            Ok(order) => Some(order),
            Err(TryRecvError::Empty) => None,
            // The group has no receivers any more.
            Err(TryRecvError::Disconnected) => Some(Order::End),
        }
    }

    /// Stands still until told otherwise.
    fn sleep(&self) -> Order {
        loop {
            match self.0.recv() {
                Ok(Order::Sleep) => {}
                Ok(order) => return order,
                Err(_) => return Order::End,
            }
        }
    }
}

fn play(spec: &Spec, reporter: &mut Reporter) -> Result<(), Failure> {
    let client = mcm_tests::config::build(&spec.client);
    let orders = Orders::follow();
    if spec.send {
        let source = patiently(spec, || client.source(spec.connection.to_string()))?;
        reporter.now.created = true;
        reporter.tick(|| source.stats());
        let outcome = send(spec, &source, &orders, reporter);
        reporter.take(source.stats());
        outcome
    } else {
        let receiver = patiently(spec, || client.receiver(spec.connection.to_string()))?;
        reporter.now.created = true;
        reporter.tick(|| receiver.stats());
        let outcome = receive(spec, &receiver, &orders, reporter);
        reporter.take(receiver.stats());
        outcome
    }
}

/// Opens a source or receiver; while there is no proxy, again and again.
fn patiently<T>(spec: &Spec, open: impl Fn() -> Result<T, OpenError>) -> Result<T, OpenError> {
    let give_up = Instant::now() + Duration::from_millis(spec.patience_ms);
    loop {
        match open() {
            Err(OpenError::Failed(_)) if Instant::now() < give_up => {
                std::thread::sleep(Duration::from_millis(5));
            }
            result => return result,
        }
    }
}

fn pause(spec: &Spec) {
    if spec.pause_us > 0 {
        std::thread::sleep(Duration::from_micros(spec.pause_us));
    }
}

fn send(
    spec: &Spec,
    source: &Source,
    orders: &Orders,
    reporter: &mut Reporter,
) -> Result<(), Failure> {
    let mut index = 0;
    let mut filled: Option<FrameMut> = None;
    while spec.frames == 0 || index < spec.frames {
        match orders.next() {
            Some(Order::End) => return Ok(()),
            Some(order @ (Order::Sleep | Order::Count)) => {
                // A filled buffer counts as taken; it is given back unpublished, and filled again
                // later.
                filled = None;
                if order == Order::Count {
                    reporter.now.free = Some(count(spec, source, reporter)?);
                }
                reporter.now.asleep = true;
                reporter.take(source.stats());
                reporter.print();
                if orders.sleep() == Order::End {
                    return Ok(());
                }
                reporter.now.asleep = false;
            }
            _ => {}
        }
        reporter.now.index = index;
        reporter.tick(|| source.stats());
        let buffer = match filled.take() {
            Some(buffer) => buffer,
            None => match source.frame(LOOK) {
                Ok(mut buffer) => {
                    fill(spec, Stamp { source: spec.source, index }, &mut buffer)?;
                    buffer
                }
                Err(error) if error.is_timeout() => continue,
                Err(error) => return Err(error.into()),
            },
        };
        match buffer.publish_within(LOOK) {
            Ok(()) => {
                index += 1;
                pause(spec);
            }
            Err(error) if error.reason.is_timeout() => filled = Some(error.frame),
            Err(error) => return Err(error.reason.into()),
        }
    }
    reporter.now.index = index;
    Ok(())
}

fn fill(spec: &Spec, stamp: Stamp, buffer: &mut FrameMut) -> Result<(), LengthError> {
    let len = frame_len(spec, stamp, buffer.payload().len());
    buffer.set_payload_len(len)?;
    let mut metadata = vec![0; buffer.metadata_mut().len().min(16)];
    content::fill(stamp, &mut buffer.payload_mut()[..len], &mut metadata);
    buffer.set_metadata(&metadata)
}

/// Number of buffers that the source can hold at once; it tries as many as its queue has.
fn count(spec: &Spec, source: &Source, reporter: &mut Reporter) -> Result<usize, WaitError> {
    let capacity = spec.connection["bufferQueueCapacity"].as_u64().unwrap_or(16);
    let mut held = Vec::new();
    while (held.len() as u64) < capacity {
        match source.frame(PATIENCE) {
            Ok(buffer) => held.push(buffer),
            Err(error) if error.is_timeout() => break,
            Err(error) => return Err(error),
        }
        reporter.tick(|| source.stats());
    }
    Ok(held.len())
}

fn receive(
    spec: &Spec,
    receiver: &Receiver,
    orders: &Orders,
    reporter: &mut Reporter,
) -> Result<(), Failure> {
    let mut order = content::Order::default();
    let mut held: Vec<Frame> = Vec::new();
    let mut holding = false;
    loop {
        match orders.next() {
            Some(Order::End) => return Ok(()),
            Some(Order::Hold) => holding = true,
            Some(Order::Release) => {
                holding = false;
                give_back(&mut held)?;
            }
            Some(Order::Sleep) => {
                reporter.now.asleep = true;
                reporter.take(receiver.stats());
                reporter.print();
                if orders.sleep() == Order::End {
                    return Ok(());
                }
                reporter.now.asleep = false;
            }
            _ => {}
        }
        reporter.tick(|| receiver.stats());
        let buffer = match receiver.recv(LOOK) {
            Ok(Some(buffer)) => buffer,
            Ok(None) => return Err(Failure::Library(CLOSED, "the stream has ended".to_owned())),
            Err(error) if error.is_timeout() => continue,
            Err(error) => return Err(error.into()),
        };
        let stamp = examine(&buffer).map_err(Failure::Frame)?;
        let info = buffer.info();
        order.take(stamp, &info).map_err(Failure::Frame)?;
        if info.tai_ns == 0 || info.published_ns == 0 {
            return Err(Failure::Frame(format!("frame {} has no time", stamp.index)));
        }
        if reporter.now.first.is_none() || reporter.now.source != stamp.source {
            reporter.now.first = Some(stamp.index);
        }
        (reporter.now.source, reporter.now.index) = (stamp.source, stamp.index);
        reporter.now.told_missed = order.missed;
        if holding {
            held.push(buffer);
        } else {
            pause(spec);
            give_back(&mut vec![buffer])?;
        }
    }
}

/// Checks frames once more before they are released: no process may have written to them in
/// between.
fn give_back(held: &mut Vec<Frame>) -> Result<(), Failure> {
    for buffer in held.drain(..) {
        examine(&buffer)
            .map_err(|reason| Failure::Frame(format!("while it was held: {reason}")))?;
    }
    Ok(())
}

fn examine(frame: &Frame) -> Result<Stamp, String> {
    content::check(frame.payload(), frame.metadata())
}
