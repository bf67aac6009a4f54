//! The boxes that stand before a codestream (ISO/IEC 21122-3, Annex A; RFC 9134, clause 3.3).

use media::FrameRate;

use super::{Colour, Part, PictureHeader};

/// Octets of the boxes that are written.
pub(super) const SIZE: usize = 60;

/// What the boxes say that the codestream does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoInformation {
    /// Frames in a second.
    pub rate: FrameRate,
    /// Of the colour specification box.
    pub colour: Colour,
    /// Whether three components of one size are R, G and B rather than Y′, C′b and C′r.
    pub rgb: bool,
}

impl VideoInformation {
    /// A video support box with video information, profile and level, and a colour specification
    /// box, for a picture of `octets` octets.
    pub(super) fn boxes(&self, picture: &PictureHeader, part: Part, octets: usize) -> [u8; SIZE] {
        let mut out = Vec::with_capacity(SIZE);
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        put(&42u32.to_be_bytes());
        put(b"jpvs");
        put(&22u32.to_be_bytes());
        put(b"jpvi");
        put(&self.megabits(part, octets).to_be_bytes());
        put(&self.frame_rate(part).to_be_bytes());
        put(&self.sampling(picture).to_be_bytes());
        // No time code.
        put(&[0; 4]);
        put(&12u32.to_be_bytes());
        put(b"jxpl");
        put(&picture.profile.to_be_bytes());
        put(&picture.level.to_be_bytes());
        put(&18u32.to_be_bytes());
        put(b"colr");
        // Method 5: numbers of H.273. Precedence and approximation are 0.
        put(&[5, 0, 0]);
        put(&self.colour.primaries.to_be_bytes());
        put(&self.colour.transfer.to_be_bytes());
        put(&self.colour.matrix.to_be_bytes());
        put(&[u8::from(self.colour.full_range) << 7]);
        let mut boxes = [0; SIZE];
        boxes.copy_from_slice(&out);
        boxes
    }

    /// Bit rate in Mbit/s, rounded up, if all pictures are as large as this one.
    fn megabits(&self, part: Part, octets: usize) -> u32 {
        let pictures = if part == Part::Progressive { 1 } else { 2 };
        let bits = octets as u128 * 8 * pictures * u128::from(self.rate.num);
        let megabits = bits.div_ceil(u128::from(self.rate.den.max(1)) * 1_000_000);
        u32::try_from(megabits).unwrap_or(u32::MAX)
    }

    /// Interlace mode, code of the denominator (1 for 1, 2 for 1.001), numerator; 0 for rates that
    /// this cannot say.
    fn frame_rate(&self, part: Part) -> u32 {
        let interlaced = u32::from(part != Part::Progressive) << 30;
        let code = match (self.rate.num, self.rate.den) {
            (whole, 1) => Some((1, whole)),
            (thousands, 1001) if thousands.is_multiple_of(1000) => Some((2, thousands / 1000)),
            _ => None,
        };
        let code = code.filter(|(_, numerator)| *numerator <= u32::from(u16::MAX));
        code.map_or(interlaced, |(denominator, numerator)| {
            interlaced | denominator << 24 | numerator
        })
    }

    /// A flag for its validity, depth less 1, and code of the sampling; 0 where there is no code.
    fn sampling(&self, picture: &PictureHeader) -> u16 {
        let code = match (picture.components, picture.subsampling) {
            (3, (2, 1)) => 0,
            (3, (1, 1)) if self.rgb => 2,
            (3, (1, 1)) => 1,
            _ => return 0,
        };
        match picture.depth {
            depth @ 1..=16 => 0x8000 | u16::from(depth - 1) << 4 | code,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_say_what_the_stream_is() {
        let rate = FrameRate { num: 60_000, den: 1001 };
        let information = VideoInformation { rate, colour: Colour::BT709, rgb: false };
        let picture = PictureHeader {
            profile: 0x3540,
            level: 0x1004,
            depth: 10,
            components: 3,
            subsampling: (2, 1),
            ..PictureHeader::default()
        };
        // 777,600 octets are 3 bits a pixel of 1080p: 372.86 Mbit/s at 59.94 Hz.
        let boxes = information.boxes(&picture, Part::Progressive, 777_600);
        let mut expected = Vec::new();
        expected.extend(b"\0\0\0\x2Ajpvs\0\0\0\x16jpvi");
        expected.extend([0, 0, 0x01, 0x75, 0x02, 0, 0, 60, 0x80, 0x90, 0, 0, 0, 0]);
        expected
            .extend(b"\0\0\0\x0Cjxpl\x35\x40\x10\x04\0\0\0\x12colr\x05\0\0\0\x01\0\x01\0\x01\0");
        assert_eq!(boxes[..], expected);
        let rate = FrameRate { num: 25, den: 1 };
        let interlaced = VideoInformation { rate, ..information };
        let boxes = interlaced.boxes(&picture, Part::Second, 500_000);
        assert_eq!(boxes[16..24], [0, 0, 0, 200, 0x41, 0, 0, 25]);
    }
}
