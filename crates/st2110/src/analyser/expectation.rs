//! The properties expected of a stream.

use std::time::Duration;

use media::FrameRate;

use crate::pacing::Raster;
use crate::time::{MediaClock, nanos};

/// What is known of a stream beforehand, for example from its session description. What is not
/// known is learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Frames a second.
    pub frame_rate: Option<FrameRate>,
    /// The raster; without it, a progressive one is assumed, and its default offset is not.
    pub raster: Option<Raster>,
    /// Packets in a frame, or in a field of interlaced video.
    pub packets: Option<u32>,
    /// `TROFF`. Without it, the raster's default; without that, the least offset that would do.
    pub offset: Option<Duration>,
    /// `MAXUDP`.
    pub max_udp: Option<u16>,
    /// The media clock.
    pub clock: MediaClock,
}

impl Expectation {
    /// The agreed offset in nanoseconds, if units come at `rate`.
    pub(super) fn offset_at(&self, rate: FrameRate) -> Option<u64> {
        if let Some(offset) = self.offset {
            return Some(nanos(offset));
        }
        let raster = self.raster?;
        let frame_rate = match raster.fields {
            true => FrameRate { num: rate.num, den: rate.den.saturating_mul(2) },
            false => rate,
        };
        Some(nanos(raster.default_offset(frame_rate)))
    }
}

impl Default for Expectation {
    /// Nothing is known but the clock of video.
    fn default() -> Self {
        Self {
            frame_rate: None,
            raster: None,
            packets: None,
            offset: None,
            max_udp: None,
            clock: MediaClock::VIDEO,
        }
    }
}
