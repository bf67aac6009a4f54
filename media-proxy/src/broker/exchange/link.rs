//! One client socket, and its queue of outgoing messages.

use crate::broker::foreign::Foreign;
use crate::broker::registry::ClientNo;
use proto::ProtoError;
use shm::{BoardMonitor, SeatMonitor};
use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// Messages that may wait for a client that does not read.
const MAX_QUEUED: usize = 1024;
/// Time for which a client may leave messages unread once its socket is full.
pub(super) const STUCK_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before a retry when the kernel's limit of descriptors in flight is reached.
pub(super) const CROWDED_RETRY: Duration = Duration::from_millis(20);

/// A pool with its board.
#[derive(Debug)]
pub(super) struct Board {
    pub(super) pool: OwnedFd,
    pub(super) monitor: BoardMonitor,
}

/// Descriptors of a message, kept open until it is sent.
#[derive(Debug)]
pub(super) enum Cargo {
    Nothing,
    Seat(Arc<SeatMonitor>, Arc<OwnedFd>),
    Board(Arc<Board>, Arc<OwnedFd>),
}

/// Why a link cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("it does not read its messages")]
    Stuck,
    #[error(transparent)]
    Socket(#[from] ProtoError),
}

/// Stage of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    /// It has not sent Hello yet, which it must until this time.
    Greeting(Duration),
    Client(ClientNo),
}

/// One socket.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: Foreign,
    pub(super) stage: Stage,
    queue: VecDeque<(Vec<u8>, Cargo)>,
    stuck_since: Option<Duration>,
    /// The kernel refused descriptors; no event will tell when it takes them again.
    crowded: bool,
    /// The other end reads no more. Its earlier messages may still be unread.
    deaf: bool,
}

impl Link {
    pub(super) fn new(socket: Foreign, greet_by: Duration) -> Self {
        Self {
            socket,
            stage: Stage::Greeting(greet_by),
            queue: VecDeque::new(),
            stuck_since: None,
            crowded: false,
            deaf: false,
        }
    }

    /// Sends a message as soon as there is room.
    pub(super) fn send(
        &mut self,
        bytes: Vec<u8>,
        cargo: Cargo,
        now: Duration,
    ) -> Result<(), LinkError> {
        if self.deaf {
            return Ok(());
        }
        if self.queue.len() >= MAX_QUEUED {
            return Err(LinkError::Stuck);
        }
        self.queue.push_back((bytes, cargo));
        self.flush(now)
    }

    /// Sends what there is room for.
    pub(super) fn flush(&mut self, now: Duration) -> Result<(), LinkError> {
        self.crowded = false;
        while let Some((bytes, cargo)) = self.queue.front() {
            let fds: Vec<BorrowedFd<'_>> = match cargo {
                Cargo::Nothing => Vec::new(),
                Cargo::Seat(seat, pidfd) => vec![seat.fd(), pidfd.as_fd()],
                Cargo::Board(board, pidfd) => {
                    vec![board.pool.as_fd(), board.monitor.fd(), pidfd.as_fd()]
                }
            };
            match proto::socket::try_send(&self.socket, bytes, &fds) {
                Ok(()) => {
                    self.queue.pop_front();
                    self.stuck_since = None;
                }
                Err(error) if error.would_block() => break,
                Err(ProtoError::Io(error)) if error.raw_os_error() == Some(libc::ETOOMANYREFS) => {
                    self.crowded = true;
                    break;
                }
                Err(ProtoError::Io(error))
                    if matches!(
                        error.kind(),
                        std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset
                    ) =>
                {
                    self.deaf = true;
                    self.queue.clear();
                    self.stuck_since = None;
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if !self.queue.is_empty() {
            self.stuck_since.get_or_insert(now);
        }
        Ok(())
    }

    /// Whether to wait for an event when there is room again.
    pub(super) fn wants_room(&self) -> bool {
        !self.queue.is_empty() && !self.crowded
    }

    /// Whether to try again without an event.
    pub(super) fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Time of the next check of this link without an event.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let greet = match self.stage {
            Stage::Greeting(by) => Some(by),
            Stage::Client(_) => None,
        };
        let stuck = self.stuck_since.map(|since| since + STUCK_TIMEOUT);
        [greet, stuck].into_iter().flatten().min()
    }

    /// Reason to close the link now, if there is one.
    pub(super) fn overdue(&self, now: Duration) -> Option<&'static str> {
        if self.stuck_since.is_some_and(|since| now >= since + STUCK_TIMEOUT) {
            return Some("it does not read its messages");
        }
        matches!(self.stage, Stage::Greeting(by) if now >= by).then_some("it did not say Hello")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn pair() -> (Link, OwnedFd) {
        let (a, b) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        (Link::new(a.into(), Duration::from_secs(5)), b)
    }

    #[test]
    fn queue_is_bounded_and_time_runs() {
        let (mut link, peer) = pair();
        let now = Duration::from_secs(1);
        link.stage = Stage::Client(ClientNo(1));
        assert_eq!(link.deadline(), None);
        let mut sent = 0;
        while link.send(vec![sent as u8; 5000], Cargo::Nothing, now).is_ok() {
            sent += 1;
        }
        assert!(sent >= MAX_QUEUED && link.wants_room());
        assert_eq!(link.deadline(), Some(now + STUCK_TIMEOUT));
        assert_eq!(link.overdue(now), None);
        assert!(link.overdue(now + STUCK_TIMEOUT).is_some());
        // Reading makes it go on, in order.
        let mut buffer = [0; 8000];
        for n in 0..sent {
            let (len, _) = proto::socket::recv(&peer, &mut buffer).unwrap();
            assert_eq!((len, buffer[0]), (5000, n as u8));
            link.flush(now).unwrap();
        }
        assert_eq!(link.deadline(), None);
    }

    #[test]
    fn what_was_said_before_the_end_can_be_read() {
        let (mut link, peer) = pair();
        link.stage = Stage::Client(ClientNo(1));
        proto::socket::send(&peer, b"goodbye", &[]).unwrap();
        drop(peer);
        for _ in 0..3 {
            link.send(vec![1], Cargo::Nothing, Duration::ZERO).unwrap();
        }
        assert_eq!((link.wants_room(), link.deadline()), (false, None));
        let mut buffer = [0; 8];
        assert_eq!(proto::socket::recv(&link.socket, &mut buffer).unwrap().0, 7);
    }

    #[test]
    fn silence_ends_the_greeting() {
        let (link, _peer) = pair();
        assert_eq!(link.overdue(Duration::from_secs(4)), None);
        assert_eq!(link.overdue(Duration::from_secs(5)), Some("it did not say Hello"));
    }
}
