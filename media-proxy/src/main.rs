//! The daemon of a node.
mod registry;
fn main() {}
