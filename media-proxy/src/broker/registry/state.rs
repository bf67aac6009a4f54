//! A connection's state, as tools show it.

use super::{ConnNo, Registry};

/// Condition of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    Waiting,
    Joining,
    Detached,
}

impl Registry {
    /// The condition of a connection.
    pub(crate) fn state(&self, no: ConnNo) -> Option<State> {
        let connection = self.connections.get(&no)?;
        if !connection.attached() {
            return Some(State::Detached);
        }
        let Some(receiver) = connection.receiver() else { return Some(State::Active) };
        let source = self.groups.get(&connection.group).and_then(|group| group.source);
        Some(if source.is_some_and(|source| self.is_joined(no, source)) {
            State::Active
        } else if receiver.joining.is_some() {
            State::Joining
        } else {
            State::Waiting
        })
    }

    /// Whether a receiver is joined to a source's ring, as both ends report.
    pub(super) fn is_joined(&self, receiver: ConnNo, source: ConnNo) -> bool {
        let (Some(receiver), Some(source)) =
            (self.connections.get(&receiver), self.connections.get(&source))
        else {
            return false;
        };
        let (Some(using), Some(source)) =
            (receiver.receiver().and_then(|receiver| receiver.using), source.source())
        else {
            return false;
        };
        using.0 == source.ring && source.listed.contains(&receiver.id)
    }
}
