//! Log lines that others can cause as often as they like.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Lets one line a second through and counts the others.
#[derive(Debug)]
pub(crate) struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new((None, 0)))
    }

    /// Logs a warning if it is time for one.
    pub(crate) fn warn(&self, text: &str) {
        if let Some(suppressed) = self.admit(Instant::now()) {
            if suppressed == 0 {
                log::warn!("{text}");
            } else {
                log::warn!("{text} ({suppressed} more like this before)");
            }
        }
    }

    /// How many lines were left out before this one, if this one may be logged.
    fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if state.0.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
            state.1 += 1;
            return None;
        }
        state.0 = Some(now);
        Some(std::mem::take(&mut state.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second() {
        let (seldom, start) = (Seldom::new(), Instant::now());
        assert_eq!(seldom.admit(start), Some(0));
        assert_eq!(seldom.admit(start + Duration::from_millis(500)), None);
        assert_eq!(seldom.admit(start + Duration::from_millis(999)), None);
        assert_eq!(seldom.admit(start + Duration::from_millis(1000)), Some(2));
        assert_eq!(seldom.admit(start + Duration::from_millis(2000)), Some(0));
    }
}
