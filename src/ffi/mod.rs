//! The C ABI: a thin skin over [`mcm`].
//!
//! Every exported function is a panic boundary, a check of its pointers and one call into safe Rust.
//! The comments of the public items become `include/mesh_dp.h`, so they address the C programmer.
//!
//! # Safety
//!
//! One contract serves all functions: a pointer is null, or it points to a live object of its type that
//! this library created (clients, connections, buffers) or that the caller owns (output arguments, texts
//! that end in a zero byte). A buffer is used by one thread at a time; clients and connections by any.
#![expect(clippy::missing_safety_doc, reason = "the contract is the same for all: see above")]

mod boundary;
mod buffer;
mod client;
mod connection;
mod error;
mod failure;
mod logger;
mod pointer;
mod timeout;
mod version;

pub use buffer::*;
pub use client::*;
pub use connection::*;
pub use error::*;
pub use timeout::*;
pub use version::*;
