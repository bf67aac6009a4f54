//! Placement of connections in the mesh: registers them with the control plane, has the bridge
//! manager start the bridges that it wants, and tells the exchange when they run.

use crate::bridge::{Engine, Event, Manager, Phase, Table};
use crate::broker::exchange::Handle;
use crate::broker::registry::Refusal;
use config::ConnectionConfig;
use config::ErrorCode;
use mesh::AgentError;
use mesh::plane::{Accepted, Applied, ControlPlane, Listener, Registration};
use mesh::topology::{BridgeId, BridgeLink, ConnectionId, Desired, DesiredGroup, FleetGroup};
use proto::Kind;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

/// Time-out for the end of bridges when the daemon ends.
const END_TIMEOUT: Duration = Duration::from_millis(2500);

/// Input of the placement thread.
pub(crate) enum Input {
    /// The exchange asks to place a connection. One that is `returning` is served meanwhile.
    Ask { conn_id: String, kind: Kind, config: Box<ConnectionConfig>, returning: bool },
    /// A connection is no more.
    GiveUp { conn_id: String },
    /// A client asks for the format of a group that is not on this host.
    LookUp { group: String },
    /// The control plane's answer to a registration.
    Registered { conn_id: String, result: Result<Accepted, AgentError> },
    /// The desired state from the control plane.
    Desired(Box<Desired>),
    /// An administrator of the mesh has removed a connection.
    Removed { conn_id: String },
    /// News of a bridge.
    Bridge(Event),
    /// End all bridges, then the thread.
    Stop,
}

/// Passes the control plane's messages to the placement thread.
pub(crate) struct PlaneListener(pub(crate) Sender<Input>);

impl PlaneListener {
    fn tell(&self, input: Input) {
        // At the end of the daemon the placement thread has gone.
        let _ = self.0.send(input);
    }
}

impl Listener for PlaneListener {
    fn registered(&self, connection: &ConnectionId, result: Result<Accepted, AgentError>) {
        self.tell(Input::Registered { conn_id: connection.as_str().to_owned(), result });
    }

    fn desired(&self, desired: Desired) {
        self.tell(Input::Desired(Box::new(desired)));
    }

    fn removed(&self, connection: &ConnectionId) {
        self.tell(Input::Removed { conn_id: connection.as_str().to_owned() });
    }

    fn reachable(&self, reachable: bool) {
        if !reachable {
            log::warn!(
                "the mesh agent cannot be reached: what runs goes on, and new connections are made on this host alone until it is back"
            );
        }
    }
}

/// Longest wait of a new source for the links to its group's receivers on other hosts.
const LINK_PATIENCE: Duration = Duration::from_secs(3);
/// Interval of checks of these links, which no event reports.
const LINK_STEP: Duration = Duration::from_millis(2);

/// A connection that waits for its answer.
struct Waiting {
    returning: bool,
    kind: Kind,
    /// Time until which it waits for its bridges to be linked, once they are known.
    links_by: Option<Instant>,
    /// The control plane has accepted it.
    member: bool,
    /// Its failed bridges have been tried again.
    tried: bool,
}

/// The thread's state.
pub(crate) struct Placement<E> {
    inbox: Receiver<Input>,
    plane: Arc<dyn ControlPlane>,
    exchange: Handle,
    manager: Manager<E>,
    waiting: HashMap<String, Waiting>,
    /// Connections that the control plane knows of.
    known: HashSet<String>,
    groups: Vec<DesiredGroup>,
    /// Their streams.
    streams: HashMap<String, String>,
    /// Bridges to the network, without which a connection is of no use.
    essential: HashSet<BridgeId>,
    /// The desired state whose outcome has not been reported yet.
    generation: Option<u64>,
    /// A source waits for bridges to be linked.
    linking: bool,
}

impl<E: Engine> Placement<E> {
    pub(crate) fn new(
        (outbox, inbox): (Sender<Input>, Receiver<Input>),
        plane: Arc<dyn ControlPlane>,
        exchange: Handle,
        engine: Arc<E>,
        table: Table,
    ) -> Self {
        Self {
            inbox,
            plane,
            exchange,
            manager: Manager::new(engine, outbox, table),
            waiting: HashMap::new(),
            known: HashSet::new(),
            groups: Vec::new(),
            streams: HashMap::new(),
            essential: HashSet::new(),
            generation: None,
            linking: false,
        }
    }

