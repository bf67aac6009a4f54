//! What the colours of a picture mean, in the words of ST 2110-20.

use media::named;

named! {
    /// Colour primaries and matrix (ST 2110-20 §7.5, `colorimetry`).
    pub enum Colorimetry {
        /// ITU-R BT.601-7.
        Bt601 = "BT601",
        /// ITU-R BT.709-6.
        Bt709 = "BT709",
        /// ITU-R BT.2020-2.
        Bt2020 = "BT2020",
        /// ITU-R BT.2100.
        Bt2100 = "BT2100",
        /// ACES, SMPTE ST 2065-1.
        St2065_1 = "ST2065-1",
        /// Academy density exchange, SMPTE ST 2065-3.
        St2065_3 = "ST2065-3",
        /// XYZ, ISO 11664-1.
        Xyz = "XYZ",
        /// A key without colour.
        Alpha = "ALPHA",
        /// Nobody says.
        Unspecified = "UNSPECIFIED",
    }
}

named! {
    /// Transfer characteristic system (ST 2110-20 §7.6, `TCS`).
    pub enum TransferCharacteristic {
        /// Standard dynamic range.
        Sdr = "SDR",
        /// Perceptual quantisation of BT.2100.
        Pq = "PQ",
        /// Hybrid log gamma of BT.2100.
        Hlg = "HLG",
        /// Linear, in floating point.
        Linear = "LINEAR",
        /// Linear, of BT.2100 with PQ.
        Bt2100LinPq = "BT2100LINPQ",
        /// Linear, of BT.2100 with HLG.
        Bt2100LinHlg = "BT2100LINHLG",
        /// Linear, of SMPTE ST 2065-1.
        St2065_1 = "ST2065-1",
        /// Of digital cinema, SMPTE ST 428-1.
        St428_1 = "ST428-1",
        /// Density.
        Density = "DENSITY",
        /// S-Log3, SMPTE ST 2115.
        St2115LogS3 = "ST2115LOGS3",
        /// Nobody says.
        Unspecified = "UNSPECIFIED",
    }
}

named! {
    /// Which values samples may have (ST 2110-20 §7.3, `RANGE`).
    pub enum SampleRange {
        /// From black to white with room above and below: 64 to 940 with 10 bits.
        Narrow = "NARROW",
        /// All but those that SDI reserves.
        FullProtect = "FULLPROTECT",
        /// All.
        Full = "FULL",
    }
}

/// What the colours of a picture mean. The mesh carries samples as they are; a sender's description
/// tells receivers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Primaries and matrix; `None`: BT.709.
    pub colorimetry: Option<Colorimetry>,
    /// Transfer characteristic; `None`: SDR.
    pub transfer: Option<TransferCharacteristic>,
    /// Range of samples; `None`: it is not told, which means narrow.
    pub range: Option<SampleRange>,
}
