//! Logs each bridge's degradations once.

use super::status::Figures;
use std::time::Duration;

/// Interval of checks. Some degradations appear while frames are sent, such as an interface without
/// segmentation.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// Warnings of a bridge that were logged and still hold.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<String>);

/// New warnings of a bridge.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Warnings that were not there before.
    pub(super) warnings: Vec<String>,
    /// Warnings that no longer hold: a silent path has packets again. If they return they are new.
    pub(super) over: Vec<String>,
}

impl Told {
    /// Returns the warnings that were not logged yet, and marks them as logged.
    pub(super) fn news(&mut self, figures: &dyn Figures) -> News {
        let now = figures.warnings();
        let (told, over) = std::mem::take(&mut self.0).into_iter().partition(|it| now.contains(it));
        self.0 = told;
        let mut warnings = Vec::new();
        for warning in now {
            if !self.0.contains(&warning) {
                self.0.push(warning.clone());
                warnings.push(warning);
            }
        }
        News { warnings, over }
    }
}
