//! A proxy's command stream: sends each change of the proxy's desired state, awaits the
//! confirmation, and repeats what failed.

use super::{Agent, GRACE, REGISTERED, Store};
use mesh::AgentError;
use mesh::topology::ProxyId;
use mesh::wire;
use proto::mediaproxy as pb;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{Notify, mpsc, oneshot};
use tonic::Status;

/// Time-out of a proxy's confirmation.
const REPLY_TIMEOUT: Duration = Duration::from_secs(10);
/// Pauses before a desired state is repeated after an error, first and at last.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// Outcome of the last desired state that a proxy got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its generation.
    pub generation: u64,
    /// Time of the answer.
    pub at: SystemTime,
    /// Errors; empty if all succeeded.
    pub errors: Vec<String>,
}

/// Handle of one proxy's command stream.
pub(crate) struct Session {
    number: u64,
    pub(crate) wake: Arc<Notify>,
    waiting: Option<(String, oneshot::Sender<Vec<String>>)>,
    pub(crate) outcome: Option<Outcome>,
}

impl Agent {
    /// Opens the command stream of a proxy. An older one ends.
    pub(crate) fn start_session(
        &self,
        proxy: &ProxyId,
    ) -> Result<mpsc::Receiver<Result<pb::CommandRequest, Status>>, AgentError> {
        let mut state = self.lock();
        if state.topology.proxy(proxy).is_none() {
            return Err(AgentError::UnknownProxy(proxy.clone()));
        }
        state.next_session += 1;
        let number = state.next_session;
        let wake = Arc::new(Notify::new());
        let outcome = state.sessions.get(proxy).and_then(|old| old.outcome.clone());
        let session = Session { number, wake: Arc::clone(&wake), waiting: None, outcome };
        if let Some(old) = state.sessions.insert(proxy.clone(), session) {
            old.wake.notify_one();
        }
        match &self.0.store {
            Store::Memory => state.topology.set_lease(proxy, None),
            Store::Etcd(etcd) => etcd.proxy_is_here(proxy, None),
        }
        self.publish(&mut state);
        log::info!("media proxy {proxy}: command stream open");
        let (out, stream) = mpsc::channel(1);
        let (agent, proxy) = (self.clone(), proxy.clone());
        tokio::spawn(async move {
            agent.run_session(&proxy, number, &wake, &out).await;
            agent.end_session(&proxy, number);
        });
        Ok(stream)
    }

    async fn run_session(
        &self,
        proxy: &ProxyId,
        number: u64,
        wake: &Notify,
        out: &mpsc::Sender<Result<pb::CommandRequest, Status>>,
    ) {
        let mut sent = None;
        let mut retry: Option<Instant> = None;
        let mut pause = RETRY.0;
        let mut counter = 0_u64;
        loop {
            let desired = {
                let state = self.lock();
                if state.sessions.get(proxy).is_none_or(|session| session.number != number) {
                    return;
                }
                let Some(generation) = state.topology.generation(proxy) else {
                    drop(state);
                    // It unregistered, or its lease expired: a proxy that is still there registers
                    // again.
                    let gone = Status::not_found(format!("media proxy {proxy} is not registered"));
                    let _whoever_listens = out.try_send(Err(gone));
                    return;
                };
                let due = retry.is_some_and(|retry| retry <= Instant::now());
                if sent != Some(generation) || due { state.topology.desired(proxy) } else { None }
            };
            let Some(desired) = desired else {
                let at = retry.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
                tokio::select! {
                    () = out.closed() => return,
                    () = wake.notified() => {}
                    () = tokio::time::sleep_until(at.into()) => {}
                }
                continue;
            };
            if sent != Some(desired.generation) {
                pause = RETRY.0;
            }
            counter += 1;
            let req_id = format!("{number}-{counter}");
            let (answer, answered) = oneshot::channel();
            match self.lock().sessions.get_mut(proxy) {
                Some(session) if session.number == number => {
                    session.waiting = Some((req_id.clone(), answer));
                }
                _ => return,
            }
            let command = pb::command_request::Command::ApplyConfig(wire::apply_config(&desired));
            if out.send(Ok(pb::CommandRequest { req_id, command: Some(command) })).await.is_err() {
                return;
            }
            let answer = tokio::select! {
                () = out.closed() => return,
                answer = tokio::time::timeout(REPLY_TIMEOUT, answered) => answer,
            };
            let errors = match answer {
                Ok(Ok(errors)) => errors,
                Ok(Err(_)) => return,
                Err(_) => vec![format!("no answer within {} s", REPLY_TIMEOUT.as_secs())],
            };
            sent = Some(desired.generation);
            retry = (!errors.is_empty()).then(|| Instant::now() + pause);
            pause = (pause * 2).min(RETRY.1);
            self.note_outcome(proxy, number, desired.generation, errors);
        }
    }

    fn note_outcome(&self, proxy: &ProxyId, number: u64, generation: u64, errors: Vec<String>) {
        let mut state = self.lock();
        state.counters.applied += 1;
        if !errors.is_empty() {
            state.counters.apply_errors += 1;
            log::warn!("media proxy {proxy}: {}", errors.join("; ").escape_debug());
        }
        if let Some(session) = state.sessions.get_mut(proxy).filter(|s| s.number == number) {
            session.outcome = Some(Outcome { generation, at: SystemTime::now(), errors });
        }
    }

    fn end_session(&self, proxy: &ProxyId, number: u64) {
        let mut state = self.lock();
        if state.sessions.get(proxy).is_none_or(|session| session.number != number) {
            return;
        }
        state.sessions.remove(proxy);
        log::info!("media proxy {proxy}: command stream ended");
        self.expect_within(&mut state, proxy, GRACE);
    }

    /// Lets the proxy be lost unless it opens its command stream within this time.
    pub(super) fn expect_within(&self, state: &mut super::State, proxy: &ProxyId, time: Duration) {
        if state.sessions.contains_key(proxy) {
            return;
        }
        let until = Instant::now() + time.min(REGISTERED);
        match &self.0.store {
            Store::Memory => state.topology.set_lease(proxy, Some(until)),
            Store::Etcd(etcd) => etcd.proxy_is_here(proxy, Some(until)),
        }
        self.publish(state);
    }

    /// A proxy has answered a command.
    pub(crate) fn answer(&self, proxy: &ProxyId, req_id: &str, errors: Vec<String>) {
        let mut state = self.lock();
        let Some(session) = state.sessions.get_mut(proxy) else { return };
        if let Some((_, answer)) = session.waiting.take_if(|(waiting, _)| waiting == req_id) {
            // The waiting caller may have given up.
            let _late = answer.send(errors);
        }
    }
}
