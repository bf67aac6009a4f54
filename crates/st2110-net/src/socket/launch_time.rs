//! Bundles with launch times (SO_TXTIME): the kernel holds them back until then, so that a thread
//! need not wake for each.
//!
//! The queueing discipline of the interface does it, if it is `fq`. Others ignore the times, and
//! some drop the packets.

use std::io;

use super::{
    Sender, Warning, option,
    qdisc::{FairQueue, leaves_by},
};

/// Whether the kernel may be asked to hold video back until it is to leave, by an
/// [engine](crate::engine::EngineOptions) that wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KernelPacing {
    /// Where the interface's queueing discipline is `fq` on every path of a stream.
    #[default]
    Automatic,
    /// Never.
    Off,
}

/// What may wait in the kernel at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// Bundles. More than these are dropped without an error.
    pub bundles: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl Backlog {
    const BUNDLES: usize = 62;

    /// What every path can hold.
    pub fn least(self, other: Self) -> Self {
        Self { bundles: self.bundles.min(other.bundles), bytes: self.bytes.min(other.bytes) }
    }
}

impl Sender {
    /// Has the kernel hold bundles back if it can and may. Says how much it holds.
    ///
    /// It can if the interface by which datagrams leave at present has the right discipline and
    /// segments: for datagrams singly its queue is too short.
    pub fn hold_back(&mut self) -> Option<Backlog> {
        if self.kernel_pacing == KernelPacing::Off || !self.segmentation {
            return None;
        }
        let queue = match self.queue() {
            Ok(queue) => queue?,
            Err(error) => {
                log::debug!("queueing discipline for {}: {error}", self.destination);
                return None;
            }
        };
        match self.backlog(queue) {
            Ok(backlog) => backlog,
            Err(error) => {
                self.warnings.push(Warning::NoKernelPacing { reason: error.to_string() });
                None
            }
        }
    }

    fn queue(&self) -> io::Result<Option<FairQueue>> {
        let interface = if self.interface == 0 {
            let source = self.local_address().map_err(io::Error::other)?;
            let scope = match self.destination {
                std::net::SocketAddr::V4(_) => 0,
                std::net::SocketAddr::V6(v6) => v6.scope_id(),
            };
            leaves_by(self.destination.ip(), source.ip(), scope)?
        } else {
            self.interface
        };
        FairQueue::of(interface)
    }

    fn backlog(&self, queue: FairQueue) -> io::Result<Option<Backlog>> {
        option::launch_times(&self.fd)?;
        // The kernel counts the memory that packets lie in, which may be nearly twice as much as
        // they are. SO_SNDBUF is in these terms.
        let buffer = option::get(&self.fd, libc::SOL_SOCKET, libc::SO_SNDBUF)? as usize;
        // A few are on their way to the interface, or late.
        let bundles = Backlog::BUNDLES.min(queue.flow_limit as usize / 8 * 5);
        let backlog = Backlog { bundles, bytes: buffer / 2 };
        // With fewer the thread would wake as often as without.
        Ok(Some(backlog).filter(|backlog| backlog.bundles >= 10))
    }

    /// Sets the launch time of bundles that are sent from now on, in nanoseconds of
    /// CLOCK_MONOTONIC; `None`: at once. To be used only after [`Sender::hold_back`] agreed.
    pub fn leave_at(&mut self, moment: Option<u64>) {
        self.launch_time = moment;
    }

    /// Whether the kernel still has datagrams of this socket. If it does not say, it is assumed to.
    pub fn has_waiting(&self) -> bool {
        option::outgoing(&self.fd).map_or(true, |bytes| bytes > 0)
    }

    /// Notes that the kernel does not hold bundles back any more.
    pub fn not_held_back(&mut self, reason: &str) {
        self.warnings.push(Warning::NoKernelPacing { reason: reason.into() });
    }
}
