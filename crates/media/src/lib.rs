//! Formats, frame sizes, rates, payloads and TAI time.
//!
//! Everything here is plain data and arithmetic. Nothing opens a socket; only [`run_dir`], [`tai`]
//! and [`random`] read the environment, the clock and random numbers.
//!
//! * [`PixelFormat`], [`Video`], [`Audio`], [`Payload`]: what is carried, and how many bytes it
//!   takes.
//! * [`FrameRate`]: exact rational rates.
//! * [`Tai`]: a moment in International Atomic Time.
//! * [`ConfigError`]: what is wrong with a value, and where.

mod ancillary;
mod audio;
mod error;
pub mod log_filter;
mod names;
mod payload;
mod pixel;
pub mod random;
mod rate;
pub mod run_dir;
mod scan;
pub mod tai;
pub mod text;

pub use ancillary::Ancillary;
pub use audio::{Audio, AudioFormat, MAX_CHANNELS, PacketTime, SampleRate};
pub use error::{ConfigError, ConfigErrorKind};
pub use names::Word;
pub use payload::{Payload, Video};
pub use pixel::{MAX_DIMENSION, PixelFormat};
pub use rate::FrameRate;
pub use scan::Scan;
pub use tai::Tai;
