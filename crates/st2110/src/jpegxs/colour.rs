//! What colours mean, by the numbers of ITU-T H.273.

use crate::video::{self, Colorimetry, SampleRange, TransferCharacteristic};

/// Colour by the numbers of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour {
    /// Colour primaries.
    pub primaries: u16,
    /// Transfer characteristics.
    pub transfer: u16,
    /// Matrix coefficients.
    pub matrix: u16,
    /// Whether samples use their full range.
    pub full_range: bool,
}

impl Colour {
    /// ITU-R BT.709.
    pub const BT709: Self = Self { primaries: 1, transfer: 1, matrix: 1, full_range: false };
    /// ITU-R BT.2020.
    pub const BT2020: Self = Self { primaries: 9, transfer: 14, matrix: 9, full_range: false };
    /// ITU-R BT.2100 with PQ.
    pub const PQ: Self = Self { primaries: 9, transfer: 16, matrix: 9, full_range: false };
    /// ITU-R BT.2100 with HLG.
    pub const HLG: Self = Self { primaries: 9, transfer: 18, matrix: 9, full_range: false };
    /// Nothing is said.
    pub const UNSPECIFIED: Self = Self { primaries: 2, transfer: 2, matrix: 2, full_range: false };
}

impl From<&video::Colour> for Colour {
    /// The numbers of ISO/IEC 21122-3, which takes those of ITU-T H.273.
    fn from(colour: &video::Colour) -> Self {
        use {Colorimetry as C, TransferCharacteristic as T};
        let (primaries, matrix) = match colour.colorimetry.unwrap_or(C::Bt709) {
            C::Bt709 => (1, 1),
            // With 625 lines primaries are those of 5; the description does not tell the lines.
            C::Bt601 => (6, 6),
            C::Bt2020 | C::Bt2100 => (9, 9),
            C::Xyz => (10, 0),
            C::St2065_1 | C::St2065_3 | C::Alpha | C::Unspecified => (2, 2),
        };
        let transfer = match (colour.transfer.unwrap_or(T::Sdr), primaries) {
            (T::Sdr, 6) => 6,
            (T::Sdr, 9) => 14,
            (T::Sdr, _) => 1,
            (T::Pq, _) => 16,
            (T::Hlg, _) => 18,
            (T::Linear | T::Bt2100LinPq | T::Bt2100LinHlg | T::St2065_1, _) => 8,
            (T::St428_1, _) => 17,
            (T::Density | T::St2115LogS3 | T::Unspecified, _) => 2,
        };
        let full_range = colour.range.is_some_and(|range| range != SampleRange::Narrow);
        Self { primaries, transfer, matrix, full_range }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_say_what_the_description_says() {
        let mut told = video::Colour::default();
        assert_eq!(Colour::from(&told), Colour::BT709);
        told.colorimetry = Some(Colorimetry::Bt2020);
        assert_eq!(Colour::from(&told), Colour::BT2020);
        told.colorimetry = Some(Colorimetry::Bt2100);
        told.transfer = Some(TransferCharacteristic::Hlg);
        assert_eq!(Colour::from(&told), Colour::HLG);
        told.transfer = Some(TransferCharacteristic::Pq);
        told.range = Some(SampleRange::Full);
        assert_eq!(Colour::from(&told), Colour { full_range: true, ..Colour::PQ });
    }
}
