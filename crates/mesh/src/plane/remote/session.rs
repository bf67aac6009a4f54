//! A session with one agent: registration, the command stream, and its replies.

use super::calls::CallResult;
use super::channel::AgentAddress;
use super::client::{Client, SessionEnd};
use super::original::check_release;
use super::pulse;
use super::registrations::{Entry, Stage};
use crate::error::AgentError;
use crate::plane::Applied;
use crate::topology::ConnectionId;
use proto::mediaproxy as pb;
use proto::mediaproxy::proxy_api_client::ProxyApiClient;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::Channel;

pub(super) type Agent = ProxyApiClient<Channel>;

/// Time-out of a call. The agent waits for its store for less than that.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(4);
/// Interval at which connections that the agents did not accept are offered again.
const RETRY: Duration = Duration::from_secs(1);
/// Size limit of a message: the state of a proxy with thousands of connections fits.
const MAX_MESSAGE: usize = 16 << 20;

/// State of the session with one agent.
pub(super) struct Session {
    pub(super) agent: Agent,
    /// The agent accepts ids that the proxy chooses.
    pub(super) own_ids: bool,
    pub(super) results: mpsc::UnboundedSender<CallResult>,
    /// Connections with a pending call.
    pub(super) busy: BTreeSet<ConnectionId>,
    pub(super) measuring: bool,
    /// Connections that have ended, with their ids at the agent, which could not be told yet.
    pub(super) leaving: Vec<(ConnectionId, String)>,
    /// Commands to answer once this generation has been applied.
    unanswered: Vec<(u64, String, Vec<String>)>,
    retry: Instant,
}

impl Client {
    /// Connects to an agent, and serves the proxy by it until the session ends.
    pub(super) async fn run_session(&mut self) -> SessionEnd {
        let connecting = self.candidates.connect();
        let (address, channel) = match self.serve_offline_until(connecting).await {
            None => return SessionEnd::ProxyEnds,
            Some(Err(why)) => return SessionEnd::Lost(why),
            Some(Ok(found)) => found,
        };
        // If this agent turns out to be unusable, the next search begins with another.
        self.candidates.begin_after(&address);
        let lost = |why: String| SessionEnd::Lost(format!("mesh agent {address}: {why}"));
        let agent = ProxyApiClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let (sender, mut results) = mpsc::unbounded_channel();
        let mut session = Session {
            agent,
            own_ids: false,
            results: sender,
            busy: BTreeSet::new(),
            measuring: false,
            leaving: Vec::new(),
            unanswered: Vec::new(),
            retry: Instant::now() + RETRY,
        };
        let mut agent = session.agent.clone();
        let pace = match self
            .serve_offline_until(async { pulse::ask(&mut agent, pulse::OWN).await })
            .await
        {
            None => return SessionEnd::ProxyEnds,
            Some(Err(why)) => return lost(why.to_owned()),
            Some(Ok(Ok(()))) => pulse::OWN,
            Some(Ok(Err(status))) if status.code() == tonic::Code::Unimplemented => pulse::OTHER,
            Some(Ok(Err(status))) => return lost(describe(&status)),
        };
        if pace == pulse::OTHER {
            let mut agent = session.agent.clone();
            let checked = async { check_release(&mut agent, CALL_TIMEOUT).await };
            match self.serve_offline_until(checked).await {
                None => return SessionEnd::ProxyEnds,
                Some(Err(why)) => {
                    return SessionEnd::Foreign(format!("mesh agent {address}: {why}"));
                }
                Some(Ok(())) => {}
            }
        }
        let mut commands = match self.register_all(&mut session, &address).await {
            Ok(Some(commands)) => commands,
            Ok(None) => return SessionEnd::ProxyEnds,
            Err(why) => return lost(why),
        };
        tokio::spawn(pulse::watch(session.agent.clone(), pace, session.results.clone()));
        log::info!(
            "mesh agent {address}: registered as media proxy {}",
            self.registrations.proxy_id()
        );
        if self.reachable != Some(true) {
            self.reachable = Some(true);
            self.listener.reachable(true);
        }
        loop {
            tokio::select! {
                command = commands.message() => match command {
                    Ok(Some(command)) => self.handle_agent_command(&mut session, command),
                    Ok(None) => return lost("the command stream has ended".into()),
                    Err(status) => return lost(describe(&status)),
                },
                Some(result) = results.recv() => match result {
                    CallResult::Silent => return lost(pulse::SILENT.to_owned()),
                    result => self.call_finished(&mut session, result),
                },
                command = self.inbox.recv() => match command {
                    None => return SessionEnd::ProxyEnds,
                    Some(command) => self.handle_online(&mut session, command),
                },
                () = tokio::time::sleep_until(session.retry.into()) => {
                    session.retry = Instant::now() + RETRY;
                    let again = |entry: &Entry| matches!(entry.stage, Stage::LocalOnly | Stage::Refused);
                    let ids: Vec<_> = self.registrations.entries().filter(|(_, e)| again(e)).map(|(id, _)| id.clone()).collect();
                    for id in ids {
                        self.offer(&mut session, &id);
                    }
                    for (id, wire_id) in std::mem::take(&mut session.leaving) {
                        if self.registrations.entry(&id).is_none() {
                            self.withdraw(&mut session, id, wire_id);
                        }
                    }
                }
            }
        }
    }

