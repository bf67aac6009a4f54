//! Pixel formats that FFmpeg and the mesh share, and conversion between different memory layouts.

use crate::error::Error;
use media::PixelFormat;
use st2110::video::{Conversion, Direction, FrameLayout, Picture, Scan, Segment, Simd, WireFormat};

/// FFmpeg's names of the pixel formats that the mesh has; the mesh calls them the same. v210 is a
/// codec there.
pub(crate) const FORMATS: [&str; 15] = [
    "yuv422p10le",
    "uyvy422",
    "yuv420p",
    "nv12",
    "yuv422p",
    "yuv444p10le",
    "yuv420p10le",
    "p010le",
    "rgb24",
    "bgr24",
    "rgba",
    "bgra",
    "gray",
    "gray10le",
    "gray16le",
];

/// The one that is a codec.
pub(crate) const V210: &str = "v210";

/// The one that FFmpeg does not have: pixels as in the packets of ST 2110-20. There its frames are
/// those of [`UNPACKED`].
pub(crate) const RFC4175: &str = PixelFormat::Yuv422p10Rfc4175.name();

/// Frames in FFmpeg that are [`RFC4175`] in the mesh.
pub(crate) const UNPACKED: &str = PixelFormat::Yuv422p10le.name();

/// The pixel format of this name, in FFmpeg's spelling.
pub(crate) fn format(name: &str) -> Option<&'static str> {
    if let Some(name) = [V210, RFC4175].into_iter().find(|format| *format == name) {
        return Some(name);
    }
    let name = if name == "gray8" { "gray" } else { name };
    FORMATS.into_iter().find(|format| *format == name)
}

/// All of them, for messages.
pub(crate) fn allowed() -> String {
    format!("allowed: {}, {V210}, {RFC4175}", FORMATS.join(", "))
}

/// Frames that are kept in one way by FFmpeg and in another by the mesh.
#[derive(Clone, Debug)]
pub(crate) enum Repacking {
    /// v210.
    V210(Lines),
    /// [`RFC4175`].
    Rfc4175 { picture: Picture, conversion: Box<Conversion> },
}

impl Repacking {
    /// That of a pixel format; `None` if both keep its frames in the same way.
    pub(crate) fn of(format: &str, (width, height): (u32, u32)) -> Result<Option<Self>, Error> {
        let refuse = |needed: &str| {
            Error::option(
                "video_size",
                format!("{width}x{height}"),
                format!("{format} needs {needed}"),
            )
        };
        match format {
            V210 => {
                let lines = Lines::of(width, height).ok_or_else(|| {
                    refuse("an even width, and a number of pixels that is divisible by 6")
                })?;
                Ok(Some(Self::V210(lines)))
            }
            RFC4175 => {
                let wire = WireFormat::YCBCR_422_10;
                let layout = FrameLayout::Mesh(PixelFormat::Yuv422p10le);
                let made =
                    Picture::new(wire, width, height, Scan::Progressive).and_then(|picture| {
                        // Any direction will do: both formats have the same samples.
                        let conversion =
                            Conversion::new(picture, layout, Direction::Send, Simd::detect())?;
                        Ok(Self::Rfc4175 { picture, conversion: Box::new(conversion) })
                    });
                made.map(Some).map_err(|_| refuse("an even width"))
            }
            _ => Ok(None),
        }
    }

    /// Bytes of a frame in FFmpeg.
    pub(crate) fn ffmpeg(&self) -> usize {
        match self {
            Self::V210(lines) => lines.ffmpeg * lines.count,
            Self::Rfc4175 { conversion, .. } => conversion.frame_size(),
        }
    }

    /// Bytes of a frame in the mesh.
    pub(crate) fn mesh(&self) -> usize {
        match self {
            Self::V210(lines) => lines.mesh_frame(),
            Self::Rfc4175 { picture, .. } => picture.packed_size(),
        }
    }

