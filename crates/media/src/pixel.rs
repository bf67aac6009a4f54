//! Pixel formats and the size of a frame.

use crate::error::ConfigError;
use crate::named;

/// Width and height may be at most this, in pixels.
pub const MAX_DIMENSION: u32 = 32_768;

named! {
    /// How the pixels of a frame lie in memory, named as FFmpeg names it; `v210` and
    /// `yuv422p10rfc4175` are packed formats of QuickTime and RFC 4175.
    #[derive(Default)]
    pub enum PixelFormat {
        /// Planar 4:2:2, 10 bits in 16, little endian.
        #[default]
        Yuv422p10le = "yuv422p10le",
        /// Packed 4:2:2, 10 bits, 6 pixels in 16 bytes.
        V210 = "v210",
        /// Packed 4:2:2, 10 bits, big endian, 2 pixels in 5 bytes (RFC 4175, ST 2110-20 pgroup).
        Yuv422p10Rfc4175 = "yuv422p10rfc4175",
        /// Packed 4:2:2, 8 bits: U Y V Y.
        Uyvy422 = "uyvy422",
        /// Planar 4:2:0, 8 bits.
        Yuv420p = "yuv420p",
        /// 4:2:0, 8 bits, a plane of Y and a plane of U V pairs.
        Nv12 = "nv12",
        /// Planar 4:2:2, 8 bits.
        Yuv422p = "yuv422p",
        /// Planar 4:4:4, 10 bits in 16, little endian.
        Yuv444p10le = "yuv444p10le",
        /// Planar 4:2:0, 10 bits in 16, little endian.
        Yuv420p10le = "yuv420p10le",
        /// As nv12, with the 10 bits at the top of 16, little endian.
        P010le = "p010le",
        /// R G B, 8 bits each.
        Rgb24 = "rgb24",
        /// B G R, 8 bits each.
        Bgr24 = "bgr24",
        /// R G B A, 8 bits each.
        Rgba = "rgba",
        /// B G R A, 8 bits each.
        Bgra = "bgra",
        /// Y only, 8 bits. FFmpeg's first name for it is `gray`.
        Gray8 = "gray8" | "gray",
        /// Y only, 10 bits in 16, little endian.
        Gray10le = "gray10le",
        /// Y only, 16 bits, little endian.
        Gray16le = "gray16le",
    }
}

