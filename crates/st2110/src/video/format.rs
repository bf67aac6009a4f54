//! Samples on the wire (ST 2110-20 §7.2).

use std::fmt;

use media::{PixelFormat, named};

named! {
    /// Which components a picture has, and how they are sampled (ST 2110-20 §7.4.1, `sampling`).
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

named! {
    /// Bits of a sample (ST 2110-20 §7.4.2, `depth`).
    pub enum Depth {
        /// 8 bits.
        Eight = "8",
        /// 10 bits.
        Ten = "10",
        /// 12 bits.
        Twelve = "12",
        /// 16 bits, integers.
        Sixteen = "16",
    }
}

impl Depth {
    /// Bits of a sample.
    #[must_use]
    pub const fn bits(self) -> usize {
        match self {
            Self::Eight => 8,
            Self::Ten => 10,
            Self::Twelve => 12,
            Self::Sixteen => 16,
        }
    }

    /// The depth of so many bits; `None` if there is none.
    #[must_use]
    pub fn from_bits(bits: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|depth| depth.bits() == bits as usize)
    }
}

/// The smallest group of samples that fills whole octets and is never split (RFC 4175, clause 4.3;
/// ST 2110-20, clause 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pgroup {
    /// Its size on the wire.
    pub octets: usize,
    /// Pixels of a line that it covers.
    pub pixels: usize,
    /// Lines that it covers: 2 for 4:2:0, else 1.
    pub lines: usize,
}

/// Sampling and depth of the pixels of ST 2110-20 and ST 2110-22 streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireFormat {
    /// Components.
    pub sampling: Sampling,
    /// Bits of a sample.
    pub depth: Depth,
}

impl WireFormat {
    /// 4:2:2 with 10 bits, the most usual format, and the only one of the established API.
    pub const YCBCR_422_10: Self = Self { sampling: Sampling::YCbCr422, depth: Depth::Ten };
    /// That of `uyvy422`.
    pub const YCBCR_422_8: Self = Self { sampling: Sampling::YCbCr422, depth: Depth::Eight };

    /// All formats.
    pub fn all() -> impl Iterator<Item = Self> {
        Sampling::ALL.iter().flat_map(|sampling| {
            Depth::ALL.iter().map(|depth| Self { sampling: *sampling, depth: *depth })
        })
    }

    /// The format with exactly the samples of `format`: it loses nothing of them, and adds no bits.
    #[must_use]
    pub const fn of(format: PixelFormat) -> Self {
        use PixelFormat as P;
        let (sampling, depth) = match format {
            P::Yuv422p10le | P::V210 | P::Yuv422p10Rfc4175 => (Sampling::YCbCr422, Depth::Ten),
            P::Uyvy422 | P::Yuv422p => (Sampling::YCbCr422, Depth::Eight),
            P::Yuv420p | P::Nv12 => (Sampling::YCbCr420, Depth::Eight),
            P::Yuv420p10le | P::P010le => (Sampling::YCbCr420, Depth::Ten),
            P::Yuv444p10le => (Sampling::YCbCr444, Depth::Ten),
            P::Rgb24 | P::Bgr24 | P::Rgba | P::Bgra => (Sampling::Rgb, Depth::Eight),
            P::Gray8 => (Sampling::Key, Depth::Eight),
            P::Gray10le => (Sampling::Key, Depth::Ten),
            P::Gray16le => (Sampling::Key, Depth::Sixteen),
        };
        Self { sampling, depth }
    }

    /// Its pgroup (ST 2110-20, clause 6.2).
    #[must_use]
    pub const fn pgroup(self) -> Pgroup {
        let (octets, pixels, lines) = match (self.sampling, self.depth) {
            (Sampling::YCbCr422, Depth::Eight) => (4, 2, 1),
            (Sampling::YCbCr422, Depth::Ten) => (5, 2, 1),
            (Sampling::YCbCr422, Depth::Twelve) => (6, 2, 1),
            (Sampling::YCbCr422, Depth::Sixteen) => (8, 2, 1),
            (Sampling::YCbCr420, Depth::Eight) => (6, 2, 2),
            (Sampling::YCbCr420, Depth::Ten) => (15, 4, 2),
            (Sampling::YCbCr420, Depth::Twelve) => (9, 2, 2),
            (Sampling::YCbCr420, Depth::Sixteen) => (12, 2, 2),
            (Sampling::YCbCr444 | Sampling::Rgb, Depth::Eight) => (3, 1, 1),
            (Sampling::YCbCr444 | Sampling::Rgb, Depth::Ten) => (15, 4, 1),
            (Sampling::YCbCr444 | Sampling::Rgb, Depth::Twelve) => (9, 2, 1),
            (Sampling::YCbCr444 | Sampling::Rgb, Depth::Sixteen) => (6, 1, 1),
            (Sampling::Key, Depth::Eight) => (1, 1, 1),
            (Sampling::Key, Depth::Ten) => (5, 4, 1),
            (Sampling::Key, Depth::Twelve) => (3, 2, 1),
            (Sampling::Key, Depth::Sixteen) => (2, 1, 1),
        };
        Pgroup { octets, pixels, lines }
    }

