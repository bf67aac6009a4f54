//! A UDP socket that receives a flow.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{
    Batch, Interface, Offload, Warning,
    name::{Name, needs_scope, unspecified},
    option,
};
use crate::Error;

/// How to receive.
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    /// A multicast group, or an address of this host; unspecified for all addresses of the
    /// interface.
    pub address: IpAddr,
    /// The UDP port.
    pub port: u16,
    /// The senders to listen to; empty for any. For a multicast group they are asked for by IGMPv3
    /// or MLDv2; whoever reads compares [`super::Bundle::sender`] as well, because a unicast socket
    /// and a kernel that refuses the filter hand over all.
    pub sources: Vec<IpAddr>,
    /// The senders not to listen to. For a multicast group the kernel is asked to block them;
    /// whoever reads compares the sender as well.
    pub excluded: Vec<IpAddr>,
    /// The interface to join the group on, or whose address to listen at.
    pub interface: Interface,
    /// Bytes of the receive buffer, as `SO_RCVBUF` counts them: the kernel doubles them. `None`:
    /// what a session's stream needs ([`receive_buffer`]); 32 MiB for a socket that is used alone.
    pub buffer: Option<usize>,
    /// Whether to let the kernel hand over datagrams in bundles.
    pub offload: Offload,
    /// Whether to ask for times of arrival.
    pub times: bool,
    /// Whether to ask who sent each datagram.
    pub senders: bool,
}

impl ReceiverOptions {
    /// Options with the usual values: any source, any interface, the usual buffer, with times and
    /// senders.
    pub fn new(address: IpAddr, port: u16) -> Self {
        Self {
            address,
            port,
            sources: Vec::new(),
            excluded: Vec::new(),
            interface: Interface::Any,
            buffer: None,
            offload: Offload::Automatic,
            times: true,
            senders: true,
        }
    }
}

/// The buffer of a socket whose stream is not known.
const UNKNOWN_STREAM: usize = 32 << 20;

/// Bytes of buffer for a stream of up to `packets` packets and `bytes` bytes a second: what comes
/// in 250 ms, for that long a busy host keeps a thread waiting. At least 1 MiB, at most 256 MiB.
///
/// The kernel counts the memory that packets occupy: beside their bytes a descriptor, a trailer,
/// and what the allocator rounds up. Bundles (GRO) need less.
pub fn receive_buffer(packets: u64, bytes: u64) -> usize {
    const BESIDE_A_PACKET: u64 = 1100;
    let occupied = bytes.saturating_add(packets.saturating_mul(BESIDE_A_PACKET)) / 4;
    // The kernel doubles what it is told.
    usize::try_from(occupied / 2).unwrap_or(usize::MAX).clamp(1 << 20, 256 << 20)
}

/// A UDP socket that receives. It does not block.
///
/// Several sockets may receive one multicast group and port, and each gets every datagram. A
/// unicast port belongs to one socket.
#[derive(Debug)]
pub struct Receiver {
    fd: OwnedFd,
    coalescing: bool,
    senders: bool,
    warnings: Vec<Warning>,
}

