//! Removal of connections and clients, and time-outs.

use super::connection::Role;
use super::limits::DETACH_TIMEOUT;
use super::placement::Place;
use super::{Action, Carry, ClientNo, ConnNo, Registry};
use log::info;
use proto::exchange::{Closed, from_proxy::Body};
use std::time::Duration;

impl Registry {
    /// A client ends a connection.
    pub(crate) fn goodbye(&mut self, client: ClientNo, key: u32, now: Duration) {
        if let Some(no) = self.key_of(client, key) {
            self.remove(no, now);
        } else {
            self.drop_pending(client, Some(key), now);
        }
    }

    /// Ends a connection on behalf of an operator. Returns whether it exists.
    pub(crate) fn delete(&mut self, conn_id: &str, reason: &str, now: Duration) -> bool {
        let Some(no) = self.by_id.get(conn_id).copied() else { return false };
        let Some(connection) = self.connections.get(&no).filter(|c| !c.bridge) else {
            return false;
        };
        let closed = Closed { key: connection.key, reason: reason.to_owned() };
        let client = connection.client;
        self.send(client, Body::Closed(closed), Carry::Nothing);
        self.remove(no, now);
        true
    }

    /// Handles the loss of a client's socket; its process may live, and its frames flow on.
    pub(crate) fn detach(&mut self, no: ClientNo, now: Duration) {
        let Some(client) = self.clients.get_mut(&no) else { return };
        client.attached = false;
        let mut connections: Vec<_> = client.keys.values().copied().collect();
        connections.sort();
        self.drop_pending(no, None, now);
        for conn in connections {
            let Some(connection) = self.connections.get_mut(&conn) else { continue };
            if connection.create_by.is_some() {
                // Its client does not know of it, and will announce it as a new one.
                self.remove(conn, now);
                continue;
            }
            if connection.detached.is_some() {
                continue;
            }
            connection.detached = Some(now);
            let group = connection.group.clone();
            if connection.is_source() {
                self.fail_joins(conn, &group);
                continue;
            }
            // The ring in use stays in use; a pending join cannot succeed without a socket.
            if connection.receiver().is_some_and(|receiver| receiver.joining.is_some()) {
                self.part(conn);
            }
            if let Some(receiver) = self.connections.get_mut(&conn).and_then(|c| c.receiver_mut()) {
                let joining = receiver.joining.take().map(|joining| joining.seat);
                let seats = [joining, receiver.standby.take()];
                self.actions.extend(seats.into_iter().flatten().map(Action::DropSeat));
            }
            self.finish_source(&group);
        }
        self.version += 1;
        self.forget_if_idle(no);
    }

    /// Number of connections of a client.
    pub(crate) fn connections_of(&self, no: ClientNo) -> usize {
        self.clients.get(&no).map_or(0, |client| client.keys.len())
    }

    /// A client's process is dead.
    pub(crate) fn died(&mut self, no: ClientNo, now: Duration) {
        let Some(client) = self.clients.get_mut(&no) else { return };
        client.attached = false;
        let mut connections: Vec<_> = client.keys.values().copied().collect();
        connections.sort();
        self.drop_pending(no, None, now);
        for conn in connections {
            self.remove(conn, now);
        }
        self.forget_if_idle(no);
    }

    /// Does what is due by now.
    pub(crate) fn tick(&mut self, now: Duration) {
        if self.hold_until.is_some_and(|until| now >= until) {
            self.hold_until = None;
            for group in self.groups_with_pending() {
                self.resolve(&group, now);
            }
        }
        self.end_waits(now);
        let (mut lost, mut created, mut retry) = (Vec::new(), Vec::new(), Vec::new());
        for connection in self.connections.values() {
            if connection.detached.is_some_and(|since| now >= since + DETACH_TIMEOUT) {
                lost.push(connection.no);
            } else if connection.create_by.is_some_and(|by| now >= by) {
                created.push(connection.no);
            } else if connection.receiver().and_then(|r| r.retry_at).is_some_and(|at| now >= at) {
                retry.push(connection.no);
            }
        }
        lost.sort();
        for no in lost {
            info!("connection {}: its client did not come back", self.connections[&no].id);
            self.remove(no, now);
        }
        for no in created {
            self.created(no);
        }
        for no in retry {
            if let Some(receiver) = self.connections.get_mut(&no).and_then(|c| c.receiver_mut()) {
                receiver.retry_at = None;
            }
            self.pair(no, now);
        }
    }

