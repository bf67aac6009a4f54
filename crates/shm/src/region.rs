//! Byte ranges of a payload.

/// A part of a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Its first byte.
    pub offset: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Region {
    pub(crate) fn to_word(self) -> u64 {
        u64::from(self.offset) | u64::from(self.len) << 32
    }

    pub(crate) fn from_word(word: u64) -> Self {
        Self { offset: word as u32, len: (word >> 32) as u32 }
    }

    fn end(self) -> u32 {
        self.offset.saturating_add(self.len)
    }

    /// The part of it that lies in a payload of `size` bytes.
    pub(crate) fn within(self, size: usize) -> Option<Self> {
        let end = self.end().min(u32::try_from(size).unwrap_or(u32::MAX));
        let len = end.checked_sub(self.offset).filter(|len| *len > 0)?;
        Some(Self { offset: self.offset, len })
    }
}

/// At most `most` regions that cover those given, within a payload of `size` bytes.
pub(crate) fn fitting(
    regions: impl IntoIterator<Item = Region>,
    most: usize,
    size: usize,
) -> impl Iterator<Item = Region> {
    let mut regions = regions.into_iter().filter_map(move |region| region.within(size));
    let mut left = most;
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let region = regions.next()?;
        if left > 0 {
            return Some(region);
        }
        let end = regions.by_ref().map(Region::end).fold(region.end(), u32::max);
        Some(Region { len: end - region.offset, ..region })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(offset: u32, len: u32) -> Region {
        Region { offset, len }
    }

    #[test]
    fn words_hold_both_numbers() {
        let whole = region(u32::MAX, 7);
        assert_eq!(Region::from_word(whole.to_word()), whole);
    }

    #[test]
    fn too_many_regions_are_covered_by_the_last() {
        let all = [region(0, 10), region(20, 10), region(40, 10), region(90, 50)];
        let fit = |most| fitting(all, most, 100).collect::<Vec<_>>();
        assert_eq!(fit(9), [region(0, 10), region(20, 10), region(40, 10), region(90, 10)]);
        assert_eq!(fit(2), [region(0, 10), region(20, 80)]);
        assert_eq!(fit(0), []);
        assert_eq!(fitting([region(200, 5)], 4, 100).count(), 0);
    }
}
