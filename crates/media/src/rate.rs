//! Frame rates as exact fractions.

use std::fmt;
use std::str::FromStr;

use crate::error::ConfigError;
use crate::text::quoted;

const PATH: &str = "payload.video.fps";
const ALLOWED: &str = "a number from 0.001 to 10000, such as 50, 59.94 or \"60000/1001\"";
const MIN: f64 = 0.001;
const MAX: f64 = 10_000.0;

/// Two different fractions with denominators up to this differ by more than 2·10⁻¹⁰, far more than
/// an f64 loses below [`MAX`]: so a rate survives the trip through a double, which is how it
/// travels in gRPC messages.
const MAX_DEN: u128 = 65_535;
/// How near a double must come to a fraction to be that fraction.
const SAME: f64 = 1e-10;

/// Relative distance within which a number means the integer beside it.
const NEAR_INTEGER: f64 = 1e-5;
/// Relative distance within which a number means N·1000/1001. Wide enough for 23.98; N itself is
/// 10⁻³ away.
const NEAR_NTSC: f64 = 2e-4;
/// The largest N of that family: above it the integers lie too close.
const NTSC_MAX: f64 = 480.0;

const NANOS: u128 = 1_000_000_000;

/// A frame rate in frames a second, as a reduced fraction.
///
/// The constructors give one form for each rate: 59.94, 59.9401 and 2997/50 all become 60000/1001.
/// So two rates are the same exactly when they compare equal, and `from_f64(rate.as_f64())` gives
/// the rate back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameRate {
    /// Numerator, not zero.
    pub num: u32,
    /// Denominator, not zero.
    pub den: u32,
}

impl FrameRate {
    /// The rate `num/den`, brought to its one form.
    pub fn new(num: u32, den: u32) -> Result<Self, ConfigError> {
        let refuse = || ConfigError::invalid(PATH, format!("{num}/{den}"), ALLOWED);
        if den == 0 {
            return Err(refuse());
        }
        let value = f64::from(num) / f64::from(den);
        if !(MIN..=MAX).contains(&value) {
            return Err(refuse());
        }
        let exact = Self::reduced(u128::from(num), u128::from(den));
        if u128::from(exact.den) <= MAX_DEN {
            return Ok(Self::snapped(value).unwrap_or(exact));
        }
        Ok(Self::nearest(value))
    }

    /// The rate that a floating point number means.
    ///
    /// Numbers beside an integer mean the integer, numbers beside N·1000/1001 (23.976, 23.98,
    /// 29.97, 59.94, 119.88, …) mean that fraction; everything else is the simplest fraction of
    /// that value.
    pub fn from_f64(value: f64) -> Result<Self, ConfigError> {
        // Written so that NaN is refused as well.
        if !(MIN..=MAX).contains(&value) {
            return Err(ConfigError::invalid(PATH, value, ALLOWED));
        }
        Ok(Self::nearest(value))
    }

    /// Frames a second, as the nearest double.
    pub fn as_f64(self) -> f64 {
        f64::from(self.num) / f64::from(self.den)
    }

    /// Duration of one frame in nanoseconds, rounded down. For many frames use
    /// [`FrameRate::frames_to_ns`], which does not drift.
    pub fn period_ns(self) -> u64 {
        self.frames_to_ns(1)
    }

    /// Duration of `frames` frames in nanoseconds, rounded down once; `u64::MAX` if that is too
    /// long to count.
    pub fn frames_to_ns(self, frames: u64) -> u64 {
        // At most 64 + 32 + 30 bits.
        let ns = u128::from(frames) * u128::from(self.den) * NANOS / u128::from(self.num.max(1));
        u64::try_from(ns).unwrap_or(u64::MAX)
    }

    /// How many whole frames fit in `ns` nanoseconds; `u64::MAX` if that is too many to count.
    pub fn ns_to_frames(self, ns: u64) -> u64 {
        let frames = u128::from(ns) * u128::from(self.num) / (u128::from(self.den.max(1)) * NANOS);
        u64::try_from(frames).unwrap_or(u64::MAX)
    }

    /// Whether the fields hold a rate as the constructors give it. Used on rates that somebody else
    /// put together.
    pub fn check(self) -> Result<(), ConfigError> {
        if Self::new(self.num, self.den)? == self {
            return Ok(());
        }
        Err(ConfigError::invalid(PATH, self, "a rate in its reduced form"))
    }

    fn nearest(value: f64) -> Self {
        if let Some(rate) = Self::snapped(value) {
            return rate;
        }
        let rate = Self::simplest(value);
        // A fraction cut at the largest denominator may have moved next to a well-known rate.
        Self::snapped(rate.as_f64()).unwrap_or(rate)
    }

    fn snapped(value: f64) -> Option<Self> {
        let whole = value.round();
        if whole >= 1.0 && (value - whole).abs() <= whole * NEAR_INTEGER {
            return Some(Self { num: whole as u32, den: 1 });
        }
        let whole = (value * 1.001).round();
        let ntsc = whole * 1000.0 / 1001.0;
        if (1.0..=NTSC_MAX).contains(&whole) && (value - ntsc).abs() <= ntsc * NEAR_NTSC {
            return Some(Self::reduced(whole as u128 * 1000, 1001));
        }
        None
    }

    /// The first convergent of the continued fraction that comes near enough, or the last whose
    /// denominator is small enough.
    fn simplest(value: f64) -> Self {
        let (mut before, mut last) = ((0_u128, 1_u128), (1_u128, 0_u128));
        let mut rest = value;
        loop {
            // `rest` is at most 1/f64::EPSILON here, so the cast is exact and the products stay
            // small.
            let digit = rest.floor() as u128;
            let next = (digit * last.0 + before.0, digit * last.1 + before.1);
            if next.1 > MAX_DEN {
                break;
            }
            (before, last) = (last, next);
            let fraction = rest - rest.floor();
            if (value - last.0 as f64 / last.1 as f64).abs() <= SAME || fraction < f64::EPSILON {
                break;
            }
            rest = 1.0 / fraction;
        }
        Self::reduced(last.0, last.1)
    }