    /// Whether no conversion is necessary.
    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::V210(lines) if lines.are_the_same())
    }

    /// From FFmpeg to the mesh; both frames have their full size.
    pub(crate) fn to_mesh(&self, ffmpeg: &[u8], mesh: &mut [u8]) {
        match self {
            Self::V210(lines) => lines.strip(ffmpeg, mesh),
            Self::Rfc4175 { picture, conversion } => {
                for (row, wire) in mesh.chunks_exact_mut(picture.row_octets()).enumerate() {
                    conversion.pack(ffmpeg, row_of(picture, row), wire);
                }
            }
        }
    }

    /// From the mesh to FFmpeg; both frames have their full size.
    pub(crate) fn to_ffmpeg(&self, mesh: &[u8], ffmpeg: &mut [u8]) {
        match self {
            Self::V210(lines) => lines.pad(mesh, ffmpeg),
            Self::Rfc4175 { picture, conversion } => {
                for (row, wire) in mesh.chunks_exact(picture.row_octets()).enumerate() {
                    conversion.unpack(wire, ffmpeg, row_of(picture, row));
                }
            }
        }
    }
}

fn row_of(picture: &Picture, row: usize) -> Segment {
    Segment { row, first: 0, count: picture.row_pgroups() }
}

/// Layout of v210 lines in FFmpeg's packets and in the mesh.
///
/// FFmpeg pads each line to a multiple of 128 bytes, as QuickTime does. The mesh does not, and if a
/// line does not end with a word of three samples, the next one begins in the middle of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lines {
    /// Samples of a line.
    samples: usize,
    /// Bytes of a line in FFmpeg.
    ffmpeg: usize,
    /// Lines.
    count: usize,
}

/// Samples in a word of v210, and its bytes.
const SAMPLES: usize = 3;
const WORD: usize = 4;

impl Lines {
    /// `None` if FFmpeg or the mesh has no such frames.
    pub(crate) fn of(width: u32, height: u32) -> Option<Self> {
        let (width, count) = (width as usize, height as usize);
        let can_be = width > 0 && width.is_multiple_of(2) && (width * count).is_multiple_of(6);
        can_be.then(|| Self { samples: width * 2, ffmpeg: width.div_ceil(48) * 128, count })
    }

    /// Bytes of a frame in the mesh.
    fn mesh_frame(&self) -> usize {
        self.samples * self.count / SAMPLES * WORD
    }

    /// Bytes of a line in the mesh, if lines are of whole words.
    fn mesh_line(&self) -> Option<usize> {
        self.samples.is_multiple_of(SAMPLES).then(|| self.samples / SAMPLES * WORD)
    }

    fn are_the_same(&self) -> bool {
        self.mesh_line() == Some(self.ffmpeg)
    }

    /// From a packet to a frame; both have their full size.
    fn strip(&self, packet: &[u8], frame: &mut [u8]) {
        let lines = packet.chunks_exact(self.ffmpeg);
        match self.mesh_line() {
            Some(line) => {
                for (to, from) in frame.chunks_exact_mut(line).zip(lines) {
                    to.copy_from_slice(&from[..line]);
                }
            }
            None => write_samples(frame, lines.flat_map(|line| samples(line).take(self.samples))),
        }
    }

    /// From a frame to a packet; both have their full size.
    fn pad(&self, frame: &[u8], packet: &mut [u8]) {
        let lines = packet.chunks_exact_mut(self.ffmpeg);
        match self.mesh_line() {
            Some(line) => {
                for (to, from) in lines.zip(frame.chunks_exact(line)) {
                    to[..line].copy_from_slice(from);
                    to[line..].fill(0);
                }
            }
            None => {
                let mut all = samples(frame);
                for line in lines {
                    write_samples(line, all.by_ref().take(self.samples));
                }
            }
        }
    }
}

