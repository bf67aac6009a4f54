//! Pairing: gives a receiver a seat in a source's ring.

use super::connection::Joining;
use super::limits::RETRY_TIME;
use super::{Action, Carry, ClientNo, ConnNo, Registry, SeatNo, Violation};
use crate::rate_limited_log::RateLimitedLog;
use config::{Delivery, ErrorCode};
use log::info;
use proto::exchange::{Join, NeedSeat, Part, Ring, from_proxy::Body};
use std::time::Duration;

static REFUSED: RateLimitedLog = RateLimitedLog::new();

impl Registry {
    /// Asks the source of a receiver's group to add the receiver, if that is possible and due.
    pub(super) fn pair(&mut self, receiver_no: ConnNo, now: Duration) {
        let Some(connection) = self.connections.get(&receiver_no) else { return };
        let Some(source_no) = self.groups.get(&connection.group).and_then(|group| group.source)
        else {
            return;
        };
        if !connection.attached() || self.is_joined(receiver_no, source_no) {
            return;
        }
        let Some(receiver) = connection.receiver() else { return };
        let Some(seat) = receiver.standby else { return };
        if receiver.joining.is_some() || receiver.retry_at.is_some_and(|at| now < at) {
            return;
        }
        let Some(source) = self.connections.get(&source_no).filter(|source| source.attached())
        else {
            return;
        };
        let delivery = connection.config.options.delivery.or(source.config.options.delivery);
        let join = Join {
            key: source.key,
            seat: seat.0,
            receiver: connection.id.clone(),
            live: delivery == Some(Delivery::Live),
        };
        let (source_client, receiver_client) = (source.client, connection.client);
        // The source takes the new seat instead of one that it may have for this receiver.
        if let Some(source) = self.connections.get_mut(&source_no).and_then(|c| c.source_mut()) {
            source.listed.remove(&join.receiver);
        }
        if let Some(receiver) =
            self.connections.get_mut(&receiver_no).and_then(|c| c.receiver_mut())
        {
            receiver.standby = None;
            receiver.retry_at = None;
            receiver.joining = Some(Joining { source: source_no, seat });
        }
        self.version += 1;
        self.send(source_client, Body::Join(join), Carry::Seat(seat, receiver_client));
    }

    /// A source has answered a Join.
    pub(crate) fn joined(
        &mut self,
        client: ClientNo,
        key: u32,
        seat: SeatNo,
        start: u64,
        error: &str,
        now: Duration,
    ) -> Result<(), Violation> {
        let Some(source_no) = self.key_of(client, key) else { return Ok(()) };
        let Some(connection) = self.connections.get(&source_no) else { return Ok(()) };
        let Some(source) = connection.source() else {
            return Err(Violation(format!("Joined for key {key}, which is a receiver")));
        };
        let (ring, board, group) = (source.ring, source.board, connection.group.clone());
        let receiver_no = self.receivers_of(&group).into_iter().find(|no| {
            let joining = self.connections.get(no).and_then(|c| c.receiver()?.joining);
            joining.is_some_and(|joining| joining.seat == seat && joining.source == source_no)
        });
        // Without a receiver: it has left meanwhile, and the source has been told so.
        let Some(receiver_no) = receiver_no else { return Ok(()) };
        if !error.is_empty() {
            self.join_refused(receiver_no, seat, error, now);
            return Ok(());
        }
        let Some(connection) = self.connections.get_mut(&receiver_no) else { return Ok(()) };
        let (to, id) = (connection.client, connection.id.clone());
        let message = Ring { key: connection.key, ring_id: ring.to_vec(), start };
        let waiting = connection.create_by.is_some();
        if let Some(receiver) = connection.receiver_mut() {
            receiver.joining = None;
            if let Some((_, old)) = receiver.using.replace((ring, seat)) {
                self.actions.push_back(Action::RetireSeat(old, receiver_no));
            }
        }
        if let Some(source) = self.connections.get_mut(&source_no).and_then(|c| c.source_mut()) {
            source.listed.insert(id);
        }
        self.send(to, Body::Ring(message), Carry::Board(board, client));
        if waiting {
            self.created(receiver_no);
        }
        self.version += 1;
        Ok(())
    }

