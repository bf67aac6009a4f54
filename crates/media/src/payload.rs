//! What a connection carries.

use crate::ancillary::Ancillary;
use crate::audio::Audio;
use crate::error::ConfigError;
use crate::pixel::PixelFormat;
use crate::rate::FrameRate;
use crate::scan::Scan;
use std::fmt;

/// Uncompressed video, one frame in each buffer; of interlaced video both fields, row by row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Video {
    /// Width in pixels, 1 to 32768.
    pub width: u32,
    /// Height in pixels, 1 to 32768.
    pub height: u32,
    /// Frames a second.
    pub rate: FrameRate,
    /// Layout of the pixels.
    pub pixel_format: PixelFormat,
    /// How the rows follow each other in time.
    pub scan: Scan,
}

impl Video {
    /// Bytes of one frame, as [`PixelFormat::frame_size`] gives them.
    pub fn frame_size(&self) -> Result<usize, ConfigError> {
        self.pixel_format.frame_size(self.width, self.height)
    }
}

impl Default for Video {
    /// 640 × 640, 60 frames a second, yuv422p10le, progressive: the defaults of the configuration.
    fn default() -> Self {
        Self {
            width: 640,
            height: 640,
            rate: FrameRate::default(),
            pixel_format: PixelFormat::default(),
            scan: Scan::default(),
        }
    }
}

/// What a connection carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Payload {
    /// Frames of video.
    Video(Video),
    /// Packets of audio.
    Audio(Audio),
    /// Ancillary data.
    Ancillary(Ancillary),
    /// Blocks of bytes that the mesh does not look into.
    #[default]
    Blob,
}

impl fmt::Display for Payload {
    /// Writes the payload in a few words, as lists of groups show it:
    /// `video 1920x1080 50 yuv422p10le`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Video(Video { width, height, rate, pixel_format, .. }) => {
                write!(f, "video {width}x{height} {rate} {pixel_format}")
            }
            Self::Audio(Audio { channels, sample_rate, format, packet_time }) => {
                write!(f, "audio {channels} x {sample_rate} Hz {format} {packet_time}")
            }
            Self::Ancillary(Ancillary { rate, .. }) => write!(f, "ancillary {rate}"),
            Self::Blob => f.write_str("blob"),
        }
    }
}

impl Payload {
    /// The key of this kind in a configuration: `video`, `audio`, `ancillary` or `blob`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Video(_) => "video",
            Self::Audio(_) => "audio",
            Self::Ancillary(_) => "ancillary",
            Self::Blob => "blob",
        }
    }

    /// Bytes of one frame or packet, at most for ancillary data; `None` for a blob, whose size only
    /// its user knows.
    ///
    /// # Errors
    /// As [`PixelFormat::frame_size`] and [`Audio::packet_size`].
    pub fn size(&self) -> Result<Option<usize>, ConfigError> {
        match self {
            Self::Video(video) => video.frame_size().map(Some),
            Self::Audio(audio) => audio.packet_size().map(Some),
            Self::Ancillary(_) => Ok(Some(Ancillary::DEFAULT_SIZE as usize)),
            Self::Blob => Ok(None),
        }
    }
}
