//! RTP timestamps and their order.

use std::fmt;

/// An RTP timestamp: ticks of a media clock modulo 2³².
///
/// It has no total order; [`RtpTimestamp::since`] gives the distance on the shorter way round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpTimestamp(pub u32);

impl RtpTimestamp {
    /// Ticks from `earlier` to this, negative if this is the earlier one: −2³¹…2³¹−1.
    pub const fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0) as i32
    }

    /// Whether this comes after `other` on the shorter way round.
    pub const fn is_after(self, other: Self) -> bool {
        self.since(other) > 0
    }

    /// The timestamp `ticks` later.
    #[must_use]
    pub const fn plus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_add(ticks))
    }

    /// The timestamp `ticks` earlier.
    #[must_use]
    pub const fn minus(self, ticks: u32) -> Self {
        Self(self.0.wrapping_sub(ticks))
    }
}

impl From<u32> for RtpTimestamp {
    fn from(ticks: u32) -> Self {
        Self(ticks)
    }
}

impl From<RtpTimestamp> for u32 {
    fn from(timestamp: RtpTimestamp) -> Self {
        timestamp.0
    }
}

impl fmt::Display for RtpTimestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_goes_round() {
        let before = RtpTimestamp(u32::MAX - 1);
        let after = before.plus(3);
        assert_eq!(after, RtpTimestamp(1));
        assert_eq!(after.since(before), 3);
        assert_eq!(before.since(after), -3);
        assert!(after.is_after(before) && !before.is_after(after) && !after.is_after(after));
        assert_eq!(after.minus(3), before);
    }
}
