//! Egress bridge: sends a group's frames to another proxy.

mod connection;
mod outgoing;

use super::link::{Backoff, LinkOptions, NO_DESCRIPTOR, drain};
use super::ports::{Ended, FrameSource, Taken};
use super::session::Patience;
use super::state::{BridgeStatus, LinkState, SILENT_PEER, Stop, wait};
use crate::error::FabricError;
use crate::provider::Address;
use connection::{Connection, Next};
use std::time::{Duration, Instant};

/// Interval of checks, at the end, whether all frames have arrived.
const FINISH_STEP: Duration = Duration::from_millis(1);

/// Time for the other proxy, which gets the link at the same time as this one, to start its end.
const INTRODUCTION: Duration = Duration::from_secs(3);

/// Time for a source whose connection is being removed to close: if an operator deletes it, source
/// and bridge learn of it at the same time.
const LAST_WORD: Duration = Duration::from_millis(500);

/// A connection that lasts so long is none of those that fail at their first frame, again and
/// again.
const STEADY: Duration = Duration::from_secs(2);

/// An egress.
#[derive(Debug)]
pub struct Egress<S: FrameSource> {
    link: LinkOptions,
    remote: Address,
    source: S,
    status: BridgeStatus,
    backoff: Backoff,
    connection: Option<Connection<S::Frame>>,
    /// Since when there has been one.
    connected: Option<Instant>,
    /// Of the next connection.
    patience: Patience,
    /// Attempts since there was a connection.
    attempts: u32,
    /// Time of the next attempt, if there is no connection.
    retry: Instant,
    /// Time until which frames are held back without a connection: only before the first connection
    /// is made or has failed. Later, frames are skipped, so that the group does not wait.
    patient_until: Option<Instant>,
    /// The source has ended the stream, and the other side does not know it yet. What the next
    /// source puts has to wait.
    owes_end: bool,
}

impl<S: FrameSource> Egress<S> {
    /// Will send to the endpoints at `remote` and the ports after it.
    pub fn new(
        link: LinkOptions,
        remote: Address,
        source: S,
        status: BridgeStatus,
    ) -> Result<Self, FabricError> {
        link.check()?;
        remote.check(link.provider)?;
        link.local.check(link.provider)?;
        remote.offset(link.endpoints - 1)?;
        Ok(Self {
            patience: link.patience(),
            attempts: 0,
            link,
            remote,
            source,
            status,
            backoff: Backoff::new(),
            connection: None,
            connected: None,
            retry: Instant::now(),
            patient_until: Some(Instant::now() + INTRODUCTION),
            owes_end: false,
        })
    }

