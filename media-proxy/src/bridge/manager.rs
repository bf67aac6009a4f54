//! Reconciles the running bridges with those that the control plane wants.

use super::engine::{Alarm, Bridge, Engine, Event, What};
use super::status::{Phase, Row, Table};
use super::warnings::{self, Told};
use crate::placement::Input;
use log::{info, warn};
use mesh::topology::{BridgeId, BridgeLink, BridgeSpec, Direction};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

/// Pauses before a failed bridge is tried again: doubled each time, up to the second value.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(2));

/// Running time after which earlier failures of a bridge are forgotten.
const STEADY: Duration = Duration::from_secs(10);

/// The manager. It never blocks: bridges start and stop on threads of their own, and report by
/// [`Event`]s.
pub(crate) struct Manager<E> {
    engine: Arc<E>,
    events: Sender<Input>,
    table: Table,
    entries: BTreeMap<BridgeId, Entry>,
    attempts: u64,
    /// Time at which running bridges are next checked for warnings.
    look: Instant,
    /// The daemon ends, and does not wait for frames of other hosts.
    closing: bool,
    /// Stream of each group, for the log.
    streams: HashMap<String, String>,
}

struct Entry {
    spec: Arc<BridgeSpec>,
    since: Instant,
    state: State,
    /// Consecutive failures.
    failures: u32,
    /// Number of consecutive failures soon after a start, and the reason of the last one.
    breakdowns: u32,
    reason: String,
}

enum State {
    /// Waits to start until others have made room.
    Due,
    Starting {
        attempt: u64,
    },
    Active {
        attempt: u64,
        since: Instant,
        bridge: Box<dyn Bridge>,
        told: Told,
    },
    Failed {
        reason: String,
        retry: Instant,
    },
    /// Ending; then it starts again with `next`, or is forgotten.
    Stopping {
        attempt: u64,
        next: Option<Arc<BridgeSpec>>,
    },
}

impl Entry {
    fn new(spec: &Arc<BridgeSpec>, now: Instant) -> Self {
        Self {
            spec: Arc::clone(spec),
            since: now,
            state: State::Due,
            failures: 0,
            breakdowns: 0,
            reason: String::new(),
        }
    }

    fn phase(&self) -> Phase {
        match &self.state {
            State::Due | State::Starting { .. } => Phase::Starting,
            State::Active { .. } => Phase::Active,
            State::Failed { reason, .. } => Phase::Failed(reason.clone()),
            State::Stopping { .. } => Phase::Stopping,
        }
    }

    fn attempt(&self) -> Option<u64> {
        match self.state {
            State::Due | State::Failed { .. } => None,
            State::Starting { attempt }
            | State::Active { attempt, .. }
            | State::Stopping { attempt, .. } => Some(attempt),
        }
    }

    /// Begins to end it. Returns whether it has ended already.
    fn stop(
        &mut self,
        next: Option<Arc<BridgeSpec>>,
        grace: bool,
        alarm: impl Fn(u64) -> Alarm,
    ) -> bool {
        let state = std::mem::replace(&mut self.state, State::Due);
        self.state = match state {
            State::Due | State::Failed { .. } => return true,
            State::Starting { attempt } | State::Stopping { attempt, .. } => {
                State::Stopping { attempt, next }
            }
            State::Active { attempt, bridge, .. } => {
                end(bridge, grace, alarm(attempt));
                State::Stopping { attempt, next }
            }
        };
        false
    }
}

/// A bridge as text for logs: its direction, id, group and stream.
fn describe(spec: &BridgeSpec, streams: &HashMap<String, String>) -> String {
    let direction = match spec.direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let group = spec.group.as_str();
    let stream = streams.get(group).map(|stream| format!(", stream {stream}"));
    format!("{direction} bridge {} of group {group:?}{}", spec.id, stream.unwrap_or_default())
}

