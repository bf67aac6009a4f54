//! The control plane of the mesh: assigns connections to groups, and decides which bridges exist.
//!
//! [`topology`] holds the rules, without I/O. A media proxy uses them through a
//! [`ControlPlane`](plane::ControlPlane): in its own process, or at an agent that many proxies
//! share.

mod error;
pub mod metrics;
pub mod plane;
pub mod status;
pub mod topology;
pub mod wire;

pub use error::{AgentError, GroupMember};
