//! How the rows of a picture follow each other in time.

use crate::named;

named! {
    /// How a picture is scanned.
    #[derive(Default)]
    pub enum Scan {
        /// All rows belong to one moment.
        #[default]
        Progressive = "progressive",
        /// Two fields, each of every other row, half a frame apart. The first field has the first
        /// row.
        Interlaced = "interlaced",
        /// Progressive segmented frame: one moment, sent as two segments of every other row.
        Psf = "psf",
    }
}

impl Scan {
    /// Fields, segments or whole frames that one frame is sent as.
    #[must_use]
    pub const fn fields(self) -> usize {
        match self {
            Self::Progressive => 1,
            Self::Interlaced | Self::Psf => 2,
        }
    }
}