/// Logs new warnings of a running bridge.
fn warn_of(entry: &mut Entry, streams: &HashMap<String, String>) {
    let State::Active { bridge, told, .. } = &mut entry.state else { return };
    let news = told.news(&*bridge.figures());
    for warning in news.warnings {
        warn!("{}: {warning}", describe(&entry.spec, streams));
    }
    for warning in news.over {
        info!("{}: it is over that {warning}", describe(&entry.spec, streams));
    }
}

/// Whether the end of a bridge waits for another host.
fn waits_for_others(spec: &BridgeSpec) -> bool {
    spec.direction == Direction::Ingress && matches!(spec.link, BridgeLink::Rdma(_))
}

/// Whether a bridge that is ending may occupy a resource that another one needs.
fn in_the_way(leaving: &BridgeSpec, next: &BridgeSpec) -> bool {
    if leaving.group == next.group {
        return true;
    }
    match (leaving.direction, &leaving.link, next.direction, &next.link) {
        (Direction::Egress, ..) => false,
        // The manager does not know which network resources it holds.
        (Direction::Ingress, BridgeLink::St2110, ..) => true,
        (_, BridgeLink::Rdma(held), Direction::Ingress, BridgeLink::Rdma(wanted)) => {
            let ports = |spec: &BridgeSpec, first: u16| {
                let first = u32::from(first);
                first..first + u32::from(spec.config.options.rdma.num_endpoints)
            };
            let (held, wanted) = (ports(leaving, held.port), ports(next, wanted.port));
            held.start < wanted.end && wanted.start < held.end
        }
        (_, BridgeLink::Rdma(_), ..) => false,
    }
}

/// Ends a bridge on a thread of its own; without `grace` at once.
fn end(bridge: Box<dyn Bridge>, grace: bool, alarm: Alarm) {
    let told = alarm.clone();
    let ended = thread::Builder::new().name("bridge-end".into()).spawn(move || {
        if grace {
            bridge.stop();
        } else {
            drop(bridge);
        }
        alarm.tell(What::Stopped);
    });
    if let Err(error) = ended {
        // The bridge has been dropped, which ends it without grace.
        warn!("no thread to end a bridge: {error}");
        told.tell(What::Stopped);
    }
}

impl<E: Engine> Manager<E> {
    pub(crate) fn new(engine: Arc<E>, events: Sender<Input>, table: Table) -> Self {
        let (entries, streams) = (BTreeMap::new(), HashMap::new());
        let look = Instant::now();
        Self { engine, events, table, entries, attempts: 0, look, closing: false, streams }
    }

    /// Ends all bridges with the daemon. Those that send drain first.
    pub(crate) fn close(&mut self, now: Instant) {
        self.closing = true;
        self.apply(&[], now);
    }

    /// Updates the streams of groups.
    pub(crate) fn name_streams(&mut self, streams: HashMap<String, String>) {
        for entry in self.entries.values() {
            let group = entry.spec.group.as_str();
            let is_new = streams.get(group).is_some_and(|it| self.streams.get(group) != Some(it));
            if is_new && matches!(entry.state, State::Active { .. }) {
                info!("{}: goes on with this stream", describe(&entry.spec, &streams));
            }
        }
        self.streams = streams;
    }

    /// Sets the wanted bridges. A running one that is wanted unchanged is not touched.
    pub(crate) fn apply(&mut self, wanted: &[Arc<BridgeSpec>], now: Instant) {
        let wanted: BTreeMap<_, _> = wanted.iter().map(|spec| (&spec.id, spec)).collect();
        let alarm = alarms(&self.events);
        let streams = &self.streams;
        self.entries.retain(|id, entry| {
            let next = wanted.get(id).copied();
            match (&mut entry.state, next) {
                (State::Stopping { next: planned, .. }, next) => {
                    *planned = next.cloned();
                    true
                }
                (_, Some(spec)) if **spec == *entry.spec => true,
                (_, next) => {
                    info!("{}: ends", describe(&entry.spec, streams));
                    let grace = !self.closing || !waits_for_others(&entry.spec);
                    let gone = entry.stop(next.cloned(), grace, |attempt| alarm(id, attempt));
                    if let (true, Some(spec)) = (gone, next) {
                        *entry = Entry::new(spec, now);
                    }
                    !gone || next.is_some()
                }
            }
        });
        for (id, spec) in wanted {
            if !self.entries.contains_key(id) {
                self.entries.insert(id.clone(), Entry::new(spec, now));
            }
        }
        self.start_due(now);
    }

