//! Logs once that a new connection is still waiting, and for which event.

use config::ConnectionConfig;
use shm::{Deadline, RingError};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Target of the log lines that say what a program waits for. The library shows them by default.
pub(crate) const LOG_TARGET: &str = "mcm::waiting";

/// How long a connection waits before that is told.
const PATIENCE: Duration = Duration::from_secs(2);

/// Time that a call waits in any case before it is told.
const SHORTEST: Duration = Duration::from_millis(100);

/// Whether the first buffer has come, and who would have to come for it.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Nothing is to be told any more.
    over: AtomicBool,
    since: Instant,
    group: String,
}

impl Waiting {
    pub(super) fn new(config: &ConnectionConfig) -> Self {
        Self { over: AtomicBool::new(false), since: Instant::now(), group: config.group_id() }
    }

    /// Calls `get`, which blocks until the deadline, and tells the log if the first buffer takes
    /// its time.
    pub(super) fn first<T>(
        &self,
        deadline: Deadline,
        get: impl Fn(Deadline) -> Result<T, RingError>,
    ) -> Result<T, RingError> {
        if self.over.load(Relaxed) {
            return get(deadline);
        }
        let told_at = Deadline::after(PATIENCE.saturating_sub(self.since.elapsed()).max(SHORTEST));
        let cut = is_later(deadline, told_at);
        let mut result = get(if cut { told_at } else { deadline });
        if let Err(RingError::Timeout(what)) = result
            && deadline != Deadline::Now
        {
            if self.since.elapsed() >= PATIENCE && !self.over.swap(true, Relaxed) {
                log::warn!(
                    target: LOG_TARGET,
                    "group {:?}: waiting since {PATIENCE:?}: {what}", self.group
                );
            }
            if cut {
                result = get(deadline);
            }
        }
        if result.is_ok() {
            self.over.store(true, Relaxed);
        }
        result
    }
}

fn is_later(one: Deadline, other: Deadline) -> bool {
    match (one, other) {
        (Deadline::Never, Deadline::At(_)) => true,
        (Deadline::At(one), Deadline::At(other)) => one > other,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn waiting(age: Duration) -> Waiting {
        let since = Instant::now().checked_sub(age).unwrap();
        Waiting { over: AtomicBool::new(false), since, group: "g".into() }
    }

    #[test]
    fn a_long_wait_is_cut_once() {
        let waiting = waiting(Duration::ZERO);
        let calls = RefCell::new(Vec::new());
        let result = waiting.first(Deadline::Never, |deadline| {
            calls.borrow_mut().push(deadline);
            if deadline == Deadline::Never { Ok(7) } else { Err(RingError::Timeout("no frame")) }
        });
        assert!(matches!(calls.borrow()[..], [Deadline::At(_), Deadline::Never]));
        assert_eq!(result, Ok(7));
    }

    #[test]
    fn after_two_seconds_it_is_told_and_the_wait_goes_on() {
        let waiting = waiting(Duration::from_secs(3));
        let result = waiting.first(Deadline::Never, |deadline| {
            assert!(deadline == Deadline::Never || !waiting.over.load(Relaxed));
            if deadline == Deadline::Never { Ok(7) } else { Err(RingError::Timeout("no frame")) }
        });
        assert_eq!(result, Ok(7));
        assert!(waiting.over.load(Relaxed));
    }

    #[test]
    fn a_poll_tells_nothing() {
        let waiting = waiting(Duration::from_secs(3));
        let result: Result<(), _> = waiting.first(Deadline::Now, |_| Err(RingError::Timeout("x")));
        assert!(result.is_err() && !waiting.over.load(Relaxed));
    }
}
