//! The proxy's registrations and its desired bridges, kept across connections to agents. No I/O.

use crate::error::AgentError;
use crate::plane::{Applied, Registration};
use crate::topology::{
    BridgeSpec, Connection, ConnectionId, Decides, Desired, DesiredGroup, Proxy, ProxyId,
    SessionKey, Topology,
};
use crate::wire;
use proto::mediaproxy as pb;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Progress of a connection's registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// It has not been accepted.
    New,
    /// It works on this host; the agents do not know it yet.
    LocalOnly,
    /// The agents have accepted it, but the last desired state does not contain it yet.
    Joining,
    /// The agents know it.
    Member,
    /// The agents have refused it, after it worked on this host.
    Refused,
}

/// A connection of the proxy.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) registration: Registration,
    pub(super) stage: Stage,
    /// The proxy waits for an answer.
    pub(super) asked: bool,
    /// The id that an agent of the original has assigned.
    pub(super) given: Option<String>,
}

/// The registrations, and the desired state that follows from them.
pub(super) struct Registrations {
    proxy: Proxy,
    entries: BTreeMap<ConnectionId, Entry>,
    /// The topology of this host alone, which applies without agents.
    local: Topology,
    /// The last desired state from an agent.
    told: Option<Desired>,
    /// The last desired state that the listener got.
    current: Option<Desired>,
    /// Its outcome.
    outcome: Option<Applied>,
}

impl Registrations {
    pub(super) fn new(proxy: Proxy) -> Self {
        let mut local = Topology::new(Decides::Here, SessionKey::random);
        local.register_proxy(proxy.clone(), Vec::new(), Instant::now());
        let entries = BTreeMap::new();
        Self { proxy, entries, local, told: None, current: None, outcome: None }
    }

    pub(super) fn proxy_id(&self) -> &ProxyId {
        &self.proxy.id
    }

    /// Takes the id that an agent of the original has assigned.
    pub(super) fn rename(&mut self, id: ProxyId) {
        if self.proxy.id != id {
            self.proxy.id = id;
            self.told = None;
            let entries: Vec<_> = self.entries.values().map(|e| e.registration.clone()).collect();
            self.local = Topology::new(Decides::Here, SessionKey::random);
            self.local.register_proxy(self.proxy.clone(), Vec::new(), Instant::now());
            for registration in entries {
                // It was accepted before.
                let _same_as_before = self.add_locally(&registration);
            }
        }
    }

    /// Forgets the ids that another agent, or this one before its restart, has assigned.
    pub(super) fn forget_given(&mut self) {
        for entry in self.entries.values_mut() {
            entry.given = None;
        }
    }

    pub(super) fn entry(&mut self, id: &ConnectionId) -> Option<&mut Entry> {
        self.entries.get_mut(id)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&ConnectionId, &Entry)> {
        self.entries.iter()
    }

    /// Adds a connection, unless it conflicts with one on this host.
    pub(super) fn add(&mut self, registration: Registration) -> Result<(), AgentError> {
        self.add_locally(&registration)?;
        let id = registration.id.clone();
        let known = self.entries.get(&id);
        let given = known.and_then(|entry| entry.given.clone());
        // One that registers again goes on meanwhile.
        let same = known.filter(|known| known.registration == registration);
        let stage = match same.map(|known| known.stage) {
            None | Some(Stage::Refused) => Stage::New,
            Some(stage) => stage,
        };
        self.entries.insert(id, Entry { registration, stage, asked: true, given });
        Ok(())
    }

    fn add_locally(&mut self, registration: &Registration) -> Result<(), AgentError> {
        self.local.register_connection(Connection {
            id: registration.id.clone(),
            proxy: self.proxy.id.clone(),
            kind: registration.kind,
            config: Arc::new(registration.config.clone()),
            registered_at: SystemTime::now(),
        })
    }

