//! The rules, each as a case, and what holds whatever happens.

mod harness;
mod holds;
mod mesh;
mod properties;
mod refusals;
mod st2110;
