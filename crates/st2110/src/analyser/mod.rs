//! Conformance analysis of received streams, of any sender: ST 2110-21 for video, time-stamped
//! delay factor for audio.
//!
//! One analyser is for one stream on one path. It wants every packet with the moment of its
//! arrival, in TAI, as near to the wire as the system can tell it.

mod audio;
mod expectation;
mod figures;
mod learning;
mod running;
mod summary;
mod unit;
mod video;
#[cfg(test)]
mod video_tests;

pub use audio::{AudioAnalyser, AudioSummary};
pub use expectation::Expectation;
pub use figures::{Histogram, Spread};
pub use summary::{Markers, VideoSummary};
pub use unit::{Compliance, Conformance, UnitReport};
pub use video::VideoAnalyser;
