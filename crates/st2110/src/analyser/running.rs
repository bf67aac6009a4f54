//! Summaries of a whole stream and of its last seconds.

use std::collections::VecDeque;

use media::Tai;

use crate::sequence::Counts;
use crate::time::NANOS;

/// Seconds besides the present one.
const SECONDS: u64 = 5;

/// Figures that can be added up.
pub(crate) trait Figures: Copy + Default {
    /// Takes in those of a later time.
    fn add(&mut self, later: &Self);
}

/// Figures by the second.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running<F> {
    /// Of the present second.
    pub(crate) now: F,
    /// Of all seconds before.
    before: F,
    /// The last of these.
    last: VecDeque<Second<F>>,
    second: u64,
    /// The account of packets when the present second began.
    counts: Counts,
}

#[derive(Clone, Copy, Debug)]
struct Second<F> {
    number: u64,
    figures: F,
    counts: Counts,
}

impl<F: Figures> Running<F> {
    /// Begins the second of `moment`, if that is later than the present one.
    pub(crate) fn turn(&mut self, moment: Tai, counts: impl FnOnce() -> Counts) {
        let second = moment.as_nanos() / NANOS as u64;
        if second <= self.second {
            return;
        }
        let ended = Second { number: self.second, figures: self.now, counts: self.counts };
        self.before.add(&ended.figures);
        self.last.push_back(ended);
        self.last.retain(|old| old.number + SECONDS >= second);
        (self.now, self.second, self.counts) = (F::default(), second, counts());
    }

    /// Of all.
    pub(crate) fn all(&self) -> F {
        let mut all = self.before;
        all.add(&self.now);
        all
    }

    /// Of the present second and the five before it, and the account of packets when they began.
    pub(crate) fn last(&self) -> (F, Counts) {
        let mut figures = F::default();
        self.last.iter().for_each(|second| figures.add(&second.figures));
        figures.add(&self.now);
        (figures, self.last.front().map_or(self.counts, |second| second.counts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Figures for u64 {
        fn add(&mut self, later: &Self) {
            *self += later;
        }
    }

    #[test]
    fn seconds_go_after_five_more() {
        let mut running = Running::<u64>::default();
        // Two packets a second, with the figure one each.
        for received in 0..40 {
            let moment = Tai::from_nanos(received * 500_000_000 + 7_000_000_000);
            running.turn(moment, || Counts { received, ..Counts::default() });
            running.now += 1;
        }
        assert_eq!((running.all(), running.last().0), (40, 12));
        assert_eq!(running.last().1.received, 28);
        // A moment before is of the present second; after a pause nothing is left.
        running.turn(Tai::from_nanos(0), || unreachable!("no second begins"));
        running.turn(Tai::from_nanos(99_000_000_000), Counts::default);
        assert_eq!((running.all(), running.last().0), (40, 0));
    }
}
