//! Parts of a configuration that have no effect.

use std::fmt::Display;

/// Something in a configuration that is accepted but has not the effect that its author may expect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigWarning {
    /// The JSON path, such as `payload.video.pixelformat`.
    pub path: String,
    /// What is wrong with it and what happens instead.
    pub text: String,
}

impl Display for ConfigWarning {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path, self.text)
    }
}
