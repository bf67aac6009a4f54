//! Errors in messages.

/// A message, or its way over a socket, failed.
#[derive(Debug, thiserror::Error)]
pub enum ProtoError {
    /// A message longer than a datagram may be.
    #[error("message has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// Its length; of a received message, as far as it was received.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// More descriptors than a datagram may carry, or descriptors that could not be received.
    #[error("message carries more than {max} file descriptors, or this process is out of them")]
    TooManyDescriptors {
        /// The limit.
        max: usize,
    },
    /// Not the descriptors that the message must carry.
    #[error("{message} carries {found} file descriptors, {expected} are expected")]
    Descriptors {
        /// The message's name.
        message: &'static str,
        /// Descriptors received.
        found: usize,
        /// Descriptors expected.
        expected: &'static str,
    },
    /// Bytes that are no message.
    #[error("malformed message: {0}")]
    Malformed(#[from] prost::DecodeError),
    /// A message of a kind that this version does not know.
    #[error("message is empty or of an unknown kind")]
    UnknownMessage,
    /// The peer has closed the connection.
    #[error("connection closed by the peer")]
    Closed,
    /// The operating system refused.
    #[error("socket: {0}")]
    Io(#[from] std::io::Error),
}

impl From<rustix::io::Errno> for ProtoError {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::Io(errno.into())
    }
}

impl ProtoError {
    /// Whether a nonblocking call found nothing to do.
    #[must_use]
    pub fn would_block(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }
}

/// An error with everything that caused it. Of a failed call to another program the error itself
/// often says next to nothing.
#[must_use]
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
