//! The set of recently seen sequence numbers.

/// One bit for each of the last numbers up to the highest.
#[derive(Clone, Debug)]
pub(crate) struct History {
    bits: Box<[u64]>,
    first: u64,
    highest: u64,
    accepted: u64,
}

/// Where a number belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placed {
    /// Above all before it; so many were skipped.
    Newer { skipped: u64 },
    /// One that was skipped, or one from before the first that came: that one may have been
    /// reordered too.
    Older,
    /// Seen before.
    Duplicate,
    /// Below the window.
    Late,
}

impl History {
    /// A history of `size` numbers, rounded up to a power of two and at least 64, that has seen
    /// `first`.
    pub(crate) fn new(first: u64, size: u64) -> Self {
        let words = (size.clamp(64, 1 << 24)).next_power_of_two() / 64;
        let bits = vec![0; words as usize].into_boxed_slice();
        let mut history = Self { bits, first, highest: first, accepted: 1 };
        history.set(first);
        history
    }

    /// Starts again at `first`, in the same memory.
    pub(crate) fn restart(&mut self, first: u64) {
        self.bits.fill(0);
        (self.first, self.highest, self.accepted) = (first, first, 1);
        self.set(first);
    }

    pub(crate) const fn highest(&self) -> u64 {
        self.highest
    }

    /// Numbers from the lowest that was seen to the highest that have not been seen.
    pub(crate) const fn missing(&self) -> u64 {
        self.highest - self.first + 1 - self.accepted
    }

    pub(crate) fn insert(&mut self, number: u64) -> Placed {
        if number > self.highest {
            let skipped = number - self.highest - 1;
            self.assign(self.highest + 1, skipped, false);
            self.highest = number;
            self.accepted += 1;
            self.set(number);
            return Placed::Newer { skipped };
        }
        if self.highest - number >= self.bits.len() as u64 * 64 {
            return Placed::Late;
        }
        // What lies below the first number has no bit set yet.
        self.first = self.first.min(number);
        let (word, bit) = self.place(number);
        if self.bits[word] & bit != 0 {
            return Placed::Duplicate;
        }
        self.bits[word] |= bit;
        self.accepted += 1;
        Placed::Older
    }

    /// Inserts the `count` numbers above the highest.
    pub(crate) fn append(&mut self, count: u64) {
        self.assign(self.highest + 1, count, true);
        self.highest += count;
        self.accepted += count;
    }

    /// Whether the `count` numbers from `from` on are all in the window and have been seen.
    pub(crate) fn contains(&self, from: u64, count: u64) -> bool {
        let end = from + count;
        end <= self.highest + 1
            && self.highest - from < self.bits.len() as u64 * 64
            && words(from, count)
                .all(|(number, mask)| self.bits[self.place(number).0] & mask == mask)
    }

    fn set(&mut self, number: u64) {
        let (word, bit) = self.place(number);
        self.bits[word] |= bit;
    }

    /// Notes of the `count` numbers from `from` on whether they have been seen.
    fn assign(&mut self, from: u64, count: u64, seen: bool) {
        if count >= self.bits.len() as u64 * 64 {
            self.bits.fill(if seen { u64::MAX } else { 0 });
            return;
        }
        for (number, mask) in words(from, count) {
            let word = &mut self.bits[self.place(number).0];
            if seen { *word |= mask } else { *word &= !mask }
        }
    }

    fn place(&self, number: u64) -> (usize, u64) {
        // The length is a power of two.
        let word = (number / 64) as usize & (self.bits.len() - 1);
        (word, 1 << (number % 64))
    }
}

/// The `count` numbers from `from` on by words of 64: one of the word's numbers, and the bits of
/// those that are meant.
fn words(from: u64, count: u64) -> impl Iterator<Item = (u64, u64)> {
    let (mut number, end) = (from, from + count);
    std::iter::from_fn(move || {
        if number == end {
            return None;
        }
        let low = number % 64;
        let span = (64 - low).min(end - number);
        let word = (number, (u64::MAX >> (64 - span)) << low);
        number += span;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_window_moves_with_the_highest() {
        let mut history = History::new(1000, 1);
        assert_eq!(history.insert(1063), Placed::Newer { skipped: 62 });
        assert_eq!(history.insert(1000), Placed::Duplicate);
        assert_eq!(history.insert(1001), Placed::Older);
        assert_eq!(history.insert(999), Placed::Late);
        assert_eq!(history.missing(), 61);
        assert_eq!(history.insert(1064), Placed::Newer { skipped: 0 });
        assert_eq!(history.insert(1000), Placed::Late);
        assert_eq!(history.insert(1001), Placed::Duplicate);
        // All bits are new after a leap.
        assert_eq!(history.insert(5000), Placed::Newer { skipped: 3935 });
        assert_eq!(history.insert(4937), Placed::Older);
        history.restart(20);
        assert_eq!((history.missing(), history.insert(21)), (0, Placed::Newer { skipped: 0 }));
    }

    #[test]
    fn the_first_to_come_need_not_be_the_lowest() {
        let mut history = History::new(1000, 64);
        assert_eq!(history.insert(998), Placed::Older);
        assert_eq!((history.missing(), history.insert(998)), (1, Placed::Duplicate));
        assert_eq!((history.insert(999), history.missing()), (Placed::Older, 0));
        assert_eq!((history.insert(936), history.insert(937)), (Placed::Late, Placed::Older));
        assert_eq!(history.missing(), 60);
    }

    proptest! {
        #[test]
        fn many_at_once_are_as_one_after_the_other(
            steps in prop::collection::vec((1_u64..100, 0_u64..6, 0_u64..140), 1..60),
        ) {
            let mut history = History::new(10_000, 128);
            let mut model = history.clone();
            for (count, skipped, back) in steps {
                if skipped > 0 {
                    let number = history.highest() + 1 + skipped;
                    prop_assert_eq!(history.insert(number), model.insert(number));
                }
                let first = history.highest() + 1;
                history.append(count);
                for number in first..first + count {
                    prop_assert_eq!(model.insert(number), Placed::Newer { skipped: 0 });
                }
                prop_assert_eq!((&history.bits, history.highest), (&model.bits, model.highest));
                prop_assert_eq!(history.missing(), model.missing());
                let from = history.highest().saturating_sub(back);
                let seen = |number| {
                    number <= history.highest() && history.clone().insert(number) == Placed::Duplicate
                };
                let expected = (from..from + count).all(seen);
                prop_assert_eq!(history.contains(from, count), expected);
            }
        }

        #[test]
        fn it_agrees_with_a_set(steps in prop::collection::vec((-200_i64..200, 0_u8..20), 1..300)) {
            let mut history = History::new(10_000, 128);
            let mut seen = BTreeSet::from([10_000_u64]);
            let mut highest = 10_000_u64;
            for (step, leap) in steps {
                let step = if leap == 0 { step * 3 } else { step / 8 };
                let number = highest.saturating_add_signed(step);
                let expected = if number > highest {
                    Placed::Newer { skipped: number - highest - 1 }
                } else if highest - number >= 128 {
                    Placed::Late
                } else if seen.contains(&number) {
                    Placed::Duplicate
                } else {
                    Placed::Older
                };
                prop_assert_eq!(history.insert(number), expected);
                if expected != Placed::Late {
                    seen.insert(number);
                }
                highest = highest.max(number);
                let lowest = *seen.first().unwrap();
                prop_assert_eq!(history.missing(), highest - lowest + 1 - seen.len() as u64);
            }
        }
    }
}