    /// Removes a connection that has ended, and returns its entry.
    pub(super) fn remove(&mut self, id: &ConnectionId) -> Option<Entry> {
        // A connection that this host has refused is unknown here.
        let _known = self.local.unregister_connection(&self.proxy.id, id);
        self.entries.remove(id)
    }

    /// The proxy's registration, with all of its connections and bridges.
    pub(super) fn registration(&self) -> pb::RegisterMediaProxyRequest {
        let mut request = wire::proxy_request(&self.proxy);
        if let Some(extension) = &mut request.extension {
            let connection = |(id, entry): (&ConnectionId, &Entry)| {
                let Registration { kind, config, .. } = &entry.registration;
                wire::connection_request(&self.proxy.id, id.as_str(), *kind, config)
            };
            extension.connections = self.entries.iter().map(connection).collect();
            let running = self.current.iter().flat_map(|desired| &desired.bridges);
            extension.running = running.map(|spec| wire::bridge_message(spec)).collect();
        }
        request
    }

    /// Takes a desired state from an agent, and returns its errors. It may name connections by ids
    /// that the agent has not reported yet: those are kept until it does.
    pub(super) fn tell(&mut self, message: &pb::ApplyConfigRequest) -> Vec<String> {
        let (told, errors) = wire::desired(&self.proxy.id, message, message.generation);
        self.told = Some(told);
        self.settle();
        errors
    }

    /// Connections that an administrator has removed, each returned once.
    pub(super) fn take_removed(&mut self) -> Vec<ConnectionId> {
        let removed = self.told.iter_mut().flat_map(|told| std::mem::take(&mut told.removed));
        let removed: Vec<_> = removed.filter(|id| self.entries.contains_key(id)).collect();
        for id in &removed {
            if let Some(entry) = self.entries.get_mut(id) {
                entry.stage = Stage::Refused;
            }
        }
        removed
    }

    /// Notes the loss of the agents. Connections that they had accepted without a desired state
    /// work on this host from now on; returns those.
    pub(super) fn detach(&mut self) -> Vec<ConnectionId> {
        let told = self.told.iter().flat_map(|told| &told.groups);
        let told: BTreeSet<_> = told.flat_map(|group| &group.connections).collect();
        let untold = |(id, entry): &(&ConnectionId, &mut Entry)| {
            entry.stage == Stage::Member && !told.contains(id)
        };
        let mut ids = Vec::new();
        for (id, entry) in self.entries.iter_mut().filter(untold) {
            entry.stage = Stage::LocalOnly;
            ids.push(id.clone());
        }
        ids
    }

    /// The agents know a connection.
    pub(super) fn join(&mut self, id: &ConnectionId) {
        if let Some(entry) = self.entries.get_mut(id) {
            entry.stage = match entry.stage {
                // Local bridges go on until the agents send a desired state.
                Stage::LocalOnly | Stage::Joining => Stage::Joining,
                Stage::New | Stage::Member | Stage::Refused => Stage::Member,
            };
        }
        self.settle();
    }

    /// Replaces the ids that an agent of the original has assigned by the proxy's own.
    fn translate(&mut self) {
        let given = |(own, entry): (&ConnectionId, &Entry)| {
            Some((ConnectionId::from(entry.given.as_deref()?), own.clone()))
        };
        let given: BTreeMap<_, _> = self.entries.iter().filter_map(given).collect();
        let groups = self.told.iter_mut().flat_map(|told| &mut told.groups);
        for id in groups.flat_map(|group| &mut group.connections) {
            if let Some(own) = given.get(id) {
                *id = own.clone();
            }
        }
    }

    fn settle(&mut self) {
        self.translate();
        let groups = self.told.iter().flat_map(|told| &told.groups);
        for id in groups.flat_map(|group| &group.connections) {
            if let Some(entry) = self.entries.get_mut(id).filter(|e| e.stage == Stage::Joining) {
                entry.stage = Stage::Member;
            }
        }
    }

