//! Errors of TLS credentials.

use std::path::PathBuf;

/// Credentials that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{option} {path}: {reason}")]
pub struct AccessError {
    /// The option that named the file.
    pub option: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The error, and what is accepted.
    pub reason: String,
}
