//! Sample formats of the audio devices.

use crate::error::Error;
use crate::libav::Codecs;
use std::ffi::c_int;

/// A sample format of the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pcm {
    /// Signed 8 bits.
    Bits8,
    /// 16 bits, big endian.
    Bits16,
    /// 24 bits, big endian.
    Bits24,
}

impl Pcm {
    /// The mesh's name of the format; FFmpeg's codec has the same.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bits8 => "pcm_s8",
            Self::Bits16 => "pcm_s16be",
            Self::Bits24 => "pcm_s24be",
        }
    }

    /// The format of this name among those of a device.
    pub(crate) fn named(name: &str, formats: &[Self]) -> Result<Self, Error> {
        let found = formats.iter().copied().find(|pcm| pcm.name() == name);
        found.ok_or_else(|| Error::option("sample_format", name, Self::allowed(formats)))
    }

    /// The format of this codec among those of a device.
    pub(crate) fn of_codec(codec: c_int, codecs: &Codecs, formats: &[Self]) -> Option<Self> {
        formats.iter().copied().find(|pcm| pcm.codec(codecs) == codec)
    }

    /// Names of formats, for messages.
    pub(crate) fn names(formats: &[Self]) -> String {
        let names: Vec<_> = formats.iter().map(|pcm| pcm.name()).collect();
        names.join(", ")
    }

    /// The same as what is accepted.
    pub(crate) fn allowed(formats: &[Self]) -> String {
        format!("allowed: {}", Self::names(formats))
    }

    /// Bytes of a sample of one channel.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::Bits8 => 1,
            Self::Bits16 => 2,
            Self::Bits24 => 3,
        }
    }

    /// FFmpeg's number of the codec.
    pub(crate) fn codec(self, codecs: &Codecs) -> c_int {
        match self {
            Self::Bits8 => codecs.pcm_s8,
            Self::Bits16 => codecs.pcm_s16be,
            Self::Bits24 => codecs.pcm_s24be,
        }
    }
}
