//! Names of the links' counters.

use crate::bridge::status::Figures;
use crate::cpu::ThreadClock;
use fabric::bridge::{BridgeStatus, LinkState};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The counts of every link, in this order.
pub(super) const NAMES: [&str; 11] = [
    "linked",
    "frames",
    "bytes",
    "unsent",
    "connects",
    "losses",
    "gaps",
    "malformed",
    "replayed",
    "wild",
    "foreign",
];

/// Of one end of a link.
pub(super) struct LinkFigures {
    status: BridgeStatus,
    local: String,
    /// The two ends talk even when there are no frames.
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

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let counts = self.status.counts();
        let values = [
            u64::from(self.status.link() == LinkState::Up),
            counts.frames,
            counts.bytes,
            counts.unsent,
            counts.connects,
            counts.losses,
            counts.gaps,
            counts.malformed,
            counts.replayed,
            counts.wild,
            counts.foreign,
        ];
        NAMES.into_iter().zip(values).collect()
    }

    fn is_linked(&self) -> bool {
        self.status.link() == LinkState::Up
    }

    fn measurements(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
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
