//! The part that a source and a receiver share: their place in the session of the client.

use crate::client::Place;
use crate::entry::Entry;
use crate::readiness::Readiness;
use crate::session::Session;
use crate::waiting::Waiting;
use crate::{Timeout, WaitError};
use config::ConnectionConfig;
use parking_lot::Mutex;
use shm::{Deadline, RingError};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The session's side of a source or receiver.
#[derive(Debug)]
pub(crate) struct Connection {
    place: Place,
    entry: Arc<Entry>,
    payload_size: usize,
    metadata_size: usize,
    readiness: OnceLock<Readiness>,
    /// Serialises the first request for the descriptor.
    starting: Mutex<()>,
    waiting: Waiting,
}

impl Connection {
    pub(crate) fn new(place: Place, entry: Arc<Entry>, config: &ConnectionConfig) -> Self {
        Self {
            place,
            entry,
            payload_size: config.payload_size() as usize,
            metadata_size: config.metadata_size() as usize,
            readiness: OnceLock::new(),
            starting: Mutex::new(()),
            waiting: Waiting::new(config),
        }
    }

    fn session(&self) -> &Session {
        self.place.session()
    }

    pub(crate) fn id(&self) -> String {
        self.entry.id()
    }

    pub(crate) fn payload_size(&self) -> usize {
        self.payload_size
    }

    pub(crate) fn metadata_size(&self) -> usize {
        self.metadata_size
    }

    pub(crate) fn default_timeout(&self) -> Duration {
        self.session().config.default_timeout
    }

    /// Whether this is the process that opened it, and not a forked child of that.
    pub(crate) fn is_here(&self) -> bool {
        self.session().is_here()
    }

    /// Takes a frame or slot from the ring by `get`.
    pub(crate) fn take<T>(
        &self,
        timeout: Timeout,
        get: impl Fn(Deadline) -> Result<T, RingError>,
    ) -> Result<T, RingError> {
        let taken = self.waiting.first(timeout.deadline(self.default_timeout()), get);
        if let Err(RingError::Timeout(_)) = taken
            && let Some(readiness) = self.readiness.get()
        {
            readiness.nothing_there();
        }
        taken
    }

    /// The descriptor that polls readable while a call would not block, as `wait` tells.
    pub(crate) fn event_fd(
        &self,
        wait: impl Fn() -> Result<(), RingError> + Send + 'static,
    ) -> Result<BorrowedFd<'_>, WaitError> {
        if !self.is_here() {
            return Err(WaitError::Forked);
        }
        let _first = self.starting.lock();
        let readiness = match self.readiness.get() {
            Some(readiness) => readiness,
            None => {
                let started = Readiness::start(wait).map_err(WaitError::System)?;
                self.readiness.get_or_init(|| started)
            }
        };
        Ok(readiness.fd())
    }

    /// Tells the proxy that the program has closed this end.
    pub(crate) fn forget(&self) {
        self.session().forget(self.entry.key());
    }
}

/// What the program learns of an error of the ring.
pub(crate) fn wait_error(error: RingError, timeout: Timeout, default: Duration) -> WaitError {
    match error {
        RingError::Timeout(reason) => {
            let after = timeout.duration(default).unwrap_or(Duration::MAX);
            WaitError::Timeout { after, reason }
        }
        RingError::Cancelled => WaitError::Cancelled,
        RingError::Interrupted => WaitError::Interrupted,
        RingError::Closed(reason) => WaitError::Closed(reason),
        RingError::Forked => WaitError::Forked,
        RingError::Ended
        | RingError::SourceClosed
        | RingError::Shape(_)
        | RingError::System { .. }
        | RingError::Foreign { .. }
        | RingError::Full(_) => WaitError::System(error.to_string()),
    }
}
