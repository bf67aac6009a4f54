//! Bridges: a group's frames from one proxy to another.
//!
//! An [`Egress`] sends frames straight from the slots of a ring; an [`Ingress`] receives them straight into the slots of another.
//! What they say to each other is in [`image`], [`sequence`], [`control`] and [`session`], which know neither sockets nor
//! clocks. What they need of a group is in [`FrameSource`] and [`FrameSink`].

pub mod control;
mod egress;
pub mod image;
mod ingress;
mod keys;
mod link;
mod ports;
pub mod sequence;
pub mod session;
mod state;

pub use egress::Egress;
pub use ingress::{Finished, Ingress};
pub use keys::LinkKey;
pub use link::{Extended, LinkOptions};
pub use ports::{Arrival, Ended, FrameSink, FrameSource, NotPublished, SourceFrame, Taken};
pub use state::{BridgeCounts, BridgeStatus, LinkState, Stop};
