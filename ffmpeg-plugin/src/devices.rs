//! The devices: their names, and what each carries.

use crate::audio::Pcm;
use std::ffi::CStr;

/// A device, as input and as output.
#[derive(Debug)]
pub(crate) struct Device {
    pub(crate) name: &'static CStr,
    pub(crate) about: &'static CStr,
    pub(crate) essence: Essence,
}

/// Payload of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Essence {
    /// Video.
    Video,
    /// Audio of one of these sample formats; the first one where nothing says which.
    Audio(&'static [Pcm]),
}

/// All devices. Their places here are the numbers that FFmpeg's callbacks know them by.
pub(crate) const DEVICES: [Device; 4] = [
    Device { name: c"mcm", about: c"Media Communications Mesh, video", essence: Essence::Video },
    Device {
        name: c"mcm_audio",
        about: c"Media Communications Mesh, PCM audio",
        essence: Essence::Audio(&[Pcm::Bits24, Pcm::Bits16, Pcm::Bits8]),
    },
    Device {
        name: c"mcm_audio_pcm16",
        about: c"Media Communications Mesh, 16-bit PCM audio",
        essence: Essence::Audio(&[Pcm::Bits16]),
    },
    Device {
        name: c"mcm_audio_pcm24",
        about: c"Media Communications Mesh, 24-bit PCM audio",
        essence: Essence::Audio(&[Pcm::Bits24]),
    },
];
