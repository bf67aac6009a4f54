//! Bridges: carry a group's frames to and from other hosts.
//!
//! A bridge is a client of this proxy's own exchange, like any program: an egress bridge is a
//! receiver of its group, an ingress bridge is the group's source. The control plane decides which
//! bridges exist; the [`Manager`] starts and stops them.

mod client;
mod engine;
mod engines;
mod manager;
mod rdma;
pub(crate) mod st2110;
pub(crate) mod statistics;
mod status;
mod warnings;

pub(crate) use client::BridgeClient;
pub(crate) use engine::{Engine, Event};
pub(crate) use engines::Engines;
pub(crate) use manager::Manager;
pub(crate) use rdma::{ARGUMENT as WORKER_ARGUMENT, Workers, run as run_worker};
pub(crate) use st2110::HostClock;
pub(crate) use statistics::{BridgeStatistics, Family, Figure, PathStatistics};
#[cfg(test)]
pub(crate) use status::Figures;
pub(crate) use status::{Phase, Row, Table};