    /// The desired state, if it differs from the listener's last one.
    pub(super) fn change(&mut self) -> Option<Desired> {
        let mut desired = self.compose();
        if let Some(current) = &self.current {
            if current.groups == desired.groups && current.bridges == desired.bridges {
                return None;
            }
            desired.generation = current.generation + 1;
        }
        self.current = Some(desired.clone());
        Some(desired)
    }

    /// The agent's desired state with the changes since, as far as this host alone can apply them.
    fn compose(&self) -> Desired {
        let mut bridges: BTreeMap<&str, &Arc<BridgeSpec>> = BTreeMap::new();
        let mut groups: BTreeMap<_, DesiredGroup> = BTreeMap::new();
        if let Some(told) = &self.told {
            bridges.extend(told.bridges.iter().map(|spec| (spec.id.as_str(), spec)));
            for group in &told.groups {
                let mut group = group.clone();
                let named = group.connections.len();
                group.connections.retain(|id| self.entries.contains_key(id));
                // Its last connection here has gone since.
                if named == 0 || !group.connections.is_empty() {
                    groups.insert(group.id.clone(), group);
                }
            }
        }
        let local = self.local.desired(&self.proxy.id);
        let local_only = |id: &ConnectionId| {
            let stage = self.entries.get(id).map(|entry| entry.stage);
            matches!(stage, Some(Stage::LocalOnly | Stage::Joining))
        };
        for own in local.iter().flat_map(|local| &local.groups) {
            let missing: Vec<_> = own.connections.iter().filter(|id| local_only(id)).collect();
            if missing.is_empty() {
                continue;
            }
            let group = groups.entry(own.id.clone()).or_insert_with(|| DesiredGroup {
                id: own.id.clone(),
                connections: Vec::new(),
                bridges: Vec::new(),
                stream: None,
                bridges_pending: false,
            });
            if group.stream.is_none() {
                group.stream.clone_from(&own.stream);
            }
            for id in missing {
                if !group.connections.contains(id) {
                    group.connections.push(id.clone());
                }
            }
            if group.bridges.is_empty() {
                group.bridges.clone_from(&own.bridges);
            }
        }
        groups.retain(|_, group| !group.connections.is_empty() || !group.bridges.is_empty());
        let own = local.iter().flat_map(|local| &local.bridges);
        for spec in own {
            bridges.entry(spec.id.as_str()).or_insert(spec);
        }
        let named = groups.values().flat_map(|group| &group.bridges);
        let bridges = named.filter_map(|id| bridges.get(id.as_str())).map(|spec| Arc::clone(spec));
        Desired {
            proxy: self.proxy.id.clone(),
            generation: 1,
            bridges: bridges.collect(),
            groups: groups.into_values().collect(),
            removed: Vec::new(),
        }
    }

    /// The generation that the listener was told last.
    pub(super) fn generation(&self) -> u64 {
        self.current.as_ref().map_or(0, |desired| desired.generation)
    }

    pub(super) fn note_outcome(&mut self, outcome: Applied) {
        self.outcome = Some(outcome);
    }

