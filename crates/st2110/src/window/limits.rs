//! Limits of a frame window, from the stream's rate and its path differential.

use std::time::Duration;

use media::FrameRate;

use crate::time::{MediaClock, NANOS, nanos};

/// How packets make up a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fields {
    /// One timestamp is one frame. The field bit is ignored.
    One,
    /// Two fields are one frame. The second carries the field bit and a timestamp half a frame
    /// later, or the same (segmented frames, and senders that stamp whole frames).
    Two,
}

/// The limits of a frame window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowLimits {
    /// How packets make up a frame.
    pub fields: Fields,
    /// Ticks of the media clock in a frame, rounded.
    pub frame_ticks: u32,
    /// Frames that may be open at once, at least 1. One more slot is needed for the moment between
    /// a frame being pushed out and its delivery.
    pub open: usize,
    /// How long packets may come behind those sent after them: the path differential, or the
    /// reordering of one path.
    pub skew: Duration,
    /// How long nothing must have come until a timestamp from elsewhere is a new beginning. It
    /// should exceed a frame period.
    pub timeout: Duration,
    /// How long a frame may be open at most, if nothing newer comes.
    pub patience: Duration,
    /// How many ticks a timestamp may be away from those before it. Others are implausible until
    /// nothing else comes for `timeout`.
    pub leap: u32,
}

/// Open frames at most, whatever the skew: as many as the largest ring has slots, but for a few.
const MOST: usize = 120;

impl WindowLimits {
    /// For so long a busy host or a virtual machine that is stopped may hold a stream up in the
    /// middle of a frame. Frames that lack packets are finished by newer ones, so that only the
    /// last before such a stall waits for it to end.
    pub const STALL: Duration = Duration::from_millis(200);

    /// Usual limits: three open frames, two frame periods and the skew until a stream counts as
    /// silent, [`Self::STALL`] more until a frame times out, leaps of a second.
    pub fn new(fields: Fields, frame_rate: FrameRate, clock: MediaClock, skew: Duration) -> Self {
        let frames = u128::from(frame_rate.num.max(1));
        let ticks = u128::from(frame_rate.den) * u128::from(clock.rate()) / frames;
        let period = u128::from(frame_rate.den) * NANOS / frames;
        let period = Duration::from_nanos(u64::try_from(period).unwrap_or(u64::MAX / 4));
        let timeout = (2 * period).saturating_add(skew);
        let frame_ticks = u32::try_from(ticks).unwrap_or(u32::MAX / 8).max(1);
        // As many frames as the skew spans stay open besides the present one and the one before.
        let spanned = nanos(skew) / nanos(period).max(1);
        Self {
            fields,
            frame_ticks,
            open: 3 + usize::try_from(spanned).unwrap_or(0).min(MOST - 3),
            skew,
            timeout,
            patience: timeout.saturating_add(Self::STALL),
            leap: clock.rate().max(frame_ticks.saturating_mul(4)),
        }
    }
}
