//! The client behind the C ABI, in safe Rust.

mod buffer;
mod configuration;
mod connection;
mod control;
mod error;
mod link;
mod peer;
mod random;
mod readiness;
mod session;
mod waiting;
mod warnings;

pub use buffer::{Buffer, BufferInfo};
pub use connection::{Connection, ConnectionStats, Timeout};
pub use error::Error;
pub use session::{Client, Direction, Extras};
pub use shm::{Region, signals};
pub use warnings::last_warnings;
