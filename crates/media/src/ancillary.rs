//! Ancillary data as a payload.

use crate::rate::FrameRate;
use crate::scan::Scan;

/// Ancillary data packets (ST 291-1), those of one frame in each buffer; of both fields if the
/// picture is interlaced.
///
/// The bytes are those of `st2110::ancillary`: a small head that counts the packets of each field,
/// then the packets as RFC 8331 puts them on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ancillary {
    /// Frames a second.
    pub rate: FrameRate,
    /// Scan of the picture that the data belong to.
    pub scan: Scan,
}

impl Ancillary {
    /// Bytes of a buffer if the configuration says nothing: enough for about 200 packets of the
    /// largest size.
    pub const DEFAULT_SIZE: u32 = 65_536;
    /// A buffer must hold at least one packet of the largest size, so many bytes.
    pub const MIN_SIZE: u32 = 512;
}
