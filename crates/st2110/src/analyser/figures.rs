//! Spreads and histograms of measured values.

/// The least, the mean and the greatest of some values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    /// How many values.
    pub count: u64,
    /// The least; 0 without values.
    pub min: i64,
    /// The greatest; 0 without values.
    pub max: i64,
    sum: i128,
}

impl Spread {
    /// Takes a value in.
    pub fn add(&mut self, value: i64) {
        if self.count == 0 {
            (self.min, self.max) = (value, value);
        }
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        self.sum += i128::from(value);
        self.count += 1;
    }

    /// Takes a value in several times.
    pub(crate) fn repeat(&mut self, value: i64, times: u64) {
        let sum = i128::from(value) * i128::from(times);
        self.merge(&Self { count: times, min: value, max: value, sum });
    }

    /// Takes the values of another one in.
    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        let own = if self.count == 0 { *other } else { *self };
        (self.min, self.max) = (own.min.min(other.min), own.max.max(other.max));
        self.sum += other.sum;
        self.count += other.count;
    }

    /// The mean, or `None` without values.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }
}

/// Durations by the power of two of their nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many durations were at least 2ⁱ and less than 2ⁱ⁺¹ ns; 0 ns is in the first bin,
    /// everything from 2³¹ ns on in the last.
    pub bins: [u64; 32],
}

impl Histogram {
    /// Takes a duration in.
    pub fn add(&mut self, nanos: u64) {
        self.repeat(nanos, 1);
    }

    /// Takes a duration in several times.
    pub(crate) fn repeat(&mut self, nanos: u64, times: u64) {
        let bin = nanos.max(1).ilog2().min(31) as usize;
        self.bins[bin] += times;
    }

    /// Takes the durations of another one in.
    pub fn merge(&mut self, other: &Self) {
        for (bin, more) in self.bins.iter_mut().zip(other.bins) {
            *bin += more;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_by_hand() {
        let mut spread = Spread::default();
        assert_eq!(spread.mean(), None);
        for value in [-3, 4, 8] {
            spread.add(value);
        }
        assert_eq!((spread.min, spread.max, spread.mean()), (-3, 8, Some(3.0)));
        let mut both = Spread::default();
        both.merge(&Spread::default());
        assert_eq!(both.mean(), None);
        both.merge(&spread);
        assert_eq!(both, spread);
        let mut other = Spread::default();
        other.add(-13);
        both.merge(&other);
        assert_eq!((both.min, both.max, both.mean()), (-13, 8, Some(-1.0)));
        let mut histogram = Histogram::default();
        for nanos in [0, 1, 2, 3, 4, 1023, 1024, u64::MAX] {
            histogram.add(nanos);
        }
        assert_eq!(histogram.bins[..3], [2, 2, 1]);
        let mut twice = histogram;
        twice.merge(&histogram);
        assert_eq!((twice.bins[0], twice.bins[31]), (4, 2));
        assert_eq!((histogram.bins[9], histogram.bins[10], histogram.bins[31]), (1, 1, 1));
    }
}
