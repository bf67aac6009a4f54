//! The places of a segment's samples in a frame.

use super::{Picture, Segment};

/// Where a segment is in a frame. Subsampled formats have even widths and heights, see
/// [`Picture::new`].
pub(super) struct Place {
    /// Pixels of a line, and lines.
    width: usize,
    height: usize,
    /// Line of the frame, the upper one for pgroups of two.
    line: usize,
    /// First pixel in the line, and how many there are in it.
    x: usize,
    pixels: usize,
    /// First pixel in the frame.
    pub(super) pixel: usize,
    /// First byte, for frames that are as the wire.
    pub(super) packed: usize,
}

/// Declares a method for shared and for exclusive slices.
macro_rules! both {
    ($shared:ident, $mutable:ident, $doc:literal, ($($param:ident),*) -> $shape:ty as $shape_mut:ty, $body:ident) => {
        #[doc = $doc]
        pub(super) fn $shared<'a>(&self, frame: &'a [u8], $($param: usize),*) -> $shape {
            $body!(self, frame, split_at, $($param),*)
        }

        #[doc = $doc]
        pub(super) fn $mutable<'a>(&self, frame: &'a mut [u8], $($param: usize),*) -> $shape_mut {
            $body!(self, frame, split_at_mut, $($param),*)
        }
    };
}

/// The `$len` bytes from `$start` on.
macro_rules! part {
    ($slice:expr, $split:ident, $start:expr, $len:expr) => {
        $slice.$split($start).1.$split($len).0
    };
}

macro_rules! planes_422 {
    ($self:ident, $frame:ident, $split:ident, $bytes:ident) => {{
        let (y, chroma) = $frame.$split($self.width * $self.height * $bytes);
        let (u, v) = chroma.$split($self.width / 2 * $self.height * $bytes);
        let (at, len) = ($self.pixel * $bytes, $self.pixels * $bytes);
        [
            part!(y, $split, at, len),
            part!(u, $split, at / 2, len / 2),
            part!(v, $split, at / 2, len / 2),
        ]
    }};
}

macro_rules! planes_444 {
    ($self:ident, $frame:ident, $split:ident, $bytes:ident) => {{
        let plane = $self.width * $self.height * $bytes;
        let (y, chroma) = $frame.$split(plane);
        let (u, v) = chroma.$split(plane);
        let (at, len) = ($self.pixel * $bytes, $self.pixels * $bytes);
        [part!(y, $split, at, len), part!(u, $split, at, len), part!(v, $split, at, len)]
    }};
}

macro_rules! pairs_420 {
    ($self:ident, $frame:ident, $split:ident, $bytes:ident) => {{
        let (y, uv) = $frame.$split($self.width * $self.height * $bytes);
        let len = $self.pixels * $bytes;
        let (upper, lower) = y.$split(($self.line + 1) * $self.width * $bytes);
        let y = [
            part!(upper, $split, $self.pixel * $bytes, len),
            part!(lower, $split, $self.x * $bytes, len),
        ];
        (y, part!(uv, $split, ($self.line / 2 * $self.width + $self.x) * $bytes, len))
    }};
}

macro_rules! planes_420 {
    ($self:ident, $frame:ident, $split:ident, $bytes:ident) => {{
        let (y, chroma) = $frame.$split($self.width * $self.height * $bytes);
        let (u, v) = chroma.$split($self.width / 2 * ($self.height / 2) * $bytes);
        let len = $self.pixels * $bytes;
        let (upper, lower) = y.$split(($self.line + 1) * $self.width * $bytes);
        let y = [
            part!(upper, $split, $self.pixel * $bytes, len),
            part!(lower, $split, $self.x * $bytes, len),
        ];
        let at = ($self.line / 2 * $self.width + $self.x) / 2 * $bytes;
        (y, [part!(u, $split, at, len / 2), part!(v, $split, at, len / 2)])
    }};
}

macro_rules! pixels {
    ($self:ident, $frame:ident, $split:ident, $bytes:ident) => {
        part!($frame, $split, $self.pixel * $bytes, $self.pixels * $bytes)
    };
}

impl Place {
    pub(super) fn of(picture: &Picture, segment: Segment) -> Self {
        let pgroup = picture.pgroup();
        let width = picture.width() as usize;
        let (line, x) = (segment.row * pgroup.lines, segment.first * pgroup.pixels);
        Self {
            width,
            height: picture.height() as usize,
            line,
            x,
            pixels: segment.count * pgroup.pixels,
            pixel: line * width + x,
            packed: (segment.row * picture.row_pgroups() + segment.first) * pgroup.octets,
        }
    }

    both!(planes_422, planes_422_mut, "Y, U and V of planes, chroma halved in width; `bytes` of a sample.",
        (bytes) -> [&'a [u8]; 3] as [&'a mut [u8]; 3], planes_422);
    both!(planes_444, planes_444_mut, "Y, U and V of planes of one size.",
        (bytes) -> [&'a [u8]; 3] as [&'a mut [u8]; 3], planes_444);
    both!(planes_420, planes_420_mut, "Two lines of Y, and U and V of planes, chroma halved both ways.",
        (bytes) -> ([&'a [u8]; 2], [&'a [u8]; 2]) as ([&'a mut [u8]; 2], [&'a mut [u8]; 2]), planes_420);
    both!(pairs_420, pairs_420_mut, "Two lines of Y, and pairs of U and V.",
        (bytes) -> ([&'a [u8]; 2], &'a [u8]) as ([&'a mut [u8]; 2], &'a mut [u8]), pairs_420);
    both!(pixels, pixels_mut, "Packed pixels of `bytes` bytes.",
        (bytes) -> &'a [u8] as &'a mut [u8], pixels);
}
