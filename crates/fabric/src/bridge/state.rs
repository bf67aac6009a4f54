//! A bridge's public state and counters, and its stop request.

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::time::Timespec;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Reported when messages of the other proxy no longer arrive, or never did.
pub(super) const SILENT_PEER: &str = "nothing is heard of the other proxy: it is down, or the network is, or firewall rules drop its packets (on a bridge of this \
     host too, where net.bridge.bridge-nf-call-iptables is 1)";

/// Whether a bridge has a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkState {
    /// There never was one yet.
    #[default]
    Connecting,
    /// There is one; in the plain form: nothing speaks against it.
    Up,
    /// It was lost, or could not be made, and is tried again.
    Down,
}

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counts of a bridge since it was started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct BridgeCounts {
            $($(#[$doc])* pub $name: u64,)*
        }

        #[derive(Debug, Default)]
        pub(super) struct Counters {
            $(pub(super) $name: Counter,)*
        }

        impl Counters {
            fn read(&self) -> BridgeCounts {
                BridgeCounts { $($name: self.$name.0.load(Relaxed),)* }
            }
        }
    };
}

counts! {
    /// Frames sent completely, or received and published.
    frames,
    /// Payload bytes of these frames.
    bytes,
    /// Egress: frames that were not sent because there was no connection, or that were lost with
    /// it.
    unsent,
    /// Connections made: one more than reconnections.
    connects,
    /// Connections lost.
    losses,
    /// Ingress: frames that never came though later ones did.
    gaps,
    /// Messages of a wrong size, or that contradict themselves.
    malformed,
    /// Ingress: frames whose number had been before.
    replayed,
    /// Ingress: frames with a number far from what could come.
    wild,
    /// Messages of another session, or with a wrong signature or seal.
    foreign,
}

/// One count.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Relaxed);
    }
}

#[derive(Debug, Default)]
struct Shared {
    counters: Counters,
    state: AtomicU8,
    problem: Mutex<Problem>,
}

/// Reason for which a bridge has no connection.
#[derive(Debug, Default)]
struct Problem {
    /// The reason at present.
    now: Option<String>,
    /// Reasons that the log has since there was a connection, as many as [`TOLD`] at most.
    told: Vec<String>,
}

/// Reasons that are told one after another until there is a connection again.
const TOLD: usize = 8;

/// Status of a bridge. Clones share it.
#[derive(Clone, Debug)]
pub struct BridgeStatus {
    shared: Arc<Shared>,
    name: Arc<str>,
}

impl BridgeStatus {
    /// Of a bridge of this name, which appears in the log.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { shared: Arc::default(), name: name.into() }
    }

    /// Its counts so far.
    #[must_use]
    pub fn counts(&self) -> BridgeCounts {
        self.shared.counters.read()
    }

    /// Whether it has a connection.
    #[must_use]
    pub fn link(&self) -> LinkState {
        match self.shared.state.load(Relaxed) {
            0 => LinkState::Connecting,
            1 => LinkState::Up,
            _ => LinkState::Down,
        }
    }

    /// Why it has no connection, if it knows.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.lock().now.clone()
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(super) fn up(&self) {
        if self.shared.state.swap(1, Relaxed) != 1 {
            self.counters().connects.add(1);
            log::info!("{}: connected", self.name);
        }
        *self.lock() = Problem::default();
    }

    /// The connection is lost, or was not made. What is tried again and again is told once.
    pub(super) fn down(&self, why: &str) {
        if self.shared.state.swap(2, Relaxed) == 1 {
            self.counters().losses.add(1);
        }
        let mut problem = self.lock();
        if problem.told.len() < TOLD && problem.told.iter().all(|told| told != why) {
            log::warn!("{}: {why}", self.name);
            problem.told.push(why.to_owned());
        }
        problem.now = Some(why.to_owned());
    }

    /// There is a connection, but no frame gets through. Told as a loss is, but not counted as one.
    pub(super) fn stalled(&self, why: &str) {
        if self.shared.state.swap(2, Relaxed) == 1 {
            log::warn!("{}: {why}", self.name);
        }
        self.lock().now = Some(why.to_owned());
    }

    /// Frames get through again.
    pub(super) fn resumed(&self) {
        self.shared.state.store(1, Relaxed);
        log::info!("{}: frames get through again", self.name);
        self.lock().now = None;
    }

    /// There is no connection yet, as is to be expected for a while.
    pub(super) fn waits(&self, why: &str) {
        log::debug!("{}: {why}", self.name);
        self.lock().now = Some(why.to_owned());
    }

    /// The other side has ended the connection in order.
    pub(super) fn ended(&self) {
        if self.shared.state.swap(2, Relaxed) == 1 {
            log::info!("{}: the other proxy has said goodbye", self.name);
        }
        self.lock().now = Some("the other proxy has said goodbye".to_owned());
    }

    fn lock(&self) -> MutexGuard<'_, Problem> {
        self.shared.problem.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends bridges, from any thread. Clones end the same ones.
