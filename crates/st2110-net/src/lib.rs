//! ST 2110 on the kernel's sockets: GSO and GRO, multicast, and the threads that send and receive.
//!
//! * [`socket`]: one UDP sender and one UDP receiver, usable alone.
//! * [`configured`]: the parts of a connection's configuration that sessions need.
//! * [`engine`]: an [`engine::Engine`] has the threads.
//! * [`host_time`]: PTP hardware clocks, and what the kernel knows about TAI.
//! * [`send`]: sessions that send. Their frames come from a [`FrameFeed`]. [`send::open`] starts
//!   the one of a configuration.
//! * [`receive`]: sessions that receive. Their frames go to a [`FrameSink`]. [`receive::open`]
//!   starts the one of a configuration.

pub mod configured;
pub mod engine;
pub mod host_time;
pub mod receive;
pub mod send;
pub mod socket;

mod counters;
mod error;
mod frame;

pub use config::IncompleteFrames;
pub use counters::Counter;
pub use error::Error;
pub use frame::{FrameFeed, FrameSink, FrameSlot, Gap, HeldFrame, Next, Received};
