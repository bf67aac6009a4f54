//! Planar frames, and their fields.

use std::ops::Range;

use media::PixelFormat;
use st2110::jpegxs::Part;

use crate::JpegXsCodecError;
use crate::abi::{self, Frame};

/// How frames lie in memory, and what part of them a picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    width: u32,
    frame_height: u32,
    interlaced: bool,
    depth: u8,
    /// Divisors of width and height for the second and third plane.
    chroma: (u32, u32),
}

impl Layout {
    /// `width` and `height` are the frame's. Pictures are its fields where it is `interlaced`.
    ///
    /// # Errors
    /// If the format is not planar 4:2:2, 4:2:0 or 4:4:4 of 8 or 10 bits, or the size is not within
    /// 64 to 65535, or not in whole pixels of chroma.
    pub fn new(
        format: PixelFormat,
        width: u32,
        height: u32,
        interlaced: bool,
    ) -> Result<Self, JpegXsCodecError> {
        let (depth, chroma) = match format {
            PixelFormat::Yuv422p10le => (10, (2, 1)),
            PixelFormat::Yuv422p => (8, (2, 1)),
            PixelFormat::Yuv420p => (8, (2, 2)),
            PixelFormat::Yuv420p10le => (10, (2, 2)),
            PixelFormat::Yuv444p10le => (10, (1, 1)),
            _ => return Err(JpegXsCodecError::Format { format }),
        };
        let fields = if interlaced { 2 } else { 1 };
        let fits = |size: u32, multiple: u32| {
            (64..=65_535).contains(&size) && size.is_multiple_of(multiple)
        };
        if !fits(width, chroma.0)
            || !height.is_multiple_of(fields)
            || !fits(height / fields, chroma.1)
        {
            let allowed =
                "pictures are 64 to 65535 wide and high, fields as well, in whole pixels of chroma";
            return Err(JpegXsCodecError::Size { width, height, allowed });
        }
        Ok(Self { width, frame_height: height, interlaced, depth, chroma })
    }

    /// Pixels of a line.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Lines of a picture.
    #[must_use]
    pub const fn height(&self) -> u32 {
        if self.interlaced { self.frame_height / 2 } else { self.frame_height }
    }

    /// Bits of a sample.
    #[must_use]
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    pub(crate) const fn chroma(&self) -> (u32, u32) {
        self.chroma
    }

    pub(crate) const fn colour_format(&self) -> std::ffi::c_int {
        match self.chroma {
            (2, 2) => abi::PLANAR_420,
            (2, _) => abi::PLANAR_422,
            _ => abi::PLANAR_444,
        }
    }

    /// Width and height of a plane of a frame or picture with so many lines, in samples.
    fn plane(&self, index: usize, height: u32) -> (u32, u32) {
        match index {
            0 => (self.width, height),
            _ => (self.width / self.chroma.0, height / self.chroma.1),
        }
    }

    /// Bytes of the planes with so many lines, one after the other.
    fn planes(&self, height: u32) -> [Range<usize>; 3] {
        let sample = if self.depth > 8 { 2 } else { 1 };
        let mut start = 0;
        [0, 1, 2].map(|index| {
            let (width, height) = self.plane(index, height);
            let end = start + width as usize * height as usize * sample;
            std::mem::replace(&mut start, end)..end
        })
    }

    /// Bytes of a frame.
    #[must_use]
    pub fn frame_size(&self) -> usize {
        self.planes(self.frame_height)[2].end
    }

    /// Bytes of a picture whose planes lie one after the other.
    pub(crate) fn picture_size(&self) -> usize {
        self.planes(self.height())[2].end
    }

    /// Lines of a frame that are lines of a picture, each as its place in the picture and in the
    /// frame.
    fn lines(&self, part: Part) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let field = usize::from(part == Part::Second);
        let planes = self.planes(self.height()).into_iter().zip(self.planes(self.frame_height));
        let layout = *self;
        planes.enumerate().flat_map(move |(index, (of_picture, of_frame))| {
            let (_, lines) = layout.plane(index, layout.height());
            let len = of_picture.len() / lines as usize;
            (0..lines as usize).map(move |line| {
                let picture = of_picture.start + line * len;
                let frame = of_frame.start + (line * 2 + field) * len;
                (picture..picture + len, frame..frame + len)
            })
        })
    }

    /// Takes a field out of a frame.
    pub(crate) fn split(&self, frame: &[u8], part: Part, picture: &mut [u8]) {
        for (to, from) in self.lines(part) {
            picture[to].copy_from_slice(&frame[from]);
        }
    }

    /// Puts a field into a frame.
    pub(crate) fn weave(&self, picture: &[u8], part: Part, frame: &mut [u8]) {
        for (from, to) in self.lines(part) {
            frame[to].copy_from_slice(&picture[from]);
        }
    }

    pub(crate) const fn is_interlaced(&self) -> bool {
        self.interlaced
    }

    /// Describes a picture at `start`, whose planes lie one after the other, to the library.
    pub(crate) fn describe(&self, start: *mut u8, frame: &mut Frame) {
        for (index, bytes) in self.planes(self.height()).into_iter().enumerate() {
            frame.image.data[index] = start.wrapping_add(bytes.start).cast();
            frame.image.stride[index] = self.plane(index, self.height()).0;
            // At most 65535 × 65535 samples; a frame of more than 4 GiB is refused by whoever sized
            // it.
            frame.image.alloc_size[index] = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_every_second_line_of_each_plane() {
        let layout = Layout::new(PixelFormat::Yuv420p, 64, 128, true).unwrap();
        assert_eq!((layout.height(), layout.frame_size()), (64, 64 * 128 * 3 / 2));
        let frame: Vec<u8> = (0..layout.frame_size()).map(|at| (at / 32) as u8).collect();
        let mut woven = vec![0; frame.len()];
        for part in [Part::First, Part::Second] {
            let mut picture = vec![0; layout.picture_size()];
            layout.split(&frame, part, &mut picture);
            let field = usize::from(part == Part::Second);
            // Line 1 of the field's Y, and line 1 of its U.
            assert_eq!(picture[64..128], frame[(2 + field) * 64..][..64]);
            let (u, of_frame) = (64 * 64, 64 * 128);
            assert_eq!(picture[u + 32..][..32], frame[of_frame + (2 + field) * 32..][..32]);
            layout.weave(&picture, part, &mut woven);
        }
        assert_eq!(woven, frame);
    }

    #[test]
    fn what_the_library_does_not_take_is_refused() {
        let error = Layout::new(PixelFormat::V210, 1920, 1080, false).unwrap_err().to_string();
        assert!(error.contains("v210") && error.contains("yuv422p10le"), "{error}");
        let size = |width, height, interlaced| {
            Layout::new(PixelFormat::Yuv420p10le, width, height, interlaced).is_ok()
        };
        assert!(size(64, 64, false) && size(1920, 1080, true));
        assert!(!size(63, 64, false) && !size(65, 64, false) && !size(64, 62, false));
        assert!(!size(64, 65, true) && !size(64, 126, true) && !size(64, 130, true));
    }
}
