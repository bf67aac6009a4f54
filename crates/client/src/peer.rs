//! Messages of one connection to and from the proxy, of a source and of a receiver.

use crate::OpenError;
use parking_lot::Mutex;
use proto::exchange::{Announce, Join, Joined, Part, Ring, Standby, from_client::Body};
use rustix::event::{PollFd, PollFlags};
use shm::{Reader, Receiver, RingId, Seat, Source};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A message for the proxy, with its descriptors.
pub(super) struct Outgoing {
    pub(super) body: Body,
    pub(super) fds: Vec<OwnedFd>,
}

impl Outgoing {
    fn new(body: Body) -> Self {
        Self { body, fds: Vec::new() }
    }
}

/// Either side of a connection.
#[derive(Debug)]
pub(super) enum Peer {
    Source(SourcePeer),
    Receiver(ReceiverPeer),
}

/// A source's dealings with its receivers.
#[derive(Debug)]
pub(super) struct SourcePeer {
    pub(super) source: Source,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    last: u64,
    list: Vec<Seated>,
}

/// A receiver that sits in the ring.
#[derive(Debug)]
struct Seated {
    /// Number in the ring.
    id: u64,
    /// The receiver's connection.
    receiver: String,
    /// The receiver's process.
    process: OwnedFd,
    parted: bool,
}

/// A receiver's dealings with its sources.
#[derive(Debug)]
pub(super) struct ReceiverPeer {
    pub(super) receiver: Arc<Receiver>,
    /// Bytes of payload and metadata that the configuration gives each buffer.
    partitions: (usize, usize),
    state: Mutex<ReceiverState>,
}

#[derive(Debug, Default)]
struct ReceiverState {
    /// The seat for the next ring. The proxy has its descriptor.
    standby: Option<Seat>,
    /// The processes of the sources whose rings are read.
    sources: Vec<(RingId, OwnedFd)>,
}

impl Peer {
    /// The announcement of this connection, with which the proxy can begin or go on.
    pub(super) fn announce(&self, announce: Announce) -> Result<Outgoing, OpenError> {
        match self {
            Self::Source(peer) => peer.announce(announce),
            Self::Receiver(peer) => peer.announce(announce),
        }
    }

    /// Calls `each` with the descriptor of every process whose death this side must learn of.
    pub(super) fn watch<'a>(&'a self, poll: &mut dyn FnMut(BorrowedFd<'_>)) {
        match self {
            Self::Source(peer) => {
                peer.seats.lock().list.iter().for_each(|seated| poll(seated.process.as_fd()));
            }
            Self::Receiver(peer) => {
                peer.state.lock().sources.iter().for_each(|(_, process)| poll(process.as_fd()));
            }
        }
    }

    /// Acts on the deaths that have happened.
    pub(super) fn bury_dead(&self) {
        match self {
            Self::Source(peer) => peer.bury_dead(),
            Self::Receiver(peer) => peer.bury_dead(),
        }
    }
}

impl SourcePeer {
    pub(super) fn new(source: Source) -> Self {
        Self { source, seats: Mutex::default() }
    }

    fn announce(&self, mut announce: Announce) -> Result<Outgoing, OpenError> {
        let mut seats = self.seats.lock();
        self.forget_left(&mut seats);
        let sitting = seats.list.iter().filter(|seated| !seated.parted);
        announce.receivers = sitting.map(|seated| seated.receiver.clone()).collect();
        announce.ring_id = self.source.ring_id().0.to_vec();
        let fds = vec![duplicate(self.source.pool_fd())?, duplicate(self.source.board_fd())?];
        Ok(Outgoing { body: Body::Announce(announce), fds })
    }

    /// Puts a receiver into the ring. A receiver that sat there already has given its old seat up.
    pub(super) fn join(&self, join: Join, seat: OwnedFd, process: OwnedFd) -> Outgoing {
        let mut seats = self.seats.lock();
        self.forget_left(&mut seats);
        for seated in seats.list.iter_mut().filter(|seated| seated.receiver == join.receiver) {
            seated.parted = true;
            self.source.detach(seated.id);
        }
        seats.last += 1;
        let id = seats.last;
        let Join { key, seat: number, receiver, live } = join;
        let (start, error) = match self.source.join(id, seat, live) {
            Ok(start) => {
                seats.list.push(Seated { id, receiver, process, parted: false });
                (start, String::new())
            }
            Err(error) => (0, error.to_string()),
        };
        Outgoing::new(Body::Joined(Joined { key, seat: number, start, error }))
    }

