//! One connection of a program.

use super::buffer::Buffer;
use super::peer::{Peer, ReceiverPeer, SourcePeer};
use super::readiness::Readiness;
use super::session::{Direction, Entry, Extras, Place, Session};
use super::waiting::Waiting;
use crate::error::Error;
use config::{ConnectionConfig, Delivery, EndOfStream};
use media::tai;
use parking_lot::Mutex;
use shm::{AtEnd, Deadline, Receiver, RingError, Source, SourceOptions};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;

/// How long a call may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// The client's default.
    Default,
    /// For ever.
    Infinite,
    /// At most so long; zero never blocks.
    After(Duration),
}

/// Counts of a connection since it was created.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionStats {
    /// Frames put (source) or got (receiver).
    pub frames: u64,
    /// Payload bytes of these frames.
    pub bytes: u64,
    /// Receiver: frames that passed while it was late. Source: 0.
    pub missed: u64,
    /// Source: how often a put or get had to wait for receivers. Receiver: how often a get had to sleep.
    pub waits: u64,
    /// Buffers that the program holds now.
    pub held: u32,
    /// Source: receivers in its group on this node. Receiver: 1 if the group has a source now, else 0.
    pub peers: u32,
    /// How many buffers the program may hold. Receiver: 0 until the group has had a source.
    pub hold_limit: u64,
    /// Receiver: the source has ended the stream, and everything was got. A receiver that is closed for another reason, or a source:
    /// false.
    pub ended: bool,
}

/// A source's or a receiver's connection. All calls may come from any thread.
#[derive(Debug)]
pub struct Connection {
    place: Place,
    entry: Arc<Entry>,
    payload_size: usize,
    metadata_size: usize,
    readiness: OnceLock<Readiness>,
    waiting: Waiting,
    /// Serialises the first request for the descriptor.
    starting: Mutex<()>,
}

impl Connection {
    /// Prepares the side of a connection that the program takes, before the proxy hears of it.
    pub(super) fn peer(
        direction: Direction,
        config: &ConnectionConfig,
        extras: Extras,
    ) -> Result<Peer, Error> {
        let options = &config.options;
        let at_end = options.end_of_stream.map(|end| match end {
            EndOfStream::Wait => AtEnd::Wait,
            EndOfStream::Close => AtEnd::Close,
        });
        match direction {
            Direction::Send => {
                let shape = SourceOptions {
                    payload_size: config.payload_size() as usize,
                    metadata_size: config.metadata_size() as usize,
                    capacity: usize::from(config.queue_capacity),
                    live: options.delivery == Some(Delivery::Live),
                    stall_time: config.stall_time(),
                    wait_for_receivers: options.wait_for_receivers as usize,
                    at_end: at_end.unwrap_or_default(),
                    regions: extras.regions,
                    relay: extras.relay,
                };
                let source = Source::new(shape, super::random::bytes()?).map_err(|error| {
                    Error::ConnectionFailed(format!("memory for the ring: {error}"))
                })?;
                Ok(Peer::Source(SourcePeer::new(source)))
            }
            Direction::Receive => {
                let partitions = (config.payload_size() as usize, config.metadata_size() as usize);
                let receiver = Receiver::new(at_end).with_tai_clock(|| media::Tai::now().into());
                let receiver = if extras.tell_ends { receiver.telling_ends() } else { receiver };
                Ok(Peer::Receiver(ReceiverPeer::new(Arc::new(receiver), partitions)))
            }
        }
    }

    pub(super) fn new(place: Place, entry: Arc<Entry>, config: &ConnectionConfig) -> Self {
        Self {
            place,
            entry,
            payload_size: config.payload_size() as usize,
            metadata_size: config.metadata_size() as usize,
            readiness: OnceLock::new(),
            waiting: Waiting::new(config),
            starting: Mutex::new(()),
        }
    }

    fn session(&self) -> &Arc<Session> {
        self.place.session()
    }

    /// The name that the proxy has given the connection, the same for all who see it.
    pub fn id(&self) -> String {
        self.entry.id()
    }

    /// Bytes of the payload partition of every buffer.
    pub fn payload_size(&self) -> usize {
        self.payload_size
    }

    /// Bytes of the metadata partition of every buffer.
    pub fn metadata_size(&self) -> usize {
        self.metadata_size
    }

    /// Source: a buffer to fill. Receiver: the next frame.
    pub fn get(&self, timeout: Timeout) -> Result<Buffer, Error> {
        let deadline = deadline(self.session(), timeout);
        let got = self.waiting.first(deadline, |deadline| match &self.entry.peer {
            Peer::Source(peer) => {
                peer.source.get(deadline).map(|slot| Buffer::writable(slot, self.session()))
            }
            Peer::Receiver(peer) => {
                let receiver = &peer.receiver;
                receiver.get(deadline).map(|frame| Buffer::readable(frame, Arc::clone(receiver)))
            }
        });
        got.map_err(|error| {
            if matches!(error, RingError::Timeout(_))
                && let Some(readiness) = self.readiness.get()
            {
                readiness.nothing_there();
            }
            translate(self.session(), timeout, error)
        })
    }

