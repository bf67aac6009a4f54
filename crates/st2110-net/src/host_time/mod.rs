//! The host's time: PTP hardware clocks, and what the kernel knows about TAI.

mod hardware;
mod readings;

pub use hardware::HardwareClock;
pub use readings::read_clocks;
