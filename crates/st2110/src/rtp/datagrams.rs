//! Datagrams that the kernel coalesced into one buffer (GRO).

use std::ops::Range;

/// Datagrams one behind the other in memory. All have the same length, only the last one may be
/// shorter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagrams<'a> {
    bytes: &'a [u8],
    /// At least 1.
    length: usize,
    count: usize,
}

impl<'a> Datagrams<'a> {
    /// `bytes`, cut every `length` bytes. With 0 they are one datagram; no bytes at all are an
    /// empty one.
    #[must_use]
    pub fn new(bytes: &'a [u8], length: usize) -> Self {
        let length = if length == 0 { bytes.len().max(1) } else { length };
        Self { bytes, length, count: bytes.len().div_ceil(length).max(1) }
    }

    /// A single one.
    #[must_use]
    pub fn one(bytes: &'a [u8]) -> Self {
        Self::new(bytes, 0)
    }

    /// How many, at least one.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Octets of all of them.
    #[must_use]
    pub const fn octets(&self) -> usize {
        self.bytes.len()
    }

    /// Octets of the longest, which is the first.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.length.min(self.bytes.len())
    }

    /// The one with that index, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        let rest = self.bytes.get(index.checked_mul(self.length)?..)?;
        (index < self.count).then(|| &rest[..self.length.min(rest.len())])
    }

    /// Those with an index in `range`; `None` if there is none, or not all of them.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Option<Self> {
        if range.is_empty() || range.end > self.count {
            return None;
        }
        let end = self.bytes.len().min(range.end * self.length);
        let bytes = self.bytes.get(range.start * self.length..end)?;
        Some(Self { bytes, length: self.length, count: range.len() })
    }

    /// One after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let all = *self;
        // All indices are those of a datagram.
        (0..self.count).map(move |index| all.get(index).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(datagrams: Datagrams<'_>) -> Vec<usize> {
        datagrams.iter().map(<[u8]>::len).collect()
    }

    #[test]
    fn the_last_may_be_shorter() {
        let bytes: Vec<u8> = (0..10).collect();
        let datagrams = Datagrams::new(&bytes, 4);
        assert_eq!((datagrams.count(), datagrams.octets(), datagrams.longest()), (3, 10, 4));
        assert_eq!(datagrams.get(2), Some(&bytes[8..]));
        assert_eq!((datagrams.get(3), datagrams.get(usize::MAX)), (None, None));
        assert_eq!(lengths(datagrams), [4, 4, 2]);
        assert_eq!(lengths(Datagrams::new(&bytes, 5)), [5, 5]);
        assert_eq!(lengths(Datagrams::new(&bytes, 50)), [10]);
        assert_eq!(lengths(Datagrams::one(&bytes)), [10]);
        assert_eq!(Datagrams::new(&bytes, 50).longest(), 10);
    }

    #[test]
    fn nothing_is_an_empty_datagram() {
        for empty in [Datagrams::new(&[], 0), Datagrams::new(&[], 7), Datagrams::one(&[])] {
            assert_eq!((lengths(empty), empty.longest()), (vec![0], 0));
            assert_eq!(empty.part(0..1), Some(empty));
        }
    }

    #[test]
    fn parts_are_whole_datagrams() {
        let bytes: Vec<u8> = (0..10).collect();
        let datagrams = Datagrams::new(&bytes, 4);
        let part = |range| datagrams.part(range).map(lengths);
        assert_eq!(part(1..3), Some(vec![4, 2]));
        assert_eq!(part(2..3), Some(vec![2]));
        assert_eq!(part(0..2), Some(vec![4, 4]));
        assert_eq!((part(1..1), part(2..4)), (None, None));
        assert_eq!(datagrams.part(1..3).and_then(|part| part.get(0)), Some(&bytes[4..8]));
    }
}
