//! Allocation of ports for RDMA bridges.

use std::fmt::{Display, Formatter};
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::error::AgentError;

/// The most ranges that one proxy may give.
const MAX_RANGES: usize = 64;

/// Ports on which a proxy receives, as ranges: "9100-9199,9300".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortRanges(Vec<(u16, u16)>);

impl PortRanges {
    /// One range; empty if its end is before its start.
    #[must_use]
    pub fn range(ports: RangeInclusive<u16>) -> Self {
        Self(if ports.is_empty() { Vec::new() } else { vec![ports.into_inner()] })
    }

    /// The ranges, first and last port of each.
    pub fn ranges(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.0.iter().copied()
    }

    /// Whether `count` consecutive ports from `first` on lie in one range.
    pub(crate) fn contain(&self, first: u16, count: u8) -> bool {
        let last = u32::from(first) + u32::from(count) - 1;
        self.ranges().any(|(low, high)| low <= first && last <= u32::from(high))
    }

    /// The lowest port from which `count` consecutive ones of a range are free.
    pub(crate) fn lowest_free(&self, count: u8, free: impl Fn(u16) -> bool) -> Option<u16> {
        let mut ranges = self.0.clone();
        ranges.sort_unstable();
        let count = u32::from(count.max(1));
        for (low, high) in ranges {
            let mut first = u32::from(low);
            while first + count - 1 <= u32::from(high) {
                // They fit: they are at most `high`.
                match (first..first + count).rev().find(|port| !free(*port as u16)) {
                    Some(taken) => first = taken + 1,
                    None => return Some(first as u16),
                }
            }
        }
        None
    }
}

impl FromStr for PortRanges {
    type Err = AgentError;

    fn from_str(text: &str) -> Result<Self, AgentError> {
        let wrong = || AgentError::Invalid {
            field: "rdma.dataplaneLocalPorts",
            found: text.chars().take(64).collect(),
            allowed: "up to 64 port ranges such as 9100-9199,9300",
        };
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port != 0);
        let mut ranges = Vec::new();
        for range in text.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            match (port(first), port(last)) {
                (Some(first), Some(last)) if first <= last => ranges.push((first, last)),
                _ => return Err(wrong()),
            }
            if ranges.len() > MAX_RANGES {
                return Err(wrong());
            }
        }
        Ok(Self(ranges))
    }
}

impl Display for PortRanges {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        for (i, (first, last)) in self.ranges().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str) -> PortRanges {
        text.parse().unwrap()
    }

    #[test]
    fn ranges_are_read_and_written() {
        for text in ["9100-9999", "9100-9199,9300", "1-65535"] {
            assert_eq!(ranges(text).to_string(), text);
        }
        assert_eq!(PortRanges::range(9100..=9999), ranges("9100-9999"));
        for text in ["", "0", "9-1", "1-", "a", "1,,2", "65536", &"1,".repeat(70)] {
            assert!(text.parse::<PortRanges>().is_err(), "{text}");
        }
    }

    #[test]
    fn lowest_free_run() {
        let free = |text, count, taken: &[u16]| {
            ranges(text).lowest_free(count, |port| !taken.contains(&port))
        };
        assert_eq!(free("9100-9109", 1, &[]), Some(9100));
        assert_eq!(free("9100-9109", 1, &[9100, 9101]), Some(9102));
        assert_eq!(free("9100-9109", 4, &[9102]), Some(9103));
        assert_eq!(free("9100-9103,9200-9203", 4, &[9103]), Some(9200));
        assert_eq!(free("9200-9203,9100-9103", 4, &[]), Some(9100), "ranges in any order");
        assert_eq!(free("9100-9103", 4, &[9103]), None);
        assert_eq!(free("65535", 1, &[]), Some(65535));
        assert_eq!(free("65535", 2, &[]), None, "no run past the end");
        assert_eq!(free("65530-65535", 8, &[]), None);
    }

    #[test]
    fn runs_in_ranges() {
        assert!(ranges("9100-9103,9104").contain(9100, 4));
        assert!(!ranges("9100-9103,9104").contain(9101, 4));
        assert!(!ranges("65535").contain(65535, 2));
    }
}
