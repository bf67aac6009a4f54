//! Between pgroups on the wire and frames in memory, by segments, because that is what packets carry.

use std::fmt;

use media::PixelFormat;

use super::kernels::{self, Simd};
use super::place::Place;
use super::{Picture, Segment, VideoError, WireFormat};

/// How a frame lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameLayout {
    /// The wire's pgroups, row after row: for formats that have no other layout.
    Wire,
    /// A format of the mesh.
    Mesh(PixelFormat),
}

impl fmt::Display for FrameLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire => f.write_str("pgroups"),
            Self::Mesh(format) => format.fmt(f),
        }
    }
}

/// Which way pixels go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From memory to the wire.
    Send,
    /// From the wire to memory.
    Receive,
}

/// What is done to a segment. Each keeps every bit of every sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nothing: memory is as the wire.
    Copy,
    Yuv422p10le,
    V210,
    Yuv422p,
    Yuv420p,
    Nv12,
    Yuv420p10le,
    P010le,
    Yuv444p10le,
    Bgr24,
    /// Receiving sets A to 255.
    Rgba,
    Bgra,
}

/// A conversion between the wire and a layout in memory, exact in its direction.
///
/// | wire | layouts |
/// |---|---|
/// | any | [`FrameLayout::Wire`] |
/// | 4:2:2, 10 bits | `yuv422p10le`, `v210`, `yuv422p10rfc4175` (as the wire) |
/// | 4:2:2, 8 bits | `uyvy422` (as the wire), `yuv422p` |
/// | 4:2:0, 8 bits | `yuv420p`, `nv12` |
/// | 4:2:0, 10 bits | `yuv420p10le`, `p010le` |
/// | 4:4:4, 10 bits | `yuv444p10le` |
/// | RGB, 8 bits | `rgb24` (as the wire), `bgr24`; only to receive: `rgba`, `bgra` |
///
/// Other pairs would change samples, or lose the alpha channel, and are refused. Of samples that are stored in more bits than they
/// have, only theirs are sent: the low 10 of 16, or the high 10 for `p010le`.
#[derive(Clone, Debug)]
pub struct Conversion {
    picture: Picture,
    kind: Kind,
    frame_size: usize,
    simd: Simd,
}

impl Conversion {
    /// `simd` is [`Simd::detect`] unless different code is to be compared.
    ///
    /// # Errors
    /// If the pair is not exact in this direction, or the layout cannot have frames of this size.
    pub fn new(
        picture: Picture,
        layout: FrameLayout,
        direction: Direction,
        simd: Simd,
    ) -> Result<Self, VideoError> {
        let kind = match layout {
            FrameLayout::Wire => Kind::Copy,
            FrameLayout::Mesh(format) => Kind::of(format, picture.format(), direction)?,
        };
        let frame_size = match layout {
            FrameLayout::Wire => picture.packed_size(),
            FrameLayout::Mesh(format) => format
                .frame_size(picture.width(), picture.height())
                .map_err(|_| VideoError::Dimension {
                    name: "width",
                    value: picture.width(),
                    allowed: format!(
                        "width × height that is of whole groups of {format} and at most 4 GiB"
                    ),
                })?,
        };
        Ok(Self { picture, kind, frame_size, simd })
    }

    /// Size of a frame in memory.
    #[must_use]
    pub const fn frame_size(&self) -> usize {
        self.frame_size
    }

    /// Whether frames lie in memory as on the wire.
    #[must_use]
    pub fn is_copy(&self) -> bool {
        self.kind == Kind::Copy
    }

