//! Consecutive numbers for frames whose times have jitter.

use media::Tai;

use super::FrameClock;

/// Gives frames their numbers.
///
/// A program hands over frames with times that tremble by its scheduling. Taken on its own,
/// floor(TAI · rate) would give two of them one number and leave the next out. So a frame gets the
/// number after the last one as long as its time fits within one period around it; else numbering
/// follows the time again, but never backwards.
#[derive(Clone, Debug)]
pub struct FrameNumbers {
    clock: FrameClock,
    last: Option<u64>,
}

impl FrameNumbers {
    /// Numbers of frames, or of the fields that `clock` counts.
    pub const fn new(clock: FrameClock) -> Self {
        Self { clock, last: None }
    }

    /// The number of a frame captured at `tai`.
    pub fn next(&mut self, tai: Tai) -> u64 {
        let by_time = self.clock.at(tai);
        let number = match self.last.map(|last| last.saturating_add(1)) {
            Some(next) if by_time.abs_diff(next) <= 1 => next,
            Some(next) => by_time.max(next),
            None => by_time,
        };
        self.last = Some(number);
        number
    }
}

#[cfg(test)]
mod tests {
    use media::FrameRate;
    use proptest::prelude::*;

    use super::*;

    const CLOCK: FrameClock = FrameClock::frames(FrameRate { num: 50, den: 1 });

    fn at(milliseconds: u64) -> Tai {
        Tai::from_millis(milliseconds)
    }

    #[test]
    fn trembling_times_give_consecutive_numbers() {
        let mut numbers = FrameNumbers::new(CLOCK);
        // Frames of 20 ms that come around their boundary.
        let times = [1001, 1019, 1041, 1059, 1081, 1100];
        assert_eq!(times.map(|time| numbers.next(at(time))), [50, 51, 52, 53, 54, 55]);
    }

    #[test]
    fn a_pause_is_followed_and_nothing_goes_back() {
        let mut numbers = FrameNumbers::new(CLOCK);
        assert_eq!(numbers.next(at(1000)), 50);
        assert_eq!(numbers.next(at(2000)), 100);
        // The program's clock went back: numbers go on until it has caught up.
        assert_eq!(numbers.next(at(1000)), 101);
        assert_eq!(numbers.next(at(3000)), 150);
    }

    proptest! {
        #[test]
        fn numbers_rise_and_stay_near(jitter in prop::collection::vec(0_u64..19, 1..200)) {
            let mut numbers = FrameNumbers::new(CLOCK);
            let mut last = None;
            for (frame, jitter) in (1000_u64..).zip(jitter) {
                let number = numbers.next(at(frame * 20 + jitter));
                prop_assert!(number.abs_diff(frame) <= 1);
                prop_assert!(last.is_none_or(|last| number == last + 1));
                last = Some(number);
            }
        }
    }
}
