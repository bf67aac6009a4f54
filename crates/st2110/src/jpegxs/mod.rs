//! JPEG XS: RFC 9134 packets as SMPTE ST 2110-22 carries them.
//!
//! * [`PictureSegment`]: a codestream with the boxes before it, as an application hands it over;
//!   never trusted.
//! * [`Packetiser`]: its packets, in codestream mode or slice mode.
//! * [`Assembly`]: puts packets of a picture together again, and knows what is missing.
//! * [`PacketMode`], [`TransmissionMode`]: parameters of session descriptions.
//! * [`BitsPerPixel`], [`CodingQuality`]: what an encoder is asked for.
//!
//! No codec is needed for any of this; see the crate `jpegxs` for one.
//!
//! Each field of interlaced video is a picture of its own.

mod assembly;
mod boxes;
mod coding;
mod colour;
mod error;
mod header;
mod packetiser;
mod parameters;
#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod sample;
mod segment;

pub use assembly::{Assembly, Received};
pub use boxes::VideoInformation;
pub use coding::{BitsPerPixel, CodingQuality};
pub use colour::Colour;
pub use error::{JpegXsError, PacketError};
pub use header::{Part, PayloadHeader};
pub use packetiser::{Packetiser, Packets};
pub use parameters::{PacketMode, TransmissionMode};
pub use segment::{PictureHeader, PictureSegment};
