//! Connections that reach beyond this host: held until the control plane has placed them.

use super::announce::Announcement;
use super::connection::Connection;
use super::limits::PLACE_TIMEOUT;
use super::{Action, ClientNo, Registry};
use config::{ConnectionConfig, Endpoint, ErrorCode};
use log::warn;
use proto::Kind;
use std::time::Duration;

/// The connections that reach beyond this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Streams to and from the network.
    Streams,
    /// Multipoint groups as well, which may have members on other hosts.
    Groups,
}

/// State of a connection's placement in the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The control plane has not been asked, or the connection stays on this host.
    Unknown,
    Asked,
    Given,
}

/// Reason for which a connection is not created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Number of a `MESH_ERR_*`.
    pub(crate) code: i32,
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn new(code: impl Into<i32>, reason: impl Into<String>) -> Self {
        Self { code: code.into(), reason: reason.into() }
    }
}

/// A new receiver that waits for its placement.
#[derive(Debug)]
pub(super) struct Asking {
    client: ClientNo,
    announcement: Announcement,
    by: Duration,
}

impl Connection {
    /// The question for the place of a connection that is served already.
    pub(super) fn ask(&self) -> Action {
        Action::AskPlace {
            conn_id: self.id.clone(),
            kind: if self.is_source() { Kind::Source } else { Kind::Receiver },
            config: Box::new(self.config.clone()),
            returning: true,
        }
    }
}

impl Registry {
    /// Whether a client is this proxy itself.
    pub(super) fn is_bridge(&self, client: ClientNo) -> bool {
        self.clients.get(&client).is_some_and(|client| client.bridge)
    }

    /// Connections of programs.
    pub(crate) fn program_connections(&self) -> usize {
        self.connections.len() - self.bridges
    }

    /// Whether a connection needs placement in the mesh.
    pub(super) fn needs_place(&self, client: ClientNo, config: &ConnectionConfig) -> bool {
        let beyond = match config.endpoint {
            Endpoint::St2110(_) | Endpoint::Rdma(_) => true,
            Endpoint::MultipointGroup { .. } => self.reach == Reach::Groups,
        };
        beyond && !self.is_bridge(client)
    }

    /// Receivers of a client that wait for their place.
    pub(super) fn asked_by(&self, client: ClientNo) -> usize {
        self.asking.values().filter(|asking| asking.client == client).count()
    }

    /// Whether a receiver of this key waits for its placement.
    pub(super) fn asks(&self, client: ClientNo, key: u32) -> bool {
        let mut asking = self.asking.values();
        asking.any(|asking| asking.client == client && asking.announcement.key == key)
    }

    pub(super) fn ask_for_receiver(
        &mut self,
        client: ClientNo,
        mut announcement: Announcement,
        now: Duration,
    ) {
        let conn_id = (self.new_id)();
        announcement.conn_id.clone_from(&conn_id);
        let config = Box::new(announcement.config.clone());
        let (kind, returning) = (Kind::Receiver, false);
        let asking = Asking { client, announcement, by: now + PLACE_TIMEOUT };
        self.asking.insert(conn_id.clone(), asking);
        self.actions.push_back(Action::AskPlace { conn_id, kind, config, returning });
    }

    pub(super) fn ask_for_source(&mut self, group: &str, index: usize, now: Duration) {
        let id = (self.new_id)();
        let Some(group) = self.groups.get_mut(group) else { return };
        let Some(pending) = group.pending.get_mut(index) else { return };
        let returning = !pending.announcement.conn_id.is_empty();
        if !returning {
            pending.announcement.conn_id = id;
        }
        pending.place = Place::Asked;
        group.ask_by = Some(now + PLACE_TIMEOUT);
        let conn_id = pending.announcement.conn_id.clone();
        let config = Box::new(pending.announcement.config.clone());
        let kind = Kind::Source;
        self.actions.push_back(Action::AskPlace { conn_id, kind, config, returning });
    }

