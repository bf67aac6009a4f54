//! Rate-limited logging of events that peers can trigger.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Number of lines per second that are logged.
const BURST: u32 = 10;

/// Logs a few lines per second and counts the others.
#[derive(Debug)]
pub struct RateLimitedLog(Mutex<Window>);

#[derive(Debug)]
struct Window {
    start: Option<Instant>,
    admitted: u32,
    suppressed: u64,
}

impl Default for RateLimitedLog {
    fn default() -> Self {
        Self::new()
    }
}

impl RateLimitedLog {
    /// A log without a line so far.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Window { start: None, admitted: 0, suppressed: 0 }))
    }

    /// Logs a warning, unless the limit is reached.
    pub fn warn(&self, text: &str) {
        match self.admit(Instant::now()) {
            Some(0) => log::warn!("{text}"),
            Some(suppressed) => log::warn!("{text} ({suppressed} more like this before)"),
            None => {}
        }
    }

    /// Number of lines suppressed before this one; `None` if this one is suppressed too.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if window.start.is_none_or(|start| now.duration_since(start) >= Duration::from_secs(1)) {
            window.start = Some(now);
            window.admitted = 0;
        }
        if window.admitted >= BURST {
            window.suppressed += 1;
            return None;
        }
        window.admitted += 1;
        Some(std::mem::take(&mut window.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_a_second() {
        let (log, start) = (RateLimitedLog::new(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(log.admit(start), Some(0));
        }
        assert_eq!(log.admit(start + Duration::from_millis(500)), None);
        assert_eq!(log.admit(start + Duration::from_millis(999)), None);
        assert_eq!(log.admit(start + Duration::from_millis(1000)), Some(2));
        assert_eq!(log.admit(start + Duration::from_millis(1000)), Some(0));
    }
}
