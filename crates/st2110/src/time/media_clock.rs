//! Media clocks: ticks since the epoch, as timestamps.

use media::Tai;

use super::{NANOS, RtpTimestamp};

/// A media clock that is locked to TAI (ST 2110-10 §7): it showed `offset` at the epoch and ticks
/// `rate` times a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MediaClock {
    rate: u32,
    offset: u32,
}

impl MediaClock {
    /// 90 kHz with offset 0: video and ancillary data.
    pub const VIDEO: Self = Self { rate: 90_000, offset: 0 };

    /// A clock of `rate` ticks a second, `None` for 0. ST 2110 wants offset 0
    /// (`a=mediaclk:direct=0`).
    pub const fn new(rate: u32, offset: u32) -> Option<Self> {
        if rate == 0 { None } else { Some(Self { rate, offset }) }
    }

    /// Ticks a second.
    pub const fn rate(self) -> u32 {
        self.rate
    }

    /// What the clock showed at the epoch.
    pub const fn offset(self) -> u32 {
        self.offset
    }

    /// Whole ticks from the epoch to `tai`.
    pub fn ticks(self, tai: Tai) -> u64 {
        // At most 64 + 32 − 29 bits: only moments past the year 2100 with rates above 1 GHz would
        // not fit.
        let ticks = u128::from(tai.as_nanos()) * u128::from(self.rate) / NANOS;
        u64::try_from(ticks).unwrap_or(u64::MAX)
    }

    /// The timestamp of `tai`: floor(TAI · rate) + offset, modulo 2³².
    pub fn timestamp(self, tai: Tai) -> RtpTimestamp {
        self.timestamp_of(self.ticks(tai))
    }

    /// The timestamp after `ticks` ticks from the epoch.
    pub const fn timestamp_of(self, ticks: u64) -> RtpTimestamp {
        RtpTimestamp((ticks as u32).wrapping_add(self.offset))
    }

    /// The moment of a tick: the first nanosecond at which [`MediaClock::ticks`] gives it.
    pub fn moment(self, ticks: u64) -> Tai {
        let nanos = (u128::from(ticks) * NANOS).div_ceil(u128::from(self.rate));
        Tai::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Ticks from the epoch to that occurrence of `timestamp` that lies nearest to `near`. A
    /// timestamp comes back after 2³² ticks (13 hours of video, 24 of 48 kHz), so `near` may be off
    /// by half of that.
    pub fn ticks_near(self, timestamp: RtpTimestamp, near: Tai) -> u64 {
        let there = self.ticks(near);
        let distance = i64::from(timestamp.since(self.timestamp_of(there)));
        // Before the epoch there is nothing: then it is the next occurrence.
        there.checked_add_signed(distance).unwrap_or_else(|| {
            there.saturating_add(u64::from(timestamp.0.wrapping_sub(self.timestamp_of(there).0)))
        })
    }

    /// The moment of that occurrence of `timestamp` that lies nearest to `near`; see
    /// [`MediaClock::ticks_near`].
    pub fn moment_near(self, timestamp: RtpTimestamp, near: Tai) -> Tai {
        self.moment(self.ticks_near(timestamp, near))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: u64 = 1_767_225_637_000_000_000;

    #[test]
    fn figures_by_hand() {
        // 1 s is 90 000 ticks; one nanosecond less is not yet the last of them.
        assert_eq!(MediaClock::VIDEO.ticks(Tai::from_nanos(1_000_000_000)), 90_000);
        assert_eq!(MediaClock::VIDEO.ticks(Tai::from_nanos(999_999_999)), 89_999);
        // 2³² / 90000 = 47721.858844… s
        assert_eq!(MediaClock::VIDEO.timestamp(Tai::from_nanos(47_721_858_844_444)).0, u32::MAX);
        assert_eq!(MediaClock::VIDEO.timestamp(Tai::from_nanos(47_721_858_844_445)).0, 0);
        let audio = MediaClock::new(48_000, 7).unwrap();
        assert_eq!(audio.timestamp(Tai::from_nanos(1_000_000_000)).0, 48_007);
        assert_eq!(audio.moment(1), Tai::from_nanos(20_834));
        assert_eq!(MediaClock::new(0, 0), None);
    }

    #[test]
    fn the_epoch_is_the_beginning() {
        let clock = MediaClock::VIDEO;
        assert_eq!(clock.ticks_near(RtpTimestamp(5), Tai::from_nanos(0)), 5);
        assert_eq!(clock.ticks_near(RtpTimestamp(u32::MAX), Tai::from_nanos(0)), 0xffff_ffff);
    }

    proptest! {
        #[test]
        fn a_timestamp_leads_back_to_its_moment(
            nanos in NOW..NOW * 3,
            rate in prop::sample::select(vec![44_100, 48_000, 90_000, 96_000]),
            offset: u32,
            // Within ±2³¹ ticks of the fastest clock.
            off in -20_000_000_000_000_i64..20_000_000_000_000,
        ) {
            let clock = MediaClock::new(rate, offset).unwrap();
            let tai = Tai::from_nanos(nanos);
            let near = Tai::from_nanos(nanos.saturating_add_signed(off));
            let back = clock.moment_near(clock.timestamp(tai), near);
            // The same tick, and its beginning.
            prop_assert_eq!(clock.ticks(back), clock.ticks(tai));
            prop_assert!(back <= tai && tai.since(back).as_nanos() * u128::from(rate) <= NANOS);
            prop_assert!(clock.ticks(Tai::from_nanos(back.as_nanos() - 1)) < clock.ticks(tai));
        }
    }
}
