//! Sample formats of the audio devices.

use crate::libav::Codecs;
use std::ffi::{CStr, c_int};

/// What an audio device carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pcm {
    /// 16 bits, big endian.
    Bits16,
    /// 24 bits, big endian.
    Bits24,
}

impl Pcm {
    /// The mesh's name of the format; FFmpeg's codec has the same.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bits16 => "pcm_s16be",
            Self::Bits24 => "pcm_s24be",
        }
    }

    /// The same, for FFmpeg.
    pub(crate) fn device(self) -> &'static CStr {
        match self {
            Self::Bits16 => c"mcm_audio_pcm16",
            Self::Bits24 => c"mcm_audio_pcm24",
        }
    }

    /// What the device is, in words.
    pub(crate) fn about(self) -> &'static CStr {
        match self {
            Self::Bits16 => c"Media Communications Mesh, 16-bit PCM audio",
            Self::Bits24 => c"Media Communications Mesh, 24-bit PCM audio",
        }
    }

    /// Bytes of a sample of one channel.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Bits16 => 2,
            Self::Bits24 => 3,
        }
    }

    /// FFmpeg's number of the codec.
    pub(crate) fn codec(self, codecs: &Codecs) -> c_int {
        match self {
            Self::Bits16 => codecs.pcm_s16be,
            Self::Bits24 => codecs.pcm_s24be,
        }
    }
}

/// What a device carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Essence {
    /// Video.
    Video,
    /// Audio.
    Audio(Pcm),
}

/// All devices. Their places here are the numbers that FFmpeg's callbacks know them by.
pub(crate) const DEVICES: [Essence; 3] =
    [Essence::Video, Essence::Audio(Pcm::Bits16), Essence::Audio(Pcm::Bits24)];
