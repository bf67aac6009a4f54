//! Seamless protection by ST 2022-7: one stream on two paths.

mod merge;
#[cfg(test)]
mod merge_tests;
mod skew;

pub use merge::{Merge, PathCounts, Use};
pub use skew::SkewClass;
