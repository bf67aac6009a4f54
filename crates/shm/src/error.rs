//! Errors of the shared-memory exchange.

use rustix::io::Errno;

/// Failures of sources and receivers.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RingError {
    /// A size or count out of range.
    #[error("ring shape: {0}")]
    Shape(&'static str),
    /// The kernel refused memory, a seal or a mapping.
    #[error("{what}: {errno}")]
    System {
        /// The operation that failed.
        what: &'static str,
        /// The kernel's answer.
        errno: Errno,
    },
    /// A descriptor from another process is not what it should be.
    #[error("{object} refused: {reason}")]
    Foreign {
        /// "pool", "board" or "seat".
        object: &'static str,
        /// The error, the value seen and the accepted values.
        reason: String,
    },
    /// Nothing came, or no room was made, in time.
    #[error("timeout: {0}")]
    Timeout(&'static str),
    /// The call was cancelled from another thread.
    #[error("cancelled")]
    Cancelled,
    /// A signal handler has run: see [`crate::signals`].
    #[error("interrupted by a signal")]
    Interrupted,
    /// The ring was closed on this side.
    #[error("closed: {0}")]
    Closed(&'static str),
    /// The source has ended the stream, and everything was read.
    #[error("the source has ended the stream")]
    Ended,
    /// The source has closed, and everything was read: reported once to a receiver that asks for
    /// it, which then continues with the next source.
    #[error("the source has said goodbye")]
    SourceClosed,
    /// The ring has the most receivers that it can have.
    #[error("the ring has {0} receivers, as many as it can have")]
    Full(usize),
    /// The process is a fork of the one that made the object.
    #[error("made by the parent process of this fork")]
    Forked,
}

impl RingError {
    pub(crate) fn system(what: &'static str) -> impl FnOnce(Errno) -> Self {
        move |errno| Self::System { what, errno }
    }

    pub(crate) fn foreign(object: &'static str, reason: impl Into<String>) -> Self {
        Self::Foreign { object, reason: reason.into() }
    }
}
