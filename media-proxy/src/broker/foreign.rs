//! Descriptors that clients give, closed where that may take long.
//!
//! `close` can block for as long as the descriptor's maker likes: a file of a FUSE file system, a
//! socket that lingers. So can the release of messages that still lie in a client's socket. The
//! exchange thread serves all clients; it therefore closes only what is known to be harmless,
//! memory and pidfds, and leaves everything else to threads that are used for nothing else.

use crate::rate_limited_log::RateLimitedLog;
use rustix::fs::fcntl_get_seals;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Threads that close. One that is held up is replaced.
const MAX_THREADS: usize = 64;
/// Descriptors that wait for a thread. Beyond that they stay open: better than a stop of the
/// exchange.
const MAX_WAITING: usize = 4096;
/// After so long without work a thread ends.
const IDLE: Duration = Duration::from_secs(10);

static CLOSER: Closer = Closer { state: Mutex::new(State::new()), more: Condvar::new() };
static LEAKED: RateLimitedLog = RateLimitedLog::new();

/// A descriptor of a client's making, or a client's socket. It is closed on a thread of its own
/// kind.
#[derive(Debug)]
pub(crate) struct Foreign(ManuallyDrop<OwnedFd>);

impl From<OwnedFd> for Foreign {
    fn from(fd: OwnedFd) -> Self {
        Self(ManuallyDrop::new(fd))
    }
}

impl AsFd for Foreign {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: the descriptor is taken once, here; nothing uses it after the drop of its owner.
        CLOSER.close(unsafe { ManuallyDrop::take(&mut self.0) });
    }
}

impl Foreign {
    /// The descriptor, if it is one that the exchange takes: memory, or a pidfd. Those close at
    /// once.
    ///
    /// # Errors
    /// What it is instead.
    pub(crate) fn vet(self) -> Result<OwnedFd, String> {
        // Only shared memory has seals, and no file system is asked.
        if fcntl_get_seals(self.as_fd()).is_err() {
            // The name of an open file comes from the kernel's tables alone.
            let link = format!("/proc/self/fd/{}", self.0.as_raw_fd());
            let name = std::fs::read_link(link).map_err(|error| error.to_string())?;
            let name = name.to_string_lossy();
            // An eventfd comes from clients where no pidfd can be had, as under Valgrind.
            let harmless = ["anon_inode:[pidfd]", "anon_inode:[eventfd]"].contains(&&*name);
            if !harmless && !name.starts_with("pidfd:") {
                return Err(format!(
                    "it sent the descriptor of {}; allowed: memfd, pidfd",
                    name.escape_debug()
                ));
            }
        }
        let mut this = ManuallyDrop::new(self);
        // SAFETY: `this` is not dropped, so the descriptor has one owner.
        Ok(unsafe { ManuallyDrop::take(&mut this.0) })
    }
}

struct Closer {
    state: Mutex<State>,
    more: Condvar,
}

struct State {
    waiting: VecDeque<OwnedFd>,
    threads: usize,
    idle: usize,
}

impl State {
    const fn new() -> Self {
        Self { waiting: VecDeque::new(), threads: 0, idle: 0 }
    }
}

impl Closer {
    fn close(&'static self, fd: OwnedFd) {
        let mut state = self.lock();
        if state.waiting.len() >= MAX_WAITING {
            drop(state);
            LEAKED.warn("a client's descriptor stays open: all threads that close are held up");
            std::mem::forget(fd);
            return;
        }
        state.waiting.push_back(fd);
        if state.idle < state.waiting.len() && state.threads < MAX_THREADS {
            let thread = std::thread::Builder::new().name("mcm-close".into());
            // Without a thread it waits for those that there are.
            if thread.stack_size(64 * 1024).spawn(|| self.run()).is_ok() {
                state.threads += 1;
            }
        }
        drop(state);
        self.more.notify_one();
    }

    fn run(&self) {
        let mut state = self.lock();
        loop {
            if let Some(fd) = state.waiting.pop_front() {
                drop(state);
                drop(fd);
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let (back, timeout) =
                self.more.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            if timeout.timed_out() && state.waiting.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{MemfdFlags, memfd_create};
    use rustix::process::{PidfdFlags, getpid, pidfd_open};

    #[test]
    fn memory_and_processes_are_taken_and_nothing_else() {
        let memory = memfd_create("frames", MemfdFlags::CLOEXEC).unwrap();
        assert!(Foreign::from(memory).vet().is_ok());
        let process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        assert!(Foreign::from(process).vet().is_ok());
        let (socket, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
        let error = Foreign::from(OwnedFd::from(socket)).vet().unwrap_err();
        assert!(error.contains("socket:["), "{error}");
        let file = std::fs::File::open("/dev/null").unwrap();
        let error = Foreign::from(OwnedFd::from(file)).vet().unwrap_err();
        assert_eq!(error, "it sent the descriptor of /dev/null; allowed: memfd, pidfd");
    }

    #[test]
    fn what_is_dropped_is_closed_elsewhere() {
        let (mut reader, writer) = std::io::pipe().unwrap();
        drop(Foreign::from(OwnedFd::from(writer)));
        // The end of the pipe comes once the other end is closed.
        assert_eq!(std::io::Read::read(&mut reader, &mut [0]).unwrap(), 0);
    }
}
