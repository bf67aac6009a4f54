//! Errors of encoding and decoding.

use st2110::jpegxs::JpegXsError;

/// Why a picture cannot be encoded or decoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JpegXsCodecError {
    /// The library is not there.
    #[error(
        "JPEG XS needs SVT-JPEG-XS: {reason}. Build and install it from \
         https://github.com/OpenVisualCloud/SVT-JPEG-XS (libSvtJpegxs.so.0, then ldconfig)"
    )]
    Load {
        /// What the dynamic linker says.
        reason: String,
    },
    /// The library lacks a function.
    #[error("{library} has no function {name}: SVT-JPEG-XS 0.9 or later is needed")]
    Function {
        /// The file.
        library: String,
        /// The function.
        name: String,
    },
    /// A layout that the library does not take.
    #[error(
        "JPEG XS of {format} frames: yuv422p10le, yuv422p, yuv420p, yuv420p10le and yuv444p10le are possible"
    )]
    Format {
        /// The layout.
        format: media::PixelFormat,
    },
    /// A size that cannot be.
    #[error("JPEG XS of {width} × {height} pixels: {allowed}")]
    Size {
        /// Of the frame.
        width: u32,
        /// Of the frame.
        height: u32,
        /// What is accepted.
        allowed: &'static str,
    },
    /// The library refused.
    #[error("SVT-JPEG-XS, {call}: {meaning} ({code:#010x})")]
    Library {
        /// Its function.
        call: &'static str,
        /// What it returned.
        code: u32,
        /// In words.
        meaning: &'static str,
    },
    /// A picture that is no JPEG XS.
    #[error(transparent)]
    Picture(#[from] JpegXsError),
    /// A picture of another kind than agreed.
    #[error("JPEG XS picture with {what} {found}: {expected} was agreed")]
    Mismatch {
        /// Which property.
        what: &'static str,
        /// Its value.
        found: u32,
        /// The value agreed.
        expected: u32,
    },
    /// A buffer that is too small.
    #[error("{name} of {value} bytes: at least {least} are needed")]
    Buffer {
        /// Which.
        name: &'static str,
        /// Its size.
        value: usize,
        /// What is needed.
        least: usize,
    },
}

impl JpegXsCodecError {
    /// What a function of the library returned.
    pub(crate) fn check(call: &'static str, code: i32) -> Result<(), Self> {
        if code == 0 {
            return Ok(());
        }
        let code = code.cast_unsigned();
        let meaning = match code {
            0x4000_1001 => "the library has another API version",
            0x4000_100C => "the picture is corrupt",
            0x8000_1000 => "not enough resources",
            0x8000_1004 | 0x8000_1005 => "a parameter is refused",
            0x8000_2033 => "there is no picture",
            0x8000_2034 => "the codec is shut down",
            0x8000_2035 => "encoding failed",
            0x8000_3000 => "an invalid pointer",
            0x8000_3001 => "the codestream is invalid",
            0x8000_3003 => "the codestream is too short",
            0x8000_3004 => "the picture's size or format has changed",
            _ => "it failed",
        };
        Err(Self::Library { call, code, meaning })
    }
}
