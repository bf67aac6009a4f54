//! One source or receiver, as `mcm_tests::role` describes it. Not for people.

use mcm::Error;
use mcm::{Buffer, Client, Connection, Direction, Timeout};
use mcm_tests::content::{self, Stamp};
use mcm_tests::role::{Order, Report, Spec, frame_len};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
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
        Err(Failure::Library(error)) => {
            reporter.now.error = error.code();
            reporter.now.reason = error.to_string();
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
    Library(Error),
    /// Something about the frames is wrong.
    Frame(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

#[derive(Default)]
struct Reporter {
    now: Report,
    printed: Report,
    at: Option<Instant>,
}

impl Reporter {
    /// Prints the report if it has changed, but not all the time.
    fn tick(&mut self, connection: &Connection) {
        if self.at.is_some_and(|at| at.elapsed() < Duration::from_millis(10)) {
            return;
        }
        self.take(connection);
        self.print();
    }

    fn take(&mut self, connection: &Connection) {
        let stats = connection.stats();
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
struct Orders(Receiver<Order>);

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
    let client = Client::new(&spec.client.to_string())?;
    let connection = connect(&client, spec)?;
    reporter.now.created = true;
    reporter.tick(&connection);
    let orders = Orders::follow();
    let outcome = if spec.send {
        send(spec, &connection, &orders, reporter)
    } else {
        receive(spec, &connection, &orders, reporter)
    };
    reporter.take(&connection);
    drop(connection);
    client.close()?;
    outcome
}

/// Connects; while there is no proxy, again and again.
fn connect(client: &Arc<Client>, spec: &Spec) -> Result<Arc<Connection>, Error> {
    let direction = if spec.send { Direction::Send } else { Direction::Receive };
    let give_up = Instant::now() + Duration::from_millis(spec.patience_ms);
    loop {
        match client.connect(direction, &spec.connection.to_string()) {
            Err(Error::ConnectionFailed(_)) if Instant::now() < give_up => {
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
    connection: &Connection,
    orders: &Orders,
    reporter: &mut Reporter,
) -> Result<(), Failure> {
    let mut index = 0;
    let mut filled: Option<Buffer> = None;
    while spec.frames == 0 || index < spec.frames {
        match orders.next() {
            Some(Order::End) => return Ok(()),
            Some(order @ (Order::Sleep | Order::Count)) => {
                // A filled buffer counts as taken; it is given back unpublished, and filled again later.
                filled = None;
                if order == Order::Count {
                    reporter.now.free = Some(count(spec, connection, reporter)?);
                }
                reporter.now.asleep = true;
                reporter.take(connection);
                reporter.print();
                if orders.sleep() == Order::End {
                    return Ok(());
                }
                reporter.now.asleep = false;
            }
            _ => {}
        }
        reporter.now.index = index;
        reporter.tick(connection);
        let buffer = match filled.take() {
            Some(buffer) => buffer,
            None => match connection.get(Timeout::After(LOOK)) {
                Ok(mut buffer) => {
                    fill(spec, Stamp { source: spec.source, index }, &mut buffer)?;
                    buffer
                }
                Err(Error::Timeout(..)) => continue,
                Err(error) => return Err(error.into()),
            },
        };
        match Connection::put(buffer, Timeout::After(LOOK)) {
            Ok(()) => {
                index += 1;
                pause(spec);
            }
            Err((buffer, Error::Timeout(..))) => filled = Some(buffer),
            Err((_, error)) => return Err(error.into()),
        }
    }
    reporter.now.index = index;
    Ok(())
}

fn fill(spec: &Spec, stamp: Stamp, buffer: &mut Buffer) -> Result<(), Error> {
    let len = frame_len(spec, stamp, buffer.payload_len());
    buffer.set_payload_len(len)?;
    let metadata = if buffer.set_metadata_len(16).is_ok() { 16 } else { 0 };
    // SAFETY: the buffer is this source's alone until it is put, and both lengths were accepted for its partitions.
    let (payload, metadata) = unsafe {
        (
            std::slice::from_raw_parts_mut(buffer.payload_ptr(), len),
            std::slice::from_raw_parts_mut(buffer.metadata_ptr(), metadata),
        )
    };
    content::fill(stamp, payload, metadata);
    Ok(())
}

/// Number of buffers that the source can hold at once; it tries as many as its queue has.
fn count(spec: &Spec, connection: &Connection, reporter: &mut Reporter) -> Result<usize, Error> {
    let capacity = spec.connection["bufferQueueCapacity"].as_u64().unwrap_or(16);
    let mut held = Vec::new();
    while (held.len() as u64) < capacity {
        match connection.get(Timeout::After(PATIENCE)) {
            Ok(buffer) => held.push(buffer),
            Err(Error::Timeout(..)) => break,
            Err(error) => return Err(error),
        }
        reporter.tick(connection);
    }
    Ok(held.len())
}

fn receive(
    spec: &Spec,
    connection: &Connection,
    orders: &Orders,
    reporter: &mut Reporter,
) -> Result<(), Failure> {
    let mut order = content::Order::default();
    let mut held: Vec<Buffer> = Vec::new();
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
                reporter.take(connection);
                reporter.print();
                if orders.sleep() == Order::End {
                    return Ok(());
                }
                reporter.now.asleep = false;
            }
            _ => {}
        }
        reporter.tick(connection);
        let buffer = match connection.get(Timeout::After(LOOK)) {
            Ok(buffer) => buffer,
            Err(Error::Timeout(..)) => continue,
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
fn give_back(held: &mut Vec<Buffer>) -> Result<(), Failure> {
    for buffer in held.drain(..) {
        examine(&buffer)
            .map_err(|reason| Failure::Frame(format!("while it was held: {reason}")))?;
        Connection::put(buffer, Timeout::Default).map_err(|(_, error)| error)?;
    }
    Ok(())
}

fn examine(buffer: &Buffer) -> Result<Stamp, String> {
    // SAFETY: the frame is leased until the buffer goes back, and the lengths are those of the frame.
    let (payload, metadata) = unsafe {
        (
            std::slice::from_raw_parts(buffer.payload_ptr(), buffer.payload_len()),
            std::slice::from_raw_parts(buffer.metadata_ptr(), buffer.metadata_len()),
        )
    };
    content::check(payload, metadata)
}
