//! Timestamps of ST 2110-10: from TAI to RTP and back, in exact integers.
//!
//! * [`RtpTimestamp`]: a timestamp modulo 2³² and its order.
//! * [`MediaClock`]: ticks of 90 kHz video or of an audio sampling rate.
//! * [`FrameClock`]: which frame or field a moment belongs to, and its timestamp.
//! * [`FrameNumbers`]: consecutive numbers for frames whose capture times tremble.
//! * [`PacketClock`]: packets of audio.

mod frame_clock;
mod media_clock;
mod numbering;
mod packet_clock;
mod timestamp;

pub use frame_clock::FrameClock;
pub use media_clock::MediaClock;
pub use numbering::FrameNumbers;
pub use packet_clock::PacketClock;
pub use timestamp::RtpTimestamp;

/// Nanoseconds in a second, for products of 128 bits.
pub(crate) const NANOS: u128 = 1_000_000_000;

/// The nanoseconds of a duration; `u64::MAX` (584 years) if there are more.
pub(crate) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