    fn reduced(num: u128, den: u128) -> Self {
        let (mut a, mut b) = (num, den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        let narrow = |value: u128| u32::try_from(value / a.max(1)).unwrap_or(u32::MAX);
        Self { num: narrow(num), den: narrow(den) }
    }
}

impl Default for FrameRate {
    /// 60 frames a second, the default of the configuration.
    fn default() -> Self {
        Self { num: 60, den: 1 }
    }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.den {
            1 => write!(f, "{}", self.num),
            den => write!(f, "{}/{den}", self.num),
        }
    }
}

impl FromStr for FrameRate {
    type Err = ConfigError;

    /// Reads `59.94`, `60` or `60000/1001`.
    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let refuse = || ConfigError::invalid(PATH, quoted(text), ALLOWED);
        if let Some((num, den)) = text.split_once('/') {
            let number = |part: &str| part.trim().parse::<u32>().map_err(|_| refuse());
            return Self::new(number(num)?, number(den)?).map_err(|_| refuse());
        }
        let value: f64 = text.trim().parse().map_err(|_| refuse())?;
        Self::from_f64(value).map_err(|_| refuse())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(num: u32, den: u32) -> FrameRate {
        FrameRate { num, den }
    }

    #[test]
    fn broadcast_rates_are_exact() {
        for (text, num, den) in [
            ("23.976", 24000, 1001),
            ("23.98", 24000, 1001),
            ("23.976023976", 24000, 1001),
            ("24", 24, 1),
            ("25.0", 25, 1),
            ("29.97", 30000, 1001),
            ("29.97002997", 30000, 1001),
            ("30", 30, 1),
            ("47.952", 48000, 1001),
            ("50", 50, 1),
            ("59.94", 60000, 1001),
            ("59.9401", 60000, 1001),
            ("60000/1001", 60000, 1001),
            ("2997/50", 60000, 1001),
            ("120000 / 2002", 60000, 1001),
            ("60", 60, 1),
            ("59.999999", 60, 1),
            ("119.88", 120000, 1001),
            ("239.76", 240000, 1001),
            ("12.5", 25, 2),
            ("14.985", 15000, 1001),
            ("0.5", 1, 2),
            ("33.3333333333333", 100, 3),
            ("10000", 10000, 1),
            ("0.001", 1, 1000),
        ] {
            assert_eq!(text.parse::<FrameRate>(), Ok(rate(num, den)), "{text}");
        }
    }

    #[test]
    fn what_is_not_a_rate_is_refused() {
        for text in [
            "",
            "0",
            "-25",
            "NaN",
            "inf",
            "1e400",
            "10001",
            "0.0001",
            "60/0",
            "0/1",
            "/",
            "a",
            "60000/1001/2",
            "-1/2",
        ] {
            let error = text.parse::<FrameRate>().expect_err(text);
            assert_eq!(error.path, "payload.video.fps");
            assert_eq!(error.found, format!("\"{text}\""));
        }
        assert!(FrameRate::from_f64(f64::NAN).is_err());
        assert!(FrameRate::new(60, 0).is_err());
        assert!(FrameRate::new(u32::MAX, 1).is_err());
    }

    #[test]
    fn foreign_fields_are_checked() {
        assert_eq!(rate(60000, 1001).check(), Ok(()));
        assert!(rate(120_000, 2002).check().is_err());
        assert!(rate(0, 0).check().is_err());
    }

    #[test]
    fn time_does_not_drift() {
        let ntsc = rate(60000, 1001);
        assert_eq!(ntsc.period_ns(), 16_683_333);
        assert_eq!(ntsc.frames_to_ns(60_000), 1_001_000_000_000);
        assert_eq!(ntsc.ns_to_frames(1_001_000_000_000), 60_000);
        assert_eq!(ntsc.ns_to_frames(1_000_999_999_999), 59_999);
        assert_eq!(rate(1, 1000).frames_to_ns(u64::MAX), u64::MAX);
    }

    proptest! {
        #[test]
        fn a_rate_survives_a_double_and_its_text(num in 1_u32..655_350_000, den in 1_u32..70_000) {
            if let Ok(rate) = FrameRate::new(num, den) {
                prop_assert_eq!(FrameRate::from_f64(rate.as_f64()), Ok(rate));
                prop_assert_eq!(rate.to_string().parse(), Ok(rate));
                prop_assert_eq!(rate.check(), Ok(()));
            }
        }

        #[test]
        fn any_double_gives_a_near_rate_or_an_error(value in any::<f64>()) {
            if let Ok(rate) = FrameRate::from_f64(value) {
                prop_assert!((rate.as_f64() - value).abs() <= value * 3e-4);
            }
        }

        #[test]
        fn doubles_in_range_settle_at_once(value in MIN..MAX) {
            let rate = FrameRate::from_f64(value).unwrap();
            prop_assert!((rate.as_f64() - value).abs() <= value * 3e-4);
            prop_assert_eq!(FrameRate::from_f64(rate.as_f64()), Ok(rate));
        }

        #[test]
        fn frames_and_time_agree(frames in 0_u64..10_000_000_000, n in 1_u32..=480) {
            let rate = FrameRate::new(n * 1000, 1001).unwrap();
            let ns = rate.frames_to_ns(frames);
            // The time is rounded down, so the frame that starts there may be one nanosecond off.
            prop_assert_eq!(rate.ns_to_frames(ns + 1), frames);
        }
    }
}
