//! Frames over [libfabric](https://ofiwg.github.io/libfabric/): RDMA where there is hardware for it, TCP anywhere.
//!
//! [`EndpointSet`] is a safe layer over libfabric's reliable datagram endpoints: a few endpoints with one completion queue
//! and one address vector, which send from and receive into memory that the caller lends them. A buffer is moved into the
//! set by the call and comes back with its completion, or is dropped after the endpoint is closed: as long as the network
//! may touch memory, nobody else owns it.
//!
//! libfabric is loaded at run time. Where it, a provider or a device is missing, errors say what to install or enable.

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
