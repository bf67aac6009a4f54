//! How fast the ring is, compared with what the machine can do at all.
//!
//! Each scenario runs a source in this process and receivers in processes of their own, started from the same program (see
//! [`receiver_process`]). Every figure stands beside a floor that was measured in the same run, in short alternating rounds,
//! so that noise hits both alike.

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