    /// Takes the answer to an [`Action::AskPlace`]. It has no effect if the connection no longer
    /// waits for it.
    pub(crate) fn placed(&mut self, conn_id: &str, answer: Result<(), Refusal>, now: Duration) {
        if let Some(Asking { client, announcement, .. }) = self.asking.remove(conn_id) {
            match answer {
                Err(refusal) => self.turn_away(client, &announcement, refusal),
                Ok(()) => match self.admit(client, &announcement) {
                    Ok(()) => self.insert(client, announcement, Place::Given, now),
                    Err(refusal) => {
                        self.actions.push_back(Action::GiveUp { conn_id: conn_id.to_owned() });
                        self.turn_away(client, &announcement, refusal);
                    }
                },
            }
        } else if let Some(group) = self.group_that_asks(conn_id) {
            self.source_placed(&group, conn_id, answer, now);
        } else if let Some(connection) =
            self.by_id.get(conn_id).copied().and_then(|no| self.connections.get_mut(&no))
        {
            // It exists already, and what it had on this host stays.
            if let Err(refusal) = answer {
                warn!("connection {conn_id} stays on this host alone: {}", refusal.reason);
            }
            connection.place = Place::Given;
        }
    }

    fn source_placed(
        &mut self,
        group: &str,
        conn_id: &str,
        answer: Result<(), Refusal>,
        now: Duration,
    ) {
        let pass = self.pass;
        let Some(entry) = self.groups.get_mut(group) else { return };
        entry.ask_by = None;
        let index = entry.pending.iter().position(|p| p.announcement.conn_id == conn_id);
        let Some(index) = index else { return };
        match answer {
            Ok(()) => {
                if let Some(pending) = entry.pending.get_mut(index) {
                    pending.place = Place::Given;
                    pending.pass = pass;
                }
            }
            Err(refusal) => {
                if let Some(pending) = entry.pending.remove(index) {
                    self.turn_away(pending.client, &pending.announcement, refusal);
                }
            }
        }
        self.resolve(group, now);
    }

    /// The group in which a source of this name waits for its place.
    fn group_that_asks(&self, conn_id: &str) -> Option<String> {
        let asks = |group: &super::Group| {
            let mut pending = group.pending.iter();
            pending.any(|p| p.place == Place::Asked && p.announcement.conn_id == conn_id)
        };
        self.groups.iter().find(|(_, group)| asks(group)).map(|(name, _)| name.clone())
    }

    /// Removes receivers of a client that wait for their placement: the one of this key, or all.
    pub(super) fn drop_asking(&mut self, client: ClientNo, key: Option<u32>) {
        let gone = self.asking.extract_if(|_, asking| {
            asking.client == client && key.is_none_or(|key| asking.announcement.key == key)
        });
        for (conn_id, asking) in gone.collect::<Vec<_>>() {
            self.drop_ends(&asking.announcement.ends);
            self.actions.push_back(Action::GiveUp { conn_id });
        }
    }

    /// Refuses connections whose placement has timed out.
    pub(super) fn end_waits(&mut self, now: Duration) {
        let refusal = || {
            let text = format!("no bridge to the network within {PLACE_TIMEOUT:?}");
            Refusal::new(ErrorCode::ConnFailed, text)
        };
        let late: Vec<_> = self.asking.extract_if(|_, asking| now >= asking.by).collect();
        for (conn_id, Asking { client, announcement, .. }) in late {
            self.actions.push_back(Action::GiveUp { conn_id });
            self.turn_away(client, &announcement, refusal());
        }
        let late = |group: &super::Group| group.ask_by.is_some_and(|by| now >= by);
        let late = self.groups.iter().filter(|(_, group)| late(group));
        for name in late.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let Some(group) = self.groups.get_mut(&name) else { continue };
            group.ask_by = None;
            let asked = group.pending.iter().position(|pending| pending.place == Place::Asked);
            let Some(pending) = asked.and_then(|index| group.pending.remove(index)) else {
                continue;
            };
            let conn_id = pending.announcement.conn_id.clone();
            self.actions.push_back(Action::GiveUp { conn_id });
            self.turn_away(pending.client, &pending.announcement, refusal());
            self.resolve(&name, now);
        }
    }

    /// Time at which the first placement times out.
    pub(super) fn wait_deadline(&self) -> Option<Duration> {
        let receivers = self.asking.values().map(|asking| asking.by);
        receivers.chain(self.groups.values().filter_map(|group| group.ask_by)).min()
    }
}