    /// Time of the next [`Registry::tick`].
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let waiting = self.connections.values().flat_map(|connection| {
            let lost = connection.detached.map(|since| since + DETACH_TIMEOUT);
            let retry = connection.receiver().and_then(|receiver| receiver.retry_at);
            [lost, connection.create_by, retry].into_iter().flatten()
        });
        waiting.chain(self.hold_until).chain(self.wait_deadline()).min()
    }

    /// Ends a connection, and tells only its other end.
    pub(super) fn remove(&mut self, no: ConnNo, now: Duration) {
        self.part(no);
        let Some(connection) = self.connections.remove(&no) else { return };
        self.by_id.remove(&connection.id);
        self.bridges -= usize::from(connection.bridge);
        if connection.place != Place::Unknown {
            self.actions.push_back(Action::GiveUp { conn_id: connection.id.clone() });
        }
        if let Some(client) = self.clients.get_mut(&connection.client)
            && client.keys.get(&connection.key) == Some(&no)
        {
            client.keys.remove(&connection.key);
        }
        if let Some(group) = self.groups.get_mut(&connection.group) {
            group.receivers.retain(|receiver| *receiver != no);
            if group.source == Some(no) {
                group.source = None;
            }
        }
        match connection.role {
            Role::Source(source) => {
                info!("group {:?}: source {} has left", connection.group, connection.id);
                self.actions.push_back(Action::DropBoard(source.board));
                self.fail_joins(no, &connection.group);
            }
            Role::Receiver(receiver) => {
                info!("group {:?}: receiver {} has left", connection.group, connection.id);
                let joining = receiver.joining.map(|joining| joining.seat);
                let seats = [receiver.standby, joining, receiver.using.map(|(_, seat)| seat)];
                self.actions.extend(seats.into_iter().flatten().map(Action::DropSeat));
                self.finish_source(&connection.group);
            }
        }
        self.version += 1;
        self.resolve(&connection.group, now);
        self.forget_if_idle(connection.client);
    }

    /// Removes connections of a client that wait for their turn or their placement: the one of this
    /// key, or all.
    fn drop_pending(&mut self, client: ClientNo, key: Option<u32>, now: Duration) {
        self.drop_asking(client, key);
        for name in self.groups_with_pending() {
            let Some(group) = self.groups.get_mut(&name) else { continue };
            let all = std::mem::take(&mut group.pending);
            let (gone, stay) = all.into_iter().partition(|pending| {
                pending.client == client && key.is_none_or(|key| pending.announcement.key == key)
            });
            group.pending = stay;
            let gone: std::collections::VecDeque<_> = gone;
            let asked = gone.iter().any(|pending| pending.place == Place::Asked);
            for pending in gone {
                self.drop_ends(&pending.announcement.ends);
                if pending.place != Place::Unknown {
                    let conn_id = pending.announcement.conn_id;
                    self.actions.push_back(Action::GiveUp { conn_id });
                }
            }
            if asked && let Some(group) = self.groups.get_mut(&name) {
                group.ask_by = None;
                self.resolve(&name, now);
            }
            self.tidy(&name);
        }
    }

    /// Forgets a group without members.
    pub(super) fn tidy(&mut self, group: &str) {
        if self.groups.get(group).is_some_and(super::Group::is_empty) {
            self.groups.remove(group);
            self.version += 1;
        }
    }

    /// Forgets a client that has neither a socket nor connections.
    fn forget_if_idle(&mut self, no: ClientNo) {
        if self.clients.get(&no).is_some_and(|client| !client.attached && client.keys.is_empty())
            && let Some(client) = self.clients.remove(&no)
        {
            self.by_name.remove(&client.name);
            self.actions.push_back(Action::DropClient(no));
            self.version += 1;
        }
    }
}
