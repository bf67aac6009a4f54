//! Sources and receivers in processes of their own: their orders and their reports.

use crate::content::{HEADER, Stamp};
use crate::process::Process;
use crate::{program, wait};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Specification of a role, the one argument of `mcm-role`, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Spec {
    /// Send, or else receive.
    pub send: bool,
    /// Configuration of the client.
    pub client: Value,
    /// Configuration of the connection.
    pub connection: Value,
    /// Source: who it is.
    pub source: u64,
    /// Source: how many frames; 0 is for ever.
    pub frames: u64,
    /// Source: frames of random length instead of full ones.
    pub vary: bool,
    /// Microseconds to sleep after each frame; 0 is flat out.
    pub pause_us: u64,
    /// Milliseconds for which to try again as long as there is no proxy.
    pub patience_ms: u64,
}

impl Spec {
    /// A source that sends for ever, flat out, with frames of random length.
    #[must_use]
    pub fn source(client: Value, connection: Value, source: u64) -> Self {
        Self { send: true, source, vary: true, ..Self::receiver(client, connection) }
    }

    /// A receiver.
    #[must_use]
    pub fn receiver(client: Value, connection: Value) -> Self {
        Self {
            send: false,
            client,
            connection,
            source: 0,
            frames: 0,
            vary: false,
            pause_us: 0,
            patience_ms: 0,
        }
    }

    /// Sleeps for so long after each frame.
    #[must_use]
    pub fn pause(mut self, micros: u64) -> Self {
        self.pause_us = micros;
        self
    }

    /// Tries for so long to find a proxy.
    #[must_use]
    pub fn patience(mut self, millis: u64) -> Self {
        self.patience_ms = millis;
        self
    }

    /// Ends after so many frames.
    #[must_use]
    pub fn frames(mut self, frames: u64) -> Self {
        self.frames = frames;
        self
    }
}

/// Order to a running role: one word a line on its standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Receiver: keep every frame, and take none beyond the most that may be held.
    Hold,
    /// Receiver: give all back and go on.
    Release,
    /// Stand still, without a call of the library.
    Sleep,
    /// Go on.
    Wake,
    /// Source: take as many buffers as there are, report how many, and give them back; then stand
    /// still.
    Count,
    /// End in good order.
    End,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Hold, Self::Release, Self::Sleep, Self::Wake, Self::Count, Self::End];

    /// The word on the line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Sleep => "sleep",
            Self::Wake => "wake",
            Self::Count => "count",
            Self::End => "end",
        }
    }
}

/// Report of a role: one JSON object a line on its standard output.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The connection exists.
    pub created: bool,
    /// Frames put or got.
    pub frames: u64,
    /// Frames missed, as the library counts them.
    pub missed: u64,
    /// Frames missed, as the frames themselves tell.
    pub told_missed: u64,
    /// Waits of a source for its receivers.
    pub waits: u64,
    /// Buffers held.
    pub held: u32,
    /// Partners.
    pub peers: u32,
    /// Receiver: who made the newest frame.
    pub source: u64,
    /// Receiver: number of the newest frame; source: number of the next one.
    pub index: u64,
    /// Receiver: number of the first frame of that source.
    pub first: Option<u64>,
    /// Stands still as told.
    pub asleep: bool,
    /// Source: how many buffers could be had at once.
    pub free: Option<usize>,
    /// The stream has ended, or the role has.
    pub ended: bool,
    /// Number of the error that ended it.
    pub error: i32,
    /// Text of that error, or what was wrong with a frame.
    pub reason: String,
}

/// A role that runs. Dropping it kills it.
#[derive(Debug)]
pub struct Role {
    process: Process,
    latest: Arc<Mutex<Report>>,
}

impl Role {
    /// Starts a role.
    #[must_use]
    pub fn start(spec: &Spec) -> Self {
        Self::start_by(Command::new(program::role()), spec)
    }

    /// Starts a role as the given command, which the specification is added to.
    ///
    /// # Panics
    /// If it cannot be started.
    #[must_use]
    pub fn start_by(mut command: Command, spec: &Spec) -> Self {
        command.arg(serde_json::to_string(spec).expect("a specification is JSON"));
        let latest = Arc::new(Mutex::new(Report::default()));
        let place = Arc::clone(&latest);
        let name = if spec.send { "source" } else { "receiver" };
        let process = Process::start(name, command, move |line| {
            let Ok(report) = serde_json::from_str(line) else { return false };
            *place.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = report;
            true
        });
        Self { process, latest }
    }

    /// Its last report.
    #[must_use]
    pub fn report(&self) -> Report {
        self.latest.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Waits until its report is as wished, and returns it.
    ///
    /// # Panics
    /// If that never happens, or the role fails.
    #[track_caller]
    pub fn until(&mut self, what: &str, wish: impl Fn(&Report) -> bool) -> Report {
        let start = std::time::Instant::now();
        loop {
            let gone = self.process.has_ended();
            if gone {
                self.process.wait();
            }
            let report = self.report();
            if wish(&report) {
                return report;
            }
            let late = start.elapsed() >= wait::DEADLINE;
            assert!(!gone && !late, "not reached: {what}; the role says {report:?}");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Waits until its connection exists.
    #[track_caller]
    pub fn ready(mut self) -> Self {
        self.until("the connection exists", |report| report.created);
        self
    }

    /// Waits for so many more frames than it has now.
    #[track_caller]
    pub fn progress(&mut self, frames: u64) -> Report {
        let now = self.report().frames;
        self.until(&format!("{frames} more frames"), |report| report.frames >= now + frames)
    }

    /// Tells it what to do.
    pub fn order(&mut self, order: Order) {
        self.process.tell(order.word());
    }

    /// Ends it in good order, and returns its last report.
    ///
    /// # Panics
    /// If something was wrong with a frame or with an order.
    #[track_caller]
    pub fn end(mut self) -> Report {
        self.order(Order::End);
        self.finished()
    }

    /// Waits until it has ended by itself, and returns its last report.
    ///
    /// # Panics
    /// If something was wrong with a frame or with an order.
    #[track_caller]
    pub fn finished(mut self) -> Report {
        let status = self.process.wait();
        let report = self.report();
        assert!(status.success(), "{status}: {report:?}\n{}", self.process.output());
        report
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its process.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Length of a source's frame: full, or random from the header up.
#[must_use]
pub fn frame_len(spec: &Spec, stamp: Stamp, partition: usize) -> usize {
    if !spec.vary || partition <= HEADER {
        return partition;
    }
    let mut random = crate::random::Random::new(stamp.source ^ (stamp.index << 20));
    HEADER + random.below((partition - HEADER + 1) as u64) as usize
}
