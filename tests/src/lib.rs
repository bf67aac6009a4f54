//! The harness of the end-to-end tests: a real `media_proxy`, programs as processes of their own,
//! and conditions to wait for.
//!
//! No test sleeps for a fixed time: [`wait::until`] waits for a condition, with a deadline that
//! only a failure reaches.

pub mod agent;
pub mod authority;
pub mod codestreams;
pub mod config;
pub mod content;
pub mod control;
pub mod drops;
pub mod etcd;
pub mod fleet;
pub mod netns;
pub mod pair;
pub mod process;
pub mod program;
pub mod proxy;
pub mod random;
pub mod repeating;
pub mod resources;
pub mod role;
pub mod run;
pub mod scrape;
pub mod wait;
pub mod wire;
