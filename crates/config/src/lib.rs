//! The configuration of connections and clients: its fields, their rules, and how they are written
//! in JSON, in session descriptions (SDP) and in protobuf messages.
//!
//! The library in a program, the media proxy of its host and the mesh agent use it to say what a
//! connection carries, and whether two connections may share a group.
//!
//! * [`ConnectionConfig`], [`ClientConfig`]: the configurations, with every default and rule.
//! * [`Endpoint`], [`St2110`], [`Rdma`], [`Options`]: their parts.
//! * [`sdp`]: session descriptions in the terms of a configuration, both ways.
//! * [`ConfigError`], [`ConfigWarning`]: what is wrong with one, or without effect, and where.

mod client;
#[cfg(test)]
mod configuration_properties;
#[cfg(test)]
mod configuration_tests;
mod connection;
mod connection_builder;
mod endpoint;
mod error_code;
#[cfg(test)]
mod established_tests;
mod json;
mod options;
mod protobuf;
mod rules;
pub mod sdp;
mod sender_timing;
mod stream;
#[cfg(test)]
mod stream_tests;
mod warning;

pub use client::{ClientConfig, DEFAULT_PROXY_HOST, DEFAULT_PROXY_PORT, ProxyAddress};
pub use connection::{ConnectionConfig, MAX_METADATA_SIZE, MAX_PAYLOAD_SIZE};
pub use endpoint::{Endpoint, Rdma, RdmaMode};
pub use error_code::ErrorCode;
pub use media::{ConfigError, ConfigErrorKind};
pub use options::{Delivery, EndOfStream, Options, RdmaOptions, RdmaProvider};
pub use proto::Kind;
pub use protobuf::{OTHER_NUMBERS, kind_of};
pub use sender_timing::SenderTiming;
pub use stream::{AncillaryStream, Codec, IncompleteFrames, SecondPath, St2110};
pub use warning::ConfigWarning;