    /// Outcome of this generation or a later one, if it is known.
    pub(super) fn outcome_of(&self, generation: u64) -> Option<&Applied> {
        self.outcome.as_ref().filter(|outcome| outcome.generation >= generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{BridgeLink, RdmaDevice};
    use config::{ConnectionConfig, Endpoint, St2110};
    use media::{Payload, Video};
    use proto::Kind;

    fn proxy() -> Proxy {
        Proxy {
            id: "p".into(),
            sdk_api_port: 8002,
            st2110: None,
            rdma: Some(RdmaDevice {
                dataplane_ip: [10, 0, 0, 1].into(),
                ports: "9100".parse().unwrap(),
            }),
            extended: true,
            registered_at: SystemTime::UNIX_EPOCH,
        }
    }

    fn registration(id: &str, kind: Kind, port: u16) -> Registration {
        let endpoint = Endpoint::St2110(St2110::new([239, 0, 0, 1].into(), port));
        let config = ConnectionConfig::new(endpoint, Payload::Video(Video::default()));
        Registration { id: id.into(), kind, config }
    }

    fn agent(registrations: &Registrations) -> Topology {
        let mut topology = Topology::new(Decides::Here, SessionKey::random);
        topology.register_proxy(registrations.proxy.clone(), Vec::new(), Instant::now());
        for (id, entry) in registrations.entries() {
            let Registration { kind, config, .. } = &entry.registration;
            let request =
                wire::connection_request(registrations.proxy_id(), id.as_str(), *kind, config);
            let connection = wire::connection(id.clone(), &request, SystemTime::now()).unwrap();
            topology.register_connection(connection).unwrap();
        }
        topology
    }

    #[test]
    fn a_new_connection_waits_for_an_answer() {
        let mut registrations = Registrations::new(proxy());
        assert!(registrations.change().unwrap().groups.is_empty());
        registrations.add(registration("r", Kind::Receiver, 5004)).unwrap();
        assert_eq!(registrations.change(), None);
    }

    #[test]
    fn without_agents_this_node_works() {
        let mut registrations = Registrations::new(proxy());
        registrations.add(registration("r", Kind::Receiver, 5004)).unwrap();
        registrations.entry(&"r".into()).unwrap().stage = Stage::LocalOnly;
        let desired = registrations.change().unwrap();
        assert_eq!(desired.bridges[0].link, BridgeLink::St2110);
        assert_eq!(desired.groups[0].connections, ["r".into()]);
        // A conflict on this host is refused at once.
        registrations.add(registration("s", Kind::Source, 5006)).unwrap();
        let error = registrations.add(registration("t", Kind::Source, 5006)).unwrap_err();
        assert_eq!(error.mesh_err(), 1008);
        // A connection that registers again is not interrupted.
        registrations.add(registration("r", Kind::Receiver, 5004)).unwrap();
        assert_eq!(registrations.change(), None);
        registrations.remove(&"r".into()).unwrap();
        assert!(registrations.change().unwrap().bridges.is_empty());
    }

    #[test]
    fn an_agent_that_comes_changes_nothing_about_what_runs() {
        let mut registrations = Registrations::new(proxy());
        registrations.add(registration("r", Kind::Receiver, 5004)).unwrap();
        registrations.entry(&"r".into()).unwrap().stage = Stage::LocalOnly;
        let before = registrations.change().unwrap();
        let request = registrations.registration().extension.unwrap();
        assert_eq!((request.connections.len(), request.running.len()), (1, 1));
        let state = agent(&registrations).desired(registrations.proxy_id()).unwrap();
        registrations.join(&"r".into());
        assert_eq!(registrations.change(), None, "it has not said anything yet");
        // A desired state from before the agent knew the connection.
        assert!(registrations.tell(&pb::ApplyConfigRequest::default()).is_empty());
        assert_eq!(registrations.change(), None);
        assert!(registrations.tell(&wire::apply_config(&state)).is_empty());
        assert_eq!(registrations.change(), None, "the same bridge: {before:?}");
        assert_eq!(registrations.entry(&"r".into()).unwrap().stage, Stage::Member);
    }

    #[test]
    fn losing_the_agents_takes_nothing_away() {
        let mut registrations = Registrations::new(proxy());
        registrations.add(registration("r", Kind::Receiver, 5004)).unwrap();
        registrations.entry(&"r".into()).unwrap().stage = Stage::Member;
        let state = agent(&registrations).desired(registrations.proxy_id()).unwrap();
        registrations.tell(&wire::apply_config(&state));
        assert_eq!(registrations.change().unwrap().bridges.len(), 1);
        // Changes meanwhile are applied locally.
        registrations.add(registration("s", Kind::Source, 5006)).unwrap();
        registrations.entry(&"s".into()).unwrap().stage = Stage::LocalOnly;
        assert_eq!(registrations.change().unwrap().bridges.len(), 2);
        registrations.remove(&"r".into()).unwrap();
        let desired = registrations.change().unwrap();
        assert_eq!(desired.bridges.len(), 1);
        assert_eq!(desired.generation, 3);
    }

    #[test]
    fn what_was_accepted_and_no_more_works_on_this_node() {
        let mut registrations = Registrations::new(proxy());
        for (id, port) in [("r", 5004), ("s", 5006)] {
            registrations.add(registration(id, Kind::Receiver, port)).unwrap();
            registrations.join(&id.into());
        }
        let mut state = agent(&registrations);
        state.unregister_connection(registrations.proxy_id(), &"s".into()).unwrap();
        registrations.tell(&wire::apply_config(&state.desired(registrations.proxy_id()).unwrap()));
        assert_eq!(registrations.change().unwrap().bridges.len(), 1, "the agent has not got to s");
        assert_eq!(registrations.detach(), ["s".into()]);
        assert_eq!(registrations.change().unwrap().bridges.len(), 2);
        assert_eq!(registrations.entry(&"r".into()).unwrap().stage, Stage::Member);
        assert_eq!(registrations.detach(), [], "once");
    }

    #[test]
    fn what_an_administrator_removes_is_not_made_on_this_node_instead() {
        let mut registrations = Registrations::new(proxy());
        registrations.add(registration("r", Kind::Receiver, 5004)).unwrap();
        let mut state = agent(&registrations);
        registrations.join(&"r".into());
        registrations.tell(&wire::apply_config(&state.desired(registrations.proxy_id()).unwrap()));
        assert_eq!(registrations.change().unwrap().bridges.len(), 1);
        state.delete_connection(&"r".into(), Instant::now()).unwrap();
        registrations.tell(&wire::apply_config(&state.desired(registrations.proxy_id()).unwrap()));
        assert_eq!(registrations.take_removed(), ["r".into()]);
        assert_eq!(registrations.take_removed(), [], "once");
        assert!(registrations.change().unwrap().bridges.is_empty());
        assert_eq!(registrations.detach(), []);
        assert_eq!(registrations.change(), None);
    }

    /// The agent's command and its answer to the registration come by different ways.
    #[test]
    fn what_an_agent_names_before_it_has_told_the_name_is_not_lost() {
        let mut registrations = Registrations::new(proxy());
        registrations.rename("theirs".into());
        registrations.add(registration("r", Kind::Receiver, 5004)).unwrap();
        assert!(registrations.change().unwrap().groups.is_empty());
        let mut message =
            wire::apply_config(&agent(&registrations).desired(registrations.proxy_id()).unwrap());
        message.groups[0].conn_ids = vec!["uuid".into()];
        assert!(registrations.tell(&message).is_empty());
        assert_eq!(registrations.change(), None, "whose group that is is not known yet");
        registrations.entry(&"r".into()).unwrap().given = Some("uuid".into());
        registrations.join(&"r".into());
        let desired = registrations.change().unwrap();
        assert_eq!(desired.groups[0].connections, ["r".into()]);
        assert_eq!(desired.bridges.len(), 1);
        assert_eq!(registrations.detach(), [], "the agent has said where it belongs");
    }

    #[test]
    fn ids_of_older_agents_are_translated() {
        let mut registrations = Registrations::new(proxy());
        registrations.add(registration("r", Kind::Receiver, 5004)).unwrap();
        registrations.rename("theirs".into());
        let entry = registrations.entry(&"r".into()).unwrap();
        (entry.stage, entry.given) = (Stage::Member, Some("uuid".into()));
        let group = pb::MultipointGroup {
            group_id: "239.0.0.1:5004/theirs".into(),
            conn_ids: vec!["uuid".into()],
            bridge_ids: Vec::new(),
            ..Default::default()
        };
        let message = pb::ApplyConfigRequest { groups: vec![group], ..Default::default() };
        assert!(registrations.tell(&message).is_empty());
        let desired = registrations.change().unwrap();
        assert_eq!(desired.proxy, "theirs".into());
        assert_eq!(desired.groups[0].connections, ["r".into()]);
        assert_eq!(desired.groups[0].id, "239.0.0.1:5004".into());
    }
}
