//! Benchmarks of the ring, compared with the limits of the machine.
//!
//! Each scenario runs a source in this process and receivers in processes of their own, started
//! from the same program (see [`receiver_process`]). Every figure stands beside a floor that was
//! measured in the same run, in short alternating rounds, so that noise affects both alike.

mod area;
mod case;
mod cpu;
mod crew;
mod error;
mod hosts;
mod machine;
mod order;
mod peer;
mod samples;
mod scenarios;
mod wire;

pub use case::{Case, Figure, Target, Unit};
pub use error::BenchError;
pub use machine::Machine;
pub use peer::receiver_process;
pub use scenarios::{Options, Scenario, run};
