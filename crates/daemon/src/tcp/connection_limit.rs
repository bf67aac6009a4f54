//! Connection limit of one port, and the choice of the connection that has to give way.

use crate::refused::Reason;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot;

/// Value of a connection when another needs its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// It may not call anything.
    Unauthorised,
    /// It may call.
    Authorised,
}

#[derive(Debug)]
struct Member {
    rank: Rank,
    /// It has shown that it speaks the protocol.
    greeted: bool,
    last_seen: Instant,
    /// Dropped to end the connection.
    _end: oneshot::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    members: HashMap<u64, Member>,
}

/// All connections of one port.
#[derive(Clone, Debug)]
pub(super) struct ConnectionLimit {
    /// Limit of connections that have shown their protocol, and of those that have not.
    limit: usize,
    state: Arc<Mutex<State>>,
}

/// A connection's permit; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    connections: ConnectionLimit,
    number: u64,
}

impl ConnectionLimit {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), state: Arc::default() }
    }

    /// Admits a new connection. If there are too many, another one that has not shown its protocol
    /// is ended. The receiver resolves when this connection has to make room itself.
    pub(super) fn enter(&self, rank: Rank, now: Instant) -> (Permit, oneshot::Receiver<()>) {
        let (end, ended) = oneshot::channel();
        let mut state = self.lock();
        Self::make_room(&mut state, false, self.limit);
        let number = state.next;
        state.next += 1;
        let member = Member { rank, greeted: false, last_seen: now, _end: end };
        state.members.insert(number, member);
        (Permit { connections: self.clone(), number }, ended)
    }

    /// Ends the least valuable connection if there are `limit` of that kind.
    fn make_room(state: &mut State, greeted: bool, limit: usize) {
        let same = state.members.iter().filter(|(_, member)| member.greeted == greeted);
        if same.clone().count() < limit {
            return;
        }
        let worst = same.min_by_key(|(number, member)| (member.rank, member.last_seen, **number));
        if let Some(number) = worst.map(|(number, _)| *number) {
            state.members.remove(&number);
            Reason::Crowd.happened();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Notes that the connection has shown its protocol, with its rank.
    pub(super) fn greeted(&self, rank: Rank, now: Instant) {
        let mut state = self.connections.lock();
        ConnectionLimit::make_room(&mut state, true, self.connections.limit);
        if let Some(member) = state.members.get_mut(&self.number) {
            member.greeted = true;
            member.rank = rank;
            member.last_seen = now;
        }
    }

    /// The other end has sent something.
    pub(super) fn seen(&self, now: Instant) {
        if let Some(member) = self.connections.lock().members.get_mut(&self.number) {
            member.last_seen = now;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.lock().members.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn silent_connections_make_room_for_new_ones_only() {
        let (connections, now) = (ConnectionLimit::new(2), Instant::now());
        let (caller, mut caller_end) = connections.enter(Rank::Authorised, now);
        caller.greeted(Rank::Authorised, now);
        let mut silent: Vec<_> = (0..2).map(|_| connections.enter(Rank::Authorised, now)).collect();
        let (_new, mut new_end) = connections.enter(Rank::Authorised, now);
        assert!(silent[0].1.try_recv() == Err(oneshot::error::TryRecvError::Closed));
        assert!(silent[1].1.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert!(new_end.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert!(caller_end.try_recv() == Err(oneshot::error::TryRecvError::Empty));
    }

    #[test]
    fn strangers_go_first_then_who_was_silent_longest() {
        let (connections, now) = (ConnectionLimit::new(3), Instant::now());
        let enter = |rank| {
            let (permit, end) = connections.enter(rank, now);
            permit.greeted(rank, now);
            (permit, end)
        };
        let mut a = enter(Rank::Authorised);
        let mut b = enter(Rank::Authorised);
        let mut stranger = enter(Rank::Unauthorised);
        a.0.seen(now + Duration::from_secs(1));
        let _c = enter(Rank::Authorised);
        assert!(stranger.1.try_recv() == Err(oneshot::error::TryRecvError::Closed));
        let _d = enter(Rank::Authorised);
        assert!(b.1.try_recv() == Err(oneshot::error::TryRecvError::Closed));
        assert!(a.1.try_recv() == Err(oneshot::error::TryRecvError::Empty));
        assert_eq!(connections.lock().members.len(), 3);
    }

    #[test]
    fn permits_are_given_back() {
        let connections = ConnectionLimit::new(2);
        drop(connections.enter(Rank::Authorised, Instant::now()));
        assert_eq!(connections.lock().members.len(), 0);
    }
}
