//! Session descriptions (SDP) of ST 2110 streams, in the terms of a configuration.
//!
//! * [`describe`]: what a description says about a connection, as a [`Description`].
//! * [`compose`], [`compose_expected`]: the description of a connection.

mod compose;
mod describe;
mod description;
#[cfg(test)]
mod device_tests;
mod file;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod template_tests;

pub use compose::{Sender, compose, compose_expected};
pub use describe::{check_agreement, describe, excluded};
pub use description::Description;
pub use file::read_sdp_file;
