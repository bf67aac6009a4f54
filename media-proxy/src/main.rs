//! media_proxy
fn main() {}
