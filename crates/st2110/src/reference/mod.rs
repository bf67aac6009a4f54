//! Reference clocks: what a session description says about time (RFC 7273, ST 2110-10 §8), and what
//! this host knows about its own.

mod mediaclk;
mod refclk;
mod state;

pub use mediaclk::{MediaClockRate, MediaClockSource};
pub use refclk::{Domain, PtpServer, ReferenceClock};
pub use state::{
    Agreement, ClockReadings, ClockState, ClockWarning, Discipline, PtpClock, TaiSource,
};

/// A clock attribute that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{attribute}: found {found:?}, accepted: {accepted}")]
pub struct ReferenceError {
    /// `ts-refclk` or `mediaclk`.
    pub attribute: &'static str,
    /// The value, cut at 80 characters.
    pub found: String,
    /// What would be accepted.
    pub accepted: &'static str,
}

impl ReferenceError {
    fn new(attribute: &'static str, found: &str, accepted: &'static str) -> Self {
        Self { attribute, found: found.chars().take(80).collect(), accepted }
    }
}
