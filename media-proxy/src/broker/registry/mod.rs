//! The connections of this host's clients: a state machine without sockets, descriptors or clocks.
//!
//! Events go in by the methods of [`Registry`], with the time as an argument where it matters;
//! [`Action`]s come out, in the order in which the caller must perform them. Descriptors are only
//! known by number here: the caller keeps them until an action drops them.

mod announce;
mod connection;
mod limits;
mod pairing;
mod placement;
mod removal;
mod state;
mod streams;
#[cfg(test)]
mod tests;

pub(crate) use announce::{Announcement, Ends};
pub(crate) use connection::{BoardNo, ClientNo, ConnNo, Connection, RingBytes, SeatNo};
pub(crate) use limits::{HOLD_TIME, Limits};
pub(crate) use placement::{Reach, Refusal};
pub(crate) use state::State;

use announce::Pending;
use config::ConnectionConfig;
use placement::Asking;
use proto::Kind;
use proto::exchange::from_proxy::Body;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// An action that the caller has to perform.
#[derive(Debug, PartialEq)]
pub(crate) enum Action {
    /// Send a message to a client.
    Send { to: ClientNo, body: Body, carry: Carry },
    /// Drop this pool and board.
    DropBoard(BoardNo),
    /// Drop this seat.
    DropSeat(SeatNo),
    /// As `DropSeat`, for a seat in which this connection read its last ring.
    RetireSeat(SeatNo, ConnNo),
    /// The client is gone for good.
    DropClient(ClientNo),
    /// Ask the control plane to place a connection; the answer comes by [`Registry::placed`]. A
    /// connection that is `returning` is served meanwhile.
    AskPlace { conn_id: String, kind: Kind, config: Box<ConnectionConfig>, returning: bool },
    /// A connection for which `AskPlace` was issued has ended.
    GiveUp { conn_id: String },
}

/// The descriptors that a message carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Carry {
    Nothing,
    /// The seat, and the pidfd of the receiver's client.
    Seat(SeatNo, ClientNo),
    /// Pool and board, and the pidfd of the source's client.
    Board(BoardNo, ClientNo),
}

/// The client violated the protocol.
#[derive(Debug, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) String);

#[derive(Debug, Default)]
struct Client {
    name: String,
    /// Program and process, for logs.
    label: String,
    /// It is this proxy itself.
    bridge: bool,
    attached: bool,
    keys: HashMap<u32, ConnNo>,
}

/// The connections that carry one stream.
#[derive(Debug, Default)]
pub(crate) struct Group {
    source: Option<ConnNo>,
    receivers: Vec<ConnNo>,
    /// Sources that wait until it is clear whether the group has one.
    pending: VecDeque<Pending>,
    /// One of them waits for its placement, until this time.
    ask_by: Option<Duration>,
    /// Stream of the last program on this host that sent.
    last_stream: Option<String>,
}

impl Group {
    /// The source's connection, if there is one.
    pub(crate) fn source(&self) -> Option<ConnNo> {
        self.source
    }

    /// The receivers' connections, in the order in which they came.
    pub(crate) fn receivers(&self) -> &[ConnNo] {
        &self.receivers
    }

    fn is_empty(&self) -> bool {
        self.source.is_none() && self.receivers.is_empty() && self.pending.is_empty()
    }
}

/// All clients, connections and groups.
#[derive(Debug)]
pub(crate) struct Registry {
    limits: Limits,
    /// Time until which new sources wait, so that those that survived the last proxy come first.
    hold_until: Option<Duration>,
    clients: HashMap<ClientNo, Client>,
    by_name: HashMap<String, ClientNo>,
    connections: HashMap<ConnNo, Connection>,
    by_id: HashMap<String, ConnNo>,
    groups: BTreeMap<String, Group>,
    /// Their streams, as far as the control plane has reported them.
    streams: HashMap<String, String>,
    /// Receivers that wait for their placement, by the identifiers that they will have.
    asking: HashMap<String, Asking>,
    /// Number of connections of this proxy's own bridges.
    bridges: usize,
    reach: Reach,
    actions: VecDeque<Action>,
    next: u64,
    pass: u64,
    version: u64,
    new_id: fn() -> String,
}

