//! State and statistics on their way to the outside: the control service, Prometheus and the mesh
//! agent. `docs/observability.md` lists all statistics.
//!
//! Everything is read when it is asked for: from shared memory, from the counters of bridges and
//! from the kernel.

mod agent;
mod bridges;
mod clock;
pub(crate) mod control;
pub(crate) mod fleet;
#[cfg(test)]
mod golden;
mod prometheus;

pub(crate) use agent::report;
pub(crate) use prometheus::{Collector, serve};
