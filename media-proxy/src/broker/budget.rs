//! Limits of clients and connections that follow from the process's limit on descriptors.

use crate::broker::registry::Limits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that a connection may keep: two seats and one in flight, or pool and board.
const PER_CONNECTION: u64 = 3;

/// Upper bounds that keep the process within its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Sockets of clients on the exchange; each needs a pidfd as well.
    pub(crate) links: usize,
    /// Connections in all.
    pub(crate) connections: usize,
    /// TCP connections on each port that have shown that they speak the protocol, and as many that
    /// have not yet.
    pub(crate) tcp_per_port: usize,
}

impl Budget {
    /// Raises the limit as far as that is possible without privileges, and divides it.
    pub(crate) fn claim() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let hard = limit.maximum;
        // Without the right to raise it, the present limit applies.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: hard, maximum: hard });
        Self::of(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
    }

    /// A quarter for TCP, a quarter for clients, three eighths for connections, the rest as a
    /// reserve.
    fn of(descriptors: u64) -> Self {
        let bounded = |value: u64, most: u64| usize::try_from(value.clamp(8, most)).unwrap_or(8);
        Self {
            links: bounded(descriptors / 8, 4096),
            connections: bounded(descriptors / 8 * 3 / PER_CONNECTION, 16384),
            tcp_per_port: bounded(descriptors / 16, 256),
        }
    }

    /// The registry's share.
    pub(crate) fn limits(self) -> Limits {
        Limits {
            receivers_per_group: 128,
            connections_per_client: 1024,
            connections: self.connections,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_fit_the_whole() {
        for descriptors in [256, 1024, 4096, 1 << 20, u64::MAX] {
            let budget = Budget::of(descriptors);
            let used = budget.links as u64 * 2
                + budget.connections as u64 * PER_CONNECTION
                + budget.tcp_per_port as u64 * 4;
            assert!(used + 28 <= descriptors, "{descriptors}: {budget:?} uses {used}");
        }
        let plenty = Budget { links: 4096, connections: 16384, tcp_per_port: 256 };
        assert_eq!(Budget::of(1 << 20), plenty);
    }
}
