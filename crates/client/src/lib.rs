//! Client of the Media Communications Mesh: sends and receives video, audio and ancillary data.

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