    /// Takes a segment out of a frame. `wire` is as large as the segment on the wire.
    ///
    /// # Panics
    /// If the segment is not within the picture, `frame` smaller than [`frame_size`](Self::frame_size), or `wire` of another size.
    pub fn pack(&self, frame: &[u8], segment: Segment, wire: &mut [u8]) {
        self.check(frame.len(), segment, wire.len());
        let at = Place::of(&self.picture, segment);
        match self.kind {
            Kind::Copy => wire.copy_from_slice(&frame[at.packed..][..wire.len()]),
            Kind::Yuv422p10le => {
                let [y, u, v] = at.planes_422(frame, 2);
                kernels::pack_422p10(self.simd, y, u, v, wire);
            }
            Kind::V210 => kernels::pack_v210(self.simd, frame, at.pixel * 2, wire),
            Kind::Yuv422p => {
                let [y, u, v] = at.planes_422(frame, 1);
                kernels::pack_422p8(self.simd, y, u, v, wire);
            }
            Kind::Yuv420p => {
                let ([y0, y1], [u, v]) = at.planes_420(frame, 1);
                kernels::pack_420p8(y0, y1, u, v, wire);
            }
            Kind::Nv12 => {
                let ([y0, y1], uv) = at.pairs_420(frame, 1);
                kernels::pack_nv12(y0, y1, uv, wire);
            }
            Kind::Yuv420p10le => {
                let ([y0, y1], [u, v]) = at.planes_420(frame, 2);
                kernels::pack_420p10(y0, y1, u, v, wire);
            }
            Kind::P010le => {
                let ([y0, y1], uv) = at.pairs_420(frame, 2);
                kernels::pack_p010(y0, y1, uv, wire);
            }
            Kind::Yuv444p10le => {
                let [y, u, v] = at.planes_444(frame, 2);
                kernels::pack_444p10(y, u, v, wire);
            }
            Kind::Bgr24 => kernels::pack_rgb::<3>([2, 1, 0], at.pixels(frame, 3), wire),
            Kind::Rgba => kernels::pack_rgb::<4>([0, 1, 2], at.pixels(frame, 4), wire),
            Kind::Bgra => kernels::pack_rgb::<4>([2, 1, 0], at.pixels(frame, 4), wire),
        }
    }

    /// Puts a segment into a frame. Bytes of other pixels are left as they are.
    ///
    /// # Panics
    /// As [`pack`](Self::pack).
    pub fn unpack(&self, wire: &[u8], frame: &mut [u8], segment: Segment) {
        self.check(frame.len(), segment, wire.len());
        let at = Place::of(&self.picture, segment);
        match self.kind {
            Kind::Copy => frame[at.packed..][..wire.len()].copy_from_slice(wire),
            Kind::Yuv422p10le => {
                let [y, u, v] = at.planes_422_mut(frame, 2);
                kernels::unpack_422p10(self.simd, wire, y, u, v);
            }
            Kind::V210 => kernels::unpack_v210(self.simd, wire, frame, at.pixel * 2),
            Kind::Yuv422p => {
                let [y, u, v] = at.planes_422_mut(frame, 1);
                kernels::unpack_422p8(self.simd, wire, y, u, v);
            }
            Kind::Yuv420p => {
                let ([y0, y1], [u, v]) = at.planes_420_mut(frame, 1);
                kernels::unpack_420p8(wire, y0, y1, u, v);
            }
            Kind::Nv12 => {
                let ([y0, y1], uv) = at.pairs_420_mut(frame, 1);
                kernels::unpack_nv12(wire, y0, y1, uv);
            }
            Kind::Yuv420p10le => {
                let ([y0, y1], [u, v]) = at.planes_420_mut(frame, 2);
                kernels::unpack_420p10(wire, y0, y1, u, v);
            }
            Kind::P010le => {
                let ([y0, y1], uv) = at.pairs_420_mut(frame, 2);
                kernels::unpack_p010(wire, y0, y1, uv);
            }
            Kind::Yuv444p10le => {
                let [y, u, v] = at.planes_444_mut(frame, 2);
                kernels::unpack_444p10(wire, y, u, v);
            }
            Kind::Bgr24 => kernels::unpack_rgb::<3>([2, 1, 0], wire, at.pixels_mut(frame, 3)),
            Kind::Rgba => kernels::unpack_rgb::<4>([0, 1, 2], wire, at.pixels_mut(frame, 4)),
            Kind::Bgra => kernels::unpack_rgb::<4>([2, 1, 0], wire, at.pixels_mut(frame, 4)),
        }
    }

