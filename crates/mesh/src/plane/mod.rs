//! The control plane as a media proxy uses it: the same calls for the embedded one and for one at
//! an agent.

mod embedded;
pub mod remote;

pub use embedded::Embedded;
pub use remote::{AgentAddress, Remote};

use crate::error::AgentError;
use crate::metrics::Metric;
use crate::topology::{ConnectionId, Desired, FleetGroup, GroupId};
use config::ConnectionConfig;
use proto::Kind;

/// Calls of a proxy to the control plane. No call blocks; answers come to the [`Listener`].
///
/// The loss of the control plane takes nothing away: the last desired state stays.
pub trait ControlPlane: Send + Sync {
    /// Registers a connection, new or (with the same id) again. [`Listener::registered`] reports
    /// the outcome.
    fn register(&self, registration: Registration);

    /// Unregisters a connection that has ended. Unknown ids are ignored.
    fn unregister(&self, connection: &ConnectionId);

    /// Reports the outcome of a desired state.
    fn applied(&self, outcome: Applied);

    /// Queries the format of a group that may have members on other hosts, or of all groups. The
    /// answer is `None` if the control plane cannot be reached, or knows no more than this proxy
    /// does.
    fn find_groups(&self, group: Option<GroupId>, answer: GroupsAnswer);

    /// Passes on measurements of connections and bridges, about once a second. A bridge's field
    /// `link` tells whether it carries frames.
    fn metrics(&self, metrics: Vec<Metric>);
}

/// Callback for the groups that [`ControlPlane::find_groups`] has found. It is called once, from
/// any thread, and must not block.
pub type GroupsAnswer = Box<dyn FnOnce(Option<Vec<FleetGroup>>) + Send>;

/// Calls of the control plane to a proxy.
///
/// The calls come one at a time, from any thread, and from within calls to the [`ControlPlane`] as
/// well: they must neither block nor call it.
pub trait Listener: Send + Sync {
    /// The answer to a registration. A connection that was accepted may be refused later, if it had
    /// to be accepted while the agents were out of reach.
    fn registered(&self, connection: &ConnectionId, result: Result<Accepted, AgentError>);

    /// The proxy's desired state. Bridges and connections that it does not name end; unchanged ones
    /// are not touched.
    fn desired(&self, desired: Desired);

    /// An administrator has removed a connection from the mesh: the proxy ends it, and unregisters
    /// it then.
    fn removed(&self, connection: &ConnectionId);

    /// Whether the control plane can be reached, at each change.
    fn reachable(&self, reachable: bool);
}

/// Scope in which a connection was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It belongs to its group.
    Member,
    /// The agents are out of reach: it works on this host, and the proxy registers it as soon as
    /// they are back.
    LocalOnly,
}

/// A connection to register.
#[derive(Clone, Debug, PartialEq)]
pub struct Registration {
    /// Chosen by the proxy, unique in the fleet, such as 32 random hexadecimal digits. It stays the
    /// same over restarts of proxies and agents.
    pub id: ConnectionId,
    /// Whether the program sends or receives.
    pub kind: Kind,
    /// Its validated configuration.
    pub config: ConnectionConfig,
}

/// Outcome of a desired state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// [`Desired::generation`].
    pub generation: u64,
    /// Errors, one line each; empty if all succeeded.
    pub errors: Vec<String>,
}
