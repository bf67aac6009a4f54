//! A descriptor for poll(): a thread of the connection sleeps on the ring in the program's place.
//!
//! Rings wake their sleepers through futexes, which poll() cannot wait for, and a source must not
//! be made to write to descriptors of its receivers. So only programs that ask for a descriptor pay
//! for it, with a thread of their own.

use parking_lot::{Condvar, Mutex};
use rustix::event::{EventfdFlags, eventfd};
use shm::RingError;
use shm::fork::ForkMark;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

#[derive(Debug)]
struct Shared {
    event: OwnedFd,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum State {
    /// The thread waits for the ring.
    Watching,
    /// The descriptor is readable; the thread rests until a call has found nothing.
    Ready,
    Stopping,
}

/// The descriptor and its thread. The wait that the thread sits in must end before this is dropped,
/// as it does when the connection closes.
#[derive(Debug)]
pub(super) struct Readiness {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    made: ForkMark,
}

impl Readiness {
    /// Starts the thread; `wait` blocks until a get may succeed, and fails for ever once the
    /// connection is closed.
    pub(super) fn start(
        wait: impl Fn() -> Result<(), RingError> + Send + 'static,
    ) -> Result<Self, String> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| format!("eventfd: {errno}"))?;
        let state = Mutex::new(State::Watching);
        let shared = Arc::new(Shared { event, state, changed: Condvar::new() });
        let seen = Arc::clone(&shared);
        let thread = shm::quiet_thread("mcm-readiness", move || seen.run(wait))
            .map_err(|error| format!("no thread for the descriptor: {error}"))?;
        Ok(Self { shared, thread: Some(thread), made: ForkMark::here() })
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }

    /// A get has found nothing: the descriptor is not readable until there is something.
    pub(super) fn nothing_there(&self) {
        let mut state = self.shared.state.lock();
        if *state == State::Ready {
            let mut count = [0; 8];
            let _ = rustix::io::read(&self.shared.event, &mut count);
            *state = State::Watching;
            self.shared.changed.notify_one();
        }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        if !self.made.is_here() {
            // A fork has no such thread to wait for.
            std::mem::forget(self.thread.take());
            return;
        }
        *self.shared.state.lock() = State::Stopping;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, wait: impl Fn() -> Result<(), RingError>) {
        loop {
            let result = wait();
            let mut state = self.state.lock();
            if *state == State::Stopping {
                return;
            }
            if matches!(result, Err(RingError::Timeout(_) | RingError::Cancelled)) {
                continue;
            }
            let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
            *state = State::Ready;
            if result.is_err() {
                // Closed: readable for ever, so that the program comes and learns it.
                return;
            }
            while *state == State::Ready {
                self.changed.wait(&mut state);
            }
            if *state == State::Stopping {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};
    use std::sync::mpsc::sync_channel;

    fn readable(readiness: &Readiness, wait: bool) -> bool {
        let mut fds = [PollFd::from_borrowed_fd(readiness.fd(), PollFlags::IN)];
        let zero = rustix::time::Timespec { tv_sec: if wait { 60 } else { 0 }, tv_nsec: 0 };
        poll(&mut fds, Some(&zero)).unwrap() > 0
    }

    #[test]
    fn it_is_readable_until_a_call_finds_nothing() {
        let (there, ring) = sync_channel(0);
        let readiness =
            Readiness::start(move || ring.recv().map_err(|_| RingError::Closed("over"))).unwrap();
        assert!(!readable(&readiness, false));
        there.send(()).unwrap();
        assert!(readable(&readiness, true) && readable(&readiness, false));
        readiness.nothing_there();
        assert!(!readable(&readiness, false));
        there.send(()).unwrap();
        assert!(readable(&readiness, true));
        readiness.nothing_there();
        drop(there);
        assert!(readable(&readiness, true), "the end is readable too");
    }
}
