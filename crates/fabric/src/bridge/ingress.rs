//! Ingress bridge: receives frames from another proxy into a group.

mod connection;
mod gap;
mod peers;
mod posts;

use super::link::{Backoff, LinkOptions, NO_DESCRIPTOR, drain};
use super::ports::{Ended, FrameSink};
use super::session::Patience;
use super::state::{BridgeStatus, LinkState, SILENT_PEER, Stop, wait};
use crate::error::FabricError;
use connection::{Connection, Next};
use std::time::{Duration, Instant};

/// Time for the other proxy, which gets the link at the same time, to call before a log line says
/// that it has not.
const INTRODUCTION: Duration = Duration::from_secs(5);

/// Endpoints that last so long are none of those that fail at their first frame, again and again.
const STEADY: Duration = Duration::from_secs(2);

/// An ingress.
#[derive(Debug)]
pub struct Ingress<K: FrameSink> {
    link: LinkOptions,
    sink: K,
    status: BridgeStatus,
    backoff: Backoff,
    connection: Option<Connection<K::Slot>>,
    /// Since when there has been one.
    opened: Instant,
    /// Of the next connection.
    patience: Patience,
    /// Time at which the log says that the other proxy has not called.
    introduction: Instant,
    /// Time of the next attempt, if the endpoints are not open.
    retry: Instant,
    /// The source has ended the stream, and receivers were told.
    stream_ended: bool,
}

/// Why an ingress has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// It was stopped, or its part in the group has ended: that is no end of the stream.
    Stopped,
    /// The source has ended the stream. For the next one another ingress is needed.
    StreamEnded,
}

impl<K: FrameSink> Ingress<K> {
    /// Will receive at `link.local` and the ports after it.
    pub fn new(link: LinkOptions, sink: K, status: BridgeStatus) -> Result<Self, FabricError> {
        link.check()?;
        link.local.check(link.provider)?;
        link.local.offset(link.endpoints - 1)?;
        if sink.hold_limit() < link.endpoints {
            return Err(FabricError::Parameter {
                name: "queue capacity of the group",
                value: sink.hold_limit(),
                accepted: "at least the number of endpoints",
            });
        }
        let retry = Instant::now();
        Ok(Self {
            patience: link.patience(),
            introduction: retry + INTRODUCTION,
            link,
            sink,
            status,
            backoff: Backoff::new(),
            connection: None,
            opened: retry,
            retry,
            stream_ended: false,
        })
    }

    /// Opens the endpoints, to learn of what is missing. Otherwise [`run`](Self::run) does.
    pub fn open(&mut self) -> Result<(), FabricError> {
        let hold_limit = self.sink.hold_limit();
        self.connection = Some(Connection::open(&self.link, hold_limit, self.patience)?);
        Ok(())
    }

    /// Carries frames until it is stopped, or its part in the group or the stream has ended. When
    /// it is stopped, it takes first what the other side still has to send, within two seconds. To
    /// be called on a thread of its own.
    pub fn run(mut self, stop: &Stop) -> Finished {
        while !stop.is_stopped() {
            match self.turn(Instant::now()) {
                Ok((wants_slots, time)) => self.sleep(Some(stop), wants_slots, time),
                Err(Ended) => break,
            }
        }
        if !self.stream_ended {
            self.finish(stop);
        }
        if !self.stream_ended && self.connection.as_ref().is_some_and(Connection::knows_end) {
            // The rest does not come any more.
            self.end_stream();
        }
        if let Some(connection) = &mut self.connection {
            connection.send_close(self.stream_ended);
        }
        if self.stream_ended { Finished::StreamEnded } else { Finished::Stopped }
    }

    fn end_stream(&mut self) {
        self.stream_ended = true;
        self.sink.end_stream();
        self.status.ended();
    }

    /// Receives the frames that were put before the end. Both ends of a link are stopped at the
    /// same time, and the egress closes the session when it has sent everything.
    fn finish(&mut self, stop: &Stop) {
        let patience = self.connection.as_ref().map_or(self.patience, Connection::patience);
        let by = Instant::now() + drain(patience.round_trip());
        while self.connection.as_ref().is_some_and(Connection::is_in_use) {
            let now = Instant::now();
            if now >= by || stop.is_at_once() {
                return;
            }
            match self.turn(now) {
                Ok((wants_slots, time)) => self.sleep(None, wants_slots, time.min(by - now)),
                Err(Ended) => return,
            }
        }
    }

    /// Does what can be done now. Returns whether slots are wanted, and how long to sleep at most.
    fn turn(&mut self, now: Instant) -> Result<(bool, Duration), Ended> {
        if self.connection.is_none() && now >= self.retry {
            match self.open() {
                Ok(()) => self.opened = now,
                Err(error) => self.lost(&error.to_string(), now),
            }
        }
        let Some(connection) = &mut self.connection else {
            return Ok((false, self.retry.saturating_duration_since(now)));
        };
        match connection.turn(&mut self.sink, &self.status, now)? {
            Next::Sleep { until, wants_slots } => {
                // In the plain form the egress connects with its first frame.
                if self.link.extended.is_some() && self.status.link() == LinkState::Connecting {
                    if now >= self.introduction {
                        self.status.down(SILENT_PEER);
                    }
                    let until = until.min(self.introduction.max(now));
                    return Ok((wants_slots, until.saturating_duration_since(now)));
                }
                Ok((wants_slots, until.saturating_duration_since(now)))
            }
            Next::Lost(why) => {
                self.lost(&why, now);
                Ok((false, Duration::ZERO))
            }
            Next::StreamEnd => {
                self.end_stream();
                Err(Ended)
            }
        }
    }

    fn lost(&mut self, why: &str, now: Instant) {
        if let Some(connection) = self.connection.take() {
            self.patience = connection.patience();
            if now >= self.opened + STEADY {
                self.backoff.reset();
            }
        }
        self.status.down(why);
        self.retry = now + self.backoff.next();
    }

    fn sleep(&mut self, stop: Option<&Stop>, wants_slots: bool, time: Duration) {
        let slots = wants_slots.then(|| self.sink.ready());
        let (network, time) = match &mut self.connection {
            Some(connection) => match connection.may_sleep() {
                Some(Some(fd)) => (Some(fd), time),
                Some(None) => (None, time.min(NO_DESCRIPTOR)),
                None => (None, Duration::ZERO),
            },
            None => (None, time),
        };
        let fds: Vec<_> = slots.into_iter().chain(network).collect();
        wait(stop, &fds, time);
    }
}

#[cfg(test)]
mod tests;