    fn join_refused(&mut self, receiver_no: ConnNo, seat: SeatNo, error: &str, now: Duration) {
        let Some(connection) = self.connections.get_mut(&receiver_no) else { return };
        REFUSED.warn(&format!("receiver {}: its source refused the seat: {error}", connection.id));
        let (client, key) = (connection.client, connection.key);
        if connection.create_by.is_some() {
            let reason = format!("the group's source refused the seat: {error}");
            self.refuse(client, key, ErrorCode::ConnFailed, reason);
            self.remove(receiver_no, now);
            return;
        }
        if let Some(receiver) = connection.receiver_mut() {
            receiver.joining = None;
            receiver.retry_at = Some(now + RETRY_TIME);
        }
        self.actions.push_back(Action::DropSeat(seat));
        self.send(client, Body::NeedSeat(NeedSeat { key }), Carry::Nothing);
        self.version += 1;
    }

    /// Takes a receiver's seat for its next ring.
    pub(crate) fn standby(
        &mut self,
        client: ClientNo,
        key: u32,
        seat: SeatNo,
        now: Duration,
    ) -> Result<(), Violation> {
        let Some(no) = self.key_of(client, key) else {
            self.actions.push_back(Action::DropSeat(seat));
            return Ok(());
        };
        let Some(connection) = self.connections.get_mut(&no) else { return Ok(()) };
        let group = connection.group.clone();
        let fault = match connection.receiver_mut() {
            None => Some("which is a source"),
            Some(receiver) if receiver.joining.is_some() => Some("whose standby seat is in use"),
            Some(receiver) => {
                if let Some(old) = receiver.standby.replace(seat) {
                    self.actions.push_back(Action::DropSeat(old));
                }
                None
            }
        };
        if let Some(fault) = fault {
            self.actions.push_back(Action::DropSeat(seat));
            return Err(Violation(format!("Standby for key {key}, {fault}")));
        }
        self.pair(no, now);
        self.finish_source(&group);
        Ok(())
    }

    /// Tells a new source that it exists if the last seat that it waited for has come.
    pub(super) fn finish_source(&mut self, group: &str) {
        let Some(source) = self.groups.get(group).and_then(|group| group.source) else { return };
        let waits = self.connections.get(&source).is_some_and(|source| source.create_by.is_some());
        if waits && !self.lacks_seats(source) {
            self.created(source);
        }
    }

    /// Cancels all joins with a source that will not answer them any more.
    pub(super) fn fail_joins(&mut self, source: ConnNo, group: &str) {
        for no in self.receivers_of(group) {
            let Some(connection) = self.connections.get_mut(&no) else { continue };
            let (client, key) = (connection.client, connection.key);
            let waiting = connection.create_by.is_some();
            let Some(receiver) = connection.receiver_mut() else { continue };
            let Some(joining) = receiver.joining.take_if(|joining| joining.source == source) else {
                continue;
            };
            info!("receiver {}: its source left before it answered", connection.id);
            self.actions.push_back(Action::DropSeat(joining.seat));
            if waiting {
                self.created(no);
            }
            self.send(client, Body::NeedSeat(NeedSeat { key }), Carry::Nothing);
            self.version += 1;
        }
    }

    /// Tells a receiver's source that it need not wait for the receiver any longer.
    pub(super) fn part(&mut self, receiver_no: ConnNo) {
        let Some(connection) = self.connections.get(&receiver_no) else { return };
        let Some(receiver) = connection.receiver() else { return };
        let Some(source_no) = self.groups.get(&connection.group).and_then(|group| group.source)
        else {
            return;
        };
        let id = connection.id.clone();
        let seat = match (receiver.joining, receiver.using) {
            (Some(joining), _) if joining.source == source_no => joining.seat,
            (_, Some((_, seat))) => seat,
            _ => SeatNo(0),
        };
        let asked = receiver.joining.is_some_and(|joining| joining.source == source_no);
        let Some(connection) = self.connections.get_mut(&source_no) else { return };
        let (client, key) = (connection.client, connection.key);
        let listed = connection.source_mut().is_some_and(|source| source.listed.remove(&id));
        if asked || listed {
            let part = Part { key, seat: seat.0, receiver: id };
            self.send(client, Body::Part(part), Carry::Nothing);
        }
    }
}
