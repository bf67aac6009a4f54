#![doc = include_str!("../README.md")]
//!
//! ## A source
//!
//! ```no_run
#![doc = include_str!("../examples/send.rs")]
//! ```
//!
//! ## A receiver
//!
//! ```no_run
#![doc = include_str!("../examples/receive.rs")]
//! ```
#![cfg_attr(feature = "tokio", doc = "\n## Tasks\n\n```no_run")]
#![cfg_attr(feature = "tokio", doc = include_str!("../examples/bridge.rs"))]
#![cfg_attr(feature = "tokio", doc = "```")]

#[cfg(feature = "tokio")]
mod asynchronous;
#[cfg(feature = "bridge")]
pub mod bridge;
mod builder;
mod client;
mod connection;
mod control;
mod entry;
mod error;
mod into_config;
mod link;
mod peer;
mod random;
mod readiness;
mod receiver;
mod session;
mod source;
mod timeout;
mod waiting;
mod warnings;

#[cfg(feature = "tokio")]
pub use asynchronous::{AsyncReceiver, AsyncSource};
pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{ClientError, GroupError, LengthError, OpenError, PublishError, WaitError};
pub use into_config::IntoConfig;
pub use receiver::{Frame, Frames, Receiver};
pub use source::{FrameMut, Source};
pub use timeout::Timeout;
pub use warnings::last_warnings;

pub use config::{
    ConnectionConfig, Delivery, EndOfStream, Endpoint, Options, ProxyAddress, St2110,
};
pub use media::{
    Ancillary, Audio, AudioFormat, FrameRate, PacketTime, Payload, PixelFormat, SampleRate, Scan,
    Tai, Video,
};
pub use shm::{FrameInfo, Region, Stats, signals};
pub use st2110::Transport;

/// The programs of the guide are compiled with the crate's own.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust.md")]
struct Guide;
