//! How long calls may block.

use shm::Deadline;
use std::time::Duration;

/// How long a call may block. A [`Duration`] converts into it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// As long as the client's configuration says; see [`ClientBuilder::default_timeout`].
    ///
    /// [`ClientBuilder::default_timeout`]: crate::ClientBuilder::default_timeout
    Default,
    /// Until the call succeeds, the connection closes or the call is cancelled.
    Infinite,
    /// At most this long; zero never blocks.
    After(Duration),
}

impl From<Duration> for Timeout {
    fn from(time: Duration) -> Self {
        Self::After(time)
    }
}

impl Timeout {
    /// The time that it stands for; `None` is for ever.
    pub(crate) fn duration(self, default: Duration) -> Option<Duration> {
        match self {
            Self::Default => Some(default),
            Self::Infinite => None,
            Self::After(time) => Some(time),
        }
    }

    pub(crate) fn deadline(self, default: Duration) -> Deadline {
        self.duration(default).map_or(Deadline::Never, Deadline::after)
    }
}
