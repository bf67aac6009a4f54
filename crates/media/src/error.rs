//! What is wrong with a configuration, and where.

use std::fmt::Display;

use crate::text::tame;

/// The class of a [`ConfigError`]. It decides the error number that a program sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigErrorKind {
    /// The text is not JSON.
    Malformed,
    /// A value is missing, of the wrong type, unknown or out of range.
    Invalid,
    /// Each value is fine alone, but they do not fit together, or do not fit the group.
    Incompatible,
    /// The value is known, but nothing here can serve it.
    NotImplemented,
}

impl Display for ConfigErrorKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Malformed => "malformed",
            Self::Invalid => "invalid",
            Self::Incompatible => "incompatible",
            Self::NotImplemented => "not implemented",
        })
    }
}

/// A refused configuration: where it is wrong, what was found, and what is allowed.
///
/// It prints as one line without control characters, whatever the configuration contained.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The class of the error.
    pub kind: ConfigErrorKind,
    /// The JSON path, such as `payload.video.pixelFormat`, or the place in a malformed text.
    pub path: String,
    /// The value seen there.
    pub found: String,
    /// What would be accepted. Empty where `found` is a sentence that says it all.
    pub allowed: String,
}

impl Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, path, found, allowed } = self;
        if allowed.is_empty() {
            return write!(f, "{kind} configuration: {path}: {found}");
        }
        write!(f, "{kind} configuration: {path}: found {found}; allowed: {allowed}")
    }
}

impl ConfigError {
    /// An error of any kind. `found` is cut to a bounded length and its control characters are
    /// escaped.
    pub fn new(
        kind: ConfigErrorKind,
        path: impl Into<String>,
        found: impl Display,
        allowed: impl Display,
    ) -> Self {
        let path: String = path.into();
        Self {
            kind,
            path: tame(&path),
            found: tame(&found.to_string()),
            allowed: allowed.to_string(),
        }
    }

    /// The same error at another path: of a value that several objects have.
    pub fn at(self, path: &str) -> Self {
        Self { path: path.to_owned(), ..self }
    }

    /// The text is not JSON.
    pub fn malformed(path: impl Into<String>, found: impl Display, allowed: impl Display) -> Self {
        Self::new(ConfigErrorKind::Malformed, path, found, allowed)
    }

    /// The value at `path` is missing, of the wrong type, unknown or out of range.
    pub fn invalid(path: impl Into<String>, found: impl Display, allowed: impl Display) -> Self {
        Self::new(ConfigErrorKind::Invalid, path, found, allowed)
    }

    /// The value at `path` does not fit the others.
    pub fn incompatible(
        path: impl Into<String>,
        found: impl Display,
        allowed: impl Display,
    ) -> Self {
        Self::new(ConfigErrorKind::Incompatible, path, found, allowed)
    }

    /// The value at `path` is known, but nothing here can serve it.
    pub fn not_implemented(
        path: impl Into<String>,
        found: impl Display,
        allowed: impl Display,
    ) -> Self {
        Self::new(ConfigErrorKind::NotImplemented, path, found, allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::quoted;

    #[test]
    fn one_line_of_bounded_length() {
        let error = ConfigError::invalid("a.b", quoted(&"x\ny".repeat(1000)), "less");
        let text = error.to_string();
        assert!(!text.contains('\n'), "{text}");
        assert!(text.len() < 250, "{text}");
        assert!(text.starts_with("invalid configuration: a.b: found \"x\\nyx\\ny"), "{text}");
        assert!(text.ends_with("…\"; allowed: less"), "{text}");
    }

    #[test]
    fn short_text_stays_as_it_is() {
        let error = ConfigError::incompatible("payload", quoted("blob"), "video");
        assert_eq!(error.found, "\"blob\"");
        assert_eq!(error.kind, ConfigErrorKind::Incompatible);
    }
}
