//! What can go wrong for a program, and the stable numbers of the C ABI.

use config::ErrorCode;
use std::time::Duration;

/// Every failure of the library. The text says what was wrong, the value seen and what would be accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A null client pointer, or one to a null client.
    #[error("client pointer is null")]
    BadClient,
    /// A null connection pointer, or one to a null connection.
    #[error("connection pointer is null")]
    BadConnection,
    /// A null configuration pointer, or a configuration that is no UTF-8 text.
    #[error("configuration pointer: {0}")]
    BadConfig(String),
    /// A null buffer pointer, or another null argument of a buffer call.
    #[error("buffer pointer: {0}")]
    BadBuffer(String),
    /// A length beyond the buffer's partition.
    #[error("{partition} length is {len} bytes, at most {max} fit")]
    BadLength {
        /// "payload" or "metadata".
        partition: &'static str,
        /// The length asked for.
        len: usize,
        /// The size of the partition.
        max: usize,
    },
    /// The client configuration is malformed.
    #[error("client configuration: {0}")]
    ClientConfig(String),
    /// The client has as many connections as its configuration allows.
    #[error("client has {0} connections, as many as maxMediaConnections allows")]
    MaxConnections(usize),
    /// The client still has connections.
    #[error("client has {0} connections that were not deleted")]
    FoundAllocated(usize),
    /// The proxy could not be reached or the connection could not be set up.
    #[error("connection failed: {0}")]
    ConnectionFailed(String),
    /// The connection configuration is malformed or out of range.
    #[error("connection configuration: {0}")]
    ConnectionConfig(String),
    /// Values of the connection configuration do not fit together, or not to the group.
    #[error("connection configuration does not fit: {0}")]
    Incompatible(String),
    /// The connection was shut down, or its stream has ended.
    #[error("connection is closed: {0}")]
    Closed(String),
    /// The source has said goodbye: told to those only who ask for it, see [`Extras`](crate::Extras).
    #[error("the source has said goodbye")]
    Farewell,
    /// Nothing came, or no room was made, in time.
    #[error("timeout after {0:?}: {1}")]
    Timeout(Duration, &'static str),
    /// Part of the configuration language, but not of this version.
    #[error("not implemented: {0}")]
    NotImplemented(String),
    /// Another thread cancelled the call.
    #[error("call was cancelled by mesh_cancel_connection")]
    Cancelled,
    /// A signal that the program handles came during the wait.
    #[error("call was ended by a signal that the program handles")]
    Interrupted,
    /// The process was forked since; a child has to create a client of its own.
    #[error("client belongs to the parent process: a forked child must create its own")]
    Forked,
    /// The library failed within itself (a bug); the call had no effect.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The positive `MESH_ERR_*` number.
    #[must_use]
    pub fn code(&self) -> i32 {
        let code = match self {
            Self::BadClient => ErrorCode::BadClientPtr,
            Self::BadConnection => ErrorCode::BadConnPtr,
            Self::BadConfig(_) => ErrorCode::BadConfigPtr,
            Self::BadBuffer(_) => ErrorCode::BadBufPtr,
            Self::BadLength { .. } => ErrorCode::BadBufLen,
            Self::ClientConfig(_) => ErrorCode::ClientConfigInval,
            Self::MaxConnections(_) => ErrorCode::MaxConn,
            Self::FoundAllocated(_) => ErrorCode::FoundAllocated,
            Self::ConnectionFailed(_) => ErrorCode::ConnFailed,
            Self::ConnectionConfig(_) => ErrorCode::ConnConfigInval,
            Self::Incompatible(_) => ErrorCode::ConnConfigIncompat,
            Self::Closed(_) | Self::Farewell => ErrorCode::ConnClosed,
            Self::Timeout(..) => ErrorCode::Timeout,
            Self::NotImplemented(_) => ErrorCode::NotImplemented,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Forked => ErrorCode::Forked,
            Self::Internal(_) => ErrorCode::Internal,
            Self::Interrupted => ErrorCode::Interrupted,
        };
        code.number()
    }
}
