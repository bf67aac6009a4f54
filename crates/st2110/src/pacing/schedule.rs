//! The packet read schedule (ST 2110-21 §6.3 and §6.4).

use std::time::Duration;

use media::{FrameRate, Scan, Tai, Video};

use crate::time::{FrameClock, NANOS, nanos};

/// What of a picture decides its schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Raster {
    /// Lines of a whole frame.
    pub height: u32,
    /// Sent as two fields: interlaced or segmented frames.
    pub fields: bool,
}

impl Raster {
    /// The part of a frame in which lines are active, R_ACTIVE: numerator and denominator.
    pub const fn active(self) -> (u32, u32) {
        match self {
            Self { fields: true, height: ..576 } => (487, 525),
            Self { fields: true, height: 576..1080 } => (576, 625),
            _ => (1080, 1125),
        }
    }

    /// TRO_DEFAULT: the offset that a session description without `TROFF` means.
    pub fn default_offset(self, frame_rate: FrameRate) -> Duration {
        let (lines, total) = match self {
            Self { fields: false, height: ..1080 } => (28, 750),
            Self { fields: false, .. } => (43, 1125),
            Self { fields: true, height: ..576 } => (20, 525),
            Self { fields: true, height: 576..1080 } => (26, 625),
            Self { fields: true, .. } => (22, 1125),
        };
        let nanos = lines * u128::from(frame_rate.den) * NANOS
            / (total * u128::from(frame_rate.num.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl From<&Video> for Raster {
    fn from(video: &Video) -> Self {
        Self { height: video.height, fields: video.scan != Scan::Progressive }
    }
}

/// When a receiver reads the packets: TPR(j) = n·Tf + TRO + j·TRS with TRS = Tf · active / N.
///
/// The number N of packets is an argument everywhere, since it varies from frame to frame in
/// streams such as JPEG XS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Schedule {
    clock: FrameClock,
    offset: u64,
    active: (u32, u32),
}

impl Schedule {
    /// The gapped schedule: packets are read in the active part of each unit only. For Narrow and
    /// Wide. Without `offset` (`TROFF`) the default one.
    pub fn gapped(raster: Raster, frame_rate: FrameRate, offset: Option<Duration>) -> Self {
        let clock = if raster.fields {
            FrameClock::fields(frame_rate)
        } else {
            FrameClock::frames(frame_rate)
        };
        let offset = offset.unwrap_or_else(|| raster.default_offset(frame_rate));
        Self { clock, offset: nanos(offset), active: raster.active() }
    }

    /// The linear schedule: packets are read all the time. For Narrow linear, and for streams
    /// without a raster.
    pub fn linear(raster: Raster, frame_rate: FrameRate, offset: Option<Duration>) -> Self {
        Self { active: (1, 1), ..Self::gapped(raster, frame_rate, offset) }
    }

    /// The clock of the units.
    pub const fn clock(&self) -> FrameClock {
        self.clock
    }

    /// TRO: from the beginning of a unit until its first packet is read.
    pub const fn offset(&self) -> Duration {
        Duration::from_nanos(self.offset)
    }

    /// The active part: numerator and denominator.
    pub const fn active(&self) -> (u32, u32) {
        self.active
    }

    /// The same schedule with another offset.
    #[must_use]
    pub fn with_offset(self, offset: Duration) -> Self {
        Self { offset: nanos(offset), ..self }
    }

    /// A schedule from parts: units that `clock` counts, and the active part (numerator,
    /// denominator).
    pub(crate) const fn from_parts(clock: FrameClock, offset: u64, active: (u32, u32)) -> Self {
        Self { clock, offset, active }
    }

    /// TPR(j): when packet `j` of the `packets` of unit `n` is read.
    pub fn read_time(&self, n: u64, packets: u32, j: u32) -> Tai {
        let begin = self.clock.start(n).as_nanos().saturating_add(self.offset);
        Tai::from_nanos(begin.saturating_add(self.span(packets, j)))
    }

    /// How many of the `packets` of unit `n` are read before `moment`: 0…`packets`.
    pub fn read_before(&self, n: u64, packets: u32, moment: Tai) -> u32 {
        let begin = self.clock.start(n).as_nanos().saturating_add(self.offset);
        let Some(passed @ 1..) = moment.as_nanos().checked_sub(begin) else { return 0 };
        if passed > self.span(packets, packets) {
            // Also keeps the product below in its bits.
            return packets;
        }
        // The j whose span, rounded down, is below `passed`.
        let (num, den) = self.spacing(packets);
        let read = (u128::from(passed) * den).div_ceil(num.max(1));
        u32::try_from(read).map_or(packets, |read| read.min(packets))
    }

    /// TRS · `count`, in nanoseconds rounded down.
    pub fn span(&self, packets: u32, count: u32) -> u64 {
        let (num, den) = self.spacing(packets);
        u64::try_from(u128::from(count) * num / den).unwrap_or(u64::MAX)
    }

    /// TRS in nanoseconds: numerator, at most 16 + 30 + 11 bits, and denominator, at most 32 + 11 +
    /// 32 bits.
    fn spacing(&self, packets: u32) -> (u128, u128) {
        let rate = self.clock.rate();
        (
            u128::from(rate.den) * NANOS * u128::from(self.active.0),
            u128::from(rate.num.max(1)) * u128::from(self.active.1) * u128::from(packets.max(1)),
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const P50: FrameRate = FrameRate { num: 50, den: 1 };
    const HD: Raster = Raster { height: 1080, fields: false };

    #[test]
    fn default_offsets_by_hand() {
        let offset =
            |height, fields, rate| Raster { height, fields }.default_offset(rate).as_nanos();
        let p25 = FrameRate { num: 25, den: 1 };
        let film = FrameRate { num: 30_000, den: 1001 };
        // 43/1125 · 20 ms, 28/750 · 20 ms
        assert_eq!(offset(1080, false, P50), 764_444);
        assert_eq!(offset(2160, false, P50), 764_444);
        assert_eq!(offset(720, false, P50), 746_666);
        // 22/1125 · 40 ms, 26/625 · 40 ms, 20/525 · 33.3667 ms
        assert_eq!(offset(1080, true, p25), 782_222);
        assert_eq!(offset(576, true, p25), 1_664_000);
        assert_eq!(offset(480, true, film), 1_271_111);
        assert_eq!(Raster { height: 576, fields: true }.active(), (576, 625));
        assert_eq!(Raster { height: 486, fields: true }.active(), (487, 525));
        assert_eq!(Raster { height: 480, fields: false }.active(), (1080, 1125));
    }

    #[test]
    fn read_times_by_hand() {
        // 50 frames of 1920 packets: TRS = 20 ms · 0.96 / 1920 = 10 µs, linear 10.41666 µs.
        let offset = Some(Duration::from_micros(500));
        let gapped = Schedule::gapped(HD, P50, offset);
        let frame = 100;
        let begin = 2_000_000_000 + 500_000;
        assert_eq!(gapped.read_time(frame, 1920, 0), Tai::from_nanos(begin));
        assert_eq!(gapped.read_time(frame, 1920, 1919), Tai::from_nanos(begin + 19_190_000));
        let linear = Schedule::linear(HD, P50, offset);
        assert_eq!(linear.read_time(frame, 1920, 1), Tai::from_nanos(begin + 10_416));
        assert_eq!(linear.read_time(frame, 1920, 1920), linear.read_time(frame + 1, 1920, 0));
        // At TPR(0) nothing has been read before; a nanosecond later one packet has.
        let read = |nanos| gapped.read_before(frame, 1920, Tai::from_nanos(begin + nanos));
        assert_eq!([read(0), read(1), read(10_000), read(10_001)], [0, 1, 1, 2]);
        assert_eq!(read(19_190_001), 1920);
        assert_eq!(read(1_000_000_000), 1920);
        let most = u32::MAX;
        assert_eq!(gapped.read_before(frame, most, Tai::from_nanos(u64::MAX)), most);
        assert_eq!(gapped.read_before(frame, 1920, Tai::from_nanos(0)), 0);
    }

    #[test]
    fn a_second_field_is_read_half_a_frame_later() {
        let raster = Raster { height: 1080, fields: true };
        let rate = FrameRate { num: 25, den: 1 };
        let schedule = Schedule::gapped(raster, rate, None);
        // Unit 2n is the first field of frame n. Packets of a field: 1000; TRS = 40 ms · 0.96 /
        // 2000.
        let first = schedule.read_time(20, 1000, 0);
        assert_eq!(first, Tai::from_nanos(400_000_000 + 782_222));
        assert_eq!(schedule.read_time(21, 1000, 0).since(first), Duration::from_millis(20));
        assert_eq!(schedule.read_time(20, 1000, 999).since(first).as_nanos(), 999 * 19_200);
    }

    proptest! {
        #[test]
        fn counting_agrees_with_the_times(
            num in 1_u32..100_000, den in prop::sample::select(vec![1_u32, 2, 1001]), n in 0..10_u64.pow(12),
            packets in 1_u32..20_000, j: u32, off in -3_i64..=3, linear: bool,
        ) {
            let rate = FrameRate::new(num, den);
            prop_assume!(rate.is_ok());
            let schedule = if linear {
                Schedule::linear(HD, rate.unwrap(), None)
            } else {
                Schedule::gapped(HD, rate.unwrap(), None)
            };
            let j = j % packets;
            let moment = schedule.read_time(n, packets, j).as_nanos().saturating_add_signed(off);
            prop_assume!(moment < u64::MAX / 2);
            let moment = Tai::from_nanos(moment);
            let count = schedule.read_before(n, packets, moment);
            prop_assert!(count == 0 || schedule.read_time(n, packets, count - 1) < moment);
            prop_assert!(count == packets || schedule.read_time(n, packets, count) >= moment);
        }
    }
}
