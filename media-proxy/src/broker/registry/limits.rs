//! Limits of numbers and of times.

use std::time::Duration;

/// Time for which the connections of a client that has lost its socket are kept.
pub(crate) const DETACH_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest wait of a new connection for other clients before its own client gets Created.
pub(crate) const CREATE_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest wait of a new source for receivers of its group that are about to send a new seat.
pub(super) const STANDBY_WAIT: Duration = Duration::from_millis(100);

/// Time for which new sources wait after a restart of the proxy.
pub(crate) const HOLD_TIME: Duration = Duration::from_millis(500);

/// Pause before a join that the source refused is tried again.
pub(super) const RETRY_TIME: Duration = Duration::from_secs(1);

/// Time-out of a connection's placement in the mesh, bridges included. Shorter than a client's own
/// time-out.
pub(crate) const PLACE_TIMEOUT: Duration = Duration::from_secs(8);

/// Number of sources that may wait for one group.
pub(super) const MAX_PENDING: usize = 16;

/// Length limit of the connection identifiers that a client announces.
pub(super) const MAX_ID_LEN: usize = 64;

/// Upper bounds that depend on the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Receivers of one group.
    pub(crate) receivers_per_group: usize,
    /// Connections of one client.
    pub(crate) connections_per_client: usize,
    /// Connections in all.
    pub(crate) connections: usize,
}
