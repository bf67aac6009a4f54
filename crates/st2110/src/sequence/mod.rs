//! Accounting of sequence numbers: lost, reordered, duplicate and late packets, and senders that start again.

mod history;
mod number;
mod tracker;

pub use number::NumberWidth;
pub use tracker::{Arrival, Counts, Tracker};

pub(crate) use history::{History, Placed};
