//! Formats, frame sizes, rates, TAI time and connection configuration.
//!
//! Everything here is plain data and arithmetic, the same on both sides of a connection: the library in a program and the
//! media proxy of its node use it to say what a connection carries and whether two connections may share a group. Nothing
//! opens a socket; only [`run_dir`], [`tai`], [`random`] and [`read_sdp_file`] read the environment,
//! the clock, random numbers and files.
//!
//! * [`PixelFormat`], [`Video`], [`Audio`], [`Payload`]: what is carried, and how many bytes it takes.
//! * [`FrameRate`]: exact rational rates.
//! * [`ConnectionConfig`], [`ClientConfig`]: the JSON configuration, with every default and rule.
//! * [`Tai`]: time stamps.

mod ancillary;
mod audio;
mod client;
mod colour;
mod compatibility;
#[cfg(test)]
mod configuration_properties;
#[cfg(test)]
mod configuration_tests;
mod connection;
mod connection_json;
mod description;
mod endpoint;
mod error;
#[cfg(test)]
mod established_tests;
mod group_json;
mod hints;
mod json;
pub mod log_filter;
mod names;
mod options;
mod payload;
mod pixel;
pub mod random;
mod rate;
pub mod run_dir;
mod sdp_file;
mod sender_timing;
mod st2110;
mod stream_json;
mod stream_rules;
#[cfg(test)]
mod stream_tests;
pub mod tai;
mod validation;
mod wire;

pub use ancillary::Ancillary;
pub use audio::{Audio, AudioFormat, PacketTime, SampleRate};
pub use client::{ClientConfig, DEFAULT_PROXY_HOST, DEFAULT_PROXY_PORT, ProxyAddress};
pub use colour::{Colorimetry, Colour, SampleRange, TransferCharacteristic};
pub use connection::{ConnectionConfig, MAX_METADATA_SIZE, MAX_PAYLOAD_SIZE};
pub use description::{Description, ReadSdp, SdpSource};
pub use endpoint::{Endpoint, Rdma, RdmaMode};
pub use error::{ConfigError, ConfigErrorKind, ConfigWarning};
pub use options::{Delivery, EndOfStream, Options, RdmaOptions, RdmaProvider};
pub use payload::{Payload, Video};
pub use pixel::PixelFormat;
pub use rate::FrameRate;
pub use sdp_file::read_sdp_file;
pub use sender_timing::SenderTiming;
pub use st2110::{
    AncillaryStream, BitsPerPixel, Codec, CodingQuality, IncompleteFrames, Pacing, PacketMode,
    Packing, SecondPath, St2110, Transport,
};
pub use tai::Tai;
pub use wire::{Sampling, Scan, WireFormat};
