//! Logs each bridge's degradations once.

use super::status::Figures;
use std::time::Duration;

/// How often bridges are asked. Some things turn out while frames are sent, such as an interface without segmentation.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// What has been told of a bridge, and still holds.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<String>);

/// What is new of a bridge.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct News {
    /// Warnings that were not there before.
    pub(super) warnings: Vec<String>,
    /// Warnings that hold no longer: a path that was silent is heard again. If they come back they are new.
    pub(super) over: Vec<String>,
}

impl Told {
    /// What has not been told yet. It has been from now on.
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
