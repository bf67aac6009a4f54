//! Announcing connections: admission, sources that wait for their turn, and connections that come
//! back.

use super::connection::{Connection, Receiver, Role, Source};
use super::limits::{CREATE_TIMEOUT, MAX_ID_LEN, MAX_PENDING, STANDBY_WAIT};
use super::placement::{Place, Refusal};
use super::{Action, BoardNo, Carry, ClientNo, ConnNo, Registry, RingBytes, SeatNo, Violation};
use crate::rate_limited_log::RateLimitedLog;
use config::{ConnectionConfig, Endpoint, ErrorCode};
use log::info;
use proto::exchange::{Created, Refused, from_proxy::Body};
use std::time::Duration;

/// A client's announcement of a connection. Its descriptors have been checked.
#[derive(Debug)]
pub(crate) struct Announcement {
    pub(crate) key: u32,
    pub(crate) conn_id: String,
    pub(crate) config: ConnectionConfig,
    pub(crate) ends: Ends,
}

/// The role-specific part of an announcement.
#[derive(Debug)]
pub(crate) enum Ends {
    Source { board: BoardNo, ring: RingBytes, receivers: Vec<String> },
    Receiver { standby: SeatNo, using: Option<(RingBytes, SeatNo)> },
}

/// A source that waits until it is clear whether its group has one.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(super) client: ClientNo,
    pub(super) announcement: Announcement,
    /// The pass in which it came, or was placed.
    pub(super) pass: u64,
    pub(super) place: Place,
}

/// Fate of a source that waits.
enum Step {
    Refuse,
    Ask,
    Insert,
}

static REFUSED: RateLimitedLog = RateLimitedLog::new();

impl Registry {
    /// Handles an announcement: of a new connection, or of one that the client held before this
    /// proxy or its socket came.
    pub(crate) fn announce(
        &mut self,
        client: ClientNo,
        announcement: Announcement,
        now: Duration,
    ) -> Result<(), Violation> {
        let earlier = match self.earlier(client, &announcement) {
            Ok(earlier) => earlier,
            Err(violation) => {
                self.drop_ends(&announcement.ends);
                return Err(violation);
            }
        };
        if let Some(no) = earlier {
            if self.same(no, &announcement) {
                self.resume(no, announcement, now);
                return Ok(());
            }
            self.remove(no, now);
        }
        if let Err(refusal) = self.admit(client, &announcement) {
            self.turn_away(client, &announcement, refusal);
            return Ok(());
        }
        if matches!(announcement.ends, Ends::Receiver { .. }) {
            // A connection that comes back is served as before, and placed meanwhile.
            if announcement.conn_id.is_empty() && self.needs_place(client, &announcement.config) {
                self.ask_for_receiver(client, announcement, now);
            } else {
                self.insert(client, announcement, Place::Unknown, now);
            }
            return Ok(());
        }
        let group = announcement.config.group_id();
        let pass = self.pass;
        let pending = &mut self.groups.entry(group.clone()).or_default().pending;
        if pending.len() >= MAX_PENDING {
            let reason = format!("{MAX_PENDING} sources wait for group {group:?} already");
            let refusal = Refusal::new(ErrorCode::ConnFailed, reason);
            self.turn_away(client, &announcement, refusal);
            return Ok(());
        }
        pending.push_back(Pending { client, announcement, pass, place: Place::Unknown });
        self.resolve(&group, now);
        Ok(())
    }

    /// Refuses a connection whose announcement could not even be read; `reason` says why.
    pub(crate) fn refuse(
        &mut self,
        client: ClientNo,
        key: u32,
        code: impl Into<i32>,
        reason: String,
    ) {
        let code = code.into();
        self.send(client, Body::Refused(Refused { key, code, reason }), Carry::Nothing);
    }

    /// Notes that all sockets have been read once more: sources that still find another one in
    /// place are refused.
    ///
    /// Without that, a source would be refused whose predecessor's Goodbye is in a socket that is
    /// read after its own.
    pub(crate) fn end_pass(&mut self, now: Duration) {
        for group in self.groups_with_pending() {
            self.resolve(&group, now);
        }
        self.pass += 1;
    }

    /// Whether a source waits for the end of the next pass.
    pub(crate) fn wants_pass(&self) -> bool {
        self.groups.values().any(|group| {
            let holder = group.source.and_then(|no| self.connections.get(&no));
            holder.is_some_and(|holder| {
                holder.attached()
                    && group.pending.iter().any(|pending| self.is_decided_by_pass(holder, pending))
            })
        })
    }

