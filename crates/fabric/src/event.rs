//! Events that endpoints report.

use crate::error::TransferError;

/// Most bytes of a control message.
pub const MAX_CONTROL: usize = 128;

/// A control message that was received.
#[derive(Clone, Copy)]
pub struct ControlMessage {
    bytes: [u8; MAX_CONTROL],
    len: usize,
}

impl ControlMessage {
    pub(crate) fn new(bytes: [u8; MAX_CONTROL], len: usize) -> Self {
        Self { bytes, len: len.min(MAX_CONTROL) }
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl std::fmt::Debug for ControlMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ControlMessage").field(&self.bytes()).finish()
    }
}

/// The end of an operation. `endpoint` is the endpoint's number, from 0.
#[derive(Debug)]
pub enum Event<S, R> {
    /// A message was sent: the buffer is the caller's again.
    Sent {
        /// The endpoint.
        endpoint: usize,
        /// The memory or message.
        buffer: S,
    },
    /// A message was not sent, or perhaps not entirely.
    SendFailed {
        /// The endpoint.
        endpoint: usize,
        /// The memory or message.
        buffer: S,
        /// Why.
        error: TransferError,
    },
    /// A message has arrived.
    Received {
        /// The endpoint.
        endpoint: usize,
        /// It lies in the first bytes.
        buffer: R,
        /// Its length in bytes.
        len: usize,
    },
    /// A message did not arrive in one piece; one that is too long, for instance.
    ReceiveFailed {
        /// The endpoint.
        endpoint: usize,
        /// May have been written to.
        buffer: R,
        /// Why.
        error: TransferError,
    },
    /// A control message has arrived.
    Control {
        /// The endpoint.
        endpoint: usize,
        /// The memory or message.
        message: ControlMessage,
    },
    /// A control message was not sent, or not received.
    ControlFailed {
        /// The endpoint.
        endpoint: usize,
        /// Why.
        error: TransferError,
    },
}
