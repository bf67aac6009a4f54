//! A UDP socket that sends to one destination.

use std::{
    io::{self, ErrorKind, IoSlice},
    net::{IpAddr, SocketAddr},
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    ptr,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::{
    EXTENDED_UDP_LIMIT, Interface, KernelPacing, Offload, STANDARD_UDP_LIMIT, UDP_HEADER, Warning,
    control::Control,
    name::{Name, needs_scope},
    option,
};
use crate::Error;

/// Datagrams in one bundle at most: what every kernel with UDP_SEGMENT accepts.
pub const BUNDLE: usize = 64;
/// Bytes of a bundle at most: an IP packet's, without IPv6 and UDP header.
const BUNDLE_BYTES: usize = 65_535 - 40 - UDP_HEADER;

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
    /// Options with the usual values: any interface, TTL 64, DSCP 34 (AF41), standard datagrams, a buffer of 1 MiB.
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

/// A UDP socket that sends to one destination. It does not block, and the kernel never fragments its datagrams.
#[derive(Debug)]
pub struct Sender {
    pub(super) fd: OwnedFd,
    pub(super) destination: SocketAddr,
    /// The number of the interface that the socket is tied to, or 0: the routes say by which it sends.
    pub(super) interface: u32,
    pub(super) kernel_pacing: KernelPacing,
    pub(super) segmentation: bool,
    limit: usize,
    /// When bundles leave, in nanoseconds of CLOCK_MONOTONIC; at once if nothing is said.
    pub(super) departure: Option<u64>,
    pub(super) warnings: Vec<Warning>,
}

impl Sender {
    /// Opens and connects the socket.
    ///
    /// # Errors
    /// A value out of range, an interface that is not there, no route, or an MTU that is too small for `udp_limit`.
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
            departure: None,
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

    /// Whether the kernel cuts bundles into datagrams. It may turn out only when sending that it cannot.
    pub fn segments(&self) -> bool {
        self.segmentation
    }

    /// What works less well than it should.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Sends datagrams that lie one behind the other in `bytes`, all of `segment` bytes but the last, which may be shorter.
    /// Returns how many were sent: fewer than there are if the buffer became full. At most 64 datagrams are taken at once.
    ///
    /// # Errors
    /// None was sent.
    ///
    /// # Panics
    /// `segment` is 0 or larger than the socket's limit.
    pub fn send(&mut self, bytes: &[u8], segment: usize) -> Result<usize, SendFailure> {
        assert!(segment > 0 && segment <= self.limit, "segment of {segment} bytes");
        let take = BUNDLE.min(BUNDLE_BYTES / segment) * segment;
        let bytes = &bytes[..take.min(bytes.len())];
        let count = bytes.len().div_ceil(segment);
        if self.bundles(count) {
            match self.send_bundle(&[IoSlice::new(bytes)], segment) {
                Ok(()) => return Ok(count),
                Err(failure) => self.without_segmentation(failure)?,
            }
        }
        let mut parts = [IoSlice::new(&[]); BUNDLE];
        for (part, datagram) in parts.iter_mut().zip(bytes.chunks(segment)) {
            *part = IoSlice::new(datagram);
        }
        self.send_each(&parts[..count], 1)
    }

    /// Sends datagrams that consist of `each` parts, such as header and payload, given one after the other in `parts`. All have
    /// `segment` bytes but the last, which may have fewer. Returns how many were sent, as [`Sender::send`].
    ///
    /// # Errors
    /// None was sent.
    ///
    /// # Panics
    /// The parts are not a multiple of `each`, are more than 64 datagrams or 64 kB, or `segment` is 0 or larger than the
    /// socket's limit.
    pub fn send_gathered(
        &mut self,
        parts: &[IoSlice<'_>],
        each: usize,
        segment: usize,
    ) -> Result<usize, SendFailure> {
        assert!(segment > 0 && segment <= self.limit, "segment of {segment} bytes");
        assert!(each > 0 && parts.len().is_multiple_of(each), "{} parts, {each} each", parts.len());
        let count = parts.len() / each;
        assert!(
            count <= BUNDLE && count * segment <= BUNDLE_BYTES,
            "{count} datagrams of {segment} bytes"
        );
        debug_assert!(
            parts.chunks(each).rev().skip(1).all(|one| one
                .iter()
                .map(|part| part.len())
                .sum::<usize>()
                == segment)
        );
        if self.bundles(count) {
            match self.send_bundle(parts, segment) {
                Ok(()) => return Ok(count),
                Err(failure) => self.without_segmentation(failure)?,
            }
        }
        self.send_each(parts, each)
    }

    /// Whether so many datagrams leave as a bundle. A single one does if it is to leave later.
    fn bundles(&self, count: usize) -> bool {
        self.segmentation && (count > 1 || self.departure.is_some())
    }

    /// If the failure means that the path cannot segment, does without it from now on.
    fn without_segmentation(&mut self, error: io::Error) -> Result<(), SendFailure> {
        match error.raw_os_error() {
            // EIO: the device has no checksum offload. EINVAL: what it takes is smaller than the bundle.
            Some(libc::EIO | libc::EINVAL | libc::EOPNOTSUPP | libc::ENOPROTOOPT) => {
                self.segmentation = false;
                self.warnings.push(Warning::NoSegmentation { reason: error.to_string() });
                Ok(())
            }
            _ => Err(failure(error)),
        }
    }

    fn send_bundle(&self, parts: &[IoSlice<'_>], segment: usize) -> io::Result<()> {
        let mut control = Control::empty();
        let mut controllen = control.segment(segment as u16);
        if let Some(departure) = self.departure {
            controllen = control.departure(controllen, departure);
        }
        let mut message = message(parts);
        message.msg_control = control.as_mut_ptr();
        message.msg_controllen = controllen;
        retry_refused(|| {
            // SAFETY: the message points to buffers and control data that live through the call; the kernel only reads them.
            let sent = unsafe {
                libc::sendmsg(self.fd.as_raw_fd(), &raw const message, libc::MSG_DONTWAIT)
            };
            if sent >= 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
        })
    }

    fn send_each(&self, parts: &[IoSlice<'_>], each: usize) -> Result<usize, SendFailure> {
        // SAFETY: plain data; all zeroes are an empty message.
        let mut messages: [libc::mmsghdr; BUNDLE] = unsafe { std::mem::zeroed() };
        let count = parts.len() / each;
        for (header, parts) in messages.iter_mut().zip(parts.chunks(each)) {
            header.msg_hdr = message(parts);
        }
        let mut done = 0;
        while done < count {
            let left = &mut messages[done..count];
            let result = retry_refused(|| {
                // SAFETY: as many headers as the slice has, each pointing to buffers that live through the call.
                let sent = unsafe {
                    libc::sendmmsg(
                        self.fd.as_raw_fd(),
                        left.as_mut_ptr(),
                        left.len() as libc::c_uint,
                        libc::MSG_DONTWAIT as _,
                    )
                };
                usize::try_from(sent).map_err(|_| io::Error::last_os_error())
            });
            match result {
                Ok(sent) => done += sent,
                // What has left has left; the next call says what is wrong.
                Err(_) if done > 0 => break,
                Err(error) => return Err(failure(error)),
            }
        }
        Ok(done)
    }
}

impl AsFd for Sender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn message(parts: &[IoSlice<'_>]) -> libc::msghdr {
    // SAFETY: plain data; all zeroes are an empty message.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    // IoSlice is guaranteed to have the layout of iovec. The kernel does not write through it when sending.
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len();
    message
}

/// A connected socket reports here that nobody listens at the destination, once, instead of sending. That is no reason not to send.
fn retry_refused<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..3 {
        match call() {
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::ConnectionRefused | ErrorKind::Interrupted
                ) => {}
            result => return result,
        }
    }
    call()
}

fn failure(error: io::Error) -> SendFailure {
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::ENOBUFS | libc::ENOMEM) => SendFailure::Full,
        _ => SendFailure::Refused(error),
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
