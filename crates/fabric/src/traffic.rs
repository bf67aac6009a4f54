//! The kernel's counters of an endpoint's TCP connections.
//!
//! libfabric reports whole messages only. A large message needs many round trips, and
//! retransmission of lost packets takes time; meanwhile only the kernel sees that the transfer
//! makes progress.

use crate::progress::descriptors;
use rustix::net::{SocketAddrAny, getpeername, getsockname};
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

/// Of the connections between an endpoint and its peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Whether there is a connection.
    pub open: bool,
    /// Packets with data that have come, in any order and the same ones again too: each is a sign
    /// of the other side.
    pub segments: u64,
    /// Bytes that the other side has confirmed.
    pub confirmed: u64,
    /// Time since the last data.
    pub quiet: Option<Duration>,
    /// Time of a round trip when nothing was in its way.
    pub round_trip: Duration,
}

/// An endpoint's address and that of its peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pair {
    pub(crate) local: SocketAddrV4,
    pub(crate) remote: SocketAddrV4,
}

impl Pair {
    /// Whether a socket is a connection of theirs: either side may have made it, from a port of the
    /// system's choice.
    fn has(&self, own: SocketAddrV4, peer: SocketAddrV4) -> bool {
        let Self { local, remote } = self;
        own.ip() == local.ip() && peer.ip() == remote.ip() && (own == *local || peer == *remote)
    }
}

/// Looks at the connections of some endpoints. Asks the kernel about every descriptor of the
/// process: not for every frame.
pub(crate) fn look(pairs: &[Pair]) -> Vec<Traffic> {
    let mut all = vec![Traffic::default(); pairs.len()];
    for fd in descriptors() {
        // SAFETY: only asked about. Another thread may close it meanwhile: then it says that it is
        // bad, or is another one.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        let v4 = |name: SocketAddrAny| SocketAddrV4::try_from(name).ok();
        let Some(own) = getsockname(fd).ok().and_then(v4) else { continue };
        let Some(peer) = getpeername(fd).ok().flatten().and_then(v4) else { continue };
        if let Some(at) = pairs.iter().position(|pair| pair.has(own, peer))
            && let Some(info) = info(fd)
        {
            all[at].add(&info);
        }
    }
    all
}

impl Traffic {
    /// Of several endpoints together.
    #[must_use]
    pub fn of_all(all: &[Self]) -> Self {
        all.iter().fold(Self::default(), |sum, one| Self {
            open: sum.open || one.open,
            segments: sum.segments + one.segments,
            confirmed: sum.confirmed + one.confirmed,
            quiet: [sum.quiet, one.quiet].into_iter().flatten().min(),
            round_trip: sum.round_trip.max(one.round_trip),
        })
    }

    fn add(&mut self, info: &TcpInfo) {
        self.open |= info.state == ESTABLISHED;
        self.segments += u64::from(info.data_segs_in);
        self.confirmed += info.bytes_acked;
        let quiet = Duration::from_millis(info.last_data_recv.into());
        self.quiet = Some(self.quiet.map_or(quiet, |other| other.min(quiet)));
        if info.min_rtt != UNKNOWN {
            let round_trip = Duration::from_micros(info.min_rtt.into());
            self.round_trip = self.round_trip.max(round_trip);
        }
    }
}

const ESTABLISHED: u8 = 1;
/// A round trip that was not measured yet.
const UNKNOWN: u32 = u32::MAX;

/// `struct tcp_info` of linux/tcp.h, as far as it is of use; kernels since 4.6 fill all of it.
#[repr(C)]
struct TcpInfo {
    state: u8,
    flags: [u8; 7],
    timers_and_counts: [u32; 11],
    last_data_recv: u32,
    windows_and_times: [u32; 12],
    rates: [u64; 2],
    bytes_acked: u64,
    bytes_received: u64,
    segs: [u32; 2],
    notsent_bytes: u32,
    min_rtt: u32,
    data_segs_in: u32,
    data_segs_out: u32,
}

fn info(fd: BorrowedFd<'_>) -> Option<TcpInfo> {
    // SAFETY: all of it may be zero.
    let mut info: TcpInfo = unsafe { std::mem::zeroed() };
    let mut len = size_of::<TcpInfo>() as libc::socklen_t;
    // SAFETY: the descriptor is borrowed, and the length is that of the place, of which the kernel
    // fills no more.
    let code = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut len,
        )
    };
    (code == 0).then_some(info)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener, TcpStream};

    #[test]
    fn connections_are_found_and_what_comes_is_counted() {
        let v4 = |address: SocketAddr| match address {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(address) => panic!("{address}"),
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = v4(listener.local_addr().unwrap());
        // The side that listens knows the other's host only.
        let pairs = [Pair { local, remote: "127.0.0.1:1".parse().unwrap() }];
        assert_eq!(look(&pairs), [Traffic::default()]);
        let mut there = TcpStream::connect(local).unwrap();
        let (mut here, _) = listener.accept().unwrap();
        let before = look(&pairs)[0];
        assert!(before.open && before.segments == 0, "{before:?}");
        there.write_all(&[1; 100]).unwrap();
        here.read_exact(&mut [0; 100]).unwrap();
        let after = look(&pairs)[0];
        assert!(after.segments >= 1 && after.round_trip < Duration::from_secs(1), "{after:?}");
        // And the side that has called knows where.
        let pair = Pair { local: "127.0.0.1:2".parse().unwrap(), remote: local };
        let caller = look(&[pair])[0];
        assert!(caller.open && caller.confirmed >= 100 && caller.segments == 0, "{caller:?}");
        drop(there);
        assert_eq!(here.read(&mut [0; 1]).unwrap(), 0);
        assert!(!look(&pairs)[0].open);
        drop(here);
        assert_eq!(look(&pairs), [Traffic::default()]);
    }
}