    /// Runs until it is told to stop, and then until the bridges have ended.
    pub(crate) fn run(mut self) {
        let mut stop_by: Option<Instant> = None;
        loop {
            let due = self.manager.next_deadline().into_iter().chain(stop_by).min();
            let now = Instant::now();
            let patience = due.map_or(Duration::MAX, |due| due.saturating_duration_since(now));
            let patience = if self.linking { patience.min(LINK_STEP) } else { patience };
            let input = match self.inbox.recv_timeout(patience) {
                Ok(input) => Some(input),
                Err(RecvTimeoutError::Timeout) => None,
                // It has a sender itself.
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let now = Instant::now();
            match input {
                Some(Input::Stop) => {
                    stop_by = Some(now + END_TIMEOUT);
                    self.manager.close(now);
                }
                Some(Input::Desired(_) | Input::Ask { .. }) if stop_by.is_some() => {}
                Some(input) => self.take(input, now),
                None => self.manager.tick(now),
            }
            if let Some(by) = stop_by {
                if self.manager.is_empty() || now >= by {
                    return;
                }
                continue;
            }
            self.settle(now);
        }
    }

    fn take(&mut self, input: Input, now: Instant) {
        match input {
            Input::Ask { conn_id, kind, config, returning } => {
                let waiting =
                    Waiting { returning, kind, links_by: None, member: false, tried: false };
                self.waiting.insert(conn_id.clone(), waiting);
                self.known.insert(conn_id.clone());
                let id = ConnectionId::new(conn_id);
                self.plane.register(Registration { id, kind, config: *config });
            }
            Input::GiveUp { conn_id } => self.forget(&conn_id),
            Input::LookUp { group } => {
                let exchange = self.exchange.clone();
                let id = group.as_str().into();
                let answer = move |found: Option<Vec<FleetGroup>>| {
                    let found = found.and_then(|groups| groups.into_iter().next());
                    let config = found.map(|found| (found.kind, (*found.config).clone()));
                    exchange.found(group, config);
                };
                self.plane.find_groups(Some(id), Box::new(answer));
            }
            Input::Registered { conn_id, result } => match (result, self.waiting.get_mut(&conn_id))
            {
                (Ok(Accepted::Member), Some(waiting)) => waiting.member = true,
                // The connection works on this host.
                (Ok(Accepted::LocalOnly), Some(_)) => self.answer(&conn_id, Ok(())),
                (Ok(_), None) => {}
                (Err(error), Some(_)) => {
                    self.known.remove(&conn_id);
                    let number =
                        i32::try_from(error.mesh_err()).unwrap_or(ErrorCode::ConnFailed.number());
                    self.answer(&conn_id, Err(Refusal::new(number, error.to_string())));
                }
                (Err(error), None) if self.known.contains(&conn_id) => {
                    log::warn!("connection {conn_id} stays on this host alone: {error}");
                }
                (Err(_), None) => {}
            },
            Input::Removed { conn_id } => {
                let reason = "removed by an administrator of the mesh";
                if self.waiting.contains_key(&conn_id) {
                    if self.known.remove(&conn_id) {
                        self.plane.unregister(&ConnectionId::new(conn_id.clone()));
                    }
                    self.answer(&conn_id, Err(Refusal::new(ErrorCode::ConnFailed, reason)));
                }
                // One that waits though it is served already ends all the same. The exchange says
                // when it has.
                self.exchange.end(conn_id, reason);
            }
            Input::Desired(desired) => {
                let Desired { generation, groups, bridges, .. } = *desired;
                let network = bridges.iter().filter(|spec| spec.link == BridgeLink::St2110);
                self.essential = network.map(|spec| spec.id.clone()).collect();
                self.groups = groups;
                self.generation = Some(generation);
                self.manager.apply(&bridges, now);
                // Only now, so that bridges that end are still named by what they carried.
                self.name_streams();
            }
            Input::Bridge(event) => self.manager.happened(event, now),
            // Told apart before.
            Input::Stop => {}
        }
    }

    /// Passes on the streams of groups. A known stream stays as long as the group is here: an agent
    /// that has just started may not know it yet.
    fn name_streams(&mut self) {
        let named = self.groups.iter().filter_map(|group| {
            let told = group.stream.as_ref().map(ToString::to_string);
            let stream = told.or_else(|| self.streams.get(group.id.as_str()).cloned())?;
            Some((group.id.to_string(), stream))
        });
        let streams: HashMap<_, _> = named.collect();
        if streams != self.streams {
            self.manager.name_streams(streams.clone());
            self.exchange.name_streams(streams.clone());
            self.streams = streams;
        }
    }

    fn forget(&mut self, conn_id: &str) {
        self.waiting.remove(conn_id);
        if self.known.remove(conn_id) {
            self.plane.unregister(&ConnectionId::new(conn_id.to_owned()));
        }
    }

    fn answer(&mut self, conn_id: &str, answer: Result<(), Refusal>) {
        if self.waiting.remove(conn_id).is_some() {
            self.exchange.placed(conn_id.to_owned(), answer);
        }
    }

    /// Answers connections whose bridges are all active, or have failed for certain.
    fn settle(&mut self, now: Instant) {
        self.linking = false;
        let members = self.waiting.iter().filter(|(_, waiting)| waiting.member);
        for conn_id in members.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            let Some(answer) = self.decide(&conn_id, now) else { continue };
            if answer.is_err() {
                // Before the answer, so that a client that tries again finds no trace of this
                // attempt.
                if self.known.remove(&conn_id) {
                    self.plane.unregister(&ConnectionId::new(conn_id.clone()));
                }
            }
            self.answer(&conn_id, answer);
        }
        self.report();
    }

