//! What an encoder is asked for.

use std::fmt;

use media::named;

named! {
    /// What an encoder prefers.
    #[derive(Default)]
    pub enum CodingQuality {
        /// Little time for each frame.
        #[default]
        Speed = "speed",
        /// A better picture at the same number of bits.
        Quality = "quality",
    }
}

/// Bits that an encoded frame has for each pixel, in thousandths: 0.5 to 36, 3 by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitsPerPixel(u32);

impl BitsPerPixel {
    const MIN: u32 = 500;
    const MAX: u32 = 36_000;

    /// From thousandths of a bit; `None` outside 500 to 36000.
    #[must_use]
    pub fn from_thousandths(thousandths: u32) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&thousandths).then_some(Self(thousandths))
    }

    /// From bits, rounded to thousandths; `None` outside 0.5 to 36.
    #[must_use]
    pub fn from_bits(bits: f64) -> Option<Self> {
        let thousandths = (bits * 1000.0).round();
        // NaN is outside; inside the range the cast is exact.
        let range = f64::from(Self::MIN)..=f64::from(Self::MAX);
        range.contains(&thousandths).then_some(Self(thousandths as u32))
    }

    /// Thousandths of a bit.
    #[must_use]
    pub const fn thousandths(self) -> u32 {
        self.0
    }

    /// Bytes that a frame of so many pixels may have.
    #[must_use]
    pub const fn frame_size(self, pixels: u64) -> u64 {
        pixels.saturating_mul(self.0 as u64) / 8000
    }
}

impl Default for BitsPerPixel {
    /// 3 bits: about a seventh of 4:2:2 with 10 bits, visually lossless for most pictures.
    fn default() -> Self {
        Self(3000)
    }
}

impl fmt::Display for BitsPerPixel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.0) / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_per_pixel() {
        assert_eq!(BitsPerPixel::from_bits(3.0), Some(BitsPerPixel::default()));
        assert_eq!(BitsPerPixel::default().frame_size(1920 * 1080), 777_600);
        assert_eq!(BitsPerPixel::from_bits(2.5).unwrap().thousandths(), 2500);
        assert_eq!(BitsPerPixel::from_bits(2.5).unwrap().to_string(), "2.5");
        for bits in [0.0, 0.49, 36.1, -3.0, f64::NAN, f64::INFINITY] {
            assert_eq!(BitsPerPixel::from_bits(bits), None, "{bits}");
        }
        assert_eq!(BitsPerPixel::from_thousandths(499), None);
    }
}
