//! Names of connection states: the same in tables, JSON and reports to agents.

use crate::control::State;

impl State {
    /// The word for a state; `?` for one that this version does not know.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Waiting => "waiting",
            Self::Joining => "joining",
            Self::Detached => "detached",
            Self::Stalled => "stalled",
            Self::NoLink => "no link",
            Self::Failed => "failed",
            Self::Unspecified => "?",
        }
    }

    /// Whether the connection has its place in the exchange, so that frames can flow.
    #[must_use]
    pub fn is_linked(self) -> bool {
        matches!(self, Self::Active | Self::Stalled)
    }
}
