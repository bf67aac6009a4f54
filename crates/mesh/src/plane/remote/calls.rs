//! Calls to the agent, each in a task of its own, and their results.

use super::Command;
use super::client::Client;
use super::registrations::Stage;
use super::session::{CALL_TIMEOUT, Session};
use crate::error::AgentError;
use crate::metrics::Metric;
use crate::plane::{Accepted, GroupsAnswer, Registration};
use crate::status::refusal;
use crate::topology::{ConnectionId, GroupId};
use crate::wire;
use proto::mediaproxy as pb;
use std::collections::BTreeSet;
use std::time::Duration;

/// Time-out of a query for groups, which the caller can repeat.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Result of a call to the agent.
pub(super) enum CallResult {
    /// The agent gave no sign of life in time.
    Silent,
    Registered(ConnectionId, Result<String, AgentError>),
    /// The connection, its id at the agent, and whether the agent has forgotten it.
    Unregistered(ConnectionId, String, bool),
    Measured,
}

impl Client {
    /// Offers the agent all connections but those that it has been offered.
    pub(super) fn offer_new(&mut self, session: &mut Session, offered: &BTreeSet<ConnectionId>) {
        let new =
            self.registrations.entries().map(|(id, _)| id).filter(|id| !offered.contains(*id));
        for id in new.cloned().collect::<Vec<_>>() {
            self.offer(session, &id);
        }
    }

    /// Handles the agent's answer to a registration.
    pub(super) fn answered(
        &mut self,
        session: &mut Session,
        id: &ConnectionId,
        answer: Result<String, AgentError>,
    ) {
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
                self.withdraw(session, id.clone(), id.to_string());
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
        self.update_listener();
    }

    /// Registers a connection with the agent.
    pub(super) fn offer(&mut self, session: &mut Session, id: &ConnectionId) {
        let proxy = self.registrations.proxy_id().clone();
        let Some(entry) = self.registrations.entry(id) else { return };
        if !session.busy.insert(id.clone()) {
            return;
        }
        let Registration { kind, config, .. } = &entry.registration;
        let wire_id =
            if session.own_ids { id.as_str() } else { entry.given.as_deref().unwrap_or("") };
        let request = wire::connection_request(&proxy, wire_id, *kind, config);
        let (mut agent, results, id) = (session.agent.clone(), session.results.clone(), id.clone());
        tokio::spawn(async move {
            let answer =
                tokio::time::timeout(CALL_TIMEOUT, agent.register_connection(request)).await;
            let answer = match answer {
                Ok(Ok(reply)) => Ok(reply.into_inner().conn_id),
                Ok(Err(status)) => Err(refusal(&status)),
                Err(_) => Err(AgentError::Unavailable("the mesh agent does not answer".into())),
            };
            // If the session is over, the next one registers everything anew.
            let _over = results.send(CallResult::Registered(id, answer));
        });
    }

    /// Unregisters a connection, by its id at the agent.
    pub(super) fn withdraw(&mut self, session: &mut Session, id: ConnectionId, wire_id: String) {
        session.busy.insert(id.clone());
        let request = pb::UnregisterConnectionRequest {
            proxy_id: self.registrations.proxy_id().to_string(),
            conn_id: wire_id.clone(),
        };
        let (mut agent, results) = (session.agent.clone(), session.results.clone());
        tokio::spawn(async move {
            let answer =
                tokio::time::timeout(CALL_TIMEOUT, agent.unregister_connection(request)).await;
            let gone = match answer {
                Ok(Ok(_)) => true,
                Ok(Err(status)) => status.code() == tonic::Code::NotFound,
                Err(_) => false,
            };
            let _over = results.send(CallResult::Unregistered(id, wire_id, gone));
        });
    }

    /// Handles the result of a call.
    pub(super) fn call_finished(&mut self, session: &mut Session, result: CallResult) {
        match result {
            CallResult::Silent => {}
            CallResult::Registered(id, answer) => {
                session.busy.remove(&id);
                if let (Err(AgentError::Refused { .. }), Some(entry)) =
                    (&answer, self.registrations.entry(&id))
                    && entry.given.take().is_some()
                {
                    // An agent of the original does not know the id that it gave: it has to assign
                    // another.
                    self.offer(session, &id);
                    return;
                }
                if self.registrations.entry(&id).is_some() {
                    self.answered(session, &id, answer);
                } else if let Ok(given) = answer {
                    // It ended meanwhile.
                    self.withdraw(session, id, given);
                }
            }
            CallResult::Unregistered(id, wire_id, gone) => {
                session.busy.remove(&id);
                if !gone && self.registrations.entry(&id).is_none() {
                    // The store may be unreachable.
                    session.leaving.push((id.clone(), wire_id));
                }
                // It may have come back meanwhile.
                if self.registrations.entry(&id).is_some_and(|entry| entry.asked) {
                    self.offer(session, &id);
                }
            }
            CallResult::Measured => session.measuring = false,
        }
    }

    /// Handles a command of the proxy.
    pub(super) fn handle_online(&mut self, session: &mut Session, command: Command) {
        match command {
            Command::Register(registration) => {
                let id = registration.id.clone();
                match self.registrations.add(*registration) {
                    Ok(()) => self.offer(session, &id),
                    Err(error) => self.listener.registered(&id, Err(error)),
                }
            }
            Command::Unregister(id) => {
                let Some(entry) = self.registrations.remove(&id) else { return };
                if !session.busy.contains(&id) {
                    let wire_id = entry.given.unwrap_or_else(|| id.to_string());
                    self.withdraw(session, id, wire_id);
                }
                self.update_listener();
            }
            Command::Applied(outcome) => {
                self.registrations.note_outcome(outcome);
                self.answer_commands(session);
            }
            Command::Metrics(metrics) => self.send_metrics(session, metrics),
            Command::FindGroups(group, answer) => find_groups(session, group, answer),
        }
    }

    fn send_metrics(&mut self, session: &mut Session, metrics: Vec<Metric>) {
        // While a call is pending, newer measurements replace these.
        if std::mem::replace(&mut session.measuring, true) {
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
        let (mut agent, results) = (session.agent.clone(), session.results.clone());
        tokio::spawn(async move {
            // Lost measurements are repeated.
            let _lost = tokio::time::timeout(CALL_TIMEOUT, agent.send_metrics(request)).await;
            let _over = results.send(CallResult::Measured);
        });
    }
}

/// Asks the agent for the formats of groups.
fn find_groups(session: &Session, group: Option<GroupId>, answer: GroupsAnswer) {
    let mut agent = session.agent.clone();
    let group_id = group.map(|group| group.to_string()).unwrap_or_default();
    tokio::spawn(async move {
        let request = pb::ListGroupsRequest { group_id };
        let reply = tokio::time::timeout(LOOK_UP_TIMEOUT, agent.list_groups(request)).await;
        let groups = match reply {
            Ok(Ok(reply)) => reply.into_inner().groups,
            // Agents of the original do not know this call.
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
