//! Identity of the process at the other end of a unix socket, as the kernel reports it.

use rustix::fs::fstat;
use std::io::{Error, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Identity of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// As seen from here; 0 for a process in a PID namespace that cannot be seen from here.
    pub(crate) pid: u32,
    /// Its user.
    pub(crate) uid: u32,
    /// Inode of its pidfd: unique for each process from Linux 6.9 on, before that the same for all.
    inode: u64,
}

impl Identity {
    /// Of this process.
    pub(crate) fn own() -> Result<Self, Error> {
        use rustix::process::{PidfdFlags, getpid, getuid, pidfd_open};
        let pidfd = pidfd_open(getpid(), PidfdFlags::empty())?;
        let inode = fstat(&pidfd)?.st_ino;
        Ok(Self { pid: std::process::id(), uid: getuid().as_raw(), inode })
    }
}

/// Finds out who is at the other end, and gets a pidfd of that process.
///
/// The kernel gives the pidfd itself from Linux 6.5 on. Before that, the one that the peer
/// `offered` is taken, if its process id is the one that the kernel names.
pub(crate) fn identify(
    socket: BorrowedFd<'_>,
    offered: OwnedFd,
) -> Result<(OwnedFd, Identity), Error> {
    let credentials: libc::ucred = option(socket, libc::SO_PEERCRED)?;
    let pid = u32::try_from(credentials.pid).unwrap_or(0);
    let pidfd = match option::<RawFd>(socket, libc::SO_PEERPIDFD) {
        // SAFETY: the kernel has just made this descriptor, and nothing else owns it.
        Ok(fd) => unsafe { OwnedFd::from_raw_fd(fd) },
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => {
            let found = pid_of(offered.as_fd())?;
            if found != pid {
                let text = format!("pidfd in Hello is of process {found}, the socket is of {pid}");
                return Err(Error::new(ErrorKind::PermissionDenied, text));
            }
            offered
        }
        Err(error) => return Err(error),
    };
    let inode = fstat(&pidfd)?.st_ino;
    Ok((pidfd, Identity { pid, uid: credentials.uid, inode }))
}

/// The process id of a pidfd as seen from here, 0 if it cannot be seen.
fn pid_of(pidfd: BorrowedFd<'_>) -> Result<u32, Error> {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    let pid = info.lines().find_map(|line| line.strip_prefix("Pid:")).map(str::trim);
    match pid.map(str::parse::<i64>) {
        Some(Ok(-1)) => Err(Error::new(ErrorKind::NotFound, "process has ended")),
        Some(Ok(pid)) => {
            u32::try_from(pid).map_err(|_| Error::new(ErrorKind::InvalidData, "bad process id"))
        }
        _ => Err(Error::new(ErrorKind::InvalidInput, "descriptor in Hello is no pidfd")),
    }
}

/// Reads an option of a socket that is a plain value.
fn option<T: Copy>(socket: BorrowedFd<'_>, name: libc::c_int) -> Result<T, Error> {
    let mut value = MaybeUninit::<T>::zeroed();
    let mut len = size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` has room for `len` bytes, and the kernel writes no more than that.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            value.as_mut_ptr().cast(),
            &mut len,
        )
    };
    if result != 0 {
        return Err(Error::last_os_error());
    }
    if len as usize != size_of::<T>() {
        return Err(Error::new(ErrorKind::InvalidData, "socket option of another size"));
    }
    // SAFETY: all bytes were zero or have been written by the kernel, and both types used here, an
    // integer and a structure of integers, allow any bytes.
    Ok(unsafe { value.assume_init() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use rustix::process::{PidfdFlags, getpid, pidfd_open};

    #[test]
    fn own_process_is_recognised() {
        let (a, _b) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .unwrap();
        let offered = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        let (pidfd, identity) = identify(a.as_fd(), offered).unwrap();
        assert_eq!(identity, Identity::own().unwrap());
        assert_eq!(pid_of(pidfd.as_fd()).unwrap(), std::process::id());
    }

    #[test]
    fn other_descriptors_are_no_pidfd() {
        let file = std::fs::File::open("/dev/null").unwrap();
        assert_eq!(pid_of(file.as_fd()).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn ended_process_is_told() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        child.wait().unwrap();
        assert_eq!(pid_of(pidfd.as_fd()).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