    fn check(&self, frame: usize, segment: Segment, wire: usize) {
        assert!(self.picture.contains(segment), "{segment:?} is not within {:?}", self.picture);
        assert!(frame >= self.frame_size, "frame of {frame} bytes, not {}", self.frame_size);
        let octets = segment.count * self.picture.pgroup().octets;
        assert_eq!(wire, octets, "octets of {segment:?}");
    }
}

impl Kind {
    fn of(layout: PixelFormat, wire: WireFormat, direction: Direction) -> Result<Self, VideoError> {
        use PixelFormat as P;
        let refuse = |reason| {
            let verb = if direction == Direction::Send { "sent" } else { "received" };
            let layout = FrameLayout::Mesh(layout);
            Err(VideoError::Layout { layout, verb, format: wire, reason })
        };
        if WireFormat::of(layout) != Some(wire) {
            return refuse("sampling and depth must be the same, or samples would change");
        }
        Ok(match layout {
            P::Yuv422p10Rfc4175 | P::Uyvy422 | P::Rgb24 => Self::Copy,
            P::Yuv422p10le => Self::Yuv422p10le,
            P::V210 => Self::V210,
            P::Yuv422p => Self::Yuv422p,
            P::Yuv420p => Self::Yuv420p,
            P::Nv12 => Self::Nv12,
            P::Yuv420p10le => Self::Yuv420p10le,
            P::P010le => Self::P010le,
            P::Yuv444p10le => Self::Yuv444p10le,
            P::Bgr24 => Self::Bgr24,
            P::Rgba | P::Bgra if direction == Direction::Send => {
                return refuse("alpha would be lost; use rgb24 or bgr24");
            }
            P::Rgba => Self::Rgba,
            P::Bgra => Self::Bgra,
            P::Gray8 | P::Gray10le | P::Gray16le => return refuse("pictures need colour"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{Depth, Sampling, Scan};

    fn conversion(
        format: PixelFormat,
        wire: WireFormat,
        direction: Direction,
    ) -> Result<Conversion, VideoError> {
        let picture = Picture::new(wire, 8, 6, Scan::Progressive)?;
        Conversion::new(picture, FrameLayout::Mesh(format), direction, Simd::SCALAR)
    }

    #[test]
    fn only_exact_pairs_are_accepted() {
        for format in PixelFormat::ALL {
            for wire in WireFormat::all() {
                for direction in [Direction::Send, Direction::Receive] {
                    let alpha = matches!(format, PixelFormat::Rgba | PixelFormat::Bgra);
                    let exact = WireFormat::of(*format) == Some(wire)
                        && (direction == Direction::Receive || !alpha);
                    let made = conversion(*format, wire, direction);
                    assert_eq!(made.is_ok(), exact, "{format} {wire} {direction:?}");
                }
            }
        }
        let wire = WireFormat { sampling: Sampling::Rgb, depth: Depth::Eight };
        let error = conversion(PixelFormat::Rgba, wire, Direction::Send).unwrap_err().to_string();
        assert!(error.contains("rgba") && error.contains("use rgb24"), "{error}");
    }

    /// All samples of every layout at places worked out by hand, for one pgroup of a picture of 8 × 6 pixels.
    #[test]
    fn samples_lie_where_the_standards_have_them() {
        let ten = |samples: &[u16]| {
            let bits =
                samples.iter().flat_map(|sample| (0..10).rev().map(move |b| sample >> b & 1));
            let bits: Vec<_> = bits.collect();
            bits.chunks(8).map(|byte| byte.iter().fold(0, |a, b| a << 1 | *b as u8)).collect()
        };
        let low = |samples: &[(usize, u16)]| -> Vec<(usize, u8)> {
            let bytes = |(at, sample): &(usize, u16)| {
                let [a, b] = sample.to_le_bytes();
                [(at * 2, a), (at * 2 + 1, b)]
            };
            samples.iter().flat_map(bytes).collect()
        };
        /// Row and first pgroup of one pgroup, its octets, and bytes of the frame that are not 0 then.
        type Example = (PixelFormat, usize, usize, Vec<u8>, Vec<(usize, u8)>);
        let cases: [Example; 8] = [
            // Cb Y Cr Y of line 2, pixels 4 and 5.
            (
                PixelFormat::Yuv422p10le,
                2,
                2,
                ten(&[0x3FF, 0x001, 0x155, 0x2AA]),
                low(&[(20, 1), (21, 0x2AA), (48 + 10, 0x3FF), (72 + 10, 0x155)]),
            ),
            // Component 40 is the second one of word 13.
            (
                PixelFormat::V210,
                2,
                2,
                ten(&[0x3FF, 0x001, 0x155, 0x2AA]),
                (0x3FFu32 << 10 | 0x001 << 20)
                    .to_le_bytes()
                    .into_iter()
                    .chain((0x155u32 | 0x2AA << 10).to_le_bytes())
                    .enumerate()
                    .map(|(at, byte)| (13 * 4 + at, byte))
                    .collect(),
            ),
            (
                PixelFormat::Yuv422p,
                2,
                2,
                vec![1, 2, 3, 4],
                vec![(20, 2), (21, 4), (58, 1), (82, 3)],
            ),
            // Y00 Y01 Y10 Y11 Cb Cr of lines 2 and 3, pixels 4 and 5.
            (
                PixelFormat::Yuv420p,
                1,
                2,
                vec![1, 2, 3, 4, 5, 6],
                vec![(20, 1), (21, 2), (28, 3), (29, 4), (48 + 6, 5), (60 + 6, 6)],
            ),
            (
                PixelFormat::Nv12,
                1,
                2,
                vec![1, 2, 3, 4, 5, 6],
                vec![(20, 1), (21, 2), (28, 3), (29, 4), (48 + 12, 5), (48 + 13, 6)],
            ),
            // Two such groups in 10 bits: pixels 4 to 7.
            (
                PixelFormat::P010le,
                1,
                1,
                ten(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1023]),
                low(&[
                    (20, 1 << 6),
                    (21, 2 << 6),
                    (28, 3 << 6),
                    (29, 4 << 6),
                    (60, 5 << 6),
                    (61, 6 << 6),
                    (22, 7 << 6),
                    (23, 8 << 6),
                    (30, 9 << 6),
                    (31, 10 << 6),
                    (62, 11 << 6),
                    (63, 1023 << 6),
                ]),
            ),
            // Cb Y Cr of four pixels.
            (
                PixelFormat::Yuv444p10le,
                2,
                1,
                ten(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1023]),
                low(&[
                    (20, 2),
                    (21, 5),
                    (22, 8),
                    (23, 11),
                    (68, 1),
                    (69, 4),
                    (70, 7),
                    (71, 10),
                    (116, 3),
                    (117, 6),
                    (118, 9),
                    (119, 1023),
                ]),
            ),
            (PixelFormat::Bgra, 2, 4, vec![1, 2, 3], vec![(80, 3), (81, 2), (82, 1), (83, 255)]),
        ];
        for (format, row, first, wire, bytes) in cases {
            let of = WireFormat::of(format).unwrap();
            let conversion = conversion(format, of, Direction::Receive).unwrap();
            let mut frame = vec![0; conversion.frame_size()];
            let segment = Segment { row, first, count: 1 };
            conversion.unpack(&wire, &mut frame, segment);
            let mut expected = vec![0; frame.len()];
            for (at, byte) in bytes {
                expected[at] = byte;
            }
            assert_eq!(frame, expected, "{format}");
            let mut back = vec![0; wire.len()];
            conversion.pack(&frame, segment, &mut back);
            assert_eq!(back, wire, "{format}");
        }
    }
}
