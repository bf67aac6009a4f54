//! The epoll descriptor on which the provider `net` of libfabric 1.17 itself waits.
//!
//! Completion queues of this provider have descriptors too. But asking for one starts a thread of
//! libfabric that moves the data and competes with every other thread that does; and after the
//! first completion the descriptor stays readable for ever, because this provider's `fi_trywait`
//! does nothing. All sockets of a domain are in one epoll set, however, which is readable exactly
//! when they need attention. libfabric has no call that returns it; the kernel tells in which set
//! an endpoint's listening socket is.

use rustix::net::{SocketAddrAny, getsockname, sockopt::socket_acceptconn};
use std::net::SocketAddrV4;
use std::os::fd::{BorrowedFd, RawFd};

/// The epoll set with the endpoint that has this address. `None` if it cannot be told, or not with
/// certainty.
pub(crate) fn descriptor(address: SocketAddrV4) -> Option<RawFd> {
    let open = descriptors();
    let listener = single(open.iter().copied().filter(|fd| listens(*fd, address)))?;
    single(open.iter().copied().filter(|fd| is_epoll(*fd) && watches(*fd, listener)))
}

/// All that are open in this process.
pub(crate) fn descriptors() -> Vec<RawFd> {
    let entries = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn single<T>(mut all: impl Iterator<Item = T>) -> Option<T> {
    let one = all.next()?;
    all.next().is_none().then_some(one)
}

fn listens(fd: RawFd, address: SocketAddrV4) -> bool {
    // SAFETY: only asked about. Another thread may close it meanwhile: then it says that it is bad,
    // or is another one that does not listen at the address of an endpoint that is open.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let here = || getsockname(fd).and_then(|name: SocketAddrAny| name.try_into());
    socket_acceptconn(fd).unwrap_or(false) && here().is_ok_and(|here: SocketAddrV4| here == address)
}

fn is_epoll(fd: RawFd) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}"));
    link.is_ok_and(|link| link.as_os_str() == "anon_inode:[eventpoll]")
}

/// Whether an epoll set has this descriptor in it (proc_pid_fdinfo(5)).
fn watches(epoll: RawFd, wanted: RawFd) -> bool {
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{epoll}")).unwrap_or_default();
    info.lines().any(|line| {
        let number = line.strip_prefix("tfd:").and_then(|rest| rest.split_whitespace().next());
        number.and_then(|number| number.parse().ok()) == Some(wanted)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::epoll;
    use std::net::{SocketAddr, TcpListener};
    use std::os::fd::AsRawFd;

    #[test]
    fn the_set_of_a_listening_socket_is_found() {
        let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
        let address = |listener: &TcpListener| match listener.local_addr().unwrap() {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(address) => panic!("{address}"),
        };
        let [first, second] = [bind(), bind()];
        let sets = [(); 2].map(|()| epoll::create(epoll::CreateFlags::CLOEXEC).unwrap());
        let add = |set, listener| {
            let data = epoll::EventData::new_u64(1);
            epoll::add(set, listener, data, epoll::EventFlags::IN).unwrap();
        };
        assert_eq!(descriptor(address(&first)), None);
        add(&sets[1], &first);
        assert_eq!(descriptor(address(&first)), Some(sets[1].as_raw_fd()));
        assert_eq!(descriptor(address(&second)), None);
        // In two of them: which one is meant cannot be told.
        add(&sets[0], &first);
        assert_eq!(descriptor(address(&first)), None);
    }
}
