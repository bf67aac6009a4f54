//! Samples on the wire, and their names in session descriptions (ST 2110-20, clause 7).

use std::fmt;
use std::str::FromStr;

use media::PixelFormat;

use super::VideoError;

/// Colour components and their subsampling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// Y′C′bC′r, chroma at every second pixel.
    YCbCr422,
    /// Y′C′bC′r, chroma at every second pixel of every second line.
    YCbCr420,
    /// Y′C′bC′r, chroma at every pixel.
    YCbCr444,
    /// R′G′B′.
    Rgb,
    /// One component: a key, or brightness alone.
    Key,
}

impl Sampling {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::YCbCr422, Self::YCbCr420, Self::YCbCr444, Self::Rgb, Self::Key];

    /// The value of `sampling=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::YCbCr422 => "YCbCr-4:2:2",
            Self::YCbCr420 => "YCbCr-4:2:0",
            Self::YCbCr444 => "YCbCr-4:4:4",
            Self::Rgb => "RGB",
            Self::Key => "KEY",
        }
    }
}

impl FromStr for Sampling {
    type Err = VideoError;

    fn from_str(name: &str) -> Result<Self, VideoError> {
        Self::ALL.into_iter().find(|sampling| sampling.name() == name).ok_or_else(|| {
            VideoError::Parameter {
                parameter: "sampling",
                value: name.to_owned(),
                allowed: "YCbCr-4:2:2, YCbCr-4:2:0, YCbCr-4:4:4, RGB and KEY are supported",
            }
        })
    }
}

/// Bits of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// 8 bits.
    Eight,
    /// 10 bits.
    Ten,
    /// 12 bits.
    Twelve,
    /// 16 bits, integers.
    Sixteen,
}

impl Depth {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Eight, Self::Ten, Self::Twelve, Self::Sixteen];

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
}

impl FromStr for Depth {
    type Err = VideoError;

    fn from_str(name: &str) -> Result<Self, VideoError> {
        Ok(match name {
            "8" => Self::Eight,
            "10" => Self::Ten,
            "12" => Self::Twelve,
            "16" => Self::Sixteen,
            _ => {
                return Err(VideoError::Parameter {
                    parameter: "depth",
                    value: name.to_owned(),
                    allowed: "8, 10, 12 and 16 are supported",
                });
            }
        })
    }
}

/// The smallest group of samples that fills whole octets and is never split (RFC 4175, clause 4.3; ST 2110-20, clause 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pgroup {
    /// Its size on the wire.
    pub octets: usize,
    /// Pixels of a line that it covers.
    pub pixels: usize,
    /// Lines that it covers: 2 for 4:2:0, else 1.
    pub lines: usize,
}

/// Samples on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WireFormat {
    /// Components.
    pub sampling: Sampling,
    /// Bits of a sample.
    pub depth: Depth,
}

impl WireFormat {
    /// The most usual format of all.
    pub const YCBCR_422_10: Self = Self { sampling: Sampling::YCbCr422, depth: Depth::Ten };
    /// That of `uyvy422`.
    pub const YCBCR_422_8: Self = Self { sampling: Sampling::YCbCr422, depth: Depth::Eight };

    /// All formats.
    pub fn all() -> impl Iterator<Item = Self> {
        Sampling::ALL
            .into_iter()
            .flat_map(|sampling| Depth::ALL.map(|depth| Self { sampling, depth }))
    }

