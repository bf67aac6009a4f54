//! Record of the pgroups of a frame that have arrived.

use std::ops::Range;

use super::{Picture, Segment};

const WORD: usize = u64::BITS as usize;

/// A record of a frame's pgroups: which of them are there. One bit each, 130 KB for 1080 lines of
/// 4:2:2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    picture: Picture,
    bits: Vec<u64>,
    missing: usize,
}

/// Part of a line, or of two lines for 4:2:0, that did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Missing {
    /// Line of the frame, or the upper one of two.
    pub line: u32,
    /// 1, or 2 for 4:2:0.
    pub lines: u32,
    /// First pixel.
    pub first: u32,
    /// How many pixels.
    pub pixels: u32,
}

impl Arrival {
    /// A frame of which nothing is there.
    #[must_use]
    pub fn new(picture: Picture) -> Self {
        let missing = picture.rows() * picture.row_pgroups();
        Self { picture, bits: vec![0; missing.div_ceil(WORD)], missing }
    }

    /// Begins another frame.
    pub fn clear(&mut self) {
        self.bits.fill(0);
        self.missing = self.picture.rows() * self.picture.row_pgroups();
    }

    /// What the frame is like.
    #[must_use]
    pub const fn picture(&self) -> &Picture {
        &self.picture
    }

    /// Whether all is there.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Pixels that are not there.
    #[must_use]
    pub const fn missing_pixels(&self) -> usize {
        let pgroup = self.picture.pgroup();
        self.missing * pgroup.pixels * pgroup.lines
    }

    /// What is not there, from top to bottom and left to right. Neighbouring gaps in a line are
    /// one.
    pub fn missing(&self) -> impl Iterator<Item = Missing> + '_ {
        let pgroup = self.picture.pgroup();
        // Dimensions have 15 bits.
        self.gaps().map(move |gap| Missing {
            line: (gap.row * pgroup.lines) as u32,
            lines: pgroup.lines as u32,
            first: (gap.first * pgroup.pixels) as u32,
            pixels: (gap.count * pgroup.pixels) as u32,
        })
    }

    /// What is not there, as segments.
    pub fn gaps(&self) -> impl Iterator<Item = Segment> + '_ {
        let row_pgroups = self.picture.row_pgroups();
        let total = self.picture.rows() * row_pgroups;
        let mut at = 0;
        std::iter::from_fn(move || {
            let start = self.find(at..total, false)?;
            let row = start / row_pgroups;
            let row_end = (row + 1) * row_pgroups;
            at = self.find(start..row_end, true).unwrap_or(row_end);
            Some(Segment { row, first: start % row_pgroups, count: at - start })
        })
    }

    /// The first bit of this value in a range.
    fn find(&self, range: Range<usize>, value: bool) -> Option<usize> {
        let mut at = range.start;
        while at < range.end {
            let word = self.bits[at / WORD] >> (at % WORD);
            let word = if value { word } else { !word };
            // For zeros, those shifted in from the left count as ones: cut to what is left of the
            // word.
            let found = word.trailing_zeros() as usize;
            let left = WORD - at % WORD;
            if found < left {
                return Some(at + found).filter(|found| *found < range.end);
            }
            at += left;
        }
        None
    }

    /// Notes that a segment within the picture is there. Returns how many of its pgroups were not
    /// before.
    pub(super) fn mark(&mut self, segment: Segment) -> usize {
        let mut at = segment.row * self.picture.row_pgroups() + segment.first;
        let end = at + segment.count;
        let mut new = 0;
        while at < end {
            let shift = at % WORD;
            let count = (WORD - shift).min(end - at);
            let mask = (u64::MAX >> (WORD - count)) << shift;
            let word = &mut self.bits[at / WORD];
            // Nearly always all are new, and counting bits takes longer than looking.
            new += match *word & mask {
                0 => count,
                old => count - old.count_ones() as usize,
            };
            *word |= mask;
            at += count;
        }
        self.missing -= new;
        new
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::video::{Depth, Sampling, Scan, WireFormat};

    #[test]
    fn gaps_are_found_in_pixels() {
        let format = WireFormat { sampling: Sampling::YCbCr420, depth: Depth::Eight };
        let picture = Picture::new(format, 200, 4, Scan::Progressive).unwrap();
        let mut arrival = Arrival::new(picture);
        let gap = |line, first, pixels| Missing { line, lines: 2, first, pixels };
        assert_eq!(arrival.missing().collect::<Vec<_>>(), [gap(0, 0, 200), gap(2, 0, 200)]);
        assert_eq!(arrival.mark(Segment { row: 0, first: 60, count: 40 }), 40);
        assert_eq!(arrival.mark(Segment { row: 1, first: 1, count: 98 }), 98);
        let missing: Vec<_> = arrival.missing().collect();
        assert_eq!(missing, [gap(0, 0, 120), gap(2, 0, 2), gap(2, 198, 2)]);
        assert_eq!(arrival.missing_pixels(), 2 * 124);
        assert_eq!(arrival.mark(Segment { row: 0, first: 0, count: 100 }), 60);
        assert_eq!(arrival.mark(Segment { row: 1, first: 0, count: 100 }), 2);
        assert!(arrival.is_complete() && arrival.missing().next().is_none());
        arrival.clear();
        assert_eq!(arrival, Arrival::new(picture));
    }

    proptest! {
        #[test]
        fn it_is_a_set_of_pgroups(
            width in 1u32..150,
            height in 1u32..5,
            marks in proptest::collection::vec(any::<[usize; 3]>(), 0..20),
        ) {
            let format = WireFormat { sampling: Sampling::Rgb, depth: Depth::Eight };
            let picture = Picture::new(format, width, height, Scan::Progressive).unwrap();
            let mut arrival = Arrival::new(picture);
            let width = width as usize;
            let mut model = vec![false; width * height as usize];
            for [row, first, count] in marks {
                let (row, first) = (row % height as usize, first % width);
                let count = count % (width - first + 1);
                let part = &mut model[row * width + first..][..count];
                let new = part.iter().filter(|there| !**there).count();
                part.fill(true);
                prop_assert_eq!(arrival.mark(Segment { row, first, count }), new);
            }
            let mut gaps = vec![true; model.len()];
            let mut last = None;
            for gap in arrival.gaps() {
                gaps[gap.row * width + gap.first..][..gap.count].fill(false);
                prop_assert!(gap.count > 0 && last < Some((gap.row, gap.first)));
                last = Some((gap.row, gap.first + gap.count));
            }
            prop_assert_eq!(arrival.missing_pixels(), model.iter().filter(|there| !**there).count());
            prop_assert_eq!(gaps, model);
        }
    }
}
