//! One running end of a link between two proxies.

use super::figures::LinkFigures;
use crate::bridge::engine::{Alarm, Bridge};
use crate::bridge::status::Figures;
use crate::cpu::ThreadClock;
use fabric::bridge::{BridgeStatus, Finished, LinkOptions, Stop};
use mcm::Connection;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

/// A bridge on a thread of its own.
pub(super) struct End {
    connection: Arc<Connection>,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
    figures: Arc<LinkFigures>,
}

impl End {
    pub(super) fn start(
        connection: Arc<Connection>,
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
        connection.event_fd().map_err(|error| error.to_string())?;
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
        Ok(Self { connection, stop, thread: Some(thread), figures })
    }

    fn end(&mut self, stop: impl FnOnce(&Stop)) {
        stop(&self.stop);
        if let Some(thread) = self.thread.take() {
            // A panic has been logged already.
            let _ = thread.join();
        }
        // This does not end the stream, unless its end was passed on before.
        self.connection.leave();
    }
}

impl Bridge for End {
    fn connection(&self) -> String {
        self.connection.id()
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
