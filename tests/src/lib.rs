//! The harness of the end-to-end tests: a real `media_proxy`, programs as processes of their own,
//! and conditions to wait for.

pub mod agent;
pub mod codestreams;
pub mod config;
pub mod content;
pub mod control;
pub mod fleet;
pub mod pair;
pub mod program;
pub mod proxy;
pub mod refusal;
pub mod role;
pub mod run;
pub mod scrape;
pub mod wire;

// The parts of the harness that know nothing of the mesh.
pub use testkit::{
    certificates, drops, etcd, host, http, net, process, random, repeating, resources, skip, wait,
};