    /// The format with exactly the samples of `layout`.
    #[must_use]
    pub const fn of(layout: PixelFormat) -> Self {
        use PixelFormat as P;
        let (sampling, depth) = match layout {
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
}

impl TryFrom<media::WireFormat> for WireFormat {
    type Error = VideoError;

    /// # Errors
    /// If the depth is not one of [`Depth::ALL`].
    fn try_from(format: media::WireFormat) -> Result<Self, VideoError> {
        let sampling = match format.sampling {
            media::Sampling::YCbCr422 => Sampling::YCbCr422,
            media::Sampling::YCbCr420 => Sampling::YCbCr420,
            media::Sampling::YCbCr444 => Sampling::YCbCr444,
            media::Sampling::Rgb => Sampling::Rgb,
            media::Sampling::Key => Sampling::Key,
        };
        Ok(Self { sampling, depth: format.depth.to_string().parse()? })
    }
}

/// As in a session description: `sampling=YCbCr-4:2:2; depth=10`.
impl fmt::Display for WireFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sampling={}; depth={}", self.sampling.name(), self.depth.bits())
    }
}

/// How a frame was taken, and so how it is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Scan {
    /// All lines at once.
    #[default]
    Progressive,
    /// Two fields, the second half a frame later.
    Interlaced,
    /// Taken at once, sent as two segments that look like fields.
    Psf,
}

impl Scan {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Progressive, Self::Interlaced, Self::Psf];

    /// Parameters without value that a session description has for it.
    #[must_use]
    pub const fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Progressive => &[],
            Self::Interlaced => &["interlace"],
            Self::Psf => &["interlace", "segmented"],
        }
    }

    /// Fields, segments or whole frames that one frame is sent as.
    #[must_use]
    pub const fn fields(self) -> usize {
        match self {
            Self::Progressive => 1,
            Self::Interlaced | Self::Psf => 2,
        }
    }
}

impl From<media::Scan> for Scan {
    fn from(scan: media::Scan) -> Self {
        match scan {
            media::Scan::Progressive => Self::Progressive,
            media::Scan::Interlaced => Self::Interlaced,
            media::Scan::Psf => Self::Psf,
        }
    }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Progressive => "progressive",
            Self::Interlaced => "interlaced",
            Self::Psf => "psf",
        })
    }
}

/// How pgroups are shared out among packets (ST 2110-20, clause 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Packing {
    /// Any number of pgroups (GPM).
    #[default]
    General,
    /// Multiples of 180 octets, except at the end of a frame or field (BPM).
    Block,
}

impl Packing {
    /// The value of `PM=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::General => "2110GPM",
            Self::Block => "2110BPM",
        }
    }
}

impl FromStr for Packing {
    type Err = VideoError;

    fn from_str(name: &str) -> Result<Self, VideoError> {
        match name {
            "2110GPM" => Ok(Self::General),
            "2110BPM" => Ok(Self::Block),
            _ => Err(VideoError::Parameter {
                parameter: "PM",
                value: name.to_owned(),
                allowed: "2110GPM and 2110BPM are defined",
            }),
        }
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
    fn names_are_those_of_session_descriptions() {
        assert_eq!(WireFormat::YCBCR_422_10.to_string(), "sampling=YCbCr-4:2:2; depth=10");
        for sampling in Sampling::ALL {
            assert_eq!(sampling.name().parse(), Ok(sampling));
        }
        for depth in Depth::ALL {
            assert_eq!(depth.bits().to_string().parse(), Ok(depth));
        }
        for packing in [Packing::General, Packing::Block] {
            assert_eq!(packing.name().parse(), Ok(packing));
        }
        assert_eq!(Scan::Psf.flags(), ["interlace", "segmented"]);
        for format in WireFormat::all() {
            let sampling = media::Sampling::from_name(format.sampling.name()).unwrap();
            let depth = format.depth.bits() as u8;
            assert_eq!(media::WireFormat { sampling, depth }.try_into(), Ok(format));
        }
        for format in PixelFormat::ALL {
            assert_eq!(media::WireFormat::of(*format).try_into(), Ok(WireFormat::of(*format)));
        }
        let error = "16f".parse::<Depth>().unwrap_err().to_string();
        assert_eq!(error, "depth=16f: 8, 10, 12 and 16 are supported");
        assert!(
            "YCbCr-4:1:1".parse::<Sampling>().is_err() && "2110XPM".parse::<Packing>().is_err()
        );
    }
}