/// Samples in words of v210.
fn samples(words: &[u8]) -> impl Iterator<Item = u32> + '_ {
    words.as_chunks::<WORD>().0.iter().flat_map(|word| {
        let word = u32::from_le_bytes(*word);
        [word & 0x3FF, word >> 10 & 0x3FF, word >> 20 & 0x3FF]
    })
}

/// Fills words of v210 with samples, and with zeros when there are no more.
fn write_samples(words: &mut [u8], mut samples: impl Iterator<Item = u32>) {
    for word in words.as_chunks_mut::<WORD>().0 {
        let mut next = || samples.next().unwrap_or(0);
        let (first, second, third) = (next(), next(), next());
        *word = (first | second << 10 | third << 20).to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mesh_has_all_formats() {
        for name in FORMATS.into_iter().chain([V210, RFC4175]) {
            let text = format!(
                r#"{{ "connection": {{ "multipointGroup": {{ "urn": "x" }} }},
                      "payload": {{ "video": {{ "width": 48, "height": 4, "pixelFormat": "{name}" }} }} }}"#
            );
            ::config::ConnectionConfig::from_json(&text, ::config::Kind::Receiver).unwrap();
            assert_eq!(format(name), Some(name));
        }
        assert_eq!(format("gray8"), Some("gray"));
    }

    #[test]
    fn v210_lines_are_padded_and_stripped() {
        let lines = Lines::of(54, 2).unwrap();
        assert_eq!(
            (lines.mesh_line(), lines.ffmpeg, lines.are_the_same()),
            (Some(144), 256, false)
        );
        let frame: Vec<u8> = (0..lines.mesh_frame()).map(|index| (index % 251) as u8 + 1).collect();
        let mut packet = vec![7; 2 * lines.ffmpeg];
        lines.pad(&frame, &mut packet);
        assert_eq!(packet[..144], frame[..144]);
        assert!(packet[144..256].iter().all(|byte| *byte == 0));
        let mut back = vec![0; frame.len()];
        lines.strip(&packet, &mut back);
        assert_eq!(back, frame);
    }

    /// Two pixels and a third of another word are left of each line of 1280 pixels.
    #[test]
    fn v210_lines_may_end_within_a_word() {
        for (width, height) in [(1280, 720), (1366, 768), (2, 3), (4, 3), (10, 6)] {
            let lines = Lines::of(width, height).unwrap();
            assert_eq!(lines.mesh_frame(), PixelFormat::V210.frame_size(width, height).unwrap());
            let mut frame = vec![0; lines.mesh_frame()];
            write_samples(&mut frame, (0..).map(|number| number % 1021));
            let mut packet = vec![7; lines.count * lines.ffmpeg];
            lines.pad(&frame, &mut packet);
            let second: Vec<u32> = samples(&packet[lines.ffmpeg..]).take(lines.samples).collect();
            let expected: Vec<u32> =
                (0..).skip(lines.samples).map(|number| number % 1021).take(lines.samples).collect();
            assert_eq!(second, expected);
            let mut back = vec![0; frame.len()];
            lines.strip(&packet, &mut back);
            assert_eq!(back, frame);
        }
    }

    #[test]
    fn v210_of_1080p_is_the_same_in_both() {
        assert!(Lines::of(1920, 1080).unwrap().are_the_same());
        assert_eq!([Lines::of(100, 4), Lines::of(3, 2)], [None, None]);
    }

    #[test]
    fn packed_frames_come_back() {
        let repacking = Repacking::of(RFC4175, (8, 2)).unwrap().unwrap();
        assert_eq!((repacking.ffmpeg(), repacking.mesh()), (64, 40));
        let frame: Vec<u8> = (0..64).map(|index| if index % 2 == 0 { index } else { 2 }).collect();
        let (mut packed, mut back) = (vec![0; 40], vec![0; 64]);
        repacking.to_mesh(&frame, &mut packed);
        repacking.to_ffmpeg(&packed, &mut back);
        assert_eq!(back, frame);
        assert!(Repacking::of(RFC4175, (7, 2)).is_err());
    }
}
