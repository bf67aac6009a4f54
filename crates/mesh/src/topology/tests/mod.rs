//! The topology's rules case by case, and its invariants under random events.

mod harness;
mod holds;
mod mesh;
mod properties;
mod refusals;
mod st2110;