impl PixelFormat {
    /// Bytes of one frame of `width` × `height` pixels, without any padding.
    ///
    /// The three formats of the established API follow its formulas: `yuv422p10le` w·h·4, `v210`
    /// w·h·8/3 in whole groups of 6 pixels, `yuv422p10rfc4175` w·h·5/2 in whole groups of 2 pixels.
    /// All others are what `av_image_get_buffer_size` gives for alignment 1: odd dimensions of
    /// subsampled planes are rounded up.
    ///
    /// # Errors
    /// Invalid if a dimension is not within 1 to 32768; Incompatible if the pixels do not make
    /// whole groups or the frame does not fit 32 bits.
    pub fn frame_size(self, width: u32, height: u32) -> Result<usize, ConfigError> {
        for (path, value) in [("payload.video.width", width), ("payload.video.height", height)] {
            if !(1..=MAX_DIMENSION).contains(&value) {
                return Err(ConfigError::invalid(path, value, format!("1 to {MAX_DIMENSION}")));
            }
        }
        // Below, nothing exceeds 2^30 pixels times 6 bytes.
        let (w, h) = (u64::from(width), u64::from(height));
        let pixels = w * h;
        let half_w = w.div_ceil(2);
        let half_h = h.div_ceil(2);
        let whole_groups = |group: u64| {
            if pixels.is_multiple_of(group) {
                return Ok(pixels / group);
            }
            Err(ConfigError::incompatible(
                "payload.video",
                format!("{width} × {height} pixels of {self}"),
                format!("a number of pixels that is a multiple of {group}"),
            ))
        };
        let size = match self {
            Self::Yuv422p10le => pixels * 4,
            Self::V210 => whole_groups(6)? * 16,
            Self::Yuv422p10Rfc4175 => whole_groups(2)? * 5,
            Self::Uyvy422 => half_w * 4 * h,
            Self::Yuv420p | Self::Nv12 => pixels + 2 * half_w * half_h,
            Self::Yuv422p => pixels + 2 * half_w * h,
            Self::Yuv444p10le => pixels * 6,
            Self::Yuv420p10le | Self::P010le => 2 * (pixels + 2 * half_w * half_h),
            Self::Rgb24 | Self::Bgr24 => pixels * 3,
            Self::Rgba | Self::Bgra => pixels * 4,
            Self::Gray8 => pixels,
            Self::Gray10le | Self::Gray16le => pixels * 2,
        };
        u32::try_from(size).ok().and_then(|size| usize::try_from(size).ok()).ok_or_else(|| {
            ConfigError::incompatible(
                "payload.video",
                format!("{width} × {height} pixels of {self}, {size} bytes a frame"),
                format!("at most {} bytes a frame", u32::MAX),
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::ConfigErrorKind;

    #[test]
    fn sizes_of_1080p() {
        use PixelFormat::*;
        for (format, size) in [
            (Yuv422p10le, 1920 * 1080 * 4),
            (V210, 1920 * 1080 * 8 / 3),
            (Yuv422p10Rfc4175, 1920 * 1080 * 5 / 2),
            (Uyvy422, 4_147_200),
            (Yuv420p, 3_110_400),
            (Nv12, 3_110_400),
            (Yuv422p, 4_147_200),
            (Yuv444p10le, 12_441_600),
            (Yuv420p10le, 6_220_800),
            (P010le, 6_220_800),
            (Rgb24, 6_220_800),
            (Bgr24, 6_220_800),
            (Rgba, 8_294_400),
            (Bgra, 8_294_400),
            (Gray8, 2_073_600),
            (Gray10le, 4_147_200),
            (Gray16le, 4_147_200),
        ] {
            assert_eq!(format.frame_size(1920, 1080), Ok(size), "{format}");
        }
    }

    /// Figures from FFmpeg 5.1:
    /// `ffmpeg -f rawvideo -s 5x3 -pix_fmt gray -i /dev/zero -frames:v 1 -pix_fmt X -f rawvideo - | wc -c`.
    #[test]
    fn odd_dimensions_round_up_as_ffmpeg_does() {
        use PixelFormat::*;
        for (format, size) in [
            (Uyvy422, 36),
            (Yuv420p, 27),
            (Nv12, 27),
            (Yuv422p, 33),
            (Yuv444p10le, 90),
            (Yuv420p10le, 54),
            (P010le, 54),
            (Rgb24, 45),
            (Bgr24, 45),
            (Rgba, 60),
            (Bgra, 60),
            (Gray8, 15),
            (Gray10le, 30),
            (Gray16le, 30),
        ] {
            assert_eq!(format.frame_size(5, 3), Ok(size), "{format}");
        }
    }

    #[test]
    fn packed_formats_need_whole_groups() {
        for (format, w, h) in [
            (PixelFormat::V210, 640, 640),
            (PixelFormat::V210, 3, 3),
            (PixelFormat::Yuv422p10Rfc4175, 5, 3),
        ] {
            let error = format.frame_size(w, h).unwrap_err();
            assert_eq!(error.kind, ConfigErrorKind::Incompatible, "{error}");
        }
        assert_eq!(PixelFormat::V210.frame_size(2, 3), Ok(16));
        assert_eq!(PixelFormat::Yuv422p10Rfc4175.frame_size(1, 2), Ok(5));
    }

    #[test]
    fn dimensions_and_frames_are_bounded() {
        for (w, h, path) in [
            (0, 1, "payload.video.width"),
            (1, 0, "payload.video.height"),
            (32_769, 1, "payload.video.width"),
            (1, u32::MAX, "payload.video.height"),
        ] {
            let error = PixelFormat::Gray8.frame_size(w, h).unwrap_err();
            assert_eq!((error.kind, error.path.as_str()), (ConfigErrorKind::Invalid, path));
        }
        let error = PixelFormat::Rgba.frame_size(32_768, 32_768).unwrap_err();
        assert_eq!(error.kind, ConfigErrorKind::Incompatible);
        assert_eq!(PixelFormat::Gray8.frame_size(32_768, 32_768), Ok(1 << 30));
    }

    #[test]
    fn ffmpegs_name_for_gray8_is_accepted() {
        assert_eq!(PixelFormat::from_name("gray"), Some(PixelFormat::Gray8));
        assert_eq!(PixelFormat::from_name("GRAY"), None);
    }

    proptest! {
        #[test]
        fn names_are_read_back(format in proptest::sample::select(PixelFormat::ALL)) {
            prop_assert_eq!(PixelFormat::from_name(format.name()), Some(format));
            prop_assert_eq!(format.to_string(), format.name());
        }

        #[test]
        fn sizes_never_overflow(format in proptest::sample::select(PixelFormat::ALL), w in any::<u32>(), h in any::<u32>()) {
            if let Ok(size) = format.frame_size(w, h) {
                prop_assert!(size as u64 >= u64::from(w) * u64::from(h));
            }
        }
    }
}
