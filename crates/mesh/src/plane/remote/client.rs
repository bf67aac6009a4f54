//! The client of the agents: searches for one, and serves the proxy alone while there is none.

use super::Command;
use super::channel::AgentAddress;
use super::original::REFUSED_PAUSE;
use super::registrations::{Registrations, Stage};
use super::search::{Candidates, PAUSE};
use crate::plane::{Accepted, Listener};
use crate::topology::{ConnectionId, Proxy};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Number of different reasons that are logged while no agent serves this proxy.
const MAX_REASONS: usize = 8;

/// The client of the agents: it owns the registrations and uses one agent at a time.
pub(super) struct Client {
    pub(super) registrations: Registrations,
    pub(super) candidates: Candidates,
    pub(super) listener: Arc<dyn Listener>,
    pub(super) inbox: mpsc::UnboundedReceiver<Command>,
    /// What the listener was last told of the agents' reachability; `None` before that.
    pub(super) reachable: Option<bool>,
    /// The agent of the original that has given the proxy its id.
    pub(super) named_by: Option<AgentAddress>,
}

/// Why a session ended.
pub(super) enum SessionEnd {
    /// The proxy is ending.
    ProxyEnds,
    /// The agent is lost, or refuses this proxy.
    Lost(String),
    /// The agent speaks another protocol.
    Foreign(String),
}

impl Client {
    pub(super) fn new(
        proxy: Proxy,
        candidates: Candidates,
        listener: Arc<dyn Listener>,
        inbox: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let registrations = Registrations::new(proxy);
        Self { registrations, candidates, listener, inbox, reachable: None, named_by: None }
    }

    /// Runs until the proxy ends.
    pub(super) async fn run(mut self) {
        let mut pause = PAUSE.0;
        let mut told = BTreeSet::new();
        loop {
            let began = Instant::now();
            let foreign = match self.run_session().await {
                SessionEnd::ProxyEnds => return,
                SessionEnd::Lost(why) => {
                    self.log_reason(&mut told, why);
                    None
                }
                SessionEnd::Foreign(why) => {
                    self.log_reason(&mut told, why);
                    Some(REFUSED_PAUSE)
                }
            };
            self.detach();
            // An agent that had worked may be back at once.
            pause = if began.elapsed() > PAUSE.1 { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
            if matches!(
                self.wait_without_agent(foreign.unwrap_or(pause)).await,
                SessionEnd::ProxyEnds
            ) {
                return;
            }
        }
    }

    /// Logs why no agent serves this proxy: each new reason once, until an agent does.
    fn log_reason(&self, told: &mut BTreeSet<String>, why: String) {
        if self.reachable != Some(false) {
            told.clear();
        }
        // A reason that differs each time must not fill the log.
        if told.len() < MAX_REASONS && !told.contains(&why) {
            log::warn!("{why}");
            told.insert(why);
        } else {
            log::debug!("{why}");
        }
    }

    /// Without an agent, answers all pending registrations for this host alone.
    fn detach(&mut self) {
        if self.reachable != Some(false) {
            self.reachable = Some(false);
            self.listener.reachable(false);
        }
        let ids: Vec<_> = self.registrations.entries().map(|(id, _)| id.clone()).collect();
        for id in ids {
            self.accept_locally(&id);
        }
        for id in self.registrations.detach() {
            // Its program waits for bridges that the agent will not ask for.
            self.listener.registered(&id, Ok(Accepted::LocalOnly));
        }
        self.update_listener();
    }

    /// Accepts a connection for this host alone, unless an agent has decided about it.
    pub(super) fn accept_locally(&mut self, id: &ConnectionId) {
        let Some(entry) = self.registrations.entry(id) else { return };
        if entry.stage == Stage::New {
            entry.stage = Stage::LocalOnly;
        }
        if std::mem::take(&mut entry.asked) {
            self.listener.registered(id, Ok(Accepted::LocalOnly));
        }
    }

    pub(super) fn update_listener(&mut self) {
        if let Some(desired) = self.registrations.change() {
            self.listener.desired(desired);
        }
    }

    /// Serves the proxy without an agent for the length of the pause.
    async fn wait_without_agent(&mut self, pause: Duration) -> SessionEnd {
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return SessionEnd::Lost(String::new()),
                command = self.inbox.recv() => match command {
                    None => return SessionEnd::ProxyEnds,
                    Some(command) => self.handle_offline(command),
                }
            }
        }
    }

    fn handle_offline(&mut self, command: Command) {
        match command {
            Command::Register(registration) => {
                let id = registration.id.clone();
                match self.registrations.add(*registration) {
                    Ok(()) => self.accept_locally(&id),
                    Err(error) => self.listener.registered(&id, Err(error)),
                }
            }
            Command::Unregister(id) => {
                self.registrations.remove(&id);
            }
            Command::Applied(outcome) => self.registrations.note_outcome(outcome),
            // No agent takes them.
            Command::Metrics(_) => {}
            Command::FindGroups(_, answer) => answer(None),
        }
        self.update_listener();
    }

    /// Awaits `wait`, and meanwhile serves the proxy as far as that is possible without an agent.
    /// `None`: the proxy is ending.
    pub(super) async fn serve_offline_until<T>(
        &mut self,
        wait: impl Future<Output = T>,
    ) -> Option<T> {
        let mut wait = std::pin::pin!(wait);
        loop {
            tokio::select! {
                done = &mut wait => return Some(done),
                command = self.inbox.recv() => match command? {
                    Command::Register(registration) if self.reachable.is_none() => {
                        // During the first attempt: its outcome decides who answers.
                        let id = registration.id.clone();
                        if let Err(error) = self.registrations.add(*registration) {
                            self.listener.registered(&id, Err(error));
                        }
                    }
                    command => self.handle_offline(command),
                }
            }
        }
    }
}
