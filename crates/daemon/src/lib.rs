//! TCP ports of the mesh's daemons: access control, and the connections' way to their servers.
//!
//! Programs on the same host may call without credentials, others with a certificate (mutual TLS)
//! or from networks that an administrator has named.

pub mod arguments;
mod certificate;
mod error;
pub mod exposition;
#[cfg(feature = "http")]
pub mod http;
pub mod logger;
mod networks;
pub mod notify;
mod peer;
pub mod rate_limited_log;
mod refused;
pub mod signals;
mod tcp;
mod tls;

pub use error::AccessError;
pub use networks::{Networks, NetworksError};
pub use peer::{Checker, Peer, Refusal};
pub use refused::Reason;
pub use tcp::{Guarded, Port, Speaks, accept};
pub use tls::{TlsFiles, acceptor, connector};
