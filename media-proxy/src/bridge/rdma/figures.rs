//! Statistics of links.

use crate::bridge::statistics::{BridgeStatistics, take};
use crate::bridge::status::Figures;
use crate::cpu::ThreadClock;
use fabric::bridge::{BridgeCounts, BridgeStatus, LinkState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// Of one end of a link.
pub(super) struct LinkFigures {
    status: BridgeStatus,
    local: String,
    /// The two ends exchange messages even without frames.
    sessions: bool,
    /// Of the link's thread, once it runs.
    thread: Arc<OnceLock<ThreadClock>>,
}

impl LinkFigures {
    pub(super) fn new(
        status: BridgeStatus,
        local: String,
        sessions: bool,
        thread: Arc<OnceLock<ThreadClock>>,
    ) -> Self {
        Self { status, local, sessions, thread }
    }
}

impl Figures for LinkFigures {
    fn local(&self) -> String {
        self.local.clone()
    }

    fn statistics(&self) -> BridgeStatistics {
        take! {
            let BridgeCounts {
                frames,
                bytes,
                unsent,
                connects,
                losses,
                gaps,
                malformed,
                replayed,
                wild,
                foreign
            } = self.status.counts();
            let statistics = BridgeStatistics { ..BridgeStatistics::default() }
        }
        BridgeStatistics { linked: Some(self.is_linked()), ..statistics }
    }

    fn is_linked(&self) -> bool {
        self.status.link() == LinkState::Up
    }

    fn no_link(&self) -> Option<String> {
        let known = match self.status.link() {
            LinkState::Up => return None,
            LinkState::Connecting => self.sessions,
            LinkState::Down => true,
        };
        let why = || self.status.problem().unwrap_or_else(|| "not connected yet".into());
        known.then(why)
    }

    fn cpu_time(&self) -> Option<Duration> {
        self.thread.get()?.used()
    }

    fn sdp(&self) -> Option<String> {
        None
    }
}
