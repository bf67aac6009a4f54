//! A UDP socket that sends to one destination.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{
    EXTENDED_UDP_LIMIT, Interface, KernelPacing, Offload, STANDARD_UDP_LIMIT, UDP_HEADER, Warning,
    name::{Name, needs_scope},
    option,
};
use crate::Error;

/// How to send.
#[derive(Clone, Debug)]
pub struct SenderOptions {
    /// Where to: a host or a multicast group, IPv4 or IPv6.
    pub destination: SocketAddr,
    /// The interface to leave by.
    pub interface: Interface,
    /// The port to send from; 0 for one that the kernel chooses.
    pub source_port: u16,
    /// TTL or hop limit, 1…255, of multicast and unicast.
    pub ttl: u8,
    /// Differentiated services code point, 0…63.
    pub dscp: u8,
    /// Bytes of the largest datagram with its UDP header.
    pub udp_limit: usize,
    /// Bytes of the send buffer.
    pub buffer: usize,
    /// Whether to let the kernel cut bundles into datagrams.
    pub offload: Offload,
    /// Whether to let the kernel hold video back until it is to leave.
    pub kernel_pacing: KernelPacing,
}

impl SenderOptions {
    /// Options with the usual values: any interface, TTL 64, DSCP 34 (AF41), standard datagrams, a
    /// buffer of 1 MiB.
    pub fn new(destination: SocketAddr) -> Self {
        Self {
            destination,
            interface: Interface::Any,
            source_port: 0,
            ttl: 64,
            dscp: 34,
            udp_limit: STANDARD_UDP_LIMIT,
            buffer: 1 << 20,
            offload: Offload::Automatic,
            kernel_pacing: KernelPacing::Automatic,
        }
    }
}

/// Why datagrams did not leave.
#[derive(Debug, thiserror::Error)]
pub enum SendFailure {
    /// The send buffer is full; later there may be room.
    #[error("the send buffer is full")]
    Full,
    /// The network refuses: no route, interface down, firewall, path MTU too small.
    #[error("the network refuses: {0}")]
    Refused(io::Error),
}

/// A UDP socket that sends to one destination. It does not block, and the kernel never fragments
/// its datagrams.
#[derive(Debug)]
pub struct Sender {
    pub(super) fd: OwnedFd,
    pub(super) destination: SocketAddr,
    /// The number of the interface that the socket is tied to, or 0: the routes say by which it
    /// sends.
    pub(super) interface: u32,
    pub(super) kernel_pacing: KernelPacing,
    pub(super) segmentation: bool,
    pub(super) limit: usize,
    /// When bundles leave, in nanoseconds of CLOCK_MONOTONIC; at once if nothing is said.
    pub(super) launch_time: Option<u64>,
    pub(super) warnings: Vec<Warning>,
}

impl Sender {
    /// Opens and connects the socket.
    ///
    /// # Errors
    /// A value out of range, an interface that is not there, no route, or an MTU that is too small
    /// for `udp_limit`.
    pub fn open(options: &SenderOptions) -> Result<Self, Error> {
        check(options)?;
        let destination = options.destination;
        let v4 = destination.is_ipv4();
        let system = |action| {
            move |source: io::Error| Error::System { action, address: destination, source }
        };
        let interface = options.interface.resolve(destination.ip())?;

        let family = if v4 { AddressFamily::INET } else { AddressFamily::INET6 };
        let fd = rustix::net::socket_with(
            family,
            SocketType::DGRAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )
        .map_err(|error| system("socket()")(error.into()))?;

        let ttl = i32::from(options.ttl);
        let class = i32::from(options.dscp) << 2;
        let (level, numbers) = if v4 {
            let numbers = [
                (libc::IP_TTL, ttl, "IP_TTL"),
                (libc::IP_MULTICAST_TTL, ttl, "IP_MULTICAST_TTL"),
                (libc::IP_MULTICAST_LOOP, 1, "IP_MULTICAST_LOOP"),
                (libc::IP_TOS, class, "IP_TOS"),
                (libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO, "IP_MTU_DISCOVER"),
            ];
            (libc::IPPROTO_IP, numbers)
        } else {
            let numbers = [
                (libc::IPV6_UNICAST_HOPS, ttl, "IPV6_UNICAST_HOPS"),
                (libc::IPV6_MULTICAST_HOPS, ttl, "IPV6_MULTICAST_HOPS"),
                (libc::IPV6_MULTICAST_LOOP, 1, "IPV6_MULTICAST_LOOP"),
                (libc::IPV6_TCLASS, class, "IPV6_TCLASS"),
                (libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DO, "IPV6_MTU_DISCOVER"),
            ];
            (libc::IPPROTO_IPV6, numbers)
        };
        for (name, value, action) in numbers {
            option::set(&fd, level, name, value).map_err(system(action))?;
        }

        let mut warnings = Vec::new();
        let given = option::set_buffer(&fd, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, options.buffer)
            .map_err(system("SO_SNDBUF"))?;
        if given < options.buffer {
            warnings.push(Warning::SendBuffer { wanted: options.buffer, given });
        }

        let (mut target, mut tied) = (destination, 0);
        if let Some(name) = &interface.name {
            if destination.ip().is_multicast() {
                let result = if v4 {
                    option::multicast_interface_v4(&fd, interface.index)
                } else {
                    option::set(&fd, level, libc::IPV6_MULTICAST_IF, interface.index as i32)
                };
                result.map_err(system("multicast interface"))?;
                tied = interface.index;
            } else if matches!(options.interface, Interface::Name(_)) {
                option::set_text(&fd, libc::SOL_SOCKET, libc::SO_BINDTODEVICE, name)
                    .map_err(system("SO_BINDTODEVICE"))?;
                tied = interface.index;
            }
            if let SocketAddr::V6(v6) = &mut target
                && needs_scope((*v6.ip()).into())
            {
                v6.set_scope_id(interface.index);
                tied = interface.index;
            }
        }
        bind(&fd, interface.address, options.source_port, interface.index)?;
        connect(&fd, target)?;
        check_mtu(&fd, destination, options.udp_limit)?;

        let segmentation = match options.offload {
            Offload::Off => false,
            Offload::Automatic => match option::get(&fd, libc::SOL_UDP, libc::UDP_SEGMENT) {
                Ok(_) => true,
                Err(error) => {
                    warnings.push(Warning::NoSegmentation { reason: error.to_string() });
                    false
                }
            },
        };
        Ok(Self {
            fd,
            destination,
            interface: tied,
            kernel_pacing: options.kernel_pacing,
            segmentation,
            limit: options.udp_limit - UDP_HEADER,
            launch_time: None,
            warnings,
        })
    }

