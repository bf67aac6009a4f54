//! Counters of refused connections.

use std::sync::atomic::{AtomicU64, Ordering};

/// Why a connection or a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It began with something that the port does not speak.
    Garbage,
    /// It did not show its protocol in time.
    Silent,
    /// The TLS handshake failed, or TLS is not configured.
    Tls,
    /// It had to make room for other connections.
    Crowd,
    /// The caller may not call.
    Stranger,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 5] =
        [Self::Garbage, Self::Silent, Self::Tls, Self::Crowd, Self::Stranger];

    /// The label value in measurements.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::Silent => "silent",
            Self::Tls => "tls",
            Self::Crowd => "crowd",
            Self::Stranger => "stranger",
        }
    }

    /// Number of refusals for this reason in this process, on all of its ports.
    #[must_use]
    pub fn count(self) -> u64 {
        COUNTS[self as usize].load(Ordering::Relaxed)
    }

    /// Counts a refusal.
    pub(crate) fn happened(self) {
        COUNTS[self as usize].fetch_add(1, Ordering::Relaxed);
    }
}

static COUNTS: [AtomicU64; Reason::ALL.len()] = [const { AtomicU64::new(0) }; Reason::ALL.len()];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_counted_by_itself() {
        for (number, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, number);
            let before = reason.count();
            reason.happened();
            assert!(reason.count() > before);
        }
    }
}
