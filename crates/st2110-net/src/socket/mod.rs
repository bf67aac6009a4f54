//! UDP sockets for media: bundles of datagrams in one call where the kernel can (GSO and GRO),
//! multicast, buffers, times.
//!
//! All sockets are non-blocking.

mod batch;
mod bundles;
mod control;
mod interface;
mod launch_time;
mod name;
mod netlink;
mod option;
mod present;
mod qdisc;
mod receiver;
mod sender;

pub use batch::{Batch, Bundle};
pub use bundles::BUNDLE;
pub(crate) use bundles::bundles;
pub use interface::Interface;
pub use launch_time::{Backlog, KernelPacing};
pub use receiver::{Receiver, ReceiverOptions, receive_buffer};
pub use sender::{SendFailure, Sender, SenderOptions};

/// The largest UDP datagram in bytes, with its UDP header, that ST 2110-10 §6.3 allows (Standard
/// UDP Size Limit).
pub const STANDARD_UDP_LIMIT: usize = 1460;
/// The same for flows that agree on more (Extended UDP Size Limit).
pub const EXTENDED_UDP_LIMIT: usize = 8960;
/// Bytes of a UDP header.
pub const UDP_HEADER: usize = 8;

/// Whether the kernel is asked to treat many datagrams as one (UDP_SEGMENT, UDP_GRO).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Offload {
    /// Where the kernel and the path can; otherwise datagrams singly, many of them in each system
    /// call.
    #[default]
    Automatic,
    /// Never.
    Off,
}

/// Something that works, but less well than it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// The kernel caps the receive buffer.
    ReceiveBuffer {
        /// Bytes wanted.
        wanted: usize,
        /// Bytes that the kernel gave.
        given: usize,
    },
    /// The kernel caps the send buffer.
    SendBuffer {
        /// Bytes wanted.
        wanted: usize,
        /// Bytes that the kernel gave.
        given: usize,
    },
    /// Packets were dropped because the send buffer was full.
    SendBufferFull,
    /// Frames, or packets of audio, leave more slowly than the stream's rate.
    Rate {
        /// Periods that passed unused, when that was seen first.
        slipped: u64,
        /// Of so many.
        periods: u64,
    },
    /// Sources are filtered here and not by the network.
    SourceFilter {
        /// Why the kernel refused the filter.
        reason: String,
    },
    /// No segmentation offload: each datagram passes through the network stack alone.
    NoSegmentation {
        /// Why.
        reason: String,
    },
    /// No coalescing of received datagrams.
    NoCoalescing {
        /// Why.
        reason: String,
    },
    /// The kernel does not hold packets back until they are to leave, although it seemed able to.
    NoKernelPacing {
        /// Why.
        reason: String,
    },
    /// No times of arrival from the kernel.
    NoTimes {
        /// Why.
        reason: String,
    },
}

impl std::fmt::Display for Warning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ReceiveBuffer { wanted, given } => write!(
                f,
                "receive buffer of {given} bytes where {wanted} are wanted, packets may be lost: sysctl -w net.core.rmem_max={wanted}"
            ),
            Self::SendBuffer { wanted, given } => write!(
                f,
                "send buffer of {given} bytes where {wanted} are wanted: sysctl -w net.core.wmem_max={wanted}"
            ),
            Self::SendBufferFull => write!(
                f,
                "packets were dropped because the send buffer was full: path1_full and path2_full count them; the interface is slower than the stream, or sysctl -w net.core.wmem_max=4194304"
            ),
            Self::Rate { slipped, periods } => write!(
                f,
                "the stream does not keep its rate: {slipped} of {periods} periods passed unused, as slipped_periods counts them, and its source is held up; this host is too slow or too busy for it"
            ),
            Self::SourceFilter { reason } => write!(
                f,
                "the kernel refuses the multicast source filter ({reason}): joined any source, and others' packets are dropped after they arrived"
            ),
            Self::NoSegmentation { reason } => {
                write!(f, "no UDP segmentation offload ({reason}): sending costs more CPU time")
            }
            Self::NoCoalescing { reason } => {
                write!(f, "no UDP receive offload ({reason}): receiving costs more CPU time")
            }
            Self::NoKernelPacing { reason } => {
                write!(f, "no pacing by the kernel ({reason}): sending costs more CPU time")
            }
            Self::NoTimes { reason } => {
                write!(
                    f,
                    "no times of arrival from the kernel ({reason}): they are taken when packets are read"
                )
            }
        }
    }
}
