//! Sender types and their limits (ST 2110-21 §7).

use media::{FrameRate, named};

/// The highest packet rate at which Narrow was kept by software on plain sockets (see
/// `docs/st2110.md`).
pub const NARROW_PACKETS_PER_SECOND: u32 = 35_000;

named! {
    /// The type of a sender (ST 2110-21 §7.1), ordered from the strictest.
    #[derive(Default, PartialOrd, Ord)]
    pub enum SenderType {
        /// Type N: narrow, with a gap in each frame's blanking.
        #[default]
        Narrow = "narrow",
        /// Type NL: narrow and linear over the whole frame.
        NarrowLinear = "linear",
        /// Type W.
        Wide = "wide",
    }
}

impl SenderType {
    /// The value of the parameter `TP` in a session description.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Narrow => "2110TPN",
            Self::NarrowLinear => "2110TPNL",
            Self::Wide => "2110TPW",
        }
    }

    /// The type of a value of `TP`; `None` if it is none.
    pub fn from_parameter(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.parameter() == text)
    }

    /// What a stream of up to `packets` packets per unit can be when it is sent by software: the
    /// type asked for if the packet rate allows that, else Wide. This is what the session
    /// description must say.
    pub fn achievable(asked: Self, packets: u32, rate: FrameRate) -> Self {
        let per_second = u64::from(packets) * u64::from(rate.num) / u64::from(rate.den.max(1));
        if per_second > u64::from(NARROW_PACKETS_PER_SECOND) { Self::Wide } else { asked }
    }
}

/// What a sender must keep to (ST 2110-21 §6.6), in packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The greatest Cinst.
    pub cmax: u32,
    /// The size of the virtual receiver buffer.
    pub vrx: u32,
}

impl Limits {
    /// The limits for `packets` packets per unit and `rate` units a second. `active` is the part of
    /// a unit in which packets are read (numerator, denominator; only Narrow uses it). Datagrams
    /// are at most `max_udp` octets: the standard's 1460 by default; with the extended limit (SDP
    /// `MAXUDP`) fewer of them fit in the buffer.
    pub fn new(
        kind: SenderType,
        packets: u32,
        rate: FrameRate,
        active: (u32, u32),
        max_udp: Option<u16>,
    ) -> Self {
        // N / Tf, as a fraction.
        let per_second = u128::from(packets) * u128::from(rate.num);
        let den = u128::from(rate.den.max(1));
        let over = |least: u128, divisor: u128, num: u128| {
            u32::try_from(least.max(num / divisor.max(1))).unwrap_or(u32::MAX)
        };
        // Up to 1500 octets the buffer's size is that for 1500.
        let scaled = |count: u128| count * 1500 / u128::from(max_udp.unwrap_or(1460).max(1500));
        match kind {
            SenderType::Narrow => Self {
                cmax: over(
                    4,
                    43_200 * den * u128::from(active.0),
                    per_second * u128::from(active.1),
                ),
                vrx: over(scaled(8), 27_000 * den, per_second),
            },
            SenderType::NarrowLinear => Self {
                cmax: over(4, 43_200 * den, per_second),
                vrx: over(scaled(8), 27_000 * den, per_second),
            },
            SenderType::Wide => Self {
                cmax: over(16, 21_600 * den, per_second),
                vrx: over(scaled(720), 300 * den, per_second),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P60: FrameRate = FrameRate { num: 60, den: 1 };
    const ACTIVE: (u32, u32) = (1080, 1125);

    fn limits(kind: SenderType, packets: u32) -> (u32, u32) {
        let limits = Limits::new(kind, packets, P60, ACTIVE, None);
        (limits.cmax, limits.vrx)
    }

    #[test]
    fn limits_by_hand() {
        // 1080p60, 4320 packets: 259 200 a second.
        // N: 259200 / (43200 · 0.96) = 6.25; 259200 / 27000 = 9.6
        assert_eq!(limits(SenderType::Narrow, 4320), (6, 9));
        // NL: 259200 / 43200 = 6
        assert_eq!(limits(SenderType::NarrowLinear, 4320), (6, 9));
        // W: 259200 / 21600 = 12, at least 16; 259200 / 300 = 864
        assert_eq!(limits(SenderType::Wide, 4320), (16, 864));
        // 2160p60, 17280 packets: 1 036 800 a second; 25, 38; 24; 48, 3456.
        assert_eq!(limits(SenderType::Narrow, 17280), (25, 38));
        assert_eq!(limits(SenderType::NarrowLinear, 17280), (24, 38));
        assert_eq!(limits(SenderType::Wide, 17280), (48, 3456));
        // Small streams have the least limits.
        assert_eq!(limits(SenderType::Narrow, 500), (4, 8));
        assert_eq!(limits(SenderType::Wide, 500), (16, 720));
        assert_eq!(limits(SenderType::Wide, u32::MAX).0, 11_930_464);
    }

    #[test]
    fn large_datagrams_take_more_of_the_buffer() {
        let jumbo = Limits::new(SenderType::Wide, 500, P60, ACTIVE, Some(8960));
        // 1500 · 720 / 8960 = 120.5
        assert_eq!(jumbo.vrx, 120);
        assert_eq!(Limits::new(SenderType::Narrow, 500, P60, ACTIVE, Some(8960)).vrx, 1);
    }

    #[test]
    fn software_is_narrow_only_where_it_can() {
        let of = |asked, packets| SenderType::achievable(asked, packets, P60);
        // 35 000 / 60 = 583.3
        assert_eq!(of(SenderType::Narrow, 583), SenderType::Narrow);
        assert_eq!(of(SenderType::Narrow, 584), SenderType::Wide);
        assert_eq!(of(SenderType::NarrowLinear, 583), SenderType::NarrowLinear);
        assert_eq!(of(SenderType::NarrowLinear, 4320), SenderType::Wide);
        assert_eq!(of(SenderType::Wide, 1), SenderType::Wide);
    }

    #[test]
    fn names_are_read_back() {
        for kind in SenderType::ALL {
            assert_eq!(SenderType::from_parameter(kind.parameter()), Some(*kind));
        }
        assert_eq!(SenderType::from_parameter("2110TP"), None);
    }
}
