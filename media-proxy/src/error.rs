//! Errors that keep the daemon from starting.

use crate::listeners::Owner;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A reason for the daemon not to start, or to end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    /// Something about the run directory failed.
    #[error("run directory {path}: {what}: {error}")]
    RunDir { path: PathBuf, what: &'static str, error: std::io::Error },
    /// Another proxy serves the run directory.
    #[error(
        "run directory {path}: another media_proxy (pid {pid}) serves it; give this one another with --run-dir, or a port of its own with -t"
    )]
    Taken { path: PathBuf, pid: String },
    /// A port cannot be had.
    #[error("{option} {address}: {error}{owner}")]
    Listen { option: &'static str, address: SocketAddr, error: std::io::Error, owner: Owner },
    /// The clock that streams shall follow cannot be read.
    #[error("--ptp-clock: {0}")]
    Clock(#[from] st2110_net::Error),
    /// Credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] daemon::AccessError),
    /// No control plane.
    #[error(transparent)]
    Fleet(#[from] mesh::AgentError),
    /// The operating system refused something that always works.
    #[error("{what}: {error}")]
    System { what: &'static str, error: std::io::Error },
    /// A part of the daemon ended by itself.
    #[error("{0} ended unexpectedly")]
    Ended(&'static str),
}

impl ProxyError {
    /// For use with `map_err`.
    pub(crate) fn system<E: Into<std::io::Error>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::System { what, error: error.into() }
    }
}
