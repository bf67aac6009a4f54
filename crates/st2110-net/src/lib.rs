//! ST 2110 on the kernel's sockets: GSO and GRO, multicast, and the threads that send and receive.
//!
//! [`socket`] has one UDP sender and one UDP receiver, usable alone.

pub mod socket;

mod error;

pub use error::Error;
