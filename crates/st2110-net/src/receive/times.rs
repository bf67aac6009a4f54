//! Conversion of RTP timestamps to TAI.

use std::time::Duration;

use media::Tai;
use st2110::time::{FrameClock, MediaClock, RtpTimestamp};

/// A sample's time further away from its arrival than this is that of a clock which is not TAI.
const ALIGNED: Duration = Duration::from_secs(2);

/// Tells the times of frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) clock: MediaClock,
    /// The grid on which frames lie, if there is one.
    pub(super) frames: Option<FrameClock>,
}

impl Times {
    /// The time of a frame that was received around `now`. The flag says that the timestamp fits;
    /// otherwise the time is `now`.
    pub(super) fn of(&self, timestamp: RtpTimestamp, now: Tai) -> (Tai, bool) {
        let by_stamp = self.clock.moment_near(timestamp, now);
        if by_stamp.since(now).max(now.since(by_stamp)) > ALIGNED {
            return (now, false);
        }
        // Within a tick the grid is more exact than the timestamp.
        let on_grid = self.frames.and_then(|frames| {
            frames.unit_near(timestamp, self.clock, now, 1).map(|number| frames.start(number))
        });
        (on_grid.unwrap_or(by_stamp), true)
    }
}

#[cfg(test)]
mod tests {
    use media::FrameRate;

    use super::*;

    #[test]
    fn times_come_from_aligned_stamps_only() {
        let frames = FrameClock::frames(FrameRate { num: 60_000, den: 1001 });
        let times = Times { clock: MediaClock::VIDEO, frames: Some(frames) };
        let now = Tai::from_nanos(1_800_000_000_123_456_789);
        let number = frames.at(now);
        let stamp = frames.timestamp(number, MediaClock::VIDEO);
        assert_eq!(times.of(stamp, now), (frames.start(number), true));
        // Between frames there is no grid.
        let (tai, aligned) = times.of(stamp.plus(300), now);
        assert!(aligned && tai > frames.start(number) && tai < frames.start(number + 1));
        assert_eq!(times.of(stamp.plus(90_000 * 60), now), (now, false));
    }
}