impl Receiver {
    /// Opens and binds the socket, and joins the group if it is one.
    ///
    /// # Errors
    /// A value out of range, an interface that is not there, a port in use, or a group that cannot
    /// be joined.
    pub fn open(options: &ReceiverOptions) -> Result<Self, Error> {
        let address = SocketAddr::new(options.address, options.port);
        check(options)?;
        let system = |action| move |source: io::Error| Error::System { action, address, source };
        let interface = options.interface.resolve(options.address)?;
        let multicast = options.address.is_multicast();
        let v4 = options.address.is_ipv4();
        let level = if v4 { libc::IPPROTO_IP } else { libc::IPPROTO_IPV6 };

        let family = if v4 { AddressFamily::INET } else { AddressFamily::INET6 };
        let fd = rustix::net::socket_with(
            family,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .map_err(|error| system("socket()")(error.into()))?;
        let mut warnings = Vec::new();

        if multicast {
            // Without this, a second receiver of the group could not bind. Multicast is copied to
            // all of them. For unicast it would let the newest socket take the packets of the
            // others, and so is not set.
            option::set(&fd, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)
                .map_err(system("SO_REUSEADDR"))?;
            // Only groups that this socket has joined itself, not those of other sockets of the
            // host.
            let all = if v4 { libc::IP_MULTICAST_ALL } else { libc::IPV6_MULTICAST_ALL };
            option::set(&fd, level, all, 0).map_err(system("IP_MULTICAST_ALL"))?;
        }
        if !v4 {
            option::set(&fd, level, libc::IPV6_V6ONLY, 1).map_err(system("IPV6_V6ONLY"))?;
        }
        let wanted = options.buffer.unwrap_or(UNKNOWN_STREAM);
        let given = option::set_buffer(&fd, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, wanted)
            .map_err(system("SO_RCVBUF"))?;
        if given < wanted {
            warnings.push(Warning::ReceiveBuffer { wanted, given });
        }
        option::set(&fd, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1).map_err(system("SO_RXQ_OVFL"))?;
        if options.times
            && let Err(error) = option::set(&fd, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
        {
            warnings.push(Warning::NoTimes { reason: error.to_string() });
        }
        let coalescing = match options.offload {
            Offload::Off => false,
            Offload::Automatic => match option::set(&fd, libc::SOL_UDP, libc::UDP_GRO, 1) {
                Ok(()) => true,
                Err(error) => {
                    warnings.push(Warning::NoCoalescing { reason: error.to_string() });
                    false
                }
            },
        };

        // A group's socket is bound to the group, so that other groups on the port do not reach it.
        let local =
            if options.address.is_unspecified() { interface.address } else { options.address };
        let mut local = SocketAddr::new(local, options.port);
        if let SocketAddr::V6(v6) = &mut local
            && needs_scope((*v6.ip()).into())
        {
            v6.set_scope_id(interface.index);
        }
        bind(fd.as_fd(), local)?;
        if multicast {
            join(&fd, level, interface.index, options, &mut warnings)?;
        }
        Ok(Self { fd, coalescing, senders: options.senders, warnings })
    }

    /// The address and port that it listens at.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn local_address(&self) -> Result<SocketAddr, Error> {
        local_address(self.fd.as_fd(), SocketAddr::new(unspecified(IpAddr::from([0, 0, 0, 0])), 0))
    }

    /// Whether the kernel hands over datagrams in bundles.
    pub fn coalesces(&self) -> bool {
        self.coalescing
    }

    /// What works less well than it should.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// What the socket has dropped so far, because its receive buffer was full or a checksum was
    /// wrong. `None` where the kernel does not say. Bundles count as one.
    pub fn drops(&self) -> Option<u32> {
        option::memory(&self.fd).map(|memory| memory.drops)
    }

    /// Reads what has arrived, as much as the batch holds, without waiting. Returns how many
    /// bundles it has now, 0 if nothing was there.
    ///
    /// # Errors
    /// The kernel's, other than that nothing is there.
    pub fn receive(&self, batch: &mut Batch) -> io::Result<usize> {
        batch.fill(self.fd.as_fd(), self.coalescing, self.senders)
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn check(options: &ReceiverOptions) -> Result<(), Error> {
    for source in options.sources.iter().chain(&options.excluded) {
        let wrong = if source.is_ipv4() != options.address.is_ipv4() {
            Some("addresses of the same family as the receiver's")
        } else if source.is_multicast() || source.is_unspecified() {
            Some("addresses of hosts")
        } else {
            None
        };
        if let Some(accepted) = wrong {
            let found = source.to_string();
            return Err(Error::Invalid {
                field: "multicast source",
                found,
                accepted: accepted.into(),
            });
        }
    }
    if needs_scope(options.address) && options.interface == Interface::Any {
        return Err(Error::Invalid {
            field: "interface",
            found: "any".into(),
            accepted: format!("kernel:NAME, since {} means nothing without one", options.address),
        });
    }
    Ok(())
}

fn join(
    fd: &OwnedFd,
    level: libc::c_int,
    index: u32,
    options: &ReceiverOptions,
    warnings: &mut Vec<Warning>,
) -> Result<(), Error> {
    let storage = |ip| Name::from_socket(SocketAddr::new(ip, 0)).storage;
    let group = storage(options.address);
    let mut refused = None;
    for source in &options.sources {
        if let Err(error) = option::join_source(fd, level, index, group, storage(*source)) {
            refused = Some(error);
            break;
        }
    }
    if options.sources.is_empty() || refused.is_some() {
        // A second join of a group that was joined for some sources is an error, so those are given
        // up first.
        if refused.is_some() {
            option::leave(fd, level, index, group).ok();
        }
        option::join(fd, level, index, group).map_err(|source| {
            let address = SocketAddr::new(options.address, options.port);
            match source.raw_os_error() {
                Some(libc::ENODEV | libc::ENETUNREACH | libc::EADDRNOTAVAIL) => Error::NoRoute { destination: address },
                Some(libc::ENOBUFS) => Error::NotPermitted {
                    action: "joining another multicast group",
                    address,
                    advice: "the host's limit is reached: sysctl -w net.ipv4.igmp_max_memberships=1000",
                },
                _ => Error::System { action: "joining the multicast group", address, source },
            }
        })?;
    }
    for source in &options.excluded {
        // The kernel keeps a short list (net.ipv4.igmp_max_msf).
        if let Err(error) = option::block_source(fd, level, index, group, storage(*source)) {
            refused.get_or_insert(error);
        }
    }
    if let Some(error) = refused {
        warnings.push(Warning::SourceFilter { reason: error.to_string() });
    }
    Ok(())
}

pub(super) fn bind(fd: BorrowedFd<'_>, local: SocketAddr) -> Result<(), Error> {
    let name = Name::from_socket(local);
    // SAFETY: the kernel reads as many bytes as the length says, which the name has.
    if unsafe { libc::bind(fd.as_raw_fd(), ptr::from_ref(&name.storage).cast(), name.len) } == 0 {
        return Ok(());
    }
    let source = io::Error::last_os_error();
    Err(match source.raw_os_error() {
        Some(libc::EADDRINUSE) => Error::InUse { address: local },
        Some(libc::EACCES) => Error::NotPermitted {
            action: "bind()",
            address: local,
            advice: "use a port from 1024 on, or give the program CAP_NET_BIND_SERVICE",
        },
        Some(libc::EADDRNOTAVAIL) => Error::Invalid {
            field: "address",
            found: local.ip().to_string(),
            accepted: "an address of this host or a multicast group".into(),
        },
        _ => Error::System { action: "bind()", address: local, source },
    })
}

pub(super) fn local_address(fd: BorrowedFd<'_>, about: SocketAddr) -> Result<SocketAddr, Error> {
    let mut name = Name::empty();
    // SAFETY: the kernel writes at most as many bytes as the length says, which the name has.
    let result = unsafe {
        libc::getsockname(fd.as_raw_fd(), (&raw mut name.storage).cast(), &raw mut name.len)
    };
    let source = io::Error::last_os_error();
    match name.to_socket() {
        Some(address) if result == 0 => Ok(address),
        _ => Err(Error::System { action: "getsockname()", address: about, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_hold_a_quarter_of_a_second() {
        // 1080p60: 259 200 packets of 1200 bytes; half of 0.25 s of 596 MB/s.
        assert_eq!(receive_buffer(259_200, 311_040_000), 74_520_000);
        assert_eq!(receive_buffer(1000, 288_000), 1 << 20);
        assert_eq!(receive_buffer(u64::MAX, u64::MAX), 256 << 20);
    }
}
