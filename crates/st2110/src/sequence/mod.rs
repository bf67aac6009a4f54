//! Accounting of sequence numbers: lost, reordered, duplicate and late packets, and restarts of the
//! sender.

mod history;
mod number;
mod tracker;

pub use number::NumberWidth;
pub use tracker::{Arrival, Counts, Tracker};

pub(crate) use history::{History, Placed};
