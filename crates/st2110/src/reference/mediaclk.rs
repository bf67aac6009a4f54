//! `a=mediaclk`: how a media clock follows the reference clock.

use std::fmt;
use std::str::FromStr;

use super::ReferenceError;

const ATTRIBUTE: &str = "mediaclk";
const ACCEPTED: &str = "direct=OFFSET, direct=OFFSET rate=RATE, sender or another SOURCE[=VALUE]";

/// The value of `a=mediaclk` (RFC 7273 §5.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MediaClockSource {
    /// Locked to the reference clock, having shown `offset` at its epoch. ST 2110-10 §8.3 wants 0.
    Direct {
        /// The timestamp of the epoch, modulo 2³².
        offset: u32,
        /// Ticks a second, if they are told: RFC 7273 allows it, and ST 2110 tells them elsewhere.
        rate: Option<MediaClockRate>,
    },
    /// The sender's own clock, not locked to the reference.
    Sender,
    /// Something else, as it was written.
    Other(String),
}

impl MediaClockSource {
    /// A clock that showed `offset` at its epoch.
    #[must_use]
    pub const fn direct(offset: u32) -> Self {
        Self::Direct { offset, rate: None }
    }
}

/// A rate of a media clock: `90000`, or a fraction (RFC 7273 §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MediaClockRate {
    /// Ticks.
    pub ticks: u32,
    /// In so many seconds; 1 is not written. Not 0.
    pub seconds: u32,
}

impl FromStr for MediaClockRate {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (ticks, seconds) = text.split_once('/').unwrap_or((text, "1"));
        match (ticks.parse(), seconds.parse()) {
            (Ok(ticks @ 1..), Ok(seconds @ 1..)) => Ok(Self { ticks, seconds }),
            _ => Err(()),
        }
    }
}

impl fmt::Display for MediaClockRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            1 => write!(f, "{}", self.ticks),
            seconds => write!(f, "{}/{seconds}", self.ticks),
        }
    }
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
        let Some(direct) = text.strip_prefix("direct=") else {
            let sender = text == "sender";
            return Ok(if sender { Self::Sender } else { Self::Other(text.to_owned()) });
        };
        let mut words = direct.split_ascii_whitespace();
        let offset = words.next().and_then(|offset| offset.parse().ok()).ok_or_else(refuse)?;
        let rate = words.next().map(|word| {
            let rate = word.strip_prefix("rate=").and_then(|rate| rate.parse().ok());
            rate.ok_or_else(refuse)
        });
        match words.next() {
            None => Ok(Self::Direct { offset, rate: rate.transpose()? }),
            Some(_) => Err(refuse()),
        }
    }
}

impl fmt::Display for MediaClockSource {
    /// Writes the value of the attribute.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct { offset, rate: None } => write!(f, "direct={offset}"),
            Self::Direct { offset, rate: Some(rate) } => write!(f, "direct={offset} rate={rate}"),
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
            ("direct=0", MediaClockSource::direct(0)),
            ("direct=963214424", MediaClockSource::direct(963_214_424)),
            ("sender", MediaClockSource::Sender),
            ("direct", MediaClockSource::Other("direct".to_owned())),
            (
                "direct=1876655126 rate=90000",
                MediaClockSource::Direct {
                    offset: 1_876_655_126,
                    rate: Some(MediaClockRate { ticks: 90_000, seconds: 1 }),
                },
            ),
            (
                "direct=0 rate=30000/1001",
                MediaClockSource::Direct {
                    offset: 0,
                    rate: Some(MediaClockRate { ticks: 30_000, seconds: 1001 }),
                },
            ),
        ] {
            assert_eq!(text.parse(), Ok(expected.clone()));
            assert_eq!(expected.to_string(), text);
        }
        for text in [
            "",
            "direct=",
            "direct=-1",
            "direct=4294967296",
            "direct=0 rate=0",
            "direct=0 fast",
            "direct=0 rate=1 x",
            "a\nb",
        ] {
            assert!(text.parse::<MediaClockSource>().is_err(), "{text}");
        }
    }
}
