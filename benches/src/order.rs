//! Orders to a receiver process and its answers: JSON in datagrams, with descriptors.

use crate::error::BenchError;
use proto::socket;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Something to do. Each but `Hello` is answered by [`Answer::Ready`] or a seat, and rounds by
/// [`Answer::Done`] at their end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// First of all; the area's descriptor comes along.
    Hello { index: usize, cpu: Option<usize> },
    /// Make a seat: answered by [`Answer::Seat`].
    Seat,
    /// Read this ring with that seat; pool and board come along.
    Join { start: u64, spinning: bool },
    /// Take frames from the ring.
    Ring { round: Round, checksum: bool },
    /// Follow the area's word.
    Word { round: Round, base: u32, how: Wait },
    /// Follow the area's word, and sum up the next of these buffers each time; their memory comes
    /// along.
    Buffers { round: Round, base: u32, buffers: Vec<usize>, size: usize },
    /// Read frames from a pipe, which comes along.
    Pipe { round: Round, size: usize },
}

/// The shape of a round.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    /// Hand-offs.
    pub(crate) count: usize,
    /// Every how many of them the time of arrival is kept.
    pub(crate) sampled: usize,
}

/// How a receiver waits for the area's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Wait {
    Spin,
    Futex,
}

/// Answer of a receiver process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Ready,
    /// A seat was made; its descriptor comes along.
    Seat,
    Done,
    Failed(String),
}

/// Sends an order or an answer.
pub(crate) fn send(
    socket: impl AsFd,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> Result<(), BenchError> {
    let bytes = serde_json::to_vec(message).map_err(|error| unusable(&error))?;
    Ok(socket::send(socket, &bytes, fds)?)
}

/// Receives an order or an answer.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: impl AsFd,
) -> Result<(T, Vec<OwnedFd>), BenchError> {
    let mut buffer = [0; 4096];
    let (len, fds) = socket::recv(socket, &mut buffer)?;
    let message = serde_json::from_slice(&buffer[..len]).map_err(|error| unusable(&error))?;
    Ok((message, fds))
}

fn unusable(error: &serde_json::Error) -> BenchError {
    BenchError::Receiver(format!("message cannot be used: {error}"))
}
