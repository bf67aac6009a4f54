//! Messages with descriptors between the controller and its children.

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::{Errno, IoSlice, IoSliceMut};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::mem::MaybeUninit;

/// Kind of a message. The numbers are the message's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    /// Source: here are pool and board. `[run]`
    Made,
    /// To the source: a receiver's seat. `[seat id]`
    Join,
    /// Source: it may begin. `[seat id, start]`
    Joined,
    /// To the source: the process behind a seat is dead. `[seat id]`
    Reap,
    /// To the source: put so many frames. `[count]`
    Put,
    /// To the source: get all buffers that it may hold, and give them back.
    HoldAll,
    /// Source: it could.
    HeldAll,
    /// Receiver: a seat for the next ring.
    Standby,
    /// To the receiver: pool and board that its seat has joined.
    /// `[run, start, run before, frames of the run before]`
    Ring,
    /// To the receiver: its seat was of no use, make another.
    NeedSeat,
    /// To the receiver: the source is dead. `[run]`
    Orphan,
}

const KINDS: [Kind; 11] = [
    Kind::Made,
    Kind::Join,
    Kind::Joined,
    Kind::Reap,
    Kind::Put,
    Kind::HoldAll,
    Kind::HeldAll,
    Kind::Standby,
    Kind::Ring,
    Kind::NeedSeat,
    Kind::Orphan,
];

#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) kind: Kind,
    pub(crate) numbers: [u64; 4],
    pub(crate) fds: Vec<OwnedFd>,
}

/// Sends a message. It is lost if the process is gone: its death will be noticed in due course.
pub(crate) fn send(socket: impl AsFd, kind: Kind, numbers: &[u64], fds: &[BorrowedFd<'_>]) {
    let mut bytes = [0u8; 33];
    bytes[0] = kind as u8;
    for (place, number) in bytes[1..].chunks_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() {
        assert!(control.push(SendAncillaryMessage::ScmRights(fds)));
    }
    match sendmsg(&socket, &[IoSlice::new(&bytes)], &mut control, SendFlags::NOSIGNAL) {
        Ok(_) | Err(Errno::PIPE | Errno::CONNRESET) => {}
        Err(errno) => panic!("sending {kind:?}: {errno}"),
    }
}

/// The next message; `None` where the other side has ended.
pub(crate) fn receive(socket: impl AsFd) -> Option<Message> {
    let mut bytes = [0u8; 33];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let len = match recvmsg(&socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags) {
        Ok(message) => message.bytes,
        Err(Errno::CONNRESET) => 0,
        Err(errno) => panic!("receiving: {errno}"),
    };
    if len == 0 {
        return None;
    }
    assert_eq!(len, bytes.len());
    let mut numbers = [0; 4];
    for (number, place) in numbers.iter_mut().zip(bytes[1..].chunks(8)) {
        *number = u64::from_le_bytes(place.try_into().unwrap());
    }
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    Some(Message { kind: KINDS[usize::from(bytes[0])], numbers, fds })
}