    /// Where to.
    pub fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// The address and port that datagrams come from.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn local_address(&self) -> Result<SocketAddr, Error> {
        super::receiver::local_address(self.fd.as_fd(), self.destination)
    }

    /// Whether the kernel cuts bundles into datagrams. It may turn out only when sending that it
    /// cannot.
    pub fn segments(&self) -> bool {
        self.segmentation
    }

    /// What works less well than it should.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn check(options: &SenderOptions) -> Result<(), Error> {
    let invalid = |field, found: String, accepted: &str| {
        Err(Error::Invalid { field, found, accepted: accepted.into() })
    };
    let destination = options.destination;
    if destination.port() == 0 {
        return invalid("destination port", "0".into(), "1 to 65535");
    }
    if destination.ip().is_unspecified() {
        return invalid(
            "destination",
            destination.to_string(),
            "the address of a host or a multicast group",
        );
    }
    if options.ttl == 0 {
        return invalid("ttl", "0".into(), "1 to 255");
    }
    if options.dscp > 63 {
        return invalid("dscp", options.dscp.to_string(), "0 to 63");
    }
    if options.udp_limit <= UDP_HEADER || options.udp_limit > EXTENDED_UDP_LIMIT {
        return invalid("UDP size limit", options.udp_limit.to_string(), "9 to 8960");
    }
    Ok(())
}

fn bind(fd: &OwnedFd, address: IpAddr, port: u16, index: u32) -> Result<(), Error> {
    if address.is_unspecified() && port == 0 {
        return Ok(());
    }
    let mut local = SocketAddr::new(address, port);
    if let SocketAddr::V6(v6) = &mut local
        && needs_scope(address)
    {
        v6.set_scope_id(index);
    }
    super::receiver::bind(fd.as_fd(), local)
}

fn connect(fd: &OwnedFd, target: SocketAddr) -> Result<(), Error> {
    let name = Name::from_socket(target);
    // SAFETY: the kernel reads as many bytes as the length says, which the name has.
    if unsafe { libc::connect(fd.as_raw_fd(), ptr::from_ref(&name.storage).cast(), name.len) } == 0
    {
        return Ok(());
    }
    let source = io::Error::last_os_error();
    Err(match source.raw_os_error() {
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH | libc::ENETDOWN | libc::EADDRNOTAVAIL) => {
            Error::NoRoute { destination: target }
        }
        Some(libc::EACCES) => Error::NotPermitted {
            action: "connect()",
            address: target,
            advice: "broadcast addresses are not accepted, use a host's address or a multicast group",
        },
        _ => Error::System { action: "connect()", address: target, source },
    })
}

fn check_mtu(fd: &OwnedFd, destination: SocketAddr, udp_limit: usize) -> Result<(), Error> {
    let (level, name, header) = if destination.is_ipv4() {
        (libc::IPPROTO_IP, libc::IP_MTU, 20)
    } else {
        (libc::IPPROTO_IPV6, libc::IPV6_MTU, 40)
    };
    // If the kernel does not know, sending will tell.
    let Ok(mtu) = option::get(fd, level, name) else { return Ok(()) };
    let (mtu, needed) = (mtu as usize, udp_limit + header);
    if needed > mtu { Err(Error::Mtu { needed, mtu, destination }) } else { Ok(()) }
}