    /// Answer to a connection that the control plane has accepted; `None` while its bridges are
    /// pending.
    fn decide(&mut self, conn_id: &str, now: Instant) -> Option<Result<(), Refusal>> {
        let is_here = |group: &&DesiredGroup| {
            group.connections.iter().any(|connection| connection.as_str() == conn_id)
        };
        let group = self.groups.iter().find(is_here)?;
        let bridges: Vec<_> =
            group.bridges.iter().filter(|id| self.essential.contains(*id)).cloned().collect();
        let waiting = self.waiting.get_mut(conn_id)?;
        let (first, returning) = (!std::mem::replace(&mut waiting.tried, true), waiting.returning);
        let mut ready = true;
        for id in &bridges {
            match self.manager.phase(id) {
                Some(Phase::Active) => {}
                Some(Phase::Failed(_)) if first => {
                    self.manager.try_now(id, now);
                    ready = false;
                }
                // The existing connection stays, and the bridge is tried again.
                Some(Phase::Failed(_)) if returning => {}
                Some(Phase::Failed(reason)) => {
                    return Some(Err(Refusal::new(ErrorCode::ConnFailed, reason)));
                }
                _ => ready = false,
            }
        }
        let group = self.groups.iter().find(is_here)?;
        // Receivers on other hosts were there before: they get its first frame too.
        if ready && waiting.kind == Kind::Source && !returning {
            let mut links = group.bridges.iter().filter(|id| !self.essential.contains(*id));
            let open = links.find(|id| self.manager.is_linking(id));
            if open.is_some() || group.bridges_pending {
                let by = *waiting.links_by.get_or_insert(now + LINK_PATIENCE);
                if now < by {
                    self.linking = true;
                    return None;
                }
                log::warn!(
                    "group \"{}\": a source begins after {LINK_PATIENCE:?}, though {} to another host is not linked: receivers there miss what it sends until then",
                    group.id,
                    open.map_or_else(|| "a bridge".into(), |id| format!("bridge {id}")),
                );
            }
        }
        ready.then_some(Ok(()))
    }

    /// Reports the outcome of the last desired state to the control plane, as soon as it is
    /// certain.
    fn report(&mut self) {
        let Some(generation) = self.generation else { return };
        let ids = self.groups.iter().flat_map(|group| &group.bridges);
        let phases: Vec<_> = ids.map(|id| (id, self.manager.phase(id))).collect();
        let open =
            |phase: &Option<Phase>| matches!(phase, None | Some(Phase::Starting | Phase::Stopping));
        if phases.iter().any(|(_, phase)| open(phase)) {
            return;
        }
        let failed = |(id, phase)| match phase {
            Some(Phase::Failed(reason)) => {
                Some(format!("bridge {}: {reason}", BridgeId::as_str(id)))
            }
            _ => None,
        };
        let errors = phases.into_iter().filter_map(failed).collect();
        self.generation = None;
        self.plane.applied(Applied { generation, errors });
    }
}