    /// Whether pixels on the wire and in memory have the same samples. 12 bits on the wire are 10
    /// in the planar formats: two more are sent as zero, and not received.
    #[must_use]
    pub fn carries(self, format: PixelFormat) -> bool {
        use PixelFormat as P;
        let narrowed = Self { depth: Depth::Ten, ..self };
        let planar = matches!(format, P::Yuv422p10le | P::Yuv420p10le | P::Yuv444p10le);
        let of = Self::of(format);
        self == of || (self.depth == Depth::Twelve && planar && narrowed == of)
    }

    /// The formats that pixels of this one may have in memory; none for some that the standard
    /// knows, such as RGB with 10 bits.
    pub fn pixel_formats(self) -> impl Iterator<Item = PixelFormat> {
        PixelFormat::ALL.iter().copied().filter(move |format| self.carries(*format))
    }

    /// The default format of such a stream's frames in memory. Of those that have none it is the
    /// nearest: codestreams may be of any, and raw frames are refused.
    #[must_use]
    pub const fn pixel_format(self) -> PixelFormat {
        match (self.sampling, self.depth) {
            (Sampling::YCbCr422, Depth::Eight) => PixelFormat::Uyvy422,
            (Sampling::YCbCr422, _) => PixelFormat::Yuv422p10le,
            (Sampling::YCbCr420, Depth::Eight) => PixelFormat::Yuv420p,
            (Sampling::YCbCr420, _) => PixelFormat::Yuv420p10le,
            (Sampling::YCbCr444, _) => PixelFormat::Yuv444p10le,
            (Sampling::Rgb, _) => PixelFormat::Rgb24,
            (Sampling::Key, Depth::Eight) => PixelFormat::Gray8,
            (Sampling::Key, Depth::Sixteen) => PixelFormat::Gray16le,
            (Sampling::Key, _) => PixelFormat::Gray10le,
        }
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

    #[test]
    fn pgroups_hold_exactly_their_samples() {
        for format in WireFormat::all() {
            let pgroup = format.pgroup();
            let pixels = pgroup.pixels * pgroup.lines;
            let samples = match format.sampling {
                Sampling::YCbCr422 => pixels * 2,
                Sampling::YCbCr420 => pixels + pixels / 2,
                Sampling::YCbCr444 | Sampling::Rgb => pixels * 3,
                Sampling::Key => pixels,
            };
            assert_eq!(samples * format.depth.bits(), pgroup.octets * 8, "{format}");
        }
    }

    #[test]
    fn names_are_read_back() {
        for sampling in Sampling::ALL {
            assert_eq!(Sampling::from_name(sampling.name()), Some(*sampling));
        }
        for depth in Depth::ALL {
            assert_eq!(Depth::from_name(&depth.bits().to_string()), Some(*depth));
            assert_eq!(Depth::from_bits(depth.bits() as u32), Some(*depth));
        }
        assert_eq!(Depth::from_bits(9), None);
    }

    /// A receiver of what was sent without a wish gets the same samples, packed or planar.
    #[test]
    fn the_way_back_has_the_same_wire_format() {
        for format in PixelFormat::ALL {
            let wire = WireFormat::of(*format);
            assert_eq!(WireFormat::of(wire.pixel_format()), wire, "{format}");
        }
    }

    #[test]
    fn some_formats_exist_on_the_wire_only() {
        let mut lacking = Vec::new();
        for wire in WireFormat::all() {
            match wire.pixel_formats().next() {
                Some(_) => assert!(wire.carries(wire.pixel_format()), "{wire}"),
                None => lacking.push(wire.to_string()),
            }
        }
        let expected = "YCbCr-4:4:4 8 bit, YCbCr-4:4:4 16 bit, YCbCr-4:2:2 16 bit, \
            YCbCr-4:2:0 16 bit, RGB 10 bit, RGB 12 bit, RGB 16 bit, KEY 12 bit";
        assert_eq!(lacking.join(", "), expected);
    }
}
