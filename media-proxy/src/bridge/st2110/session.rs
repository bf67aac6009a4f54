//! Signals between a bridge and its session: started, ending, over.

use crate::bridge::engine::Alarm;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// The session is being made, and may fail.
const STARTING: u64 = 0;
/// Should it end now, then for a bad reason. Any later phase is the time since when it shall end.
const RUNNING: u64 = 1;

/// The bridge's side.
#[derive(Debug)]
pub(super) struct Watch {
    phase: Arc<AtomicU64>,
    over: Receiver<()>,
}

/// The session's side, kept in its feed or sink: when that is dropped, the session is over.
#[derive(Debug)]
pub(super) struct Life {
    ending: Ending,
    alarm: Alarm,
    /// Nothing is ever sent; that it is gone is the news.
    _over: SyncSender<()>,
}

/// Whether a session shall end, for threads that work for it.
#[derive(Clone, Debug)]
pub(super) struct Ending(Arc<AtomicU64>);

impl Ending {
    /// Whether it shall end.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(SeqCst) > RUNNING
    }

    /// Whether a frame was put (`CLOCK_MONOTONIC`, nanoseconds) after the session was told to end.
    /// A source that goes on does not keep the session from ending.
    pub(super) fn is_before(&self, published_ns: u64) -> bool {
        let phase = self.0.load(SeqCst);
        phase > RUNNING && published_ns > phase
    }
}

/// Both sides of a session that is about to start.
pub(super) fn pair(alarm: Alarm) -> (Watch, Life) {
    let phase = Arc::new(AtomicU64::new(STARTING));
    let (sender, over) = sync_channel(0);
    let life = Life { ending: Ending(Arc::clone(&phase)), alarm, _over: sender };
    (Watch { phase, over }, life)
}

impl Watch {
    /// The session has started. False if it is over already.
    pub(super) fn started(&self) -> bool {
        self.phase.store(RUNNING, SeqCst);
        self.over.try_recv() != Err(TryRecvError::Disconnected)
    }

    /// The session shall end.
    pub(super) fn end(&self) {
        self.phase.store(shm::monotonic_ns().max(RUNNING + 1), SeqCst);
    }

    /// Waits until the session is over, but not for longer than this.
    pub(super) fn wait(&self, time: Duration) {
        // Nothing is ever sent: both outcomes mean that there is nothing more to wait for.
        let _ = self.over.recv_timeout(time);
    }
}

impl Life {
    /// For feeds, and for threads that work for the session.
    pub(super) fn ending(&self) -> &Ending {
        &self.ending
    }

    /// Whether the session shall end.
    pub(super) fn is_ending(&self) -> bool {
        self.ending.is_set()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.ending.0.load(SeqCst) == RUNNING {
            self.alarm.raise("its session on the network has ended by itself".into());
        }
    }
}