impl Registry {
    /// An empty registry. Its numbers begin at `first`, which should differ from one proxy to the
    /// next, so that a source never confuses seats of two proxies. `new_id` makes identifiers of
    /// connections.
    pub(crate) fn new(
        limits: Limits,
        reach: Reach,
        hold_until: Option<Duration>,
        first: u64,
        new_id: fn() -> String,
    ) -> Self {
        Self {
            limits,
            hold_until,
            clients: HashMap::new(),
            by_name: HashMap::new(),
            connections: HashMap::new(),
            by_id: HashMap::new(),
            groups: BTreeMap::new(),
            streams: HashMap::new(),
            asking: HashMap::new(),
            bridges: 0,
            reach,
            actions: VecDeque::new(),
            next: first.max(1),
            pass: 0,
            version: 0,
            new_id,
        }
    }

    /// A number that has not been used before, for clients, connections, boards and seats alike.
    pub(crate) fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// The next thing to do.
    pub(crate) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Grows with every change that tools show.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// The client of this name, attached or not.
    pub(crate) fn client_named(&self, name: &str) -> Option<ClientNo> {
        self.by_name.get(name).copied()
    }

    /// Whether a client has a socket at present.
    pub(crate) fn is_attached(&self, client: ClientNo) -> bool {
        self.clients.get(&client).is_some_and(|client| client.attached)
    }

    /// Handles a client's Hello: a new client, or one that comes back. `label` names the program
    /// for logs; a `bridge` is this proxy itself.
    pub(crate) fn attach(&mut self, name: &str, label: &str, bridge: bool) -> ClientNo {
        if let Some(no) = self.client_named(name) {
            if let Some(client) = self.clients.get_mut(&no) {
                client.attached = true;
            }
            return no;
        }
        let no = ClientNo(self.number());
        let client = Client {
            name: name.to_owned(),
            label: label.to_owned(),
            bridge,
            attached: true,
            keys: HashMap::new(),
        };
        self.clients.insert(no, client);
        self.by_name.insert(name.to_owned(), no);
        self.version += 1;
        no
    }

    /// All groups by name.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&str, &Group)> {
        self.groups.iter().map(|(name, group)| (name.as_str(), group))
    }

    /// A connection.
    pub(crate) fn connection(&self, no: ConnNo) -> Option<&Connection> {
        self.connections.get(&no)
    }

    /// Format of a group, and the end that determines it: its source, or without one its oldest
    /// receiver.
    pub(crate) fn group_config(&self, group: &str) -> Option<(Kind, &ConnectionConfig)> {
        let group = self.groups.get(group)?;
        let speaker = self.connections.get(&group.source.or(group.receivers.first().copied())?)?;
        let kind = if speaker.is_source() { Kind::Source } else { Kind::Receiver };
        Some((kind, &speaker.config))
    }

    /// Number of connections.
    pub(crate) fn connection_count(&self) -> usize {
        self.connections.len()
    }

    /// Messages to clients without a socket would be lost anyway: they announce everything when
    /// they come back.
    fn send(&mut self, to: ClientNo, body: Body, carry: Carry) {
        if self.is_attached(to) {
            self.actions.push_back(Action::Send { to, body, carry });
        }
    }

    /// `None` is no fault of the client's: its message may have crossed the news that the
    /// connection has ended.
    fn key_of(&self, client: ClientNo, key: u32) -> Option<ConnNo> {
        let no = self.clients.get(&client)?.keys.get(&key).copied()?;
        self.connections.get(&no).filter(|connection| connection.attached()).map(|_| no)
    }

    fn receivers_of(&self, group: &str) -> Vec<ConnNo> {
        self.groups.get(group).map(|group| group.receivers.clone()).unwrap_or_default()
    }

    /// Names of groups where sources wait.
    fn groups_with_pending(&self) -> Vec<String> {
        let waiting = self.groups.iter().filter(|(_, group)| !group.pending.is_empty());
        waiting.map(|(name, _)| name.clone()).collect()
    }
}