    /// The proxy says that a receiver is gone.
    pub(super) fn part(&self, part: &Part) {
        let mut seats = self.seats.lock();
        for seated in seats.list.iter_mut().filter(|seated| seated.receiver == part.receiver) {
            seated.parted = true;
            self.source.detach(seated.id);
        }
        self.forget_left(&mut seats);
    }

    /// Forgets those who have said goodbye in their seats.
    fn forget_left(&self, seats: &mut Seats) {
        let left = self.source.sweep();
        seats.list.retain(|seated| !left.contains(&seated.id));
    }

    fn bury_dead(&self) {
        let mut seats = self.seats.lock();
        seats.list.retain(|seated| {
            let dead = has_ended(seated.process.as_fd());
            if dead {
                self.source.reap(seated.id);
            }
            !dead
        });
        self.forget_left(&mut seats);
    }
}

impl ReceiverPeer {
    pub(super) fn new(receiver: Arc<Receiver>, partitions: (usize, usize)) -> Self {
        Self { receiver, partitions, state: Mutex::default() }
    }

    /// Announces with a fresh standby seat: the one before may have been passed on by a proxy that
    /// is no more.
    fn announce(&self, mut announce: Announce) -> Result<Outgoing, OpenError> {
        let mut state = self.state.lock();
        let seat = Seat::new().map_err(failed)?;
        let mut fds = vec![duplicate(seat.fd())?];
        state.standby = Some(seat);
        if let Some(reader) = self.receiver.current() {
            announce.ring_id = reader.ring_id().0.to_vec();
            fds.push(duplicate(reader.seat().fd())?);
        }
        Ok(Outgoing { body: Body::Announce(announce), fds })
    }

    /// Goes on to a ring, and returns the next standby seat.
    pub(super) fn ring(
        &self,
        ring: &Ring,
        pool: &OwnedFd,
        board: OwnedFd,
        process: OwnedFd,
    ) -> Result<Outgoing, OpenError> {
        let mut state = self.state.lock();
        let Some(seat) = state.standby.take() else {
            return Err(OpenError::System("a ring came for which there is no seat".into()));
        };
        let opened = Reader::open(pool, board, seat, ring.start).map_err(|error| error.to_string());
        match opened.and_then(|reader| self.fitting(reader)) {
            Ok(reader) => {
                // Sources that ended in peace leave nothing behind to be told of.
                state.sources.retain(|(ring, _)| self.receiver.reads(*ring));
                state.sources.push((reader.ring_id(), process));
                self.receiver.offer(reader);
            }
            // The seat says goodbye as it is dropped, so the source does not wait for it.
            Err(error) => log::error!("ring of the group's source: {error}"),
        }
        Self::fresh_standby(&mut state, ring.key)
    }

    /// The reader, if the source's buffers are what this connection was configured for.
    fn fitting(&self, reader: Arc<Reader>) -> Result<Arc<Reader>, String> {
        let shape = reader.geometry();
        let found = (shape.payload_size, shape.metadata_size);
        if found == self.partitions {
            return Ok(reader);
        }
        Err(format!(
            "its buffers have {} bytes of payload and {} of metadata, configured are {} and {}",
            found.0, found.1, self.partitions.0, self.partitions.1
        ))
    }

    /// A new standby seat for the proxy.
    pub(super) fn standby(&self, key: u32) -> Result<Outgoing, OpenError> {
        Self::fresh_standby(&mut self.state.lock(), key)
    }

    fn fresh_standby(state: &mut ReceiverState, key: u32) -> Result<Outgoing, OpenError> {
        let seat = Seat::new().map_err(failed)?;
        let fds = vec![duplicate(seat.fd())?];
        state.standby = Some(seat);
        Ok(Outgoing { body: Body::Standby(Standby { key }), fds })
    }

    fn bury_dead(&self) {
        self.state.lock().sources.retain(|(ring, process)| {
            let dead = has_ended(process.as_fd());
            if dead {
                self.receiver.orphan(*ring);
            }
            !dead
        });
    }
}

fn failed(error: shm::RingError) -> OpenError {
    OpenError::Failed(error.to_string())
}

fn duplicate(fd: BorrowedFd<'_>) -> Result<OwnedFd, OpenError> {
    fd.try_clone_to_owned().map_err(|error| OpenError::Failed(error.to_string()))
}

/// Whether the process behind a pidfd is dead.
fn has_ended(process: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(process, PollFlags::IN)];
    rustix::event::poll(&mut fds, Some(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 0 }))
        .is_ok_and(|ready| ready > 0)
}
