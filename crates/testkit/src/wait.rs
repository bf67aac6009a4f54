//! Waiting for a condition.

use std::time::{Duration, Instant};

/// Longer than anything takes that works, even on a machine that is busy with other things.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(2);

/// Waits until the condition holds; fails the test with `what` if it never does.
///
/// # Panics
/// After [`DEADLINE`].
#[track_caller]
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    some(what, || condition().then_some(()));
}

/// Waits until there is something to return; fails the test with `what` if it never comes.
///
/// # Panics
/// After [`DEADLINE`].
#[track_caller]
pub fn some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "still not after {DEADLINE:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}
