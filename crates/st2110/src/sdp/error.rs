//! Why a session description cannot be read.

/// What is wrong in a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpProblem {
    /// The whole text is too large.
    #[error("{found} {what}: at most {max} are accepted")]
    TooMuch {
        /// Bytes, lines or sections.
        what: &'static str,
        /// How many.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// Not `x=value`.
    #[error("{found:?}: a line is a lower-case letter, \"=\" and a value (RFC 8866 §5)")]
    NotALine {
        /// The beginning of the line.
        found: String,
    },
    /// Something that must be there is not.
    #[error("{what} is missing ({clause})")]
    Missing {
        /// What.
        what: &'static str,
        /// Where it is demanded.
        clause: &'static str,
    },
    /// A value that cannot be understood.
    #[error("{what} is {found:?}: {allowed}")]
    Value {
        /// Its name.
        what: String,
        /// The value.
        found: String,
        /// What is accepted.
        allowed: &'static str,
    },
    /// Something that is understood, but not carried.
    #[error("{found}: {reason}")]
    Unsupported {
        /// What.
        found: String,
        /// Why not.
        reason: &'static str,
    },
}

/// What is wrong, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SDP line {line}: {problem}")]
pub struct SdpError {
    /// The line; 0 if a description is wrong that was not read from a text.
    pub line: usize,
    /// What is wrong.
    pub problem: SdpProblem,
}

/// The longest piece of a description that an error repeats.
const EXCERPT: usize = 64;

/// The beginning of foreign text.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}

impl SdpError {
    /// A value that cannot be used.
    #[must_use]
    pub fn value(line: usize, what: &str, found: &str, allowed: &'static str) -> Self {
        let (what, found) = (excerpt(what), excerpt(found));
        Self { line, problem: SdpProblem::Value { what, found, allowed } }
    }

    /// Something that must be there, by a clause of a standard.
    #[must_use]
    pub fn missing(line: usize, what: &'static str, clause: &'static str) -> Self {
        Self { line, problem: SdpProblem::Missing { what, clause } }
    }

    pub(super) fn unsupported(line: usize, found: &str, reason: &'static str) -> Self {
        Self { line, problem: SdpProblem::Unsupported { found: excerpt(found), reason } }
    }
}
