//! Frames over [libfabric](https://ofiwg.github.io/libfabric/): RDMA where there is hardware for
//! it, TCP anywhere.
//!
//! [`EndpointSet`] is a safe layer over libfabric's reliable datagram endpoints: a few endpoints
//! with one completion queue and one address vector, which send from and receive into memory that
//! the caller lends them. The call moves a buffer into the set; its completion returns it, or it is
//! dropped after the endpoint is closed. So the set alone owns a buffer while the network may touch
//! its memory.
//!
//! libfabric is loaded at run time. If it, a provider or a device is missing, errors name the
//! package to install or the setting to enable.

mod arena;
pub mod bridge;
mod buffer;
mod copies;
mod domain;
mod endpoint;
mod environment;
mod error;
mod event;
mod info;
mod progress;
mod provider;
mod queue;
mod regions;
mod set;
mod traffic;

pub use buffer::{HeapBuffer, MemoryId, ReceiveBuffer, SendBuffer};
pub use environment::wanted_environment;
pub use error::{FabricError, TransferError};
pub use event::{ControlMessage, Event, MAX_CONTROL};
pub use info::library_version;
pub use provider::{Address, Provider};
pub use set::{EndpointOptions, EndpointSet, MAX_ENDPOINTS, MAX_TRAILER, Peer, Registration};
pub use traffic::Traffic;