    /// Tries a bridge that has failed again at once.
    pub(crate) fn try_now(&mut self, id: &BridgeId, now: Instant) {
        if let Some(entry) = self.entries.get_mut(id)
            && matches!(entry.state, State::Failed { .. })
        {
            entry.state = State::Due;
            self.start_due(now);
        }
    }

    /// Handles an event of a bridge.
    pub(crate) fn happened(&mut self, event: Event, now: Instant) {
        let Event { bridge: id, attempt, what } = event;
        let alarm = alarms(&self.events);
        let entry = self.entries.get_mut(&id).filter(|entry| entry.attempt() == Some(attempt));
        let Some(entry) = entry else {
            // An event of an attempt that was cancelled. A bridge that it made must not stay.
            if let What::Started(Ok(bridge)) = what {
                end(bridge, true, alarm(&id, attempt));
            }
            return;
        };
        let name = describe(&entry.spec, &self.streams);
        match (std::mem::replace(&mut entry.state, State::Due), what) {
            (State::Starting { .. }, What::Started(Ok(bridge))) => {
                info!("{name}: active, connection {}", bridge.connection());
                entry.failures = 0;
                entry.state = State::Active { attempt, since: now, bridge, told: Told::default() };
                warn_of(entry, &self.streams);
            }
            (State::Starting { .. }, What::Started(Err(reason))) => entry.fail(&name, reason, now),
            (State::Active { bridge, since, .. }, what @ (What::Broken(_) | What::Over)) => {
                // It is gone before it is tried again, because both could not have the same port.
                if now >= since + STEADY || matches!(what, What::Over) {
                    entry.breakdowns = 0;
                }
                match what {
                    What::Broken(reason) => {
                        warn!("{name}: {reason}");
                        entry.breakdowns += 1;
                        entry.reason = reason;
                    }
                    _ => info!("{name}: its source has ended the stream"),
                }
                end(bridge, true, alarm(&id, attempt));
                let next = Some(Arc::clone(&entry.spec));
                entry.state = State::Stopping { attempt, next };
            }
            (State::Stopping { next, .. }, What::Started(Ok(bridge))) => {
                end(bridge, true, alarm(&id, attempt));
                entry.state = State::Stopping { attempt, next };
            }
            (State::Stopping { next, .. }, What::Stopped | What::Started(Err(_))) => match next {
                Some(spec) if entry.breakdowns > 1 && spec == entry.spec => {
                    entry.failures = entry.breakdowns - 2;
                    let reason = std::mem::take(&mut entry.reason);
                    entry.fail(&name, reason, now);
                }
                Some(spec) => {
                    let breakdowns = if spec == entry.spec { entry.breakdowns } else { 0 };
                    *entry = Entry { breakdowns, ..Entry::new(&spec, now) };
                }
                None => drop(self.entries.remove(&id)),
            },
            // It broke while it was being stopped, or before it was known to have started.
            (state, _) => entry.state = state,
        }
        self.start_due(now);
    }

    /// Performs the actions that are due.
    pub(crate) fn tick(&mut self, now: Instant) {
        for entry in self.entries.values_mut() {
            if matches!(entry.state, State::Failed { retry, .. } if now >= retry) {
                entry.state = State::Due;
            }
            if now >= self.look {
                warn_of(entry, &self.streams);
            }
        }
        if now >= self.look {
            self.look = now + warnings::INTERVAL;
        }
        self.start_due(now);
    }

