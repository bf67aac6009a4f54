//! Tells of each bridge, once, what works less well than it should.

use super::status::Figures;
use std::time::Duration;

/// How often bridges are asked. Some things turn out while frames are sent, such as an interface without segmentation.
pub(super) const INTERVAL: Duration = Duration::from_secs(1);

/// What has been told of a bridge.
#[derive(Debug, Default)]
pub(super) struct Told(Vec<String>);

impl Told {
    /// What has not been told yet. It has been from now on.
    pub(super) fn news(&mut self, figures: &dyn Figures) -> Vec<String> {
        let mut news = Vec::new();
        for warning in figures.warnings() {
            if !self.0.contains(&warning) {
                self.0.push(warning.clone());
                news.push(warning);
            }
        }
        news
    }
}