#[derive(Clone, Debug)]
pub struct Stop(Arc<Ending>);

#[derive(Debug)]
struct Ending {
    event: OwnedFd,
    at_once: AtomicBool,
}

impl Stop {
    /// Nothing is stopped yet.
    pub fn new() -> std::io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(Ending { event, at_once: AtomicBool::new(false) })))
    }

    /// Stops them, once what was put before has been carried: within two seconds.
    pub fn stop(&self) {
        // A full counter says the same.
        let _ = rustix::io::write(&self.0.event, &1u64.to_ne_bytes());
    }

    /// Stops them without draining.
    pub fn stop_at_once(&self) {
        self.0.at_once.store(true, Relaxed);
        self.stop();
    }

    /// Whether the bridge must end without draining.
    pub(super) fn is_at_once(&self) -> bool {
        self.0.at_once.load(Relaxed)
    }

    /// Whether they are stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        wait(Some(self), &[], Duration::ZERO)
    }
}

/// Sleeps until one of the descriptors is readable, the time has passed, or everything is stopped,
/// which is returned.
pub(super) fn wait(stop: Option<&Stop>, others: &[BorrowedFd<'_>], time: Duration) -> bool {
    let stop = stop.map(|stop| stop.0.event.as_fd());
    let all = stop.iter().chain(others);
    let mut fds: Vec<_> = all.map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN)).collect();
    let time = Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    };
    // Interrupted by a signal: the caller checks its state again.
    let _ = poll(&mut fds, Some(&time));
    stop.is_some() && fds.first().is_some_and(|stop| stop.revents().contains(PollFlags::IN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stopping_is_seen_by_all_and_stays() {
        let stop = Stop::new().unwrap();
        let other = stop.clone();
        assert!(!other.is_stopped());
        stop.stop();
        assert!(other.is_stopped() && stop.is_stopped());
        assert!(wait(Some(&other), &[], Duration::from_secs(600)));
        assert!(!other.is_at_once());
        stop.stop_at_once();
        assert!(other.is_at_once());
    }

    #[test]
    fn losses_and_connections_are_counted_once_each() {
        let status = BridgeStatus::new("bridge");
        assert_eq!(status.link(), LinkState::Connecting);
        status.down("nobody answers");
        status.down("nobody answers");
        assert_eq!((status.link(), status.counts().losses), (LinkState::Down, 0));
        assert_eq!(status.problem().as_deref(), Some("nobody answers"));
        status.up();
        status.up();
        status.down("silence");
        status.up();
        let counts = status.counts();
        assert_eq!((status.link(), counts.connects, counts.losses), (LinkState::Up, 2, 1));
        assert_eq!(status.problem(), None);
        // A peer that closes is not lost.
        status.ended();
        let counts = status.counts();
        assert_eq!((status.link(), counts.connects, counts.losses), (LinkState::Down, 2, 1));
    }
}
