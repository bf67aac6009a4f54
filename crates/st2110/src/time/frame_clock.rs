//! Frames and fields, counted since the epoch.

use media::{FrameRate, Tai};

use super::{MediaClock, NANOS, RtpTimestamp};

/// Counts frames, or fields, since the epoch. Frame `n` begins at n / rate exactly (ST 2059-1);
/// nothing is accumulated, so nothing drifts.
///
/// What it counts is called a *unit*: a frame of progressive video; a field of interlaced video,
/// two for each frame, even numbers being first fields. The second field so is half a frame later
/// than the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameClock {
    rate: FrameRate,
}

impl FrameClock {
    /// Units are whole frames.
    pub const fn frames(rate: FrameRate) -> Self {
        Self { rate }
    }

    /// Units are the fields of `frame_rate` frames a second.
    pub const fn fields(frame_rate: FrameRate) -> Self {
        // Kept in its reduced form, so that rates compare.
        let rate = if frame_rate.den.is_multiple_of(2) {
            FrameRate { num: frame_rate.num, den: frame_rate.den / 2 }
        } else {
            FrameRate { num: frame_rate.num.saturating_mul(2), den: frame_rate.den }
        };
        Self { rate }
    }

    /// Units a second.
    pub const fn rate(self) -> FrameRate {
        self.rate
    }

    /// The unit that `tai` falls into: floor(TAI · rate).
    pub fn at(self, tai: Tai) -> u64 {
        self.rate.ns_to_frames(tai.as_nanos())
    }

    /// The unit whose beginning lies nearest to `tai`.
    pub fn nearest(self, tai: Tai) -> u64 {
        let before = self.at(tai);
        let after = before.saturating_add(1);
        if self.start(after).since(tai) < tai.since(self.start(before)) { after } else { before }
    }

