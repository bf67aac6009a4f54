//! Mirror of etcd: applies every key to the topology.

use super::keys::{Key, end_of};
use super::{Etcd, Revisions};
use crate::{Agent, State, Store};
use config::ConnectionConfig;
use mesh::AgentError;
use mesh::topology::{
    Connection, ConnectionId, Grant, GroupId, GroupRecord, Proxy, ProxyId, Source, Topology,
};
use mesh::wire;
use prost::Message;
use proto::etcd as pb;
use proto::fleet;
use proto::sdk;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tonic::Status;

/// Keys that are read at a time.
const PAGE: i64 = 500;
/// Interval of checks of the member in use.
const PULSE: Duration = Duration::from_secs(1);
/// Pause before the store is tried again.
pub(super) const PAUSE: Duration = Duration::from_millis(200);

impl Agent {
    /// Mirrors the store, for ever.
    pub(crate) async fn mirror(self) {
        let Store::Etcd(etcd) = &self.0.store else { return };
        tokio::spawn(self.clone().keep_leases());
        tokio::spawn(self.clone().decide());
        let mut told = false;
        loop {
            let why = match self.follow(etcd, &mut told).await {
                Ok(why) => why,
                Err(status) => format!("{}: {}", status.code(), status.message()),
            };
            etcd.mirrored.send_replace(0);
            self.lock().counters.store_errors += 1;
            if told {
                log::debug!("store: {why}");
            } else {
                log::warn!("store: {why}; running streams go on, registrations wait");
                told = true;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Reads everything, and then each change until the member fails.
    async fn follow(&self, etcd: &Etcd, told: &mut bool) -> Result<String, Status> {
        let (kvs, revision) = load(etcd).await?;
        let member = etcd.client.member();
        let (_open, mut changes) = etcd.client.watch(&etcd.keys.all(), revision + 1).await?;
        self.replace_all(etcd, &kvs);
        etcd.mirrored.send_replace(revision);
        etcd.undecided.notify_one();
        log::info!("store: {} keys at revision {revision}", kvs.len());
        *told = false;
        let mut silence = std::pin::pin!(watch_member(etcd));
        loop {
            let response = tokio::select! {
                response = changes.message() => {
                    response.map_err(|status| etcd.client.name_member(member, &status))?
                }
                status = &mut silence => return Err(status),
            };
            let Some(response) = response else { break };
            if response.canceled || response.compact_revision > 0 {
                return Ok(format!("watch cancelled: {}", response.cancel_reason));
            }
            if response.events.is_empty() {
                continue;
            }
            self.take_events(etcd, &response.events);
            let shown = response.header.map_or(0, |header| header.revision);
            let last =
                response.events.iter().filter_map(|e| Some(e.kv.as_ref()?.mod_revision)).max();
            etcd.mirrored.send_replace(shown.max(last.unwrap_or(0)));
            etcd.undecided.notify_one();
        }
        Ok("the stream of changes has ended".into())
    }

    /// Replaces the mirrored state by the store's whole content.
    fn replace_all(&self, etcd: &Etcd, kvs: &[pb::KeyValue]) {
        let mut state = self.lock();
        let mut revisions = etcd.revisions.lock();
        let keys: Vec<_> =
            kvs.iter().filter_map(|kv| Some((etcd.keys.read(&kv.key)?, kv))).collect();
        let mut found: (BTreeSet<ProxyId>, BTreeSet<ConnectionId>, BTreeSet<GroupId>, BTreeSet<_>) =
            Default::default();
        let mut removals = BTreeSet::new();
        for (key, _) in &keys {
            match key {
                Key::Proxy(id) => _ = found.0.insert(id.clone()),
                Key::Connection(_, id) => _ = found.1.insert(id.clone()),
                Key::Group(id) => _ = found.2.insert(id.clone()),
                Key::Grant(group, proxy) => _ = found.3.insert((group.clone(), proxy.clone())),
                Key::Removal(proxy, id) => _ = removals.insert((proxy.clone(), id.clone())),
                Key::Port => {}
            }
        }
        // Keys that have gone meanwhile may only be lost.
        let hold = Some(Instant::now() + Topology::HOLD);
        let topology = &mut state.topology;
        let proxies: Vec<_> = topology.proxies().map(|(proxy, _)| proxy.id.clone()).collect();
        for proxy in proxies.iter().filter(|proxy| !found.0.contains(*proxy)) {
            topology.remove_proxy(proxy, hold);
        }
        let connections: Vec<_> = topology.connections().map(|one| one.id.clone()).collect();
        for connection in connections.iter().filter(|id| !found.1.contains(*id)) {
            topology.remove_connection(connection, hold);
        }
        let old = std::mem::take(&mut *revisions);
        for group in old.groups.into_keys().filter(|group| !found.2.contains(group)) {
            topology.put_record(&group, None);
        }
        for (group, proxy) in old.grants.into_keys().filter(|grant| !found.3.contains(grant)) {
            topology.put_grant(&group, &proxy, None);
        }
        let old: Vec<_> = topology.removed().map(|(p, id)| (p.clone(), id.clone())).collect();
        for (proxy, id) in old.iter().filter(|removal| !removals.contains(*removal)) {
            topology.forget_removed(proxy, id);
        }
        // Ports belong to addresses: proxies first.
        let is_proxy = |key: &Key| matches!(key, Key::Proxy(_));
        for first in [true, false] {
            for (key, kv) in keys.iter().filter(|(key, _)| is_proxy(key) == first) {
                put(&mut state, &mut revisions, key, kv);
            }
        }
        state.topology.settle();
        drop(revisions);
        self.publish(&mut state);
    }

    fn take_events(&self, etcd: &Etcd, events: &[pb::Event]) {
        let mut state = self.lock();
        let mut revisions = etcd.revisions.lock();
        let deleted = |event: &pb::Event| event.r#type == i32::from(pb::event::EventType::Delete);
        // A lease that runs out takes a proxy and its connections away in one revision; who leaves
        // deletes one after the other.
        let mut lost = BTreeSet::new();
        for event in events.iter().filter(|event| deleted(event)) {
            if let Some(kv) = &event.kv
                && let Some(Key::Proxy(proxy)) = etcd.keys.read(&kv.key)
            {
                lost.insert((kv.mod_revision, proxy));
            }
        }
        let hold = Instant::now() + Topology::HOLD;
        for event in events {
            let Some(kv) = &event.kv else { continue };
            let Some(key) = etcd.keys.read(&kv.key) else { continue };
            if !deleted(event) {
                put(&mut state, &mut revisions, &key, kv);
                continue;
            }
            let topology = &mut state.topology;
            match key {
                Key::Proxy(proxy) => {
                    revisions.proxies.remove(&proxy);
                    topology.remove_proxy(&proxy, Some(hold));
                }
                Key::Connection(group, id) => {
                    let known = topology
                        .connection(&id)
                        .map(|known| (known.proxy.clone(), GroupId::new(known.config.group_id())));
                    // One that has moved to another group stays.
                    if let Some((proxy, _)) = known.filter(|(_, known)| *known == group) {
                        let with_proxy = lost.contains(&(kv.mod_revision, proxy));
                        topology.remove_connection(&id, with_proxy.then_some(hold));
                    }
                }
                Key::Group(group) => {
                    revisions.groups.remove(&group);
                    topology.put_record(&group, None);
                }
                Key::Grant(group, proxy) => {
                    topology.put_grant(&group, &proxy, None);
                    revisions.grants.remove(&(group, proxy));
                }
                Key::Removal(proxy, id) => _ = topology.forget_removed(&proxy, &id),
                Key::Port => {}
            }
        }
        state.topology.settle();
        drop(revisions);
        self.publish(&mut state);
    }
}

/// All keys, at one revision.
async fn load(etcd: &Etcd) -> Result<(Vec<pb::KeyValue>, i64), Status> {
    let end = end_of(&etcd.keys.all());
    let (mut key, mut revision) = (etcd.keys.all().into_bytes(), 0);
    let mut kvs: Vec<pb::KeyValue> = Vec::new();
    loop {
        let request = pb::RangeRequest { key, range_end: end.clone(), limit: PAGE, revision };
        let page = etcd.client.range(request).await?;
        if revision == 0 {
            revision = page.header.map_or(0, |header| header.revision);
        }
        let last = page.kvs.last().map(|kv| kv.key.clone());
        kvs.extend(page.kvs);
        match last.filter(|_| page.more) {
            Some(last) => {
                key = last;
                key.push(0);
            }
            None => return Ok((kvs, revision)),
        }
    }
}

/// Polls the member in use with a small request until it does not answer in time: while nothing
/// changes, the watch does not show that it is gone.
async fn watch_member(etcd: &Etcd) -> Status {
    loop {
        tokio::time::sleep(PULSE).await;
        let key = etcd.keys.all().into_bytes();
        let request = pb::RangeRequest { key, limit: 1, ..Default::default() };
        if let Err(status) = etcd.client.range(request).await {
            return status;
        }
    }
}

fn put(state: &mut State, revisions: &mut Revisions, key: &Key, kv: &pb::KeyValue) {
    let result = match key {
        Key::Proxy(id) => read_proxy(id, &kv.value).map(|(proxy, from)| {
            revisions.proxies.insert(id.clone(), (kv.mod_revision, kv.lease));
            state.note_address(id, from);
            state.topology.put_proxy(proxy);
        }),
        Key::Connection(_, id) => read_connection(id, &kv.value).map(|connection| {
            state.topology.put_connection(connection, kv.create_revision.unsigned_abs());
        }),
        Key::Group(group) => read_group(&kv.value).map(|record| {
            revisions.groups.insert(group.clone(), kv.mod_revision);
            state.topology.put_record(group, Some(record));
        }),
        Key::Grant(group, proxy) => read_grant(&kv.value).map(|grant| {
            revisions.grants.insert((group.clone(), proxy.clone()), kv.mod_revision);
            state.topology.put_grant(group, proxy, Some(grant));
        }),
        Key::Removal(proxy, id) => {
            // The key goes with its lease.
            state.topology.put_removed(proxy, id, None);
            Ok(())
        }
        Key::Port => Ok(()),
    };
    if let Err(error) = result {
        // The other keys are fine.
        log::warn!("store: {}: {error}", String::from_utf8_lossy(&kv.key).escape_debug());
    }
}

fn decode<T: Message + Default>(value: &[u8]) -> Result<T, AgentError> {
    T::decode(value).map_err(|error| AgentError::Invalid {
        field: "value",
        found: error.to_string(),
        allowed: "a message of mcm.fleet.v1",
    })
}

fn moment(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

pub(super) fn millis(moment: SystemTime) -> u64 {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn read_proxy(id: &ProxyId, value: &[u8]) -> Result<(Proxy, Option<IpAddr>), AgentError> {
    let stored: fleet::Proxy = decode(value)?;
    let registration = stored.registration.unwrap_or_default();
    let proxy = wire::proxy(id.clone(), &registration, moment(stored.registered_at_ms))?;
    Ok((proxy, stored.control_ip_addr.parse().ok()))
}

pub(super) fn proxy_value(proxy: &Proxy, from: Option<IpAddr>) -> Vec<u8> {
    let stored = fleet::Proxy {
        registration: Some(wire::proxy_request(proxy)),
        registered_at_ms: millis(proxy.registered_at),
        control_ip_addr: from.map(|ip| ip.to_string()).unwrap_or_default(),
    };
    stored.encode_to_vec()
}

fn read_connection(id: &ConnectionId, value: &[u8]) -> Result<Connection, AgentError> {
    let stored: fleet::Connection = decode(value)?;
    let registration = stored.registration.unwrap_or_default();
    wire::connection(id.clone(), &registration, moment(stored.registered_at_ms))
}

pub(super) fn connection_value(connection: &Connection) -> Vec<u8> {
    let Connection { id, proxy, kind, config, registered_at } = connection;
    let stored = fleet::Connection {
        registration: Some(wire::connection_request(proxy, id.as_str(), *kind, config)),
        registered_at_ms: millis(*registered_at),
    };
    stored.encode_to_vec()
}

fn config(config: Option<sdk::ConnectionConfig>) -> Result<Arc<ConnectionConfig>, AgentError> {
    Ok(Arc::new(ConnectionConfig::from_sdk(&config.unwrap_or_default())?))
}

fn read_group(value: &[u8]) -> Result<GroupRecord, AgentError> {
    let stored: fleet::Group = decode(value)?;
    let source = match stored.source {
        None => None,
        Some(fleet::group::Source::Connection(id)) => Some(Source::Connection(id.into())),
        Some(fleet::group::Source::Ingress(ingress)) => Some(Source::Ingress {
            proxy: ingress.proxy_id.into(),
            config: config(ingress.config)?,
        }),
    };
    Ok(GroupRecord { definition: config(stored.definition)?, source })
}

pub(super) fn group_value(record: &GroupRecord) -> Vec<u8> {
    let source = record.source.as_ref().map(|source| match source {
        Source::Connection(id) => fleet::group::Source::Connection(id.to_string()),
        Source::Ingress { proxy, config } => fleet::group::Source::Ingress(fleet::Ingress {
            proxy_id: proxy.to_string(),
            config: Some(config.to_sdk()),
        }),
    });
    let definition = Some(record.definition.to_sdk());
    fleet::Group { definition, source }.encode_to_vec()
}

fn read_grant(value: &[u8]) -> Result<Grant, AgentError> {
    let stored: fleet::Grant = decode(value)?;
    let invalid = |field, found: u32| AgentError::Invalid {
        field,
        found: found.to_string(),
        allowed: "a port, and 1 to 8 endpoints",
    };
    let port = u16::try_from(stored.port).map_err(|_| invalid("port", stored.port))?;
    let endpoints = u8::try_from(stored.endpoints).ok().filter(|n| (1..=8).contains(n));
    Ok(Grant {
        source: stored.source_proxy_id.into(),
        port,
        endpoints: endpoints.ok_or_else(|| invalid("endpoints", stored.endpoints))?,
        key: wire::session_key(&stored.session_key)?,
    })
}

pub(super) fn grant_value(grant: &Grant) -> Vec<u8> {
    let stored = fleet::Grant {
        source_proxy_id: grant.source.to_string(),
        port: grant.port.into(),
        endpoints: grant.endpoints.into(),
        session_key: grant.key.0.to_vec(),
    };
    stored.encode_to_vec()
}
