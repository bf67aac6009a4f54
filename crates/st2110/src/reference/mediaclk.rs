//! `a=mediaclk`: how a media clock follows the reference clock.

use std::fmt;
use std::str::FromStr;

use super::ReferenceError;

const ATTRIBUTE: &str = "mediaclk";
const ACCEPTED: &str = "direct=OFFSET, sender or another SOURCE[=VALUE]";

/// The value of `a=mediaclk` (RFC 7273 §5.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MediaClockSource {
    /// Locked to the reference clock, having shown `offset` at its epoch. ST 2110-10 §8.3 wants 0.
    Direct {
        /// The time stamp of the epoch, modulo 2³².
        offset: u32,
    },
    /// The sender's own clock, not locked to the reference.
    Sender,
    /// Something else, as it was written.
    Other(String),
}

impl FromStr for MediaClockSource {
    type Err = ReferenceError;

    /// Reads the value of the attribute, without its name.
    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let text = text.trim();
        let refuse = || ReferenceError::new(ATTRIBUTE, text, ACCEPTED);
        if text.is_empty() || text.contains(char::is_control) {
            return Err(refuse());
        }
        match text.strip_prefix("direct=") {
            // A rate may follow the offset; then the value is kept as it is.
            Some(offset) if !offset.contains(' ') => {
                let offset = offset.parse().map_err(|_| refuse())?;
                Ok(Self::Direct { offset })
            }
            None if text == "sender" => Ok(Self::Sender),
            _ => Ok(Self::Other(text.to_owned())),
        }
    }
}

impl fmt::Display for MediaClockSource {
    /// Writes the value of the attribute.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { offset } => write!(f, "direct={offset}"),
            Self::Sender => f.write_str("sender"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back() {
        for (text, expected) in [
            ("direct=0", MediaClockSource::Direct { offset: 0 }),
            ("direct=963214424", MediaClockSource::Direct { offset: 963_214_424 }),
            ("sender", MediaClockSource::Sender),
            ("direct", MediaClockSource::Other("direct".to_owned())),
            (
                "direct=0 rate=30000/1001",
                MediaClockSource::Other("direct=0 rate=30000/1001".to_owned()),
            ),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()));
            assert_eq!(expected.to_string(), text);
        }
        for text in ["", "direct=", "direct=-1", "direct=4294967296", "a\nb"] {
            assert!(text.parse::<MediaClockSource>().is_err(), "{text}");
        }
    }
}
