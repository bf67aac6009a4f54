//! Medians and percentiles.

/// Values of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    pub(crate) fn extend(&mut self, values: impl IntoIterator<Item = f64>) {
        self.0.extend(values);
    }

    /// The value that `part` (0 to 1) of all are not above; NaN where there are none.
    pub(crate) fn quantile(&self, part: f64) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (part * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }

    /// The median of the ratios of neighbours in two series of the same length.
    pub(crate) fn ratio(&self, floor: &Self) -> f64 {
        Self(self.0.iter().zip(&floor.0).map(|(value, floor)| value / floor).collect()).median()
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }
}

impl IntoIterator for Samples {
    type Item = f64;
    type IntoIter = std::vec::IntoIter<f64>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let mut samples = Samples::default();
        samples.extend((1..=100).rev().map(f64::from));
        assert_eq!((samples.median(), samples.quantile(0.99)), (50.0, 99.0));
        assert_eq!((samples.quantile(0.0), samples.quantile(1.0)), (1.0, 100.0));
        assert!(Samples::default().median().is_nan());
    }
}
