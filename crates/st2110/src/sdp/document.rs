//! A session description line by line (RFC 8866 §5).

use std::fmt;

use super::error::excerpt;
use super::{SdpError, SdpProblem};

const MAX_TEXT: usize = 1 << 16;
const MAX_LINES: usize = 2000;
const MAX_SECTIONS: usize = 64;

/// One line, `x=value`.
#[derive(Clone, Debug)]
pub struct Line {
    /// Where it stood in the text, counted from 1; 0 for a line that was not read.
    pub number: usize,
    /// The letter.
    pub letter: char,
    /// What follows the equals sign.
    pub value: String,
}

impl Line {
    fn new(letter: char, value: impl fmt::Display) -> Self {
        Self { number: 0, letter, value: value.to_string() }
    }
}

/// Lines are the same wherever they stood.
impl PartialEq for Line {
    fn eq(&self, other: &Self) -> bool {
        (self.letter, &self.value) == (other.letter, &other.value)
    }
}

impl Eq for Line {}

/// Lines that belong together: those of the session, or those of one medium, of which the first is
/// `m=`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Section {
    /// The lines, in order.
    pub lines: Vec<Line>,
}

impl Section {
    /// Appends a line.
    pub fn push(&mut self, letter: char, value: impl fmt::Display) {
        self.lines.push(Line::new(letter, value));
    }

    /// Appends an attribute: `a=name:value`.
    pub fn push_attribute(&mut self, name: &str, value: impl fmt::Display) {
        self.push('a', format_args!("{name}:{value}"));
    }

    /// The first line of this letter.
    #[must_use]
    pub fn line(&self, letter: char) -> Option<&Line> {
        self.lines.iter().find(|line| line.letter == letter)
    }

    /// All attributes of this name, with what follows the colon; empty for a property attribute.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (usize, &'a str)> + 'a {
        self.lines.iter().filter(|line| line.letter == 'a').filter_map(move |line| {
            let (key, value) = line.value.split_once(':').unwrap_or((&line.value, ""));
            (key == name).then_some((line.number, value))
        })
    }

    /// The first attribute of this name.
    pub fn attribute<'a>(&'a self, name: &'a str) -> Option<(usize, &'a str)> {
        self.attributes(name).next()
    }

    /// The number of the first line.
    #[must_use]
    pub fn number(&self) -> usize {
        self.lines.first().map_or(0, |line| line.number)
    }
}

/// A session description: the lines before the first `m=`, and a section for each medium.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Lines of the session.
    pub session: Section,
    /// Sections of the media.
    pub media: Vec<Section>,
}

impl Document {
    /// Reads a description. Line ends may be CR LF or LF; empty lines are passed over, and so is a
    /// first line `SDP:`, which FFmpeg prints before its descriptions.
    ///
    /// What stands in the lines is not looked at, but for the first, which must be `v=0`.
    ///
    /// # Errors
    /// A line that is none, another version, or more than 65536 bytes, 2000 lines or 64 media.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let too_much = |line, what, found, max| SdpError {
            line,
            problem: SdpProblem::TooMuch { what, found, max },
        };
        if text.len() > MAX_TEXT {
            return Err(too_much(1, "bytes", text.len(), MAX_TEXT));
        }
        let mut document = Self::default();
        let mut first = true;
        for (n, line) in text.split('\n').enumerate() {
            let number = n + 1;
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.trim().is_empty() || (first && line.trim() == "SDP:") {
                continue;
            }
            if number > MAX_LINES {
                return Err(too_much(number, "lines", number, MAX_LINES));
            }
            let not_a_line = || SdpError {
                line: number,
                problem: SdpProblem::NotALine { found: excerpt(line) },
            };
            let (letter, value) = line.split_once('=').ok_or_else(not_a_line)?;
            let mut letters = letter.chars();
            let (Some(letter @ 'a'..='z'), None) = (letters.next(), letters.next()) else {
                return Err(not_a_line());
            };
            if value.chars().any(|c| c.is_control() && c != '\t') {
                return Err(SdpError::value(number, "a line", value, "no control characters"));
            }
            if first && (letter, value.trim()) != ('v', "0") {
                return Err(SdpError::value(number, "the first line", line, "v=0 (RFC 8866 §5.1)"));
            }
            first = false;
            if letter == 'm' {
                if document.media.len() == MAX_SECTIONS {
                    return Err(too_much(number, "media", MAX_SECTIONS + 1, MAX_SECTIONS));
                }
                document.media.push(Section::default());
            }
            let section = document.media.last_mut().unwrap_or(&mut document.session);
            section.lines.push(Line { number, letter, value: value.to_owned() });
        }
        if first {
            return Err(SdpError::missing(1, "v=0", "RFC 8866 §5.1"));
        }
        Ok(document)
    }
}

impl fmt::Display for Document {
    /// The text, with CR LF after each line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for section in std::iter::once(&self.session).chain(&self.media) {
            for line in &section.lines {
                write!(f, "{}={}\r\n", line.letter, line.value)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_kept_as_they_are() {
        let text = "v=0\r\no=- 1 2 IN IP4 10.0.0.1\r\ns= \r\nt=0 0\r\na=x-own:  Ü=;\r\nm=video 1 RTP/AVP 96\r\nk=old\r\na=recvonly\r\n";
        let document = Document::parse(text).unwrap();
        assert_eq!(document.to_string(), text);
        assert_eq!(document.media[0].attribute("recvonly"), Some((8, "")));
        assert_eq!(document.session.attribute("x-own"), Some((5, "  Ü=;")));
        let loose = format!("SDP:\n\n{}", text.replace('\r', ""));
        assert_eq!(Document::parse(&loose).unwrap(), document);
    }

    #[test]
    fn errors_have_lines() {
        for (text, line) in [
            ("", 1),
            ("v=1\n", 1),
            ("o=-\nv=0\n", 1),
            ("v=0\n\nhello\n", 3),
            ("v=0\nV=1\n", 2),
            ("v=0\nvv=1\n", 2),
            ("v=0\n=1\n", 2),
            ("v=0\ns=a\u{7}\n", 2),
        ] {
            assert_eq!(Document::parse(text).unwrap_err().line, line, "{text:?}");
        }
        assert!(Document::parse(&"v=0\n".repeat(20_000)).is_err());
        assert!(Document::parse(&format!("v=0\n{}", "m=x\n".repeat(65))).is_err());
        assert!(Document::parse(&format!("v=0\n{}", "a=x\n".repeat(2000))).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            lines in proptest::collection::vec(("[a-z]", "[^\\pC]{0,20}"), 0..40),
        ) {
            let mut text = "v=0\r\n".to_owned();
            for (letter, value) in lines {
                text.push_str(&format!("{letter}={value}\r\n"));
            }
            let document = Document::parse(&text).unwrap();
            prop_assert_eq!(document.to_string(), text);
        }
    }
}
