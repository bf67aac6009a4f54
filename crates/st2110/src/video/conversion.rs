//! Conversion between pgroups in packets and samples in memory, segment by segment.

use std::fmt;

use media::PixelFormat;

use super::kernels::{self, Simd};
use super::place::Place;
use super::{Depth, Picture, Segment, VideoError, WireFormat};

/// How a frame lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameLayout {
    /// The wire's pgroups, row after row: for formats that have no other layout.
    Wire,
    /// A format of the mesh.
    Mesh(PixelFormat),
    /// The same, for receivers who want 12 bits as the upper 10 of them.
    Narrowed(PixelFormat),
}

impl fmt::Display for FrameLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wire => f.write_str("pgroups"),
            Self::Mesh(format) => format.fmt(f),
            Self::Narrowed(format) => write!(f, "{format}, narrowed"),
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
    Gray10le,
    Gray16le,
    /// 12 bits on the wire, 10 in memory.
    Wide422,
    Wide420,
    Wide444,
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
/// | KEY, 8, 10, 16 bits | `gray8` (as the wire), `gray10le`, `gray16le` |
/// | 4:2:2, 4:2:0, 4:4:4 with 12 bits | to send: `yuv422p10le`, `yuv420p10le`, `yuv444p10le`, their values times 4; to receive: the same, if asked for as [`FrameLayout::Narrowed`] |
///
/// Other pairs would change samples, or lose the alpha channel, and are refused. Of samples that
/// are stored in more bits than they have, only theirs are sent: the low 10 of 16, or the high 10
/// for `p010le`.
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
            FrameLayout::Mesh(format) | FrameLayout::Narrowed(format) => {
                Kind::of(layout, format, picture.format(), direction)?
            }
        };
        let frame_size = match layout {
            FrameLayout::Wire => picture.packed_size(),
            FrameLayout::Mesh(format) | FrameLayout::Narrowed(format) => format
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
    /// If the segment is not within the picture, `frame` smaller than
    /// [`frame_size`](Self::frame_size), or `wire` of another size.
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
            Kind::Gray10le => kernels::pack_gray10(at.pixels(frame, 2), wire),
            Kind::Gray16le => kernels::swap_octets(at.pixels(frame, 2), wire),
            Kind::Wide422 => {
                let [y, u, v] = at.planes_422(frame, 2);
                kernels::pack_422p12(y, u, v, wire);
            }
            Kind::Wide420 => {
                let ([y0, y1], [u, v]) = at.planes_420(frame, 2);
                kernels::pack_420p12(y0, y1, u, v, wire);
            }
            Kind::Wide444 => {
                let [y, u, v] = at.planes_444(frame, 2);
                kernels::pack_444p12(y, u, v, wire);
            }
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
            Kind::Gray10le => kernels::unpack_gray10(wire, at.pixels_mut(frame, 2)),
            Kind::Gray16le => kernels::swap_octets(wire, at.pixels_mut(frame, 2)),
            Kind::Wide422 => {
                let [y, u, v] = at.planes_422_mut(frame, 2);
                kernels::unpack_422p12(wire, y, u, v);
            }
            Kind::Wide420 => {
                let ([y0, y1], [u, v]) = at.planes_420_mut(frame, 2);
                kernels::unpack_420p12(wire, y0, y1, u, v);
            }
            Kind::Wide444 => {
                let [y, u, v] = at.planes_444_mut(frame, 2);
                kernels::unpack_444p12(wire, y, u, v);
            }
        }
    }

    /// Sets the bytes of a segment's pixels to zero, an alpha channel's too. Bytes of other pixels
    /// are left as they are.
    ///
    /// # Panics
    /// If the segment is not within the picture, or `frame` smaller than
    /// [`frame_size`](Self::frame_size).
    pub fn clear(&self, frame: &mut [u8], segment: Segment) {
        static ZEROS: [u8; Segment::CHUNK_OCTETS] = [0; Segment::CHUNK_OCTETS];
        let octets = self.picture.pgroup().octets;
        for part in segment.chunks() {
            let zeros = &ZEROS[..part.count * octets];
            match self.kind {
                // Unpacking would set alpha.
                Kind::Rgba | Kind::Bgra => {
                    self.check(frame.len(), part, zeros.len());
                    Place::of(&self.picture, part).pixels_mut(frame, 4).fill(0);
                }
                _ => self.unpack(zeros, frame, part),
            }
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
    fn of(
        layout: FrameLayout,
        format: PixelFormat,
        wire: WireFormat,
        direction: Direction,
    ) -> Result<Self, VideoError> {
        use PixelFormat as P;
        let sending = direction == Direction::Send;
        let refuse = |reason| {
            let verb = if sending { "sent" } else { "received" };
            Err(VideoError::Layout { layout, verb, format: wire, reason })
        };
        let own = WireFormat::of(format);
        if own.sampling != wire.sampling {
            return refuse("sampling must be the same");
        }
        if own.depth != wire.depth {
            let wide = match (format, wire.depth) {
                (P::Yuv422p10le, Depth::Twelve) => Self::Wide422,
                (P::Yuv420p10le, Depth::Twelve) => Self::Wide420,
                (P::Yuv444p10le, Depth::Twelve) => Self::Wide444,
                _ => return refuse("depth must be the same"),
            };
            if !sending && !matches!(layout, FrameLayout::Narrowed(_)) {
                return refuse("two bits of twelve would be lost");
            }
            return Ok(wide);
        }
        Ok(match format {
            P::Yuv422p10Rfc4175 | P::Uyvy422 | P::Rgb24 | P::Gray8 => Self::Copy,
            P::Yuv422p10le => Self::Yuv422p10le,
            P::V210 => Self::V210,
            P::Yuv422p => Self::Yuv422p,
            P::Yuv420p => Self::Yuv420p,
            P::Nv12 => Self::Nv12,
            P::Yuv420p10le => Self::Yuv420p10le,
            P::P010le => Self::P010le,
            P::Yuv444p10le => Self::Yuv444p10le,
            P::Bgr24 => Self::Bgr24,
            P::Rgba | P::Bgra if sending => {
                return refuse("alpha would be lost; use rgb24 or bgr24");
            }
            P::Rgba => Self::Rgba,
            P::Bgra => Self::Bgra,
            P::Gray10le => Self::Gray10le,
            P::Gray16le => Self::Gray16le,
        })
    }
}