    /// Time of the next [`Manager::tick`].
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let dues = self.entries.values().filter_map(|entry| match entry.state {
            State::Failed { retry, .. } => Some(retry),
            State::Active { .. } if entry.spec.link == BridgeLink::St2110 => Some(self.look),
            _ => None,
        });
        dues.min()
    }

    /// Phase of a bridge; `None` if it is not wanted.
    pub(crate) fn phase(&self, id: &BridgeId) -> Option<Phase> {
        self.entries.get(id).map(Entry::phase)
    }

    /// Whether a bridge is about to carry frames. One that has failed is not; of a link to a peer
    /// of the original nothing is known before the first frame.
    pub(crate) fn is_linking(&self, id: &BridgeId) -> bool {
        self.entries.get(id).is_some_and(|entry| match &entry.state {
            State::Due | State::Starting { .. } | State::Stopping { .. } => true,
            State::Active { bridge, .. } => {
                let tells = entry.spec.rdma().is_some_and(|link| link.session_key.is_some());
                tells && !bridge.figures().is_linked()
            }
            State::Failed { .. } => false,
        })
    }

    /// Whether there is no bridge, not even one that is ending.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn start_due(&mut self, now: Instant) {
        // A bridge that is ending may still hold the port or the group's source that the next one
        // needs. While frames are in flight it takes its time, which must not affect other bridges.
        let leaving: Vec<_> = self
            .entries
            .values()
            .filter(|entry| matches!(entry.state, State::Stopping { .. }))
            .map(|entry| Arc::clone(&entry.spec))
            .collect();
        let blocked = |spec: &BridgeSpec| leaving.iter().any(|leaving| in_the_way(leaving, spec));
        for (id, entry) in &mut self.entries {
            if !matches!(entry.state, State::Due) || blocked(&entry.spec) {
                continue;
            }
            self.attempts += 1;
            let attempt = self.attempts;
            let alarm = alarms(&self.events)(id, attempt);
            let (engine, spec) = (Arc::clone(&self.engine), Arc::clone(&entry.spec));
            entry.state = State::Starting { attempt };
            let started = thread::Builder::new().name("bridge-start".into()).spawn(move || {
                let result = engine.start(&spec, alarm.clone());
                alarm.tell(What::Started(result));
            });
            if let Err(error) = started {
                let name = describe(&entry.spec, &self.streams);
                entry.fail(&name, format!("no thread for the bridge: {error}"), now);
            }
        }
        self.show();
    }

    /// Updates the table.
    fn show(&self) {
        let mut table = self.table.lock();
        table.retain(|id, _| self.entries.contains_key(id));
        for (id, entry) in &self.entries {
            let (conn_id, figures) = match &entry.state {
                State::Active { bridge, .. } => (bridge.connection(), Some(bridge.figures())),
                _ => (String::new(), None),
            };
            let (spec, since) = (Arc::clone(&entry.spec), entry.since);
            let row = Row { spec, phase: entry.phase(), since, conn_id, figures };
            table.insert(id.clone(), row);
        }
    }
}

impl Entry {
    fn fail(&mut self, name: &str, reason: String, now: Instant) {
        let pause = RETRY.0.saturating_mul(1 << self.failures.min(8)).min(RETRY.1);
        warn!("{name}: {reason}; next attempt in {pause:?}");
        self.failures += 1;
        self.state = State::Failed { reason, retry: now + pause };
    }
}

fn alarms(events: &Sender<Input>) -> impl Fn(&BridgeId, u64) -> Alarm + use<> {
    let events = events.clone();
    move |bridge, attempt| Alarm { events: events.clone(), bridge: bridge.clone(), attempt }
}

#[cfg(test)]
#[path = "manager_tests.rs"]
mod tests;
