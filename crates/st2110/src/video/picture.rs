//! Geometry of a frame: fields, rows of pgroups, segments.

use super::{Pgroup, Scan, VideoError, WireFormat};

/// Line numbers and offsets have 15 bits (RFC 4175, clause 4.2).
const MAX_DIMENSION: u32 = 32_767;

/// A field of interlaced video, a segment of PsF, or the whole of a progressive frame, which is
/// always the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Field {
    /// The even lines, F = 0.
    #[default]
    First,
    /// The odd lines, F = 1.
    Second,
}

impl Field {
    /// Both.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// 0 or 1: the F bit.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What a stream's frames are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Picture {
    format: WireFormat,
    width: u32,
    height: u32,
    scan: Scan,
    /// What follows from these and is needed for every packet.
    pgroup: Pgroup,
    row_pgroups: usize,
    rows: usize,
}

/// Pgroups of one row that lie side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Segment {
    /// Row of pgroups, counted from the top of the *frame*.
    pub row: usize,
    /// First pgroup in the row.
    pub first: usize,
    /// How many.
    pub count: usize,
}

impl Segment {
    /// Pgroups in one of [`Segment::chunks`] at most.
    const CHUNK: usize = 64;
    /// Octets that the pgroups of a chunk have at most, in any format.
    pub(super) const CHUNK_OCTETS: usize = Self::CHUNK * 15;

    /// The segment in pieces whose octets fit into a small buffer.
    pub(super) fn chunks(self) -> impl Iterator<Item = Self> {
        let end = self.first + self.count;
        (self.first..end).step_by(Self::CHUNK).map(move |first| Self {
            first,
            count: Self::CHUNK.min(end - first),
            ..self
        })
    }
}

impl Picture {
    /// `width` and `height` are those of the frame, in pixels.
    ///
    /// # Errors
    /// If a dimension is not within 1 to 32767 or not of whole pgroups, if there are fewer lines
    /// than fields, and for 4:2:0 that is not progressive.
    pub fn new(
        format: WireFormat,
        width: u32,
        height: u32,
        scan: Scan,
    ) -> Result<Self, VideoError> {
        let pgroup = format.pgroup();
        let checks =
            [("width", width, pgroup.pixels, 1), ("height", height, pgroup.lines, scan.fields())];
        for (name, value, multiple, least) in checks {
            let in_groups =
                usize::try_from(value).is_ok_and(|v| v.is_multiple_of(multiple) && v >= least);
            if !(1..=MAX_DIMENSION).contains(&value) || !in_groups {
                let allowed = format!(
                    "{least} to {MAX_DIMENSION} in multiples of {multiple} for {format}, {scan}"
                );
                return Err(VideoError::Dimension { name, value, allowed });
            }
        }
        if pgroup.lines > 1 && scan != Scan::Progressive {
            return Err(VideoError::Scan { scan, format });
        }
        let row_pgroups = width as usize / pgroup.pixels;
        let rows = height as usize / pgroup.lines;
        Ok(Self { format, width, height, scan, pgroup, row_pgroups, rows })
    }

    /// Samples on the wire.
    #[must_use]
    pub const fn format(&self) -> WireFormat {
        self.format
    }

    /// Pixels of a line.
    #[must_use]
    pub const fn width(&self) -> u32 {
        self.width
    }

    /// Lines of a frame.
    #[must_use]
    pub const fn height(&self) -> u32 {
        self.height
    }

    /// How a frame is sent.
    #[must_use]
    pub const fn scan(&self) -> Scan {
        self.scan
    }

    /// The pgroup of the format.
    #[must_use]
    pub const fn pgroup(&self) -> Pgroup {
        self.pgroup
    }

    /// Fields of a frame: [`Field::First`] only, or both.
    #[must_use]
    pub fn fields(&self) -> &'static [Field] {
        &Field::ALL[..self.scan.fields()]
    }

    /// Pgroups of a row.
    #[must_use]
    pub const fn row_pgroups(&self) -> usize {
        self.row_pgroups
    }

    /// Octets of a row on the wire.
    #[must_use]
    pub const fn row_octets(&self) -> usize {
        self.row_pgroups() * self.pgroup().octets
    }

    /// Rows of pgroups in a frame: lines, or pairs of lines for 4:2:0.
    #[must_use]
    pub const fn rows(&self) -> usize {
        self.rows
    }

    /// Rows of pgroups in a field. The first has one more where the frame has an odd number.
    #[must_use]
    pub const fn field_rows(&self, field: Field) -> usize {
        match self.scan.fields() {
            2 => (self.rows() + 1 - field.index()) / 2,
            _ => self.rows() - field.index(),
        }
    }

    /// Row of the frame that is a field's row `row`.
    #[must_use]
    pub const fn frame_row(&self, field: Field, row: usize) -> usize {
        row * self.scan.fields() + field.index()
    }

    /// Octets of a frame on the wire, without headers.
    #[must_use]
    pub const fn packed_size(&self) -> usize {
        self.row_octets() * self.rows()
    }

    /// Whether all of a segment lies within the frame.
    #[must_use]
    pub const fn contains(&self, segment: Segment) -> bool {
        segment.row < self.rows()
            && segment.first <= self.row_pgroups()
            && segment.count <= self.row_pgroups() - segment.first
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::video::{Depth, Sampling};

    #[test]
    fn fields_share_out_the_lines() {
        let picture = Picture::new(WireFormat::YCBCR_422_10, 1920, 1035, Scan::Interlaced).unwrap();
        assert_eq!(picture.field_rows(Field::First), 518);
        assert_eq!(picture.field_rows(Field::Second), 517);
        assert_eq!(picture.frame_row(Field::Second, 516), 1033);
        let whole = Picture::new(WireFormat::YCBCR_422_10, 1920, 1080, Scan::Progressive).unwrap();
        assert_eq!((whole.field_rows(Field::First), whole.fields().len()), (1080, 1));
        assert_eq!(whole.packed_size(), 5_184_000);
    }

    #[test]
    fn what_cannot_be_carried_is_refused_by_name() {
        let make = |sampling, depth, width, height, scan| {
            Picture::new(WireFormat { sampling, depth }, width, height, scan)
                .map_or_else(|error| error.to_string(), |_| "accepted".to_owned())
        };
        let (full, sub) = (Sampling::YCbCr444, Sampling::YCbCr420);
        let progressive = Scan::Progressive;
        let error = make(full, Depth::Ten, 1366, 768, progressive);
        assert!(error.starts_with("width 1366: 1 to 32767 in multiples of 4"), "{error}");
        assert!(make(sub, Depth::Eight, 4, 3, progressive).starts_with("height 3"));
        assert!(make(full, Depth::Eight, 32_768, 3, progressive).starts_with("width 32768"));
        assert!(make(full, Depth::Eight, 3, 0, progressive).starts_with("height 0"));
        assert!(make(full, Depth::Eight, 3, 1, Scan::Psf).starts_with("height 1"));
        assert!(make(sub, Depth::Eight, 4, 4, Scan::Interlaced).starts_with("scan interlaced"));
        assert_eq!(make(full, Depth::Eight, 3, 2, Scan::Psf), "accepted");
    }
}
