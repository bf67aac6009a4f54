//! The session with an agent, and the search for the next one.

use super::Command;
use super::channel::AgentAddress;
use super::original::{REFUSED_PAUSE, check_release};
use super::pulse;
use super::registrations::{Entry, Registrations, Stage};
use super::search::{PAUSE, Ways};
use crate::error::AgentError;
use crate::metrics::Metric;
use crate::plane::{Accepted, Applied, GroupsAnswer, Listener, Registration};
use crate::status::refusal;
use crate::topology::{ConnectionId, GroupId, Proxy};
use crate::wire;
use proto::mediaproxy as pb;
use proto::mediaproxy::proxy_api_client::ProxyApiClient;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tonic::Streaming;
use tonic::transport::Channel;

pub(super) type Agent = ProxyApiClient<Channel>;

/// How long an agent may take to answer. It waits for its store for less than that.
const CALL_TIMEOUT: Duration = Duration::from_secs(4);
/// How long it may take to say what groups there are: whoever asks can ask again.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections that the agents did not accept are offered again after this time.
const RETRY: Duration = Duration::from_secs(1);
/// Reasons why no agent serves this proxy that are logged, one after the other.
const MAX_REASONS: usize = 8;
/// The largest message: the state of a proxy with thousands of connections.
const MAX_MESSAGE: usize = 16 << 20;

/// What came of a call to the agent.
pub(super) enum Done {
    /// The agent does not say that it is there.
    Silent,
    Registered(ConnectionId, Result<String, AgentError>),
    /// The last tells whether the agent does not know it any more; its id there is the second.
    Unregistered(ConnectionId, String, bool),
    Measured,
}

pub(super) struct Client {
    registrations: Registrations,
    ways: Ways,
    listener: Arc<dyn Listener>,
    inbox: mpsc::UnboundedReceiver<Command>,
    /// Whether the listener believes that an agent can be reached; `None` before it was told anything.
    reachable: Option<bool>,
    /// The agent of others that has given the proxy its id.
    named_by: Option<AgentAddress>,
}

/// What belongs to the conversation with one agent.
struct Talk {
    agent: Agent,
    /// Connections may have ids of our choice.
    own_ids: bool,
    done: mpsc::UnboundedSender<Done>,
    /// Connections about which a call is under way.
    busy: BTreeSet<ConnectionId>,
    measuring: bool,
    /// Connections that are over, with their ids there; the agent could not be told.
    leaving: Vec<(ConnectionId, String)>,
    /// Commands to answer once this generation has been applied.
    unanswered: Vec<(u64, String, Vec<String>)>,
    retry: Instant,
}

/// Why a conversation ended.
enum End {
    /// The proxy is ending.
    Over,
    /// The agent is gone, or does not want us.
    Lost(String),
    /// The agent speaks another protocol.
    Foreign(String),
}

impl Client {
    pub(super) fn new(
        proxy: Proxy,
        ways: Ways,
        listener: Arc<dyn Listener>,
        inbox: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        let registrations = Registrations::new(proxy);
        Self { registrations, ways, listener, inbox, reachable: None, named_by: None }
    }

