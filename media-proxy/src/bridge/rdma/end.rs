//! One running end of a link between two proxies.

use super::figures::LinkFigures;
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::status::Figures;
use crate::cpu::ThreadClock;
use fabric::bridge::{BridgeStatus, Finished, LinkOptions, Stop};
use mcm::Source;
use mcm::bridge::{self, Follower};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

/// How the bridge takes part in its group.
pub(super) enum Member {
    /// It brings the group's frames.
    Source(Arc<Source>),
    /// It takes them elsewhere.
    Follower(Arc<Follower>),
}

impl Member {
    fn id(&self) -> String {
        match self {
            Self::Source(source) => source.id(),
            Self::Follower(follower) => follower.receiver().id(),
        }
    }

    /// Makes the descriptor that the bridge sleeps on.
    fn prepare(&self) -> Result<(), String> {
        let made = match self {
            Self::Source(source) => source.event_fd(),
            Self::Follower(follower) => follower.receiver().event_fd(),
        };
        made.map(drop).map_err(|error| error.to_string())
    }

    /// Leaves the group. That is no end of the stream, unless it was told before.
    fn leave(&self) {
        match self {
            Self::Source(source) => bridge::leave(source),
            Self::Follower(follower) => follower.receiver().shutdown(),
        }
    }
}

/// A bridge on a thread of its own.
pub(super) struct End {
    member: Member,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
    figures: Arc<LinkFigures>,
}

impl End {
    pub(super) fn start(
        member: Member,
        status: BridgeStatus,
        link: &LinkOptions,
        alarm: Alarm,
        run: impl FnOnce(&Stop) -> Finished + Send + 'static,
    ) -> Result<Self, String> {
        let stop = Stop::new().map_err(|error| format!("eventfd: {error}"))?;
        let thread = Arc::<OnceLock<ThreadClock>>::default();
        let figures = LinkFigures::new(
            status,
            link.local.to_string(),
            link.extended.is_some(),
            Arc::clone(&thread),
        );
        let figures = Arc::new(figures);
        let (stopped, own) = (stop.clone(), thread);
        // Creates the descriptor that the bridge waits on here, where an error can be returned.
        member.prepare()?;
        let thread = shm::quiet_thread("mcm-rdma", move || {
            own.get_or_init(ThreadClock::here);
            let finished = run(&stopped);
            match finished {
                _ if stopped.is_stopped() => {}
                Finished::StreamEnded => alarm.over(),
                Finished::Stopped => alarm.raise("its connection to the group has ended".into()),
            }
        });
        let thread = thread.map_err(|error| format!("no thread for the bridge: {error}"))?;
        Ok(Self { member, stop, thread: Some(thread), figures })
    }

    fn end(&mut self, stop: impl FnOnce(&Stop)) {
        stop(&self.stop);
        if let Some(thread) = self.thread.take() {
            // A panic has been logged already.
            let _ = thread.join();
        }
        // This does not end the stream, unless its end was passed on before.
        self.member.leave();
    }
}

impl Bridge for End {
    fn connection(&self) -> String {
        self.member.id()
    }

    fn figures(&self) -> Arc<dyn Figures> {
        Arc::clone(&self.figures) as Arc<dyn Figures>
    }

    fn stop(mut self: Box<Self>) {
        self.end(Stop::stop);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.end(Stop::stop_at_once);
    }
}
