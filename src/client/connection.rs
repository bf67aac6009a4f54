//! One connection of a program.
use super::Buffer;
use crate::error::Error;
use std::os::fd::BorrowedFd;
use std::time::Duration;

/// How long a call may block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// The client's default.
    Default,
    /// For ever.
    Infinite,
    /// At most so long; zero never blocks.
    After(Duration),
}

/// Counts of a connection since it was created.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionStats {
    /// Frames put (source) or got (receiver).
    pub frames: u64,
    /// Payload bytes of these frames.
    pub bytes: u64,
    /// Receiver: frames that passed while it was late. Source: 0.
    pub missed: u64,
    /// Source: how often a put or get had to wait for receivers. Receiver: how often a get had to sleep.
    pub waits: u64,
    /// Buffers that the program holds now.
    pub held: u32,
    /// Source: receivers in its group on this node. Receiver: 1 if the group has a source now, else 0.
    pub peers: u32,
}

/// A source's or a receiver's connection. All calls may come from any thread.
#[derive(Debug)]
pub struct Connection {}

impl Connection {
    /// Bytes of the payload partition of every buffer.
    pub fn payload_size(&self) -> usize {
        0
    }
    /// Bytes of the metadata partition of every buffer.
    pub fn metadata_size(&self) -> usize {
        0
    }
    /// Source: a buffer to fill. Receiver: the next frame.
    pub fn get(&self, _timeout: Timeout) -> Result<Buffer, Error> {
        Err(Error::NotImplemented("connection".into()))
    }
    /// Source: publishes the frame. Receiver: gives the frame back. On failure the buffer comes back with the reason.
    pub fn put(buffer: Buffer, _timeout: Timeout) -> Result<(), (Buffer, Error)> {
        Err((buffer, Error::NotImplemented("connection".into())))
    }
    /// Ends the connection: blocked and later calls return `Closed`. What was put stays readable for receivers.
    pub fn shutdown(&self) {}
    /// Makes every blocked call return `Cancelled`; where none is blocked, the next one that would block.
    pub fn cancel(&self) {}
    /// Counts so far.
    pub fn stats(&self) -> ConnectionStats {
        ConnectionStats::default()
    }
    /// A descriptor that polls readable while a get may succeed. It belongs to the connection.
    pub fn event_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        Err(Error::NotImplemented("connection".into()))
    }
}
