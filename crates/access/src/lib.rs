//! Who may call the TCP ports of the mesh's programs, and how connections get to their servers.
//!
//! Programs on the same host may call without credentials, others with a certificate (mutual TLS).

mod error;
mod peer;
pub mod seldom;
mod tcp;
mod tls;

pub use error::AccessError;
pub use peer::{Checker, Peer, Refusal};
pub use tcp::{Guarded, Speaks, accept};
pub use tls::{TlsFiles, acceptor};
