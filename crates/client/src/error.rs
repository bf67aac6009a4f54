//! Errors, one type for each kind of operation.

use crate::FrameMut;
use config::ErrorCode;
use std::time::Duration;

/// Why there is no client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The client's configuration is malformed, or a value in it is out of range.
    #[error("client configuration: {0}")]
    Config(String),
    /// The media proxy cannot be reached. The text says which addresses were tried.
    #[error("{0}")]
    Unreachable(String),
    /// The system has no descriptor or thread left.
    #[error("no resources for a client: {0}")]
    System(String),
}

impl ClientError {
    /// The positive number that the C API has for it, `MESH_ERR_*`.
    #[must_use]
    pub fn code(&self) -> i32 {
        let code = match self {
            Self::Config(_) => ErrorCode::ClientConfigInval,
            Self::Unreachable(_) => ErrorCode::ConnFailed,
            Self::System(_) => ErrorCode::Internal,
        };
        code.number()
    }
}

/// Why a source or a receiver could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The configuration is malformed, or a value in it is unknown or out of range. The text names
    /// the field, the value and what is accepted.
    #[error("connection configuration: {0}")]
    Config(String),
    /// Values of the configuration do not fit together, or not to the group.
    #[error("connection configuration does not fit: {0}")]
    Incompatible(String),
    /// The configuration asks for something that this version does not have.
    #[error("not implemented: {0}")]
    NotImplemented(String),
    /// The client has as many sources and receivers as its configuration allows.
    #[error("client has {0} connections, as many as its limit allows")]
    TooMany(usize),
    /// The media proxy cannot be reached, does not answer, or could not set the connection up.
    #[error("connection failed: {0}")]
    Failed(String),
    /// An operator closed the connection while it was being set up.
    #[error("connection is closed: {0}")]
    Closed(String),
    /// The process was forked since the client was made; the child needs a client of its own.
    #[error("client belongs to the parent process: a forked child must create its own")]
    Forked,
    /// The system has no random numbers or descriptors left.
    #[error("no resources for a connection: {0}")]
    System(String),
}

impl OpenError {
    /// The positive number that the C API has for it, `MESH_ERR_*`.
    #[must_use]
    pub fn code(&self) -> i32 {
        let code = match self {
            Self::TooMany(_) => ErrorCode::MaxConn,
            Self::Failed(_) => ErrorCode::ConnFailed,
            Self::Config(_) => ErrorCode::ConnConfigInval,
            Self::Incompatible(_) => ErrorCode::ConnConfigIncompat,
            Self::Closed(_) => ErrorCode::ConnClosed,
            Self::NotImplemented(_) => ErrorCode::NotImplemented,
            Self::Forked => ErrorCode::Forked,
            Self::System(_) => ErrorCode::Internal,
        };
        code.number()
    }
}

/// Why a client cannot tell what a group carries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GroupError {
    /// The name's length in bytes is none that a group's name can have.
    #[error("name of the group has {len} bytes, 1 to {max} are accepted")]
    Name {
        /// Bytes of the name.
        len: usize,
        /// The most that are accepted.
        max: usize,
    },
    /// No such group appeared within this time.
    #[error("there is no such group after {0:?}")]
    NotFound(Duration),
    /// The media proxy cannot be reached or does not answer.
    #[error("connection failed: {0}")]
    Failed(String),
    /// A signal that the program handles came during the wait; see [`crate::signals`].
    #[error("call was ended by a signal that the program handles")]
    Interrupted,
    /// The process was forked since the client was made; the child needs a client of its own.
    #[error("client belongs to the parent process: a forked child must create its own")]
    Forked,
}

impl GroupError {
    /// The positive number that the C API has for it, `MESH_ERR_*`.
    #[must_use]
    pub fn code(&self) -> i32 {
        let code = match self {
            Self::Name { .. } => ErrorCode::BadConfigPtr,
            Self::Failed(_) => ErrorCode::ConnFailed,
            Self::NotFound(_) => ErrorCode::Timeout,
            Self::Forked => ErrorCode::Forked,
            Self::Interrupted => ErrorCode::Interrupted,
        };
        code.number()
    }
}

/// Why a call that waits for a frame, or for room for one, ended without it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// Nothing came, or no room was made, in time.
    #[error("timeout after {after:?}: {reason}")]
    Timeout {
        /// How long the call could wait.
        after: Duration,
        /// What it waited for.
        reason: &'static str,
    },
    /// The source or receiver was shut down, by the program or by an operator. It stays so.
    #[error("connection is closed: {0}")]
    Closed(&'static str),
    /// Another thread called `cancel`. The source or receiver stays usable.
    #[error("call was cancelled")]
    Cancelled,
    /// A signal that the program handles came during the wait; see [`crate::signals`].
    #[error("call was ended by a signal that the program handles")]
    Interrupted,
    /// The process was forked since the client was made; the child needs a client of its own.
    #[error("client belongs to the parent process: a forked child must create its own")]
    Forked,
    /// The system has no descriptor or thread left, or refused memory.
    #[error("system: {0}")]
    System(String),
}

impl WaitError {
    /// The positive number that the C API has for it, `MESH_ERR_*`.
    #[must_use]
    pub fn code(&self) -> i32 {
        let code = match self {
            Self::Closed(_) => ErrorCode::ConnClosed,
            Self::Timeout { .. } => ErrorCode::Timeout,
            Self::Cancelled => ErrorCode::Cancelled,
            Self::Forked => ErrorCode::Forked,
            Self::System(_) => ErrorCode::Internal,
            Self::Interrupted => ErrorCode::Interrupted,
        };
        code.number()
    }

    /// Whether the time was up.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

/// A frame that could not be published, and why. The frame can be published again, changed before,
/// or dropped.
#[derive(Debug, thiserror::Error)]
#[error("frame is not published: {reason}")]
pub struct PublishError {
    /// The frame.
    pub frame: FrameMut,
    /// The reason.
    #[source]
    pub reason: WaitError,
}

/// A length beyond the frame's payload or metadata partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{partition} length is {len} bytes, at most {max} fit")]
pub struct LengthError {
    /// "payload" or "metadata".
    pub partition: &'static str,
    /// The length asked for.
    pub len: usize,
    /// The size of the partition.
    pub max: usize,
}
