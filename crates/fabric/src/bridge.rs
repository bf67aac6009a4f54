//! Bridges: carry a group's frames from one proxy to another.
//!
//! An [`Egress`] sends frames straight from the slots of a ring; an [`Ingress`] receives them
//! straight into the slots of another. [`wire_layout`], [`sequence`], [`control`] and [`session`]
//! implement the protocol between the two, without sockets or clocks. [`FrameSource`] and
//! [`FrameSink`] connect a bridge to its group.

pub mod control;
mod egress;
mod ingress;
mod keys;
mod link;
mod ports;
pub mod sequence;
pub mod session;
mod state;
pub mod wire_layout;

pub use egress::Egress;
pub use ingress::{Finished, Ingress};
pub use keys::LinkKey;
pub use link::{Extended, LinkOptions};
pub use ports::{Arrival, Ended, FrameSink, FrameSource, NotPublished, SourceFrame, Taken};
pub use state::{BridgeCounts, BridgeStatus, LinkState, Stop};
