//! Session descriptions (SDP, RFC 8866) of ST 2110 streams: read, written, checked.
//!
//! * [`Document`]: a description line by line. Everything that was read is written again, in the
//!   same order, known or not.
//! * [`Stream`]: one media section with what ST 2110-10, -20, -22, -30, -31 and -40 put there.
//! * [`fill`]: a description with another one as its template.
//! * [`check`]: what is wrong with a description, by severity and clause.

mod audio;
mod check;
mod check_media;
mod document;
mod error;
mod essence;
mod notes;
mod parameters;
mod place;
mod reading;
#[cfg(test)]
mod samples;
mod stream;
mod template;
mod value;

pub use audio::{packet_time, ptime};
pub use check::{Finding, Severity, check, remarks};
pub use document::{Document, Line, Section};
pub use error::{SdpError, SdpProblem};
pub use essence::{
    AncillaryEssence, AudioEssence, CompressedEssence, Essence, Picture, VideoEssence,
};
pub use parameters::Parameters;
pub use reading::second_source;
pub use stream::{Leg, Stream};
pub use template::{fill, layout};
pub use value::address_kind;
