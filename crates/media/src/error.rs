//! What is wrong with a configuration, and where.

use std::fmt::Display;

/// The longest piece of foreign text that an error repeats, in characters.
const FOUND_LIMIT: usize = 64;

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
    /// An error of any kind. `found` is cut to a bounded length and its control characters are escaped.
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

/// Characters that change how the text around them looks, or are not seen at all: control characters, line and paragraph
/// separators, marks and overrides of the writing direction, and characters without width.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Foreign text made fit for one line of a log.
pub(crate) fn tame(text: &str) -> String {
    let mut out = String::new();
    for (i, c) in text.chars().enumerate() {
        if i == FOUND_LIMIT {
            out.push('…');
            break;
        }
        if is_unprintable(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Foreign text in quotes, as an error shows it.
pub(crate) fn quoted(text: &str) -> String {
    // Two characters less than the limit, so that the closing quote survives being tamed again.
    let mut end = text.len();
    if let Some((i, _)) = text.char_indices().nth(FOUND_LIMIT - 3) {
        end = i;
    }
    let cut = if end < text.len() { "…" } else { "" };
    format!("\"{}{cut}\"", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn long_multibyte_text_is_cut_between_characters() {
        assert_eq!(quoted(&"ä".repeat(100)).chars().count(), FOUND_LIMIT);
    }

    #[test]
    fn short_text_stays_as_it_is() {
        let error = ConfigError::incompatible("payload", quoted("blob"), "video");
        assert_eq!(error.found, "\"blob\"");
        assert_eq!(error.kind, ConfigErrorKind::Incompatible);
    }
}
