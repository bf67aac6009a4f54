//! Errors of sockets, clocks and sessions.

use std::{io, net::IpAddr, net::SocketAddr, path::PathBuf};

use config::{ConnectionConfig, St2110};

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value that no socket or session can have.
    #[error("{field} is {found}, accepted: {accepted}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What was found.
        found: String,
        /// What is accepted.
        accepted: String,
    },
    /// The interface does not exist.
    #[error(
        "interface {value}: not on this host; accepted: kernel:NAME or an address of this host, one of {present}"
    )]
    NoInterface {
        /// The interface asked for.
        value: String,
        /// The interfaces and addresses that exist.
        present: String,
    },
    /// The interface has no address of the family that the peer's address has.
    #[error(
        "interface {value} has no {family} address, but {peer} needs one: add it, or choose another interface"
    )]
    NoAddress {
        /// The interface.
        value: String,
        /// IPv4 or IPv6.
        family: &'static str,
        /// The peer or group.
        peer: IpAddr,
    },
    /// Another socket has the port.
    #[error(
        "UDP port {address} is in use by another socket: stop that program or choose another port or address"
    )]
    InUse {
        /// The address to bind.
        address: SocketAddr,
    },
    /// There is no way to the destination.
    #[error(
        "no route to {destination}: add one, or choose the interface with kernel:NAME or by its address"
    )]
    NoRoute {
        /// The destination.
        destination: SocketAddr,
    },
    /// The packets would have to be fragmented, which ST 2110-10 forbids.
    #[error(
        "packets of {needed} bytes with IP header do not fit the MTU of {mtu} on the way to {destination}: \
         raise it (ip link set dev NAME mtu {needed}) or send smaller packets"
    )]
    Mtu {
        /// Bytes of the largest packet with its IP header.
        needed: usize,
        /// The path's MTU in bytes.
        mtu: usize,
        /// The destination.
        destination: SocketAddr,
    },
    /// The process may not do this.
    #[error("{action} for {address} is not permitted: {advice}")]
    NotPermitted {
        /// What was tried.
        action: &'static str,
        /// The address.
        address: SocketAddr,
        /// What helps.
        advice: &'static str,
    },
    /// Another failure of a system call.
    #[error("{action} for {address}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// The address.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
    /// There is no PTP hardware clock.
    #[error(
        "PTP hardware clock {}: {source}; accepted: /dev/ptpN that this process may read",
        path.display()
    )]
    HardwareClock {
        /// The device.
        path: PathBuf,
        /// The kernel's answer.
        source: io::Error,
    },
    /// A thread cannot be started.
    #[error("a thread for ST 2110 cannot be started: {0}")]
    Thread(io::Error),
    /// What is to be sent or received is not possible.
    #[error(transparent)]
    Video(#[from] st2110::video::VideoError),
    /// What is to be sent or received is not possible.
    #[error(transparent)]
    Audio(#[from] st2110::audio::AudioError),
    /// What is to be sent or received is not possible.
    #[error(transparent)]
    JpegXs(#[from] st2110::jpegxs::JpegXsError),
}

impl Error {
    /// A configuration without an ST 2110 stream.
    pub(crate) fn no_stream(config: &ConnectionConfig) -> Self {
        let found = config.endpoint.kind().to_string();
        Self::Invalid { field: "connection", found, accepted: "st2110".into() }
    }

    /// A stream whose transport does not carry its payload.
    pub(crate) fn not_carried(stream: &St2110, config: &ConnectionConfig) -> Self {
        Self::Invalid {
            field: "connection.st2110.transport",
            found: stream.transport.to_string(),
            accepted: format!("one that carries payload {}", config.payload.kind()),
        }
    }
}
