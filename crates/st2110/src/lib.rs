//! SMPTE ST 2110 without sockets and clocks: packets and their payloads, packing of pixels, pacing,
//! timestamps, conformance analysis, session descriptions, and redundancy by ST 2022-7.
//!
//! Everything takes bytes and time as arguments. Sockets and threads are in `mcm-st2110-net`.

pub mod analyser;
pub mod ancillary;
pub mod audio;
pub mod jpegxs;
pub mod pacing;
pub mod redundancy;
pub mod reference;
pub mod rtp;
pub mod sdp;
pub mod sequence;
pub mod time;
mod transport;
pub mod video;
pub mod window;

pub use transport::Transport;