    /// Until the proxy ends.
    pub(super) async fn run(mut self) {
        let mut pause = PAUSE.0;
        let mut told = BTreeSet::new();
        loop {
            let began = Instant::now();
            let foreign = match self.converse().await {
                End::Over => return,
                End::Lost(why) => {
                    self.tell_why(&mut told, why);
                    None
                }
                End::Foreign(why) => {
                    self.tell_why(&mut told, why);
                    Some(REFUSED_PAUSE)
                }
            };
            self.detach();
            // One that had worked may be back at once.
            pause = if began.elapsed() > PAUSE.1 { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
            if matches!(self.idle(foreign.unwrap_or(pause)).await, End::Over) {
                return;
            }
        }
    }

    /// Logs why no agent serves this proxy: each new reason once, until an agent does.
    fn tell_why(&self, told: &mut BTreeSet<String>, why: String) {
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

    /// No agent is there: who waits is answered by this node alone.
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
        self.tell_listener();
    }

    /// This node alone answers for a connection, if there is nobody else.
    fn accept_locally(&mut self, id: &ConnectionId) {
        let Some(entry) = self.registrations.entry(id) else { return };
        if entry.stage == Stage::New {
            entry.stage = Stage::LocalOnly;
        }
        if std::mem::take(&mut entry.asked) {
            self.listener.registered(id, Ok(Accepted::LocalOnly));
        }
    }

    fn tell_listener(&mut self) {
        if let Some(desired) = self.registrations.change() {
            self.listener.desired(desired);
        }
    }

    /// Serves the proxy for a while without an agent.
    async fn idle(&mut self, pause: Duration) -> End {
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until) => return End::Lost(String::new()),
                command = self.inbox.recv() => match command {
                    None => return End::Over,
                    Some(command) => self.without_agent(command),
                }
            }
        }
    }

    fn without_agent(&mut self, command: Command) {
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
            // Nobody wants to know.
            Command::Metrics(_) => {}
            Command::FindGroups(_, answer) => answer(None),
        }
        self.tell_listener();
    }

    /// Waits for something, and serves the proxy meanwhile as that goes without an agent. `None`: the proxy is ending.
    async fn meanwhile<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        let mut wait = std::pin::pin!(wait);
        loop {
            tokio::select! {
                done = &mut wait => return Some(done),
                command = self.inbox.recv() => match command? {
                    Command::Register(registration) if self.reachable.is_none() => {
                        // The first attempt: its end decides who answers.
                        let id = registration.id.clone();
                        if let Err(error) = self.registrations.add(*registration) {
                            self.listener.registered(&id, Err(error));
                        }
                    }
                    command => self.without_agent(command),
                }
            }
        }
    }

    /// Finds an agent, and talks to it for as long as that goes.
    async fn converse(&mut self) -> End {
        let connecting = self.ways.connect();
        let (address, channel) = match self.meanwhile(connecting).await {
            None => return End::Over,
            Some(Err(why)) => return End::Lost(why),
            Some(Ok(found)) => found,
        };
        // Should it turn out to be of no use, another comes first.
        self.ways.begin_after(&address);
        let lost = |why: String| End::Lost(format!("mesh agent {address}: {why}"));
        let agent = ProxyApiClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE)
            .max_encoding_message_size(MAX_MESSAGE);
        let (done, mut results) = mpsc::unbounded_channel();
        let mut talk = Talk {
            agent,
            own_ids: false,
            done,
            busy: BTreeSet::new(),
            measuring: false,
            leaving: Vec::new(),
            unanswered: Vec::new(),
            retry: Instant::now() + RETRY,
        };
        let mut agent = talk.agent.clone();
        let pace = match self.meanwhile(async { pulse::ask(&mut agent, pulse::OWN).await }).await {
            None => return End::Over,
            Some(Err(why)) => return lost(why.to_owned()),
            Some(Ok(Ok(()))) => pulse::OWN,
            Some(Ok(Err(status))) if status.code() == tonic::Code::Unimplemented => pulse::OTHER,
            Some(Ok(Err(status))) => return lost(told(&status)),
        };
        if pace == pulse::OTHER {
            let mut agent = talk.agent.clone();
            let checked = async { check_release(&mut agent, CALL_TIMEOUT).await };
            match self.meanwhile(checked).await {
                None => return End::Over,
                Some(Err(why)) => return End::Foreign(format!("mesh agent {address}: {why}")),
                Some(Ok(())) => {}
            }
        }
        let mut commands = match self.register_all(&mut talk, &address).await {
            Ok(Some(commands)) => commands,
            Ok(None) => return End::Over,
            Err(why) => return lost(why),
        };
        tokio::spawn(pulse::watch(talk.agent.clone(), pace, talk.done.clone()));
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
                    Ok(Some(command)) => self.obey(&mut talk, command),
                    Ok(None) => return lost("the command stream has ended".into()),
                    Err(status) => return lost(told(&status)),
                },
                Some(done) = results.recv() => match done {
                    Done::Silent => return lost(pulse::SILENT.to_owned()),
                    done => self.done(&mut talk, done),
                },
                command = self.inbox.recv() => match command {
                    None => return End::Over,
                    Some(command) => self.pass_on(&mut talk, command),
                },
                () = tokio::time::sleep_until(talk.retry.into()) => {
                    talk.retry = Instant::now() + RETRY;
                    let again = |entry: &Entry| matches!(entry.stage, Stage::LocalOnly | Stage::Refused);
                    let ids: Vec<_> = self.registrations.entries().filter(|(_, e)| again(e)).map(|(id, _)| id.clone()).collect();
                    for id in ids {
                        self.offer(&mut talk, &id);
                    }
                    for (id, wire_id) in std::mem::take(&mut talk.leaving) {
                        if self.registrations.entry(&id).is_none() {
                            self.withdraw(&mut talk, id, wire_id);
                        }
                    }
                }
            }
        }
    }

    /// Registers the proxy and all its connections, and opens the command stream. `None`: the proxy is ending.
    async fn register_all(
        &mut self,
        talk: &mut Talk,
        address: &AgentAddress,
    ) -> Result<Option<Streaming<pb::CommandRequest>>, String> {
        if self.named_by.as_ref() == Some(address) {
            // It never forgets a proxy, so the proxy must not come as another one each time.
            match self.open_stream(talk).await {
                None => return Ok(None),
                Some(Ok(stream)) => {
                    self.offer_new(talk, &BTreeSet::new());
                    return Ok(Some(stream));
                }
                Some(Err(status)) if status.code() == tonic::Code::NotFound => {}
                Some(Err(status)) => return Err(told(&status)),
            }
        }
        let request = self.registrations.registration();
        let offered: BTreeSet<_> = self.registrations.entries().map(|(id, _)| id.clone()).collect();
        let reply = tokio::time::timeout(CALL_TIMEOUT, talk.agent.register_media_proxy(request));
        let Some(reply) = self.meanwhile(reply).await else { return Ok(None) };
        let reply = reply.map_err(|_| "no answer")?.map_err(|status| told(&status))?.into_inner();
        self.registrations.rename(reply.proxy_id.as_str().into());
        talk.own_ids = reply.extension.as_ref().is_some_and(|it| it.proxy_chooses_ids);
        self.named_by = (!talk.own_ids).then(|| address.clone());
        self.registrations.forget_given();
        if talk.own_ids {
            let refused = reply.extension.unwrap_or_default().refused.into_iter().map(|refused| {
                let pb::RefusedConnection { conn_id, mesh_err, reason, removed } = refused;
                (ConnectionId::from(conn_id), AgentError::Refused { mesh_err, reason, removed })
            });
            let refused: std::collections::BTreeMap<_, _> = refused.collect();
            for id in &offered {
                let answer = refused.get(id).cloned().map_or(Ok(String::new()), Err);
                self.answered(talk, id, answer);
            }
        }
        let stream = match self.open_stream(talk).await {
            None => return Ok(None),
            Some(stream) => stream.map_err(|status| told(&status))?,
        };
        // What came and went meanwhile. An agent of others is told of all, one by one, and chooses the ids.
        let known = if talk.own_ids { offered } else { BTreeSet::new() };
        self.offer_new(talk, &known);
        for id in known {
            if self.registrations.entry(&id).is_none() {
                let wire_id = id.to_string();
                self.withdraw(talk, id, wire_id);
            }
        }
        Ok(Some(stream))
    }

    /// Offers the agent all connections but those that it has been offered.
    fn offer_new(&mut self, talk: &mut Talk, offered: &BTreeSet<ConnectionId>) {
        let new =
            self.registrations.entries().map(|(id, _)| id).filter(|id| !offered.contains(*id));
        for id in new.cloned().collect::<Vec<_>>() {
            self.offer(talk, &id);
        }
    }

    /// Opens the command stream. `None`: the proxy is ending.
    async fn open_stream(
        &mut self,
        talk: &mut Talk,
    ) -> Option<Result<Streaming<pb::CommandRequest>, tonic::Status>> {
        let request =
            pb::StartCommandQueueRequest { proxy_id: self.registrations.proxy_id().to_string() };
        let stream = tokio::time::timeout(CALL_TIMEOUT, talk.agent.start_command_queue(request));
        let stream = self.meanwhile(stream).await?;
        let late = |_| Err(tonic::Status::deadline_exceeded("no answer"));
        Some(stream.unwrap_or_else(late).map(tonic::Response::into_inner))
    }

    /// The agent has answered to a registration.
    fn answered(&mut self, talk: &mut Talk, id: &ConnectionId, answer: Result<String, AgentError>) {
        let Some(entry) = self.registrations.entry(id) else { return };
        let before = entry.stage;
        let asked = std::mem::take(&mut entry.asked);
        match answer {
            Ok(given) => {
                entry.given = (!given.is_empty() && given != id.as_str()).then_some(given);
                self.registrations.join(id);
                if asked || !matches!(before, Stage::Member | Stage::Joining) {
                    self.listener.registered(id, Ok(Accepted::Member));
                }
            }
            Err(AgentError::Unavailable(why)) => {
                log::debug!("connection {id}: {why}");
                entry.asked = asked;
                self.accept_locally(id);
            }
            Err(error) if error.is_removal() => {
                self.registrations.remove(id);
                if asked || before != Stage::Refused {
                    self.listener.registered(id, Err(error));
                }
                self.listener.removed(id);
                self.withdraw(talk, id.clone(), id.to_string());
            }
            Err(error) => {
                if before == Stage::New {
                    self.registrations.remove(id);
                    self.listener.registered(id, Err(error));
                } else if asked || before != Stage::Refused {
                    entry.stage = Stage::Refused;
                    self.listener.registered(id, Err(error));
                }
            }
        }
        self.tell_listener();
    }

    fn offer(&mut self, talk: &mut Talk, id: &ConnectionId) {
        let proxy = self.registrations.proxy_id().clone();
        let Some(entry) = self.registrations.entry(id) else { return };
        if !talk.busy.insert(id.clone()) {
            return;
        }
        let Registration { kind, config, .. } = &entry.registration;
        let wire_id = if talk.own_ids { id.as_str() } else { entry.given.as_deref().unwrap_or("") };
        let request = wire::connection_request(&proxy, wire_id, *kind, config);
        let (mut agent, done, id) = (talk.agent.clone(), talk.done.clone(), id.clone());
        tokio::spawn(async move {
            let answer =
                tokio::time::timeout(CALL_TIMEOUT, agent.register_connection(request)).await;
            let answer = match answer {
                Ok(Ok(reply)) => Ok(reply.into_inner().conn_id),
                Ok(Err(status)) => Err(refusal(&status)),
                Err(_) => Err(AgentError::Unavailable("the mesh agent does not answer".into())),
            };
            // If the conversation is over, everything is registered anew.
            let _over = done.send(Done::Registered(id, answer));
        });
    }

    fn withdraw(&mut self, talk: &mut Talk, id: ConnectionId, wire_id: String) {
        talk.busy.insert(id.clone());
        let request = pb::UnregisterConnectionRequest {
            proxy_id: self.registrations.proxy_id().to_string(),
            conn_id: wire_id.clone(),
        };
        let (mut agent, done) = (talk.agent.clone(), talk.done.clone());
        tokio::spawn(async move {
            let answer =
                tokio::time::timeout(CALL_TIMEOUT, agent.unregister_connection(request)).await;
            let gone = match answer {
                Ok(Ok(_)) => true,
                Ok(Err(status)) => status.code() == tonic::Code::NotFound,
                Err(_) => false,
            };
            let _over = done.send(Done::Unregistered(id, wire_id, gone));
        });
    }

    fn done(&mut self, talk: &mut Talk, done: Done) {
        match done {
            Done::Silent => {}
            Done::Registered(id, answer) => {
                talk.busy.remove(&id);
                if let (Err(AgentError::Refused { .. }), Some(entry)) =
                    (&answer, self.registrations.entry(&id))
                    && entry.given.take().is_some()
                {
                    // An agent of others does not know the id that it gave: it has to give another.
                    self.offer(talk, &id);
                    return;
                }
                if self.registrations.entry(&id).is_some() {
                    self.answered(talk, &id, answer);
                } else if let Ok(given) = answer {
                    // It ended meanwhile.
                    self.withdraw(talk, id, given);
                }
            }
            Done::Unregistered(id, wire_id, gone) => {
                talk.busy.remove(&id);
                if !gone && self.registrations.entry(&id).is_none() {
                    // The store may be away.
                    talk.leaving.push((id.clone(), wire_id));
                }
                // It may have come back meanwhile.
                if self.registrations.entry(&id).is_some_and(|entry| entry.asked) {
                    self.offer(talk, &id);
                }
            }
            Done::Measured => talk.measuring = false,
        }
    }

    fn pass_on(&mut self, talk: &mut Talk, command: Command) {
        match command {
            Command::Register(registration) => {
                let id = registration.id.clone();
                match self.registrations.add(*registration) {
                    Ok(()) => self.offer(talk, &id),
                    Err(error) => self.listener.registered(&id, Err(error)),
                }
            }
            Command::Unregister(id) => {
                let Some(entry) = self.registrations.remove(&id) else { return };
                if !talk.busy.contains(&id) {
                    let wire_id = entry.given.unwrap_or_else(|| id.to_string());
                    self.withdraw(talk, id, wire_id);
                }
                self.tell_listener();
            }
            Command::Applied(outcome) => {
                self.registrations.note_outcome(outcome);
                self.answer_commands(talk);
            }
            Command::Metrics(metrics) => self.measure(talk, metrics),
            Command::FindGroups(group, answer) => find_groups(talk, group, answer),
        }
    }

    fn measure(&mut self, talk: &mut Talk, metrics: Vec<Metric>) {
        // The next ones come soon enough.
        if std::mem::replace(&mut talk.measuring, true) {
            return;
        }
        let given = |id: &str| {
            let id = ConnectionId::from(id);
            self.registrations.entry(&id).and_then(|entry| entry.given.clone())
        };
        let mut given = given;
        let metrics = metrics.iter().map(|metric| {
            let mut message = wire::metric_message(metric);
            if let Some(id) = given(&message.provider_id) {
                message.provider_id = id;
            }
            message
        });
        let metrics = metrics.collect();
        let request =
            pb::SendMetricsRequest { proxy_id: self.registrations.proxy_id().to_string(), metrics };
        let (mut agent, done) = (talk.agent.clone(), talk.done.clone());
        tokio::spawn(async move {
            // What is lost is measured again.
            let _lost = tokio::time::timeout(CALL_TIMEOUT, agent.send_metrics(request)).await;
            let _over = done.send(Done::Measured);
        });
    }

    fn obey(&mut self, talk: &mut Talk, command: pb::CommandRequest) {
        use pb::command_reply::Reply;
        use pb::command_request::Command as Wire;
        let reply = match command.command {
            Some(Wire::ApplyConfig(config)) => {
                let errors = self.registrations.tell(&config);
                for id in self.registrations.take_removed() {
                    self.listener.removed(&id);
                }
                self.tell_listener();
                talk.unanswered.push((self.registrations.generation(), command.req_id, errors));
                self.answer_commands(talk);
                return;
            }
            Some(Wire::ResetMetrics(_)) => Reply::ResetMetrics(pb::ResetMetricsReply {}),
            Some(Wire::Debug(_)) => Reply::Debug(pb::DebugReply {
                out_text: format!("media proxy {}", self.registrations.proxy_id()),
            }),
            // Of a kind that is newer than this proxy.
            None => return,
        };
        self.reply(talk, command.req_id, reply);
    }

    fn answer_commands(&mut self, talk: &mut Talk) {
        for (generation, req_id, mut errors) in std::mem::take(&mut talk.unanswered) {
            match self.registrations.outcome_of(generation) {
                Some(Applied { errors: more, .. }) => {
                    errors.extend(more.iter().cloned());
                    let reply = pb::ApplyConfigReply { error: errors };
                    self.reply(talk, req_id, pb::command_reply::Reply::ApplyConfig(reply));
                }
                None => talk.unanswered.push((generation, req_id, errors)),
            }
        }
    }

    fn reply(&self, talk: &Talk, req_id: String, reply: pb::command_reply::Reply) {
        let proxy_id = self.registrations.proxy_id().to_string();
        let reply = pb::CommandReply { req_id, proxy_id, reply: Some(reply) };
        let mut agent = talk.agent.clone();
        tokio::spawn(async move {
            // Without an answer the agent asks again.
            let _lost = tokio::time::timeout(CALL_TIMEOUT, agent.send_command_reply(reply)).await;
        });
    }
}

/// An error in words.
fn told(status: &tonic::Status) -> String {
    format!("{}: {}", status.code(), status.message())
}

/// Asks the agent what groups carry.
fn find_groups(talk: &Talk, group: Option<GroupId>, answer: GroupsAnswer) {
    let mut agent = talk.agent.clone();
    let group_id = group.map(|group| group.to_string()).unwrap_or_default();
    tokio::spawn(async move {
        let request = pb::ListGroupsRequest { group_id };
        let reply = tokio::time::timeout(LOOK_UP_TIMEOUT, agent.list_groups(request)).await;
        let groups = match reply {
            Ok(Ok(reply)) => reply.into_inner().groups,
            // Agents of others do not know the question.
            Ok(Err(status)) => {
                log::debug!("groups of the fleet: {}: {}", status.code(), status.message());
                return answer(None);
            }
            Err(_) => return answer(None),
        };
        let read = groups.into_iter().filter_map(|group| match wire::fleet_group(group) {
            Ok(group) => Some(group),
            Err(error) => {
                log::debug!("a group of the fleet: {error}");
                None
            }
        });
        answer(Some(read.collect()));
    });
}
