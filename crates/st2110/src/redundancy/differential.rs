//! Path differentials: how far the two paths of a stream may be apart (ST 2022-7 §6).

use std::time::Duration;

/// Classes of receivers by the path differential that they bridge (ST 2022-7 §6, table 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkewClass {
    /// Low skew: 10 ms.
    A,
    /// Moderate skew: 50 ms.
    B,
    /// High skew: 450 ms.
    C,
    /// Ultra-low skew: 150 µs.
    D,
}

impl SkewClass {
    /// The path differential that a receiver of the class bridges.
    pub const fn limit(self) -> Duration {
        match self {
            Self::A => Duration::from_millis(10),
            Self::B => Duration::from_millis(50),
            Self::C => Duration::from_millis(450),
            Self::D => Duration::from_micros(150),
        }
    }

    /// The smallest class that bridges `skew`; `None` above 450 ms.
    pub fn of(skew: Duration) -> Option<Self> {
        [Self::D, Self::A, Self::B, Self::C].into_iter().find(|class| skew <= class.limit())
    }
}

#[cfg(test)]
mod tests {
    use media::Tai;

    use super::*;
    use crate::redundancy::{Merge, Use};
    use crate::sequence::NumberWidth;

    /// Packets a second of 1080p59.94.
    const RATE: u32 = 259_200;

    /// Sends packets of which the first path loses every seventh, the second one `behind` by so
    /// many packets. Returns how many were used, and how many came too late by the second path.
    fn merged(merge: &mut Merge, packets: u32, behind: u32) -> (u32, u64) {
        let mut used = 0;
        for step in 0..packets + behind {
            let now = Tai::from_nanos(1_000_000_000 * u64::from(step) / u64::from(RATE) + 1);
            let first = (step < packets && step % 7 != 3).then_some((0, step));
            let second = step.checked_sub(behind).map(|number| (1, number));
            for (path, number) in first.into_iter().chain(second) {
                let outcome = merge.packet(path, now, 1, number);
                used += u32::from(matches!(outcome, Use::First { .. }));
            }
        }
        let second = merge.counts(1);
        (used, second.late + second.apart)
    }

    #[test]
    fn each_class_bridges_its_differential() {
        const PACKETS: u32 = 4000;
        for class in [SkewClass::A, SkewClass::B, SkewClass::C, SkewClass::D] {
            let merge = || Merge::new(NumberWidth::Bits32, class.limit(), RATE);
            let limit = (class.limit().as_nanos() * u128::from(RATE) / 1_000_000_000) as u32;
            let packets = PACKETS + limit;
            assert_eq!(merged(&mut merge(), packets, limit), (packets, 0), "{class:?}");
            // Beyond the window there is no record of what has been used, so packets are refused.
            let (mut narrow, beyond) = (merge(), merge().window() as u32 + 10);
            let packets = PACKETS + 2 * beyond;
            let (used, late) = merged(&mut narrow, packets, beyond);
            assert!(used < packets && late > 0, "{class:?}: {used} of {packets}, {late} late");
        }
    }

    #[test]
    fn the_smallest_class_is_found() {
        assert_eq!(SkewClass::of(Duration::from_micros(150)), Some(SkewClass::D));
        assert_eq!(SkewClass::of(Duration::from_micros(151)), Some(SkewClass::A));
        assert_eq!(SkewClass::of(Duration::from_millis(50)), Some(SkewClass::B));
        assert_eq!(SkewClass::of(Duration::from_millis(51)), Some(SkewClass::C));
        assert_eq!(SkewClass::of(Duration::from_millis(451)), None);
    }
}
