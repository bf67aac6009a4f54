//! The broker: introduces the sources and receivers of a group to each other.
//!
//! The [exchange] passes the descriptors of their shared memory between programs; the [registry]
//! decides who joins which group. Frames bypass both.

pub(crate) mod budget;
pub(crate) mod exchange;
mod foreign;
mod peer;
pub(crate) mod registry;
