//! Building blocks for tests: deadlines, processes, hosts made of network namespaces, etcd, HTTP,
//! certificates and random data with a seed.
//!
//! This crate knows nothing of the programs under test. Tests do not sleep for luck:
//! [`wait::until`] waits for a condition, with a deadline that only a failure reaches.

#[cfg(feature = "certificates")]
pub mod certificates;
pub mod drops;
pub mod etcd;
pub mod host;
pub mod http;
pub mod net;
pub mod ports;
pub mod process;
pub mod random;
pub mod repeating;
pub mod resources;
pub mod wait;

/// Says that a test is skipped because something is missing on this machine.
///
/// # Panics
/// In continuous integration, where `CI` is set and everything has to be there.
#[track_caller]
pub fn skip(missing: &str) {
    assert!(std::env::var_os("CI").is_none(), "missing: {missing}");
    eprintln!("SKIPPED: missing: {missing}");
}
