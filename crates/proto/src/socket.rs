//! Datagrams with file descriptors over a unix socket of type `SOCK_SEQPACKET`.
//!
//! Descriptors are received close-on-exec, and each becomes an `OwnedFd` at once, so that none
//! leaks if the message turns out to be invalid.

use crate::datagram::{MAX_DESCRIPTORS, MAX_LEN};
use crate::error::ProtoError;
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Descriptors that the kernel lets one datagram carry (`SCM_MAX_FD`).
const SCM_MAX_FD: usize = 253;

/// Sends one datagram; waits for room if the socket is a blocking one.
///
/// # Errors
/// Too many bytes or descriptors, or the system's error.
pub fn send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), ProtoError> {
    transmit(socket.as_fd(), bytes, fds, SendFlags::NOSIGNAL)
}

/// Sends one datagram, or fails with an error that [`ProtoError::would_block`] when there is no
/// room at the moment.
///
/// # Errors
/// Too many bytes or descriptors, or the system's error.
pub fn try_send(socket: impl AsFd, bytes: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), ProtoError> {
    transmit(socket.as_fd(), bytes, fds, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
}

/// Receives one datagram into `buffer`, which should hold [`MAX_LEN`] bytes; waits for it if the
/// socket is a blocking one.
///
/// # Errors
/// [`ProtoError::Closed`] at the end of the connection, a datagram that is too long or carries too
/// many descriptors, or the system's error.
pub fn recv(socket: impl AsFd, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>), ProtoError> {
    receive(socket.as_fd(), buffer, RecvFlags::CMSG_CLOEXEC)
}

/// Receives one datagram, or fails with an error that [`ProtoError::would_block`] when none is
/// there. Each descriptor becomes an `F` at once, those of a datagram that is refused too: where
/// closing them may block, `F` sees to it.
///
/// # Errors
/// As [`recv`].
pub fn try_recv<F: From<OwnedFd>>(
    socket: impl AsFd,
    buffer: &mut [u8],
) -> Result<(usize, Vec<F>), ProtoError> {
    receive(socket.as_fd(), buffer, RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT)
}

fn transmit(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> Result<(), ProtoError> {
    if bytes.len() > MAX_LEN {
        return Err(ProtoError::TooLong { len: bytes.len(), max: MAX_LEN });
    }
    if fds.len() > MAX_DESCRIPTORS {
        return Err(ProtoError::TooManyDescriptors { max: MAX_DESCRIPTORS });
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(ProtoError::TooManyDescriptors { max: MAX_DESCRIPTORS });
    }
    loop {
        match sendmsg(socket, &[IoSlice::new(bytes)], &mut control, flags) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn receive<F: From<OwnedFd>>(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> Result<(usize, Vec<F>), ProtoError> {
    // Room for all that a datagram can carry: the kernel would close the others, on this thread.
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SCM_MAX_FD))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = loop {
        match recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags) {
            Ok(message) => break message,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    };
    let mut fds = Vec::new();
    for item in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = item {
            fds.extend(rights.map(F::from));
        }
    }
    if message.flags.contains(ReturnFlags::CTRUNC) || fds.len() > MAX_DESCRIPTORS {
        return Err(ProtoError::TooManyDescriptors { max: MAX_DESCRIPTORS });
    }
    if message.flags.contains(ReturnFlags::TRUNC) {
        return Err(ProtoError::TooLong { len: message.bytes + 1, max: buffer.len() });
    }
    if message.bytes == 0 {
        // The protocol has no empty message, and the end of a connection looks the same.
        return Err(ProtoError::Closed);
    }
    Ok((message.bytes, fds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::fstat;
    use rustix::io::{FdFlags, fcntl_getfd};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn pair() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
    }

    /// Number of descriptors that this process has open on the same file as `fd`.
    fn open_copies(fd: impl AsFd) -> usize {
        let wanted = fstat(fd).unwrap();
        std::fs::read_dir("/proc/self/fd")
            .unwrap()
            .filter_map(|entry| std::fs::metadata(entry.unwrap().path()).ok())
            .filter(|meta| {
                use std::os::unix::fs::MetadataExt;
                meta.ino() == wanted.st_ino && meta.dev() == wanted.st_dev
            })
            .count()
    }

    #[test]
    fn bytes_and_descriptors_arrive_close_on_exec() {
        let (a, b) = pair();
        let pipe = std::io::pipe().unwrap();
        send(&a, b"hello", &[pipe.0.as_fd(), pipe.1.as_fd()]).unwrap();
        let mut buffer = [0; 64];
        let (len, fds) = recv(&b, &mut buffer).unwrap();
        assert_eq!(&buffer[..len], b"hello");
        assert_eq!(fds.len(), 2);
        for fd in &fds {
            assert!(fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
        }
        assert_eq!(fstat(&fds[1]).unwrap().st_ino, fstat(&pipe.1).unwrap().st_ino);
    }

    #[test]
    fn nonblocking_calls_say_so() {
        let (a, b) = pair();
        assert!(try_recv::<OwnedFd>(&b, &mut [0; 8]).unwrap_err().would_block());
        let full = loop {
            if let Err(error) = try_send(&a, &[1; 4096], &[]) {
                break error;
            }
        };
        assert!(full.would_block());
    }

    #[test]
    fn a_long_datagram_is_an_error_and_leaks_nothing() {
        let (a, b) = pair();
        let (file, _other) = std::io::pipe().unwrap();
        send(&a, &[1; 100], &[file.as_fd()]).unwrap();
        assert!(matches!(recv(&b, &mut [0; 99]), Err(ProtoError::TooLong { .. })));
        assert_eq!(open_copies(&file), 2, "the pipe's two ends share an inode");
    }

    #[test]
    fn more_descriptors_than_allowed_are_an_error_and_leak_nothing() {
        let (a, b) = pair();
        let (file, _other) = std::io::pipe().unwrap();
        let many = [file.as_fd(); MAX_DESCRIPTORS + 3];
        assert!(send(&a, b"x", &many).is_err());
        let mut space =
            [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS + 3))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&many)));
        sendmsg(&a, &[IoSlice::new(b"x")], &mut control, SendFlags::empty()).unwrap();
        assert!(matches!(recv(&b, &mut [0; 8]), Err(ProtoError::TooManyDescriptors { .. })));
        assert_eq!(open_copies(&file), 2);
    }

    #[test]
    fn the_end_is_told() {
        let (a, b) = pair();
        drop(a);
        assert!(matches!(recv(&b, &mut [0; 8]), Err(ProtoError::Closed)));
        assert!(matches!(send(&b, b"x", &[]), Err(ProtoError::Io(_))));
    }
}
