//! Generates the C headers.
fn main() {}
