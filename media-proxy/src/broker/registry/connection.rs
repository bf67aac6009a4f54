//! The registry's record of one connection.

use super::placement::Place;
use config::ConnectionConfig;
use std::collections::HashSet;
use std::time::Duration;

/// A program's client, for as long as its process lives and it has connections or a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClientNo(pub(crate) u64);

/// A connection, for as long as this proxy knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ConnNo(pub(crate) u64);

/// A pool and board that the caller keeps on the registry's behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BoardNo(pub(crate) u64);

/// A seat that the caller keeps on the registry's behalf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct SeatNo(pub(crate) u64);

/// Identifier of a ring.
pub(crate) type RingBytes = [u8; 16];

/// One connection of a client.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) no: ConnNo,
    /// The identifier that all others use for it.
    pub(crate) id: String,
    pub(crate) client: ClientNo,
    /// The client's own number for it.
    pub(crate) key: u32,
    pub(crate) group: String,
    pub(crate) config: ConnectionConfig,
    /// Time of its first announcement to this proxy.
    pub(crate) since: Duration,
    /// Time at which its client lost its socket.
    pub(crate) detached: Option<Duration>,
    /// The client does not know yet that the connection exists; at this time it is told at the
    /// latest.
    pub(crate) create_by: Option<Duration>,
    /// It belongs to this proxy itself.
    pub(crate) bridge: bool,
    pub(crate) place: Place,
    pub(crate) role: Role,
}

/// Role of a connection in its group.
#[derive(Debug)]
pub(crate) enum Role {
    Source(Source),
    Receiver(Receiver),
}

/// State of a source.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) board: BoardNo,
    pub(crate) ring: RingBytes,
    /// Identifiers of the receivers that have joined its ring, as reported by the source.
    pub(crate) listed: HashSet<String>,
}

/// State of a receiver.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    /// The seat for its next ring.
    pub(crate) standby: Option<SeatNo>,
    /// The ring that it reads or read last, with its seat there.
    pub(crate) using: Option<(RingBytes, SeatNo)>,
    /// A source has been asked to add it.
    pub(crate) joining: Option<Joining>,
    /// Its last join was refused; do not try before this time.
    pub(crate) retry_at: Option<Duration>,
}

/// A join that the source has not answered yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Joining {
    pub(crate) source: ConnNo,
    pub(crate) seat: SeatNo,
}

impl Connection {
    pub(crate) fn is_source(&self) -> bool {
        matches!(self.role, Role::Source(_))
    }

    pub(crate) fn source(&self) -> Option<&Source> {
        match &self.role {
            Role::Source(source) => Some(source),
            Role::Receiver(_) => None,
        }
    }

    pub(crate) fn source_mut(&mut self) -> Option<&mut Source> {
        match &mut self.role {
            Role::Source(source) => Some(source),
            Role::Receiver(_) => None,
        }
    }

    pub(crate) fn receiver(&self) -> Option<&Receiver> {
        match &self.role {
            Role::Receiver(receiver) => Some(receiver),
            Role::Source(_) => None,
        }
    }

    pub(crate) fn receiver_mut(&mut self) -> Option<&mut Receiver> {
        match &mut self.role {
            Role::Receiver(receiver) => Some(receiver),
            Role::Source(_) => None,
        }
    }

    pub(crate) fn attached(&self) -> bool {
        self.detached.is_none()
    }
}
