//! What pixels and fields look like on an ST 2110 wire, in the terms of its standards.

use std::fmt;

use crate::error::ConfigError;
use crate::names::named;
use crate::pixel::PixelFormat;

named! {
    /// How the rows of a picture follow each other in time.
    #[derive(Default)]
    pub enum Scan {
        /// All rows belong to one moment.
        #[default]
        Progressive = "progressive",
        /// Two fields, each of every other row, half a frame apart. The first field has the first row.
        Interlaced = "interlaced",
        /// Progressive segmented frame: one moment, sent as two segments of every other row.
        Psf = "psf",
    }
}

named! {
    /// Which components a picture has, and how they are sampled (ST 2110-20, `sampling`).
    pub enum Sampling {
        /// Y, C'B and C'R for each pixel.
        YCbCr444 = "YCbCr-4:4:4",
        /// C'B and C'R for every second pixel of a row.
        YCbCr422 = "YCbCr-4:2:2",
        /// C'B and C'R for every second pixel of every second row.
        YCbCr420 = "YCbCr-4:2:0",
        /// R, G and B for each pixel.
        Rgb = "RGB",
        /// One component: a key, or brightness.
        Key = "KEY",
    }
}

/// Sampling and depth of the pixels of ST 2110-20 and ST 2110-22 streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireFormat {
    /// The components.
    pub sampling: Sampling,
    /// Bits of a component: 8, 10, 12 or 16.
    pub depth: u8,
}

impl WireFormat {
    /// The default, and the only one of the established API: 4:2:2 with 10 bits.
    pub const YCBCR422_10: Self = Self { sampling: Sampling::YCbCr422, depth: 10 };
    /// The depths that exist, in bits.
    pub const DEPTHS: &'static [u8] = &[8, 10, 12, 16];

    /// The format on the wire that loses nothing of pixels of this format, and adds no more bits than necessary.
    pub const fn of(format: PixelFormat) -> Self {
        use PixelFormat as P;
        let (sampling, depth) = match format {
            P::Yuv422p10le | P::V210 | P::Yuv422p10Rfc4175 => (Sampling::YCbCr422, 10),
            P::Uyvy422 | P::Yuv422p => (Sampling::YCbCr422, 8),
            P::Yuv420p | P::Nv12 => (Sampling::YCbCr420, 8),
            P::Yuv420p10le | P::P010le => (Sampling::YCbCr420, 10),
            P::Yuv444p10le => (Sampling::YCbCr444, 10),
            P::Rgb24 | P::Bgr24 | P::Rgba | P::Bgra => (Sampling::Rgb, 8),
            P::Gray8 => (Sampling::Key, 8),
            P::Gray10le => (Sampling::Key, 10),
            P::Gray16le => (Sampling::Key, 16),
        };
        Self { sampling, depth }
    }

    /// Whether pixels on the wire and in memory have the same samples. 12 bits on the wire are 10 in the planar formats: two more are
    /// sent as zero, and not received.
    pub fn carries(self, format: PixelFormat) -> bool {
        use PixelFormat as P;
        let narrowed = Self { depth: 10, ..self };
        let planar = matches!(format, P::Yuv422p10le | P::Yuv420p10le | P::Yuv444p10le);
        self == Self::of(format) || (self.depth == 12 && planar && narrowed == Self::of(format))
    }

    /// The formats that pixels of this one may have in memory; none for some that the standard knows, such as RGB with 10 bits.
    pub fn pixel_formats(self) -> impl Iterator<Item = PixelFormat> {
        PixelFormat::ALL.iter().copied().filter(move |format| self.carries(*format))
    }

    /// The format that frames of such a stream have in memory if nobody asks for another. Of those that have none it is the nearest:
    /// codestreams may be of any, and raw frames are refused.
    pub const fn pixel_format(self) -> PixelFormat {
        match (self.sampling, self.depth) {
            (Sampling::YCbCr422, 8) => PixelFormat::Uyvy422,
            (Sampling::YCbCr422, _) => PixelFormat::Yuv422p10le,
            (Sampling::YCbCr420, 8) => PixelFormat::Yuv420p,
            (Sampling::YCbCr420, _) => PixelFormat::Yuv420p10le,
            (Sampling::YCbCr444, _) => PixelFormat::Yuv444p10le,
            (Sampling::Rgb, _) => PixelFormat::Rgb24,
            (Sampling::Key, 8) => PixelFormat::Gray8,
            (Sampling::Key, 16) => PixelFormat::Gray16le,
            (Sampling::Key, _) => PixelFormat::Gray10le,
        }
    }

    /// Whether the depth exists.
    pub(crate) fn check(self) -> Result<(), ConfigError> {
        if Self::DEPTHS.contains(&self.depth) {
            return Ok(());
        }
        Err(ConfigError::invalid("connection.st2110.depth", self.depth, "8, 10, 12, 16"))
    }
}

impl fmt::Display for WireFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} bit", self.sampling, self.depth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever receives what was sent in a packed or planar format without a wish gets the same samples.
    #[test]
    fn the_way_back_has_the_same_wire_format() {
        for format in PixelFormat::ALL {
            let wire = WireFormat::of(*format);
            assert_eq!(wire.check(), Ok(()));
            assert_eq!(WireFormat::of(wire.pixel_format()), wire, "{format}");
        }
    }

    #[test]
    fn some_formats_exist_on_the_wire_only() {
        let mut lacking = Vec::new();
        for sampling in Sampling::ALL {
            for depth in WireFormat::DEPTHS {
                let wire = WireFormat { sampling: *sampling, depth: *depth };
                match wire.pixel_formats().next() {
                    Some(_) => assert!(wire.carries(wire.pixel_format()), "{wire}"),
                    None => lacking.push(wire.to_string()),
                }
            }
        }
        let expected = "YCbCr-4:4:4 8 bit, YCbCr-4:4:4 16 bit, YCbCr-4:2:2 16 bit, YCbCr-4:2:0 16 bit, RGB 10 bit, RGB 12 bit, \
                        RGB 16 bit, KEY 12 bit";
        assert_eq!(lacking.join(", "), expected);
    }

    #[test]
    fn names_are_read_back() {
        for sampling in Sampling::ALL {
            assert_eq!(Sampling::from_name(sampling.name()), Some(*sampling));
        }
        for scan in Scan::ALL {
            assert_eq!(Scan::from_name(scan.name()), Some(*scan));
        }
    }
}