    /// Registers the proxy and all its connections, and opens the command stream. `None`: the proxy
    /// is ending.
    async fn register_all(
        &mut self,
        session: &mut Session,
        address: &AgentAddress,
    ) -> Result<Option<Streaming<pb::CommandRequest>>, String> {
        if self.named_by.as_ref() == Some(address) {
            // It never forgets a proxy, so the proxy must not register as a new one each time.
            match self.open_stream(session).await {
                None => return Ok(None),
                Some(Ok(stream)) => {
                    self.offer_new(session, &BTreeSet::new());
                    return Ok(Some(stream));
                }
                Some(Err(status)) if status.code() == tonic::Code::NotFound => {}
                Some(Err(status)) => return Err(describe(&status)),
            }
        }
        let request = self.registrations.registration();
        let offered: BTreeSet<_> = self.registrations.entries().map(|(id, _)| id.clone()).collect();
        let reply = tokio::time::timeout(CALL_TIMEOUT, session.agent.register_media_proxy(request));
        let Some(reply) = self.serve_offline_until(reply).await else { return Ok(None) };
        let reply =
            reply.map_err(|_| "no answer")?.map_err(|status| describe(&status))?.into_inner();
        self.registrations.rename(reply.proxy_id.as_str().into());
        session.own_ids = reply.extension.as_ref().is_some_and(|it| it.proxy_chooses_ids);
        self.named_by = (!session.own_ids).then(|| address.clone());
        self.registrations.forget_given();
        if session.own_ids {
            let refused = reply.extension.unwrap_or_default().refused.into_iter().map(|refused| {
                let pb::RefusedConnection { conn_id, mesh_err, reason, removed } = refused;
                (ConnectionId::from(conn_id), AgentError::Refused { mesh_err, reason, removed })
            });
            let refused: std::collections::BTreeMap<_, _> = refused.collect();
            for id in &offered {
                let answer = refused.get(id).cloned().map_or(Ok(String::new()), Err);
                self.answered(session, id, answer);
            }
        }
        let stream = match self.open_stream(session).await {
            None => return Ok(None),
            Some(stream) => stream.map_err(|status| describe(&status))?,
        };
        // Connections that came and went meanwhile. An agent of the original gets all of them, one
        // by one, and chooses the ids.
        let known = if session.own_ids { offered } else { BTreeSet::new() };
        self.offer_new(session, &known);
        for id in known {
            if self.registrations.entry(&id).is_none() {
                let wire_id = id.to_string();
                self.withdraw(session, id, wire_id);
            }
        }
        Ok(Some(stream))
    }

    /// Opens the command stream. `None`: the proxy is ending.
    async fn open_stream(
        &mut self,
        session: &mut Session,
    ) -> Option<Result<Streaming<pb::CommandRequest>, tonic::Status>> {
        let request =
            pb::StartCommandQueueRequest { proxy_id: self.registrations.proxy_id().to_string() };
        let stream = tokio::time::timeout(CALL_TIMEOUT, session.agent.start_command_queue(request));
        let stream = self.serve_offline_until(stream).await?;
        let late = |_| Err(tonic::Status::deadline_exceeded("no answer"));
        Some(stream.unwrap_or_else(late).map(tonic::Response::into_inner))
    }

    /// Carries out a command of the agent.
    fn handle_agent_command(&mut self, session: &mut Session, command: pb::CommandRequest) {
        use pb::command_reply::Reply;
        use pb::command_request::Command as Wire;
        let reply = match command.command {
            Some(Wire::ApplyConfig(config)) => {
                let errors = self.registrations.tell(&config);
                for id in self.registrations.take_removed() {
                    self.listener.removed(&id);
                }
                self.update_listener();
                session.unanswered.push((self.registrations.generation(), command.req_id, errors));
                self.answer_commands(session);
                return;
            }
            Some(Wire::ResetMetrics(_)) => Reply::ResetMetrics(pb::ResetMetricsReply {}),
            Some(Wire::Debug(_)) => Reply::Debug(pb::DebugReply {
                out_text: format!("media proxy {}", self.registrations.proxy_id()),
            }),
            // A command that is newer than this proxy.
            None => return,
        };
        self.reply(session, command.req_id, reply);
    }

    /// Replies to the commands whose desired state has been applied.
    pub(super) fn answer_commands(&mut self, session: &mut Session) {
        for (generation, req_id, mut errors) in std::mem::take(&mut session.unanswered) {
            match self.registrations.outcome_of(generation) {
                Some(Applied { errors: more, .. }) => {
                    errors.extend(more.iter().cloned());
                    let reply = pb::ApplyConfigReply { error: errors };
                    self.reply(session, req_id, pb::command_reply::Reply::ApplyConfig(reply));
                }
                None => session.unanswered.push((generation, req_id, errors)),
            }
        }
    }

    fn reply(&self, session: &Session, req_id: String, reply: pb::command_reply::Reply) {
        let proxy_id = self.registrations.proxy_id().to_string();
        let reply = pb::CommandReply { req_id, proxy_id, reply: Some(reply) };
        let mut agent = session.agent.clone();
        tokio::spawn(async move {
            // The agent repeats a command that stays unanswered.
            let _lost = tokio::time::timeout(CALL_TIMEOUT, agent.send_command_reply(reply)).await;
        });
    }
}

/// Code and message of a status.
fn describe(status: &tonic::Status) -> String {
    format!("{}: {}", status.code(), status.message())
}
