//! The configurations in JSON.

pub(crate) mod connection;
pub(crate) mod document;
mod group;
mod hints;
mod stream;
