//! Bridges: a group's frames from one proxy to another.
//!
//! An *egress* sends frames straight from the slots of a ring; an *ingress* receives them straight into the slots of another.
//! What they say to each other is in [`image`], [`sequence`], [`control`] and [`session`], which know neither sockets nor
//! clocks.

pub mod control;
pub mod image;
mod keys;
pub mod sequence;
pub mod session;

pub use keys::LinkKey;