    /// Source: publishes the frame. Receiver: gives the frame back. On failure the buffer comes back with the reason.
    pub fn put(buffer: Buffer, timeout: Timeout) -> Result<(), (Buffer, Error)> {
        let (slot, session) = match buffer.into_writable() {
            Ok(writable) => writable,
            // A received frame is given back by being dropped, and that cannot fail.
            Err(_received) => return Ok(()),
        };
        let source = slot.source().clone();
        source.put(slot, deadline(&session, timeout), || tai::now().as_nanos()).map_err(
            |(slot, error)| {
                let error = translate(&session, timeout, error);
                (Buffer::writable(slot, &session), error)
            },
        )
    }

    /// Ends the connection: blocked and later calls return `Closed`. What was put stays readable for receivers.
    pub fn shutdown(&self) {
        self.close("shut down by the program");
    }

    /// Ends the connection without an end of its stream: as [`shutdown`](Self::shutdown), but to the receivers of a source this
    /// looks as if it were out of touch, and they wait for the next one, whatever they do at the end of a stream.
    pub fn leave(&self) {
        match &self.entry.peer {
            Peer::Source(peer) => {
                peer.source.leave("left by the bridge");
                self.session().forget(self.entry.key());
            }
            Peer::Receiver(_) => self.close("left by the bridge"),
        }
    }

    fn close(&self, reason: &'static str) {
        match &self.entry.peer {
            Peer::Source(peer) => peer.source.close(reason),
            Peer::Receiver(peer) => peer.receiver.close(reason),
        }
        self.session().forget(self.entry.key());
    }

    /// Makes every blocked call return `Cancelled`; where none is blocked, the next one that would block.
    pub fn cancel(&self) {
        match &self.entry.peer {
            Peer::Source(peer) => peer.source.cancel(),
            Peer::Receiver(peer) => peer.receiver.cancel(),
        }
    }

    /// Counts so far.
    pub fn stats(&self) -> ConnectionStats {
        match &self.entry.peer {
            Peer::Source(peer) => {
                let stats = peer.source.stats();
                ConnectionStats {
                    frames: stats.frames,
                    bytes: stats.bytes,
                    missed: 0,
                    waits: stats.waits,
                    held: stats.held,
                    peers: stats.receivers,
                    hold_limit: stats.hold_limit as u64,
                    ended: false,
                }
            }
            Peer::Receiver(peer) => {
                let stats = peer.receiver.stats();
                ConnectionStats {
                    frames: stats.frames,
                    bytes: stats.bytes,
                    missed: stats.missed,
                    waits: stats.waits,
                    held: stats.held,
                    peers: u32::from(stats.connected),
                    hold_limit: stats.hold_limit as u64,
                    ended: stats.ended,
                }
            }
        }
    }

    /// A descriptor that polls readable while a get may succeed. It belongs to the connection.
    pub fn event_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        self.session().check_here()?;
        let _first = self.starting.lock();
        if self.readiness.get().is_none() {
            let entry = Arc::clone(&self.entry);
            let readiness = Readiness::start(move || match &entry.peer {
                Peer::Source(peer) => peer.source.wait_ready(Deadline::Never),
                Peer::Receiver(peer) => peer.receiver.wait_ready(Deadline::Never),
            })?;
            let _ = self.readiness.set(readiness);
        }
        let readiness = self.readiness.get().map(Readiness::fd);
        readiness.ok_or_else(|| Error::Internal("no descriptor".into()))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.session().check_here().is_ok() {
            match &self.entry.peer {
                Peer::Source(peer) if peer.source.is_relay() => self.leave(),
                _ => self.close("deleted by the program"),
            }
        }
    }
}

fn deadline(session: &Session, timeout: Timeout) -> Deadline {
    match timeout {
        Timeout::Default => Deadline::after(session.config.default_timeout),
        Timeout::Infinite => Deadline::Never,
        Timeout::After(time) => Deadline::after(time),
    }
}

fn translate(session: &Session, timeout: Timeout, error: RingError) -> Error {
    match error {
        RingError::Timeout(what) => {
            let waited = match timeout {
                Timeout::Default => session.config.default_timeout,
                Timeout::After(time) => time,
                Timeout::Infinite => Duration::MAX,
            };
            Error::Timeout(waited, what)
        }
        RingError::Cancelled => Error::Cancelled,
        RingError::Interrupted => Error::Interrupted,
        RingError::Closed(reason) => Error::Closed(reason.into()),
        RingError::SourceClosed => Error::Farewell,
        RingError::Forked => Error::Forked,
        RingError::Shape(_)
        | RingError::System { .. }
        | RingError::Foreign { .. }
        | RingError::Full(_) => Error::Internal(error.to_string()),
    }
}
