//! Delivery delay of frames: a histogram in the receiver's seat, which the proxy reads.
//!
//! Reading the clocks costs more than taking a frame, so at most one frame each [`APART_NS`] is
//! measured. At the rates of video and audio that is every frame.

use crate::words::{DELAY_BUCKETS, DelayLine};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Frames that were put closer to the last measured one than this are not measured.
pub const APART_NS: u64 = 250_000;

/// Longer delays are none: the frame's time is on another scale.
const LONGEST_NS: u64 = 3_600_000_000_000;

/// The greatest delay, in nanoseconds, that each bucket but the last counts: 1 µs, 2 µs, 5 µs and
/// so on to 10 s. The last one counts the rest.
pub const DELAY_BOUNDS_NS: [u64; DELAY_BUCKETS - 1] = bounds();

const fn bounds() -> [u64; DELAY_BUCKETS - 1] {
    let mut bounds = [0; DELAY_BUCKETS - 1];
    let (mut index, mut decade) = (0, 1_000);
    while index < bounds.len() {
        bounds[index] = decade * [1, 2, 5][index % 3];
        if index % 3 == 2 {
            decade *= 10;
        }
        index += 1;
    }
    bounds
}

/// Delays of frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Number of frames in each bucket; see [`DELAY_BOUNDS_NS`].
    pub buckets: [u64; DELAY_BUCKETS],
    /// Their sum in nanoseconds.
    pub sum_ns: u64,
}

impl Delays {
    /// Number of frames.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.iter().fold(0, |sum, bucket| sum.saturating_add(*bucket))
    }

    /// Adds those of another ring.
    pub fn add(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            // A broken receiver may write any values.
            *bucket = bucket.saturating_add(more);
        }
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }
}

impl DelayLine {
    /// Counts a delay. Only one thread at a time may do so.
    pub(crate) fn note(&self, delay_ns: u64) {
        if delay_ns > LONGEST_NS {
            return;
        }
        let bucket = DELAY_BOUNDS_NS.partition_point(|bound| *bound < delay_ns);
        add(&self.buckets[bucket], 1);
        add(&self.sum_ns, delay_ns);
    }

    /// Counts so far.
    pub(crate) fn read(&self) -> Delays {
        Delays {
            buckets: std::array::from_fn(|bucket| self.buckets[bucket].load(Relaxed)),
            sum_ns: self.sum_ns.load(Relaxed),
        }
    }
}

fn add(count: &AtomicU64, more: u64) {
    count.store(count.load(Relaxed).wrapping_add(more), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> DelayLine {
        DelayLine { buckets: std::array::from_fn(|_| AtomicU64::new(0)), sum_ns: AtomicU64::new(0) }
    }

    #[test]
    fn bounds_are_one_two_five() {
        assert_eq!(DELAY_BOUNDS_NS[..4], [1_000, 2_000, 5_000, 10_000]);
        assert_eq!(DELAY_BOUNDS_NS.last(), Some(&10_000_000_000));
    }

    #[test]
    fn delays_are_counted_where_they_belong() {
        let line = line();
        for delay in [0, 1_000, 1_001, 10_000_000_000, 10_000_000_001, LONGEST_NS + 1] {
            line.note(delay);
        }
        let delays = line.read();
        let filled: Vec<_> = (0..DELAY_BUCKETS).filter(|b| delays.buckets[*b] > 0).collect();
        assert_eq!(filled, [0, 1, DELAY_BUCKETS - 2, DELAY_BUCKETS - 1]);
        assert_eq!((delays.buckets[0], delays.count()), (2, 5));
        assert_eq!(delays.sum_ns, 20_000_002_002);
        let mut sum = delays;
        sum.add(&delays);
        assert_eq!((sum.count(), sum.sum_ns), (10, 40_000_004_004));
    }
}
