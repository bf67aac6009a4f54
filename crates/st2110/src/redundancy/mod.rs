//! Seamless protection by ST 2022-7: one stream on two paths.

mod differential;
mod merge;
#[cfg(test)]
mod merge_tests;

pub use differential::SkewClass;
pub use merge::{Merge, PathCounts, Use};
