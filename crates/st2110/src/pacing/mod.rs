//! Pacing by ST 2110-21: when packets are read, how they may bunch, and a sender that keeps to it.
//!
//! * [`SenderType`], [`Limits`]: Cmax and VRX of Narrow, Narrow linear and Wide.
//! * [`Schedule`]: the packet read schedule, TPR(j).
//! * [`LeakyBucket`]: the network compatibility model, which tells Cinst.
//! * [`Sender`]: how many packets may go now, and when to come back.
//!
//! Everything counts *units*: frames of progressive video, fields of interlaced video (see
//! [`crate::time::FrameClock`]). A field is scheduled as a frame of half the packets at twice the
//! rate, which gives the same TRS, Cmax and VRX as the standard's clauses for interlaced video.

mod bucket;
mod schedule;
mod sender;
mod sender_type;
#[cfg(test)]
mod simulation;

pub use bucket::LeakyBucket;
pub use schedule::{Raster, Schedule};
pub use sender::{Sender, Step};
pub use sender_type::{Limits, NARROW_PACKETS_PER_SECOND, SenderType};
