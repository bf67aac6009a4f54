//! How a session of the engine and its bridge learn of each other's end.

use crate::bridge::engine::Alarm;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

/// The session is being made, and may fail.
const STARTING: u8 = 0;
/// Should it end now, then for a bad reason.
const RUNNING: u8 = 1;
/// It shall end.
const ENDING: u8 = 2;

/// The bridge's side.
#[derive(Debug)]
pub(super) struct Watch {
    phase: Arc<AtomicU8>,
    over: Receiver<()>,
}

/// The session's side, kept in its feed or sink: when that is dropped, the session is over.
#[derive(Debug)]
pub(super) struct Life {
    phase: Arc<AtomicU8>,
    alarm: Alarm,
    /// Nothing is ever sent; that it is gone is the news.
    _over: SyncSender<()>,
}

/// Both sides of a session that is about to start.
pub(super) fn pair(alarm: Alarm) -> (Watch, Life) {
    let phase = Arc::new(AtomicU8::new(STARTING));
    let (sender, over) = sync_channel(0);
    let life = Life { phase: Arc::clone(&phase), alarm, _over: sender };
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
        self.phase.store(ENDING, SeqCst);
    }

    /// Waits until the session is over, but not for longer than this.
    pub(super) fn wait(&self, time: Duration) {
        // Nothing is ever sent: both outcomes mean that there is nothing more to wait for.
        let _ = self.over.recv_timeout(time);
    }
}

impl Life {
    /// Whether the session shall end.
    pub(super) fn is_ending(&self) -> bool {
        self.phase.load(SeqCst) == ENDING
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.phase.load(SeqCst) == RUNNING {
            self.alarm.raise("its session on the network has ended by itself".into());
        }
    }
}