    /// Makes the first attempt, to learn of what is missing. Otherwise [`run`](Self::run) makes it.
    pub fn open(&mut self) -> Result<(), FabricError> {
        let hold_limit = self.source.hold_limit();
        let now = Instant::now();
        let (link, remote) = (&self.link, &self.remote);
        let connection =
            Connection::open(link, remote, hold_limit, self.patience, self.attempts, now)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Carries frames until it is stopped or its membership of the group has ended; then drains the
    /// remaining ones, if there is a connection, within two seconds. When the source closes, it
    /// passes the end on behind the last frame and makes a new session for the next source. Call it
    /// on a thread of its own.
    pub fn run(mut self, stop: &Stop) {
        while !stop.is_stopped() {
            match self.turn(Instant::now()) {
                Ok((wants_frames, time)) => self.sleep(Some(stop), wants_frames, time),
                Err(Ended) => break,
            }
        }
        self.finish(stop);
        if let Some(connection) = &mut self.connection {
            connection.send_close();
        }
    }

    /// Sends what is there, and sees it arrive.
    fn finish(&mut self, stop: &Stop) {
        let start = Instant::now();
        let by = start + drain(self.patience().round_trip());
        while let Some(connection) = self.connection.as_mut().filter(|c| c.has_peer()) {
            let now = Instant::now();
            let nothing_left = match connection.turn(&mut self.source, &self.status, now) {
                Ok(Next::Lost(_) | Next::EndTold) => return,
                Ok(Next::Sleep { wants_frames, .. }) => wants_frames && now >= start + LAST_WORD,
                // The Close message carries the end, too.
                Ok(Next::StreamEnd) => false,
                Err(Ended) => true,
            };
            let done = nothing_left && connection.is_finished();
            if now >= by || stop.is_at_once() || done {
                return;
            }
            self.sleep(None, false, FINISH_STEP);
        }
    }

    /// Does what can be done now. Returns whether frames are wanted, and how long to sleep at most.
    fn turn(&mut self, now: Instant) -> Result<(bool, Duration), Ended> {
        if self.connection.is_none()
            && now >= self.retry
            && let Err(error) = self.open()
        {
            self.lost(&error.to_string(), now);
        }
        let next = match &mut self.connection {
            Some(connection) if self.owes_end => {
                connection.end_stream(now);
                connection.turn(&mut self.source, &self.status, now)?
            }
            Some(connection) => connection.turn(&mut self.source, &self.status, now)?,
            None => Next::Sleep { until: self.retry, wants_frames: false, up: false },
        };
        match next {
            Next::Sleep { until, wants_frames, up } => {
                if up {
                    self.patient_until = None;
                    self.attempts = 0;
                    if now >= *self.connected.get_or_insert(now) + STEADY {
                        self.backoff.reset();
                    }
                }
                let drops = !up && !self.is_patient(now);
                if drops {
                    if self.status.link() == LinkState::Connecting && self.link.extended.is_some() {
                        self.status.down(&self.nobody());
                    }
                    self.drain()?;
                }
                Ok((wants_frames || drops, until.saturating_duration_since(now)))
            }
            Next::StreamEnd => {
                self.owes_end = true;
                Ok((false, Duration::ZERO))
            }
            Next::EndTold => {
                // There may be another source soon, whose first frames are held back as those of
                // the first were.
                self.owes_end = false;
                self.connection = None;
                self.patient_until = Some(now + INTRODUCTION);
                self.status.ended();
                self.backoff.reset();
                self.retry = now + self.backoff.next();
                Ok((false, Duration::ZERO))
            }
            Next::Lost(why) => {
                self.lost(&why, now);
                Ok((false, Duration::ZERO))
            }
        }
    }

    /// Why there is no connection yet.
    fn nobody(&self) -> String {
        self.status.problem().unwrap_or_else(|| SILENT_PEER.to_owned())
    }

    fn patience(&self) -> Patience {
        self.connection.as_ref().map_or(self.patience, |c| c.patience(Instant::now()))
    }

    fn lost(&mut self, why: &str, now: Instant) {
        self.attempts = self.attempts.saturating_add(1);
        self.connected = None;
        if let Some(connection) = self.connection.take() {
            self.patience = connection.patience(now);
            self.status.counters().unsent.add(connection.under_way());
        }
        if self.is_patient(now) {
            self.status.waits(why);
        } else {
            self.status.down(why);
            self.patient_until = None;
        }
        self.retry = now + self.backoff.next();
    }

    fn is_patient(&self, now: Instant) -> bool {
        self.patient_until.is_some_and(|until| now < until)
    }

    /// Lets frames pass.
    fn drain(&mut self) -> Result<(), Ended> {
        loop {
            match self.source.take()? {
                Taken::Frame(_) => self.status.counters().unsent.add(1),
                Taken::StreamEnd => self.owes_end = true,
                Taken::Nothing => return Ok(()),
            }
        }
    }

    fn sleep(&mut self, stop: Option<&Stop>, wants_frames: bool, time: Duration) {
        let frames = wants_frames.then(|| self.source.ready());
        let (network, time) = match &mut self.connection {
            Some(connection) => match connection.may_sleep() {
                Some(Some(fd)) => (Some(fd), time),
                Some(None) => (None, time.min(NO_DESCRIPTOR)),
                None => (None, Duration::ZERO),
            },
            None => (None, time),
        };
        let fds: Vec<_> = frames.into_iter().chain(network).collect();
        wait(stop, &fds, time);
    }
}
