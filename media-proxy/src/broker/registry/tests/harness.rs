//! A registry with a manual clock, and its messages to each client.

use crate::broker::registry::*;
use config::{ConnectionConfig, Endpoint};
use media::Payload;
use proto::exchange::from_proxy::Body;
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The ring of source number `n`.
pub(super) fn ring(n: u8) -> RingBytes {
    [n; 16]
}

/// A blob connection of a group.
pub(super) fn blob(urn: &str) -> ConnectionConfig {
    let endpoint = Endpoint::MultipointGroup { urn: urn.into() };
    ConnectionConfig { max_payload_size: 1000, ..ConnectionConfig::new(endpoint, Payload::Blob) }
}

pub(super) struct World {
    pub(super) registry: Registry,
    pub(super) now: Duration,
    boards: HashSet<u64>,
    seats: HashSet<u64>,
}

fn new_id() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("conn-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(
            None,
            Limits { receivers_per_group: 128, connections_per_client: 64, connections: 500 },
        )
    }

    pub(super) fn with(hold_until: Option<Duration>, limits: Limits) -> Self {
        Self {
            registry: Registry::new(limits, Reach::Streams, hold_until, 1000, new_id),
            now: Duration::ZERO,
            boards: HashSet::new(),
            seats: HashSet::new(),
        }
    }

    pub(super) fn client(&mut self, name: &str) -> ClientNo {
        self.registry.attach(name, name, false)
    }

    pub(super) fn board(&mut self) -> BoardNo {
        let number = self.registry.number();
        self.boards.insert(number);
        BoardNo(number)
    }

    pub(super) fn seat(&mut self) -> SeatNo {
        let number = self.registry.number();
        self.seats.insert(number);
        SeatNo(number)
    }

    pub(super) fn announce(
        &mut self,
        client: ClientNo,
        key: u32,
        conn_id: &str,
        config: ConnectionConfig,
        ends: Ends,
    ) -> Result<(), Violation> {
        let announcement = Announcement { key, conn_id: conn_id.into(), config, ends };
        self.registry.announce(client, announcement, self.now)
    }

    /// A new source in group "g".
    pub(super) fn source(&mut self, client: ClientNo, key: u32, n: u8) {
        self.source_again(client, key, "", n, &[]);
    }

    /// A source in group "g" that a proxy has seen before.
    pub(super) fn source_again(
        &mut self,
        client: ClientNo,
        key: u32,
        id: &str,
        n: u8,
        receivers: &[&str],
    ) {
        let board = self.board();
        let receivers = receivers.iter().map(ToString::to_string).collect();
        let ends = Ends::Source { board, ring: ring(n), receivers };
        self.announce(client, key, id, blob("g"), ends).unwrap();
    }

    /// A new receiver in group "g".
    pub(super) fn receiver(&mut self, client: ClientNo, key: u32) {
        self.receiver_again(client, key, "", None);
    }

    /// A receiver in group "g" that a proxy has seen before.
    pub(super) fn receiver_again(
        &mut self,
        client: ClientNo,
        key: u32,
        id: &str,
        reads: Option<u8>,
    ) {
        let standby = self.seat();
        let using = reads.map(|n| (ring(n), self.seat()));
        self.announce(client, key, id, blob("g"), Ends::Receiver { standby, using }).unwrap();
    }

    pub(super) fn standby(&mut self, client: ClientNo, key: u32) {
        let seat = self.seat();
        self.registry.standby(client, key, seat, self.now).unwrap();
    }

    pub(super) fn joined(&mut self, client: ClientNo, key: u32, seat: u64, error: &str) {
        self.registry.joined(client, key, SeatNo(seat), 5, error, self.now).unwrap();
    }

    pub(super) fn pass(&mut self) {
        self.registry.end_pass(self.now);
    }

    pub(super) fn sleep(&mut self, time: Duration) {
        self.now += time;
        self.registry.tick(self.now);
    }

    /// Messages since the last call, as text; checks that no descriptor is dropped twice or used
    /// after that.
    pub(super) fn said(&mut self) -> Vec<String> {
        self.said_with_seats().into_iter().map(|(text, _)| text).collect()
    }

    /// As [`World::said`], with the seat of a Join or Part.
    pub(super) fn said_with_seats(&mut self) -> Vec<(String, u64)> {
        let mut said = Vec::new();
        while let Some(action) = self.registry.next_action() {
            if let Some(words) = self.carry_out(action) {
                said.push(words);
            }
        }
        said
    }

    /// Notes what an action does to descriptors, and puts it into words, with the seat of a Join or
    /// Part.
    pub(super) fn carry_out(&mut self, action: Action) -> Option<(String, u64)> {
        match action {
            Action::DropBoard(BoardNo(no)) => assert!(self.boards.remove(&no), "board {no}"),
            Action::DropSeat(SeatNo(no)) | Action::RetireSeat(SeatNo(no), _) => {
                assert!(self.seats.remove(&no), "seat {no}");
            }
            Action::AskPlace { conn_id, returning, .. } => {
                let word = if returning { "again" } else { "for" };
                return Some((format!("place {word} {conn_id}"), 0));
            }
            Action::GiveUp { conn_id } => return Some((format!("give up {conn_id}"), 0)),
            Action::DropClient(ClientNo(no)) => return Some((format!("forget {no}"), 0)),
            Action::Send { to, body, carry } => {
                match carry {
                    Carry::Nothing => {}
                    Carry::Seat(SeatNo(no), _) => assert!(self.seats.contains(&no)),
                    Carry::Board(BoardNo(no), _) => assert!(self.boards.contains(&no)),
                }
                let name = self.name(to);
                let mut seat = 0;
                let text = match body {
                    Body::Welcome(_) => "welcome".to_owned(),
                    Body::Created(m) => format!("created {}", m.key),
                    Body::Refused(m) => format!("refused {} {}: {}", m.key, m.code, m.reason),
                    Body::Join(m) => {
                        seat = m.seat;
                        format!("join {}{}", m.key, if m.live { " live" } else { "" })
                    }
                    Body::Part(m) => {
                        seat = m.seat;
                        format!("part {}", m.key)
                    }
                    Body::Ring(m) => format!("ring {} {} {}", m.key, m.ring_id[0], m.start),
                    Body::NeedSeat(m) => format!("need seat {}", m.key),
                    Body::Told(_) => unreachable!("the exchange answers questions by itself"),
                    Body::Closed(m) => format!("closed {}: {}", m.key, m.reason),
                };
                return Some((format!("{name} < {text}"), seat));
            }
        }
        None
    }

    /// Answers every Join in what was said, and returns all that was said before and after.
    pub(super) fn answer_joins(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        loop {
            let said = self.said_with_seats();
            if said.is_empty() {
                return all;
            }
            for (text, seat) in said {
                if let Some((name, key)) = text.split_once(" < join ") {
                    let client = self.registry.client_named(name).unwrap();
                    let key = key.trim_end_matches(" live").parse().unwrap();
                    self.joined(client, key, seat, "");
                }
                all.push(text);
            }
        }
    }

    /// The identifier of a client's connection.
    pub(super) fn id(&self, client: ClientNo, key: u32) -> String {
        let no = self.registry.clients[&client].keys[&key];
        self.registry.connections[&no].id.clone()
    }

    pub(super) fn state(&self, client: ClientNo, key: u32) -> State {
        self.registry.state(self.registry.clients[&client].keys[&key]).unwrap()
    }

    /// Nothing is left, and every descriptor was given up.
    pub(super) fn assert_empty(&mut self) {
        self.said();
        assert_eq!((self.boards.len(), self.seats.len()), (0, 0));
        assert_eq!(self.registry.connection_count(), 0);
        assert_eq!(self.registry.groups().count(), 0);
        assert!(self.registry.by_id.is_empty() && self.registry.by_name.is_empty());
        assert_eq!(self.registry.next_deadline(), None);
    }

    pub(super) fn name(&self, client: ClientNo) -> String {
        self.registry.clients.get(&client).map(|client| client.name.clone()).unwrap_or_default()
    }
}