    /// The beginning of unit `n`: the first nanosecond at which [`FrameClock::at`] gives `n`.
    pub fn start(self, n: u64) -> Tai {
        let nanos = (u128::from(n) * u128::from(self.rate.den) * NANOS)
            .div_ceil(u128::from(self.rate.num.max(1)));
        Tai::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The timestamp of unit `n` on `clock`: floor(n · ticks per second / rate) + offset, modulo
    /// 2³².
    ///
    /// The segments of a segmented frame (PsF) are of one moment: there, take the timestamp of the
    /// frame for both.
    pub fn timestamp(self, n: u64, clock: MediaClock) -> RtpTimestamp {
        let ticks = u128::from(n) * u128::from(self.rate.den) * u128::from(clock.rate())
            / u128::from(self.rate.num.max(1));
        clock.timestamp_of(ticks as u64)
    }

    /// The unit that carries `timestamp` near the moment `near`, if it is a unit's timestamp within
    /// `tolerance` ticks. `None` is a sender whose timestamps do not start with the epoch.
    pub fn unit_near(
        self,
        timestamp: RtpTimestamp,
        clock: MediaClock,
        near: Tai,
        tolerance: u32,
    ) -> Option<u64> {
        let n = self.nearest(clock.moment_near(timestamp, near));
        let off = timestamp.since(self.timestamp(n, clock)).unsigned_abs();
        (off <= tolerance).then_some(n)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NTSC: FrameRate = FrameRate { num: 60_000, den: 1001 };
    const FILM: FrameRate = FrameRate { num: 30_000, den: 1001 };
    const WEEK: u64 = 7 * 24 * 3600;
    /// 2026-01-01 in TAI.
    const NOW: u64 = 1_767_225_637;

    #[test]
    fn figures_by_hand() {
        let clock = FrameClock::frames(NTSC);
        // 1001 s hold 60 000 frames and 90 090 000 ticks.
        assert_eq!(clock.at(Tai::from_nanos(1_001_000_000_000)), 60_000);
        assert_eq!(clock.at(Tai::from_nanos(1_000_999_999_999)), 59_999);
        assert_eq!(clock.start(60_000), Tai::from_nanos(1_001_000_000_000));
        assert_eq!(clock.timestamp(60_000, MediaClock::VIDEO).0, 90_090_000);
        // 1501.5 ticks a frame.
        assert_eq!(clock.timestamp(1, MediaClock::VIDEO).0, 1501);
        assert_eq!(clock.timestamp(2, MediaClock::VIDEO).0, 3003);
    }

    #[test]
    fn a_second_field_is_half_a_frame_later() {
        let fields = FrameClock::fields(FILM);
        assert_eq!(fields.rate(), NTSC);
        assert_eq!(
            FrameClock::fields(FrameRate { num: 25, den: 2 }).rate(),
            FrameRate { num: 25, den: 1 }
        );
        let frames = FrameClock::frames(FILM);
        for frame in [0, 1, 123_456_789_012] {
            assert_eq!(frames.start(frame), fields.start(2 * frame));
            let first = frames.timestamp(frame, MediaClock::VIDEO);
            assert_eq!(first, fields.timestamp(2 * frame, MediaClock::VIDEO));
            // 3003 ticks a frame.
            let half = fields.timestamp(2 * frame + 1, MediaClock::VIDEO).since(first);
            assert!(half == 1501 || half == 1502, "{half}");
        }
    }

    /// Every frame of a week would be 36 million; a step that shares no factor with the pattern's
    /// period visits all of its phases.
    fn a_week_of(rate: FrameRate, ticks_per_1001_s: u64, frames_per_1001_s: u64) {
        let clock = FrameClock::frames(rate);
        let first = clock.at(Tai::from_nanos(NOW * 1_000_000_000));
        let frames = WEEK * frames_per_1001_s / 1001;
        let begin = clock.start(first);
        for i in (0..=frames).step_by(997) {
            let n = first + i;
            // From the definition, without any of the code's shortcuts: n·ticks/frames.
            let ticks = (u128::from(n) * u128::from(ticks_per_1001_s)
                / u128::from(frames_per_1001_s)) as u64;
            assert_eq!(clock.timestamp(n, MediaClock::VIDEO).0, ticks as u32);
            // The frame's timestamp is that of its beginning, however late in the week.
            let start = clock.start(n);
            assert_eq!(MediaClock::VIDEO.ticks(start), ticks);
            assert_eq!(clock.at(start), n);
            let nominal = u128::from(i) * 1_001_000_000_000 / u128::from(frames_per_1001_s);
            assert!(start.since(begin).as_nanos().abs_diff(nominal) <= 1);
            assert_eq!(
                clock.unit_near(RtpTimestamp(ticks as u32), MediaClock::VIDEO, start, 0),
                Some(n)
            );
        }
    }

    #[test]
    fn rates_of_ntsc_do_not_drift_in_a_week() {
        a_week_of(NTSC, 90_090_000, 60_000);
        a_week_of(FILM, 90_090_000, 30_000);
    }

    #[test]
    fn a_rounded_rate_would_drift() {
        // What the test above is able to see: a frame of 16 683 333 ns loses 12 ms a week.
        let clock = FrameClock::frames(NTSC);
        let frames = WEEK * 60_000 / 1001;
        let exact = clock.start(frames).as_nanos();
        assert!(exact - frames * NTSC.period_ns() > 10_000_000);
    }

    #[test]
    fn foreign_offsets_are_seen() {
        let clock = FrameClock::frames(NTSC);
        let near = Tai::from_nanos(NOW * 1_000_000_000);
        let own = clock.timestamp(clock.at(near), MediaClock::VIDEO);
        let video = MediaClock::VIDEO;
        assert!(clock.unit_near(own.plus(1), video, near, 1).is_some());
        assert_eq!(clock.unit_near(own.plus(2), video, near, 1), None);
        assert_eq!(clock.unit_near(own.plus(700), video, near, 1), None);
    }

    fn rates() -> impl Strategy<Value = FrameRate> {
        prop::sample::select(vec![
            FrameRate { num: 24_000, den: 1001 },
            FrameRate { num: 24, den: 1 },
            FrameRate { num: 25, den: 1 },
            FILM,
            FrameRate { num: 50, den: 1 },
            NTSC,
            FrameRate { num: 60, den: 1 },
            FrameRate { num: 120_000, den: 1001 },
            FrameRate { num: 25, den: 2 },
            FrameRate { num: 65_521, den: 2143 },
        ])
    }

    proptest! {
        #[test]
        fn a_moment_lies_in_its_frame(rate in rates(), nanos in 0..4 * NOW * 1_000_000_000) {
            let clock = FrameClock::frames(rate);
            let tai = Tai::from_nanos(nanos);
            let n = clock.at(tai);
            prop_assert!(clock.start(n) <= tai && tai < clock.start(n + 1));
            let nearest = clock.nearest(tai);
            prop_assert!(nearest == n || nearest == n + 1);
        }

        #[test]
        fn video_and_audio_are_aligned(rate in rates(), nanos in NOW * 1_000_000_000..2 * NOW * 1_000_000_000) {
            // A frame and the audio sample of its beginning lead back to the same moment, within a
            // tick of each clock.
            let clock = FrameClock::frames(rate);
            let audio = MediaClock::new(48_000, 0).unwrap();
            let now = Tai::from_nanos(nanos);
            let n = clock.at(now);
            let start = clock.start(n);
            let video_time = MediaClock::VIDEO.moment_near(clock.timestamp(n, MediaClock::VIDEO), now);
            let audio_time = audio.moment_near(audio.timestamp(start), now);
            prop_assert!(start.since(video_time).as_nanos() <= 11_112 && video_time <= start);
            prop_assert!(start.since(audio_time).as_nanos() <= 20_834 && audio_time <= start);
        }
    }
}