    /// The connection that an announcement is about, if it is known here.
    fn earlier(
        &self,
        client: ClientNo,
        announcement: &Announcement,
    ) -> Result<Option<ConnNo>, Violation> {
        let key = announcement.key;
        let in_use = || Violation(format!("key {key} was announced twice"));
        if self
            .groups
            .values()
            .flat_map(|group| &group.pending)
            .any(|pending| pending.client == client && pending.announcement.key == key)
            || self.asks(client, key)
        {
            return Err(in_use());
        }
        let by_key = self.clients.get(&client).and_then(|client| client.keys.get(&key)).copied();
        if by_key.is_some_and(|no| self.connections.get(&no).is_some_and(Connection::attached)) {
            return Err(in_use());
        }
        let id = &announcement.conn_id;
        if id.is_empty() {
            return Ok(by_key);
        }
        if id.len() > MAX_ID_LEN || !id.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') {
            let reason = format!(
                "conn_id of {} bytes: at most {MAX_ID_LEN} letters, digits and '-'",
                id.len()
            );
            return Err(Violation(reason));
        }
        match self.by_id.get(id).and_then(|no| self.connections.get(no)) {
            None => Ok(by_key),
            Some(known) if known.client != client => {
                Err(Violation(format!("conn_id {id} belongs to another client")))
            }
            Some(known) if known.attached() => {
                Err(Violation(format!("conn_id {id} was announced twice")))
            }
            Some(known) => Ok(Some(known.no)),
        }
    }

    /// Whether an announcement describes a known connection unchanged.
    fn same(&self, no: ConnNo, announcement: &Announcement) -> bool {
        self.connections.get(&no).is_some_and(|known| {
            (announcement.conn_id.is_empty() || announcement.conn_id == known.id)
                && known.config == announcement.config
                && known.is_source() == matches!(announcement.ends, Ends::Source { .. })
        })
    }

    pub(super) fn admit(
        &self,
        client: ClientNo,
        announcement: &Announcement,
    ) -> Result<(), Refusal> {
        let config = &announcement.config;
        if let Endpoint::Rdma(_) = config.endpoint {
            let reason = "connection.rdma: this proxy serves connection.multipointGroup, which reaches other hosts as well, and connection.st2110";
            return Err(Refusal::new(ErrorCode::NotImplemented, reason));
        }
        if !self.is_bridge(client) {
            self.check_limits(client, announcement)?;
        }
        let Some(group) = self.groups.get(&config.group_id()) else { return Ok(()) };
        // Bridges follow the programs: the control plane, which is asked about this connection,
        // changes them where necessary.
        let placed = self.needs_place(client, config);
        let members = group.source.iter().chain(&group.receivers);
        let members = members.filter_map(|no| self.connections.get(no));
        for member in members.filter(|member| !(placed && member.bridge)) {
            if let Err(error) = config.check_compatible(&member.config) {
                let whose = if member.is_source() { "source" } else { "receiver" };
                let label = self.clients.get(&member.client).map(|it| it.label.as_str());
                let reason = format!(
                    "does not fit the {whose} in group {:?}, connection {} of {}: {error}",
                    config.group_id(),
                    member.id,
                    label.unwrap_or("another program")
                );
                return Err(Refusal::new(ErrorCode::ConnConfigIncompat, reason));
            }
        }
        Ok(())
    }

    /// Checks the limits for programs. Bridges do not count: the control plane limits them.
    fn check_limits(&self, client: ClientNo, announcement: &Announcement) -> Result<(), Refusal> {
        let limits = &self.limits;
        let own = self.clients.get(&client).map_or(0, |client| client.keys.len());
        let own = own + self.asked_by(client);
        if own >= limits.connections_per_client {
            let reason =
                format!("client has {own} connections, as many as this proxy lets one client have");
            return Err(Refusal::new(ErrorCode::MaxConn, reason));
        }
        let all = self.program_connections() + self.asking.len();
        if all >= limits.connections {
            let reason = format!("proxy has {all} connections, as many as it can serve");
            return Err(Refusal::new(ErrorCode::MaxConn, reason));
        }
        if matches!(announcement.ends, Ends::Source { .. }) {
            return Ok(());
        }
        let id = announcement.config.group_id();
        let group = self.groups.get(&id);
        let receivers = group.into_iter().flat_map(|group| &group.receivers);
        let programs = receivers.filter_map(|no| self.connections.get(no)).filter(|c| !c.bridge);
        let count = programs.count();
        if count >= limits.receivers_per_group {
            let reason = format!("group {id:?} has {count} receivers, as many as a group can have");
            return Err(Refusal::new(ErrorCode::MaxConn, reason));
        }
        Ok(())
    }

    pub(super) fn turn_away(
        &mut self,
        client: ClientNo,
        announcement: &Announcement,
        refusal: Refusal,
    ) {
        let label =
            self.clients.get(&client).map(|client| client.label.as_str()).unwrap_or_default();
        REFUSED.warn(&format!("{label}: connection refused: {}", refusal.reason));
        self.refuse(client, announcement.key, refusal.code, refusal.reason);
        self.drop_ends(&announcement.ends);
        self.tidy(&announcement.config.group_id());
    }

    pub(super) fn drop_ends(&mut self, ends: &Ends) {
        match ends {
            Ends::Source { board, .. } => self.actions.push_back(Action::DropBoard(*board)),
            Ends::Receiver { standby, using } => {
                self.actions.push_back(Action::DropSeat(*standby));
                if let Some((_, seat)) = using {
                    self.actions.push_back(Action::DropSeat(*seat));
                }
            }
        }
    }

    /// Decides about the sources that wait for a group, as far as possible now.
    pub(super) fn resolve(&mut self, group: &str, now: Duration) {
        while let Some((index, step)) = self.next_step(group, now) {
            if matches!(step, Step::Ask) {
                self.ask_for_source(group, index, now);
                continue;
            }
            let pending = self.groups.get_mut(group).and_then(|group| group.pending.remove(index));
            let Some(Pending { client, announcement, place, .. }) = pending else { break };
            let refusal = match step {
                Step::Insert => self.admit(client, &announcement).err(),
                Step::Ask | Step::Refuse => Some(self.occupied(group)),
            };
            let Some(refusal) = refusal else {
                self.insert(client, announcement, place, now);
                continue;
            };
            if place == Place::Given {
                self.actions.push_back(Action::GiveUp { conn_id: announcement.conn_id.clone() });
            }
            self.turn_away(client, &announcement, refusal);
        }
        self.tidy(group);
    }

    /// The first waiting source of a group about which a decision is possible now, and the
    /// decision.
    fn next_step(&self, group: &str, now: Duration) -> Option<(usize, Step)> {
        let entry = self.groups.get(group)?;
        let held = self.hold_until.is_some_and(|until| now < until);
        let holder = entry.source.and_then(|no| self.connections.get(&no));
        // Either its death becomes certain, or it comes back, or its time runs out.
        if holder.is_some_and(|holder| !holder.attached()) {
            return None;
        }
        let asked = entry.pending.iter().any(|pending| pending.place == Place::Asked);
        let decide = |pending: &Pending| {
            let returning = !pending.announcement.conn_id.is_empty();
            let asks = pending.place == Place::Unknown
                && self.needs_place(pending.client, &pending.announcement.config);
            match holder {
                _ if pending.place == Place::Asked => None,
                None if held && !returning => None,
                None if !asks || returning => Some(Step::Insert),
                // A bridge from the network makes room for a source on this host, if the topology
                // wants it so.
                Some(holder) if !(holder.bridge && asks) => {
                    (pending.pass < self.pass).then_some(Step::Refuse)
                }
                _ => (!asked).then_some(Step::Ask),
            }
        };
        let mut steps = entry.pending.iter().enumerate();
        steps.find_map(|(index, pending)| Some((index, decide(pending)?)))
    }

    /// Whether the end of a pass decides about a source that found another in its group.
    fn is_decided_by_pass(&self, holder: &Connection, pending: &Pending) -> bool {
        let asks = || self.needs_place(pending.client, &pending.announcement.config);
        match pending.place {
            Place::Asked => false,
            Place::Unknown => !(holder.bridge && asks()),
            Place::Given => true,
        }
    }

    fn occupied(&self, group: &str) -> Refusal {
        let holder = self.groups.get(group).and_then(|group| group.source);
        let client = holder.and_then(|no| self.connections.get(&no)).map(|holder| holder.client);
        let label = client.and_then(|no| self.clients.get(&no)).map(|client| client.label.as_str());
        let label = label.unwrap_or("another program");
        let reason = format!("group {group:?} has a source already, in {label}");
        Refusal::new(ErrorCode::ConnFailed, reason)
    }

    pub(super) fn insert(
        &mut self,
        client: ClientNo,
        announcement: Announcement,
        place: Place,
        now: Duration,
    ) {
        let bridge = self.is_bridge(client);
        let place = if place == Place::Unknown && self.needs_place(client, &announcement.config) {
            Place::Asked
        } else {
            place
        };
        let Announcement { key, conn_id, config, ends } = announcement;
        let no = ConnNo(self.number());
        let id = if conn_id.is_empty() { (self.new_id)() } else { conn_id };
        let group = config.group_id();
        let role = match ends {
            Ends::Source { board, ring, receivers } => {
                Role::Source(Source { board, ring, listed: receivers.into_iter().collect() })
            }
            Ends::Receiver { standby, using } => Role::Receiver(Receiver {
                standby: Some(standby),
                using,
                joining: None,
                retry_at: None,
            }),
        };
        let entry = self.groups.entry(group.clone()).or_default();
        let what = if let Role::Source(_) = role {
            entry.source = Some(no);
            if !bridge {
                entry.last_stream = Some(id.clone());
            }
            "source"
        } else {
            entry.receivers.push(no);
            "receiver"
        };
        self.by_id.insert(id.clone(), no);
        if let Some(owner) = self.clients.get_mut(&client) {
            owner.keys.insert(key, no);
        }
        let connection = Connection {
            no,
            id,
            client,
            key,
            group,
            config,
            since: now,
            detached: None,
            create_by: None,
            bridge,
            place,
            role,
        };
        if place == Place::Asked {
            self.actions.push_back(connection.ask());
        }
        self.bridges += usize::from(bridge);
        self.connections.insert(no, connection);
        self.tell_of(no, what);
        self.introduce(no, now, true);
    }

    /// Logs a new connection.
    fn tell_of(&self, no: ConnNo, what: &str) {
        let Some(Connection { id, client, group, .. }) = self.connections.get(&no) else { return };
        let label = self.clients.get(client).map(|client| client.label.as_str());
        let stream = self.stream_of(group).map(|stream| format!(", stream {stream}"));
        info!(
            "group {group:?}: {what} {id} of {}{}",
            label.unwrap_or_default(),
            stream.unwrap_or_default()
        );
    }

    /// Restores a connection whose client had lost its socket.
    fn resume(&mut self, no: ConnNo, announcement: Announcement, now: Duration) {
        let Some(connection) = self.connections.get_mut(&no) else { return };
        let old_key = std::mem::replace(&mut connection.key, announcement.key);
        connection.detached = None;
        let (client, key) = (connection.client, connection.key);
        match (&mut connection.role, announcement.ends) {
            (Role::Source(source), Ends::Source { board, ring, receivers }) => {
                self.actions.push_back(Action::DropBoard(source.board));
                *source = Source { board, ring, listed: receivers.into_iter().collect() };
            }
            (Role::Receiver(receiver), Ends::Receiver { standby, using }) => {
                let old = [receiver.standby, receiver.using.map(|(_, seat)| seat)];
                self.actions.extend(old.into_iter().flatten().map(Action::DropSeat));
                *receiver =
                    Receiver { standby: Some(standby), using, joining: None, retry_at: None };
            }
            (_, ends) => self.drop_ends(&ends),
        }
        let displaced = self.clients.get_mut(&client).and_then(|client| {
            client.keys.remove(&old_key);
            client.keys.insert(key, no)
        });
        if let Some(other) = displaced {
            self.remove(other, now);
        }
        self.introduce(no, now, false);
    }

    /// Joins a connection with the others of its group, and tells its client that it exists once
    /// that is done.
    fn introduce(&mut self, no: ConnNo, now: Duration, new: bool) {
        let Some(connection) = self.connections.get(&no) else { return };
        let wait = if connection.is_source() {
            let group = connection.group.clone();
            for receiver in self.receivers_of(&group) {
                self.pair(receiver, now);
            }
            (new && self.lacks_seats(no)).then_some(STANDBY_WAIT)
        } else {
            self.pair(no, now);
            let joining = self.connections.get(&no).and_then(|c| c.receiver()?.joining);
            joining.map(|_| CREATE_TIMEOUT)
        };
        match wait {
            Some(wait) => {
                if let Some(connection) = self.connections.get_mut(&no) {
                    connection.create_by = Some(now + wait);
                }
            }
            None => self.created(no),
        }
        self.version += 1;
    }

    /// Whether receivers are about to send the seat for this source's ring.
    pub(super) fn lacks_seats(&self, source: ConnNo) -> bool {
        let Some(connection) = self.connections.get(&source) else { return false };
        self.receivers_of(&connection.group).into_iter().any(|no| {
            self.connections.get(&no).is_some_and(|receiver| {
                receiver.attached()
                    && !self.is_joined(no, source)
                    && receiver
                        .receiver()
                        .is_some_and(|r| r.joining.is_none() && r.standby.is_none())
            })
        })
    }

    /// Tells a client that its connection exists.
    pub(super) fn created(&mut self, no: ConnNo) {
        let Some(connection) = self.connections.get_mut(&no) else { return };
        connection.create_by = None;
        let (client, key, conn_id) = (connection.client, connection.key, connection.id.clone());
        self.send(client, Body::Created(Created { key, conn_id }), Carry::Nothing);
    }
}
