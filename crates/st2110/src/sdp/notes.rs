//! What is noticed while a description is read.
//!
//! Most faults keep nobody from receiving the stream. They are noted and reading goes on, so that a
//! check names all of them and a receiver does not fail at what it does not need.

use super::check::Findings;
use super::{Parameters, SdpError};

/// Findings of the reader, and whether the stream can be received in spite of them.
///
/// An error is about something that was left out, a warning about something that was taken
/// otherwise than its author may have meant it, and a note about something that was understood
/// though the standard wants it written in another way.
#[derive(Default)]
pub(super) struct Notes {
    pub(super) findings: Findings,
    fatal: Option<SdpError>,
}

impl Notes {
    /// The first fault that makes it impossible to receive the stream.
    pub(super) fn into_fatal(self) -> Option<SdpError> {
        self.fatal
    }

    /// Without this the stream cannot be received.
    pub(super) fn fatal(&mut self, error: SdpError) {
        let text = error.problem.to_string();
        self.findings.error(error.line, "the stream cannot be read", text);
        self.fatal.get_or_insert(error);
    }

    /// The value, if there is one; otherwise the stream cannot be received.
    pub(super) fn need<T>(&mut self, value: Result<T, SdpError>) -> Option<T> {
        value.map_err(|error| self.fatal(error)).ok()
    }

    /// The value, if there is one; otherwise it is as if nothing stood there.
    pub(super) fn try_read<T>(
        &mut self,
        clause: &'static str,
        value: Result<T, SdpError>,
    ) -> Option<T> {
        let note = |error: SdpError| {
            self.findings.error(error.line, clause, error.problem.to_string());
        };
        value.map_err(note).ok()
    }

    /// Notes of parameters what their values do not tell: quotes around them, and names that are
    /// nearly those of known ones.
    pub(super) fn parameters(&mut self, line: usize, parameters: &Parameters, known: &[&str]) {
        for (name, value) in parameters.entries() {
            if let Some(value) = value
                && let Some(bare) = Parameters::unquoted(value)
            {
                let text = format!("{name} has quotes, {value}, and is taken for {bare}");
                self.findings.note(line, "ST 2110-20 §7.1", text);
            }
            let is_known = known.iter().any(|known| known.eq_ignore_ascii_case(name));
            let near =
                |known: &&&str| known.len() > 5 && !parameters.has(known) && near(known, name);
            if let (false, Some(meant)) = (is_known, known.iter().find(near)) {
                let text = format!("{name} is unknown and has no effect; {meant} may be meant");
                self.findings.warning(line, "ST 2110-20 §7.1", text);
            }
        }
    }
}

/// Whether two names differ by one or two letters.
fn near(known: &str, name: &str) -> bool {
    const APART: usize = 2;
    let [known, name] = [known, name].map(|text| text.to_ascii_lowercase().into_bytes());
    if known.len().abs_diff(name.len()) > APART {
        return false;
    }
    // Levenshtein's distance, row by row.
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (n, letter) in known.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = n + 1;
        for (m, other) in name.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[m + 1];
            row[m + 1] = replaced.min(row[m] + 1).min(row[m + 1] + 1);
        }
    }
    row[name.len()] <= APART
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_nearly_known() {
        for (known, name) in [
            ("interlace", "interlaced"),
            ("interlace", "Interlac"),
            ("exactframerate", "exactframrate"),
            ("colorimetry", "colourimetry"),
        ] {
            assert!(near(known, name), "{name}");
        }
        assert!(!near("interlace", "profile") && !near("height", "weights-x"));
    }
}
