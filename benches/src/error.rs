//! Errors of a benchmark.

use rustix::io::Errno;

/// Why a benchmark could not be run.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The ring refused something.
    #[error("ring: {0}")]
    Ring(#[from] shm::RingError),
    /// The socket between source and receiver failed.
    #[error("control socket: {0}")]
    Socket(#[from] proto::ProtoError),
    /// A system call failed.
    #[error("{call}: {errno}")]
    System {
        /// Its name.
        call: &'static str,
        /// The error number.
        errno: Errno,
    },
    /// A receiver process could not be started.
    #[error("cannot start a receiver process: {0}")]
    Start(#[from] std::io::Error),
    /// A receiver process reported a failure, or something that was not expected.
    #[error("receiver process: {0}")]
    Receiver(String),
    /// The receivers did not follow in time.
    #[error("receivers did not follow within {seconds} s: {what}")]
    Late {
        /// Time that the source waited.
        seconds: u64,
        /// For what.
        what: &'static str,
    },
    /// A stream of video that cannot be.
    #[error("video: {0}")]
    Video(#[from] st2110::video::VideoError),
    /// ST 2110 sockets and sessions.
    #[error("ST 2110: {0}")]
    Stream(#[from] st2110_net::Error),
    /// The network between two hosts could not be made.
    #[error("{command}: {reason}")]
    Network {
        /// The command that failed.
        command: String,
        /// Why it failed.
        reason: String,
    },
    /// A name that no scenario has.
    #[error("unknown scenario {name:?}; there are: {known}")]
    UnknownScenario {
        /// The name.
        name: String,
        /// Those that there are.
        known: String,
    },
}

impl BenchError {
    /// For `map_err` after a system call.
    pub(crate) fn system(call: &'static str) -> impl Fn(Errno) -> Self {
        move |errno| Self::System { call, errno }
    }
}
