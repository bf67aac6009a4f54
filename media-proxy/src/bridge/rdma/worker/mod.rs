//! Bridges in worker processes.
//!
//! A libfabric provider that crashes takes its process with it. Providers that have been seen to
//! crash (`verbs`) run in a worker, which is this program once more: a member of the group like any
//! other, so that a crash loses the worker alone. Proxy and worker talk over a socket that is the
//! worker's standard input; the worker ends when it is closed.

mod child;
mod messages;
mod parent;

pub(crate) use child::run;
pub(super) use messages::Job;
pub(super) use parent::start;

use daemon::logger::LogFormat;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The only argument of a worker.
pub(crate) const ARGUMENT: &str = "--bridge-worker";

/// The workers that run, by process id. The exchange counts them as part of this proxy.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workers {
    pids: Arc<Mutex<BTreeSet<u32>>>,
    /// Format of their logs, if the proxy's command line sets it.
    log_format: Option<LogFormat>,
}

impl Workers {
    /// None yet.
    pub(crate) fn new(log_format: Option<LogFormat>) -> Self {
        Self { pids: Arc::default(), log_format }
    }

    /// Whether a living process is one of them.
    pub(crate) fn contains(&self, pid: u32) -> bool {
        self.lock().contains(&pid)
    }

    /// Call it before anything else in the process.
    fn add(&self, pid: u32) {
        self.lock().insert(pid);
    }

    /// Call it while the id cannot belong to another process: before the process is waited for.
    fn remove(&self, pid: u32) {
        self.lock().remove(&pid);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<u32>> {
        self.pids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
