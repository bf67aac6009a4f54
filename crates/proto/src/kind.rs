//! Which end of a group a connection is.

use crate::sdk::ConnectionKind;

/// Which end of a group a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It sends: a transmitter of the SDK.
    Source,
    /// It receives.
    Receiver,
}

impl From<Kind> for ConnectionKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Source => Self::ConnKindTransmitter,
            Kind::Receiver => Self::ConnKindReceiver,
        }
    }
}

impl From<ConnectionKind> for Kind {
    fn from(kind: ConnectionKind) -> Self {
        match kind {
            ConnectionKind::ConnKindTransmitter => Self::Source,
            ConnectionKind::ConnKindReceiver => Self::Receiver,
        }
    }
}
