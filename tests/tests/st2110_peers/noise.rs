//! Frames of noise that are cheap to make and to tell apart.

use media::PixelFormat;

/// So many frames differ; then they come again.
pub(crate) const CYCLE: usize = 16;
/// From the beginning of one frame to that of the next in the noise. Samples of two bytes stay
/// whole.
const STEP: usize = 1022;

/// Noise, of which each frame is a part.
pub(crate) struct Noise {
    bytes: Vec<u8>,
    frame: usize,
}

impl Noise {
    /// Frames of so many bytes of any values.
    pub(crate) fn octets(frame: usize) -> Self {
        let mut state = 1_u64;
        let mut bytes = vec![0; frame + CYCLE * STEP];
        for place in bytes.chunks_mut(4) {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            place.copy_from_slice(&((state >> 32) as u32).to_be_bytes()[..place.len()]);
        }
        Self { bytes, frame }
    }

    /// Frames of a pixel format, whose samples stay within their depth.
    pub(crate) fn pixels(format: PixelFormat, frame: usize) -> Self {
        let mut noise = Self::octets(frame);
        if format == PixelFormat::Yuv422p10le {
            for high in noise.bytes.iter_mut().skip(1).step_by(2) {
                *high &= 3;
            }
        }
        noise
    }

    pub(crate) fn frame_size(&self) -> usize {
        self.frame
    }

    pub(crate) fn frame(&self, index: usize) -> &[u8] {
        &self.bytes[index % CYCLE * STEP..][..self.frame]
    }

    /// A file of the first frames.
    pub(crate) fn write(&self, path: &std::path::Path, frames: usize) {
        let all: Vec<u8> = (0..frames).flat_map(|index| self.frame(index)).copied().collect();
        std::fs::write(path, all).expect("a file of frames");
    }

    /// Number of a frame; `None` if it is none of them.
    pub(crate) fn which(&self, frame: &[u8]) -> Option<usize> {
        (0..CYCLE).find(|index| frame == self.frame(*index))
    }
}

/// The longest row of frames that follow each other.
pub(crate) fn longest_row(frames: &[Option<usize>]) -> usize {
    let (mut row, mut longest, mut last) = (0, 0, None);
    for frame in frames {
        row = match (last, *frame) {
            (_, None) => 0,
            (Some(last), Some(frame)) if frame == (last + 1) % CYCLE => row + 1,
            _ => 1,
        };
        longest = longest.max(row);
        last = *frame;
    }
    longest
}

#[test]
fn rows_of_frames_are_recognised() {
    let noise = Noise::octets(100);
    let stream = |indices: &[usize]| -> Vec<u8> {
        indices.iter().flat_map(|index| noise.frame(*index)).copied().collect()
    };
    let row = |written: &[u8]| {
        longest_row(&written.chunks_exact(100).map(|frame| noise.which(frame)).collect::<Vec<_>>())
    };
    assert_eq!(row(&stream(&[3, 4, 5, 7, 8])), 3);
    assert_eq!(row(&stream(&[15, 16, 17, 17])), 3);
    let mut broken = stream(&[0, 1, 2, 3, 4]);
    broken[250] ^= 1;
    assert_eq!(row(&broken), 2);
    assert_eq!(row(&[]), 0);
}
