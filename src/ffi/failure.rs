//! Failures of the C API: those of the client, and those that only C programs can cause.

use config::ErrorCode;
use mcm::{ClientError, GroupError, LengthError, OpenError, WaitError};

/// Every failure of the library. The text says what was wrong, the value seen and what would be
/// accepted.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
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
    #[error(transparent)]
    BadLength(#[from] LengthError),
    /// The client cannot be made.
    #[error(transparent)]
    Client(ClientError),
    /// The client has as many connections as its configuration allows.
    #[error("client has {0} connections, as many as maxMediaConnections allows")]
    MaxConnections(usize),
    /// The client still has connections.
    #[error("client has {0} connections that were not deleted")]
    FoundAllocated(usize),
    /// The connection cannot be made.
    #[error(transparent)]
    Open(OpenError),
    /// The proxy does not tell what a group carries.
    #[error(transparent)]
    Group(GroupError),
    /// The group does not exist.
    #[error("timeout after {0:?}: there is no such group")]
    NoGroup(std::time::Duration),
    /// The source has ended the stream.
    #[error("connection is closed: the source has ended the stream")]
    Ended,
    /// A get or put has failed.
    #[error(transparent)]
    Wait(WaitError),
    /// An argument has a value that is kept for later versions.
    #[error("not implemented: {0}")]
    NotImplemented(String),
    /// Another thread cancelled the call.
    #[error("call was cancelled by mesh_cancel_connection")]
    Cancelled,
    /// The library failed within itself (a bug); the call had no effect.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// The positive `MESH_ERR_*` number.
    pub(super) fn code(&self) -> i32 {
        let code = match self {
            Self::BadClient => ErrorCode::BadClientPtr,
            Self::BadConnection => ErrorCode::BadConnPtr,
            Self::BadConfig(_) => ErrorCode::BadConfigPtr,
            Self::BadBuffer(_) => ErrorCode::BadBufPtr,
            Self::BadLength(_) => ErrorCode::BadBufLen,
            Self::Client(error) => return error.code(),
            Self::MaxConnections(_) => ErrorCode::MaxConn,
            Self::FoundAllocated(_) => ErrorCode::FoundAllocated,
            Self::Open(error) => return error.code(),
            Self::Group(error) => return error.code(),
            Self::Ended => ErrorCode::ConnClosed,
            Self::NoGroup(_) => ErrorCode::Timeout,
            Self::Wait(error) => return error.code(),
            Self::NotImplemented(_) => ErrorCode::NotImplemented,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Internal(_) => ErrorCode::Internal,
        };
        code.number()
    }

    /// Whether it says no more than that a wait has ended, as programs expect.
    pub(super) fn is_usual(&self) -> bool {
        matches!(
            self,
            Self::Cancelled
                | Self::NoGroup(_)
                | Self::Group(GroupError::Interrupted)
                | Self::Wait(WaitError::Timeout { .. } | WaitError::Interrupted)
        )
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::System(text) => Self::Internal(text),
            error => Self::Client(error),
        }
    }
}

impl From<OpenError> for Error {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::TooMany(connections) => Self::MaxConnections(connections),
            OpenError::System(text) => Self::Internal(text),
            error => Self::Open(error),
        }
    }
}

impl From<GroupError> for Error {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::Name { .. } => Self::BadConfig(error.to_string()),
            GroupError::NotFound(time) => Self::NoGroup(time),
            error => Self::Group(error),
        }
    }
}

impl From<WaitError> for Error {
    fn from(error: WaitError) -> Self {
        match error {
            WaitError::Cancelled => Self::Cancelled,
            WaitError::System(text) => Self::Internal(text),
            error => Self::Wait(error),
        }
    }
}
