//! Requests of proxies, as changes of the store.

use super::leases::{Here, TIME_TO_LIVE};
use super::mirror::{connection_value, group_value, proxy_value};
use super::transaction::{MAX_OPERATIONS, Transaction};
use super::{CATCH_UP, Etcd};
use crate::calls::{Arrival, Refused, superfluous};
use crate::{Agent, REGISTERED, Store};
use mesh::AgentError;
use mesh::topology::{Connection, ConnectionId, GroupId, ProxyId, Source, Topology};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::Status;

/// Time for which a registration is retried while other agents change the same group or the store
/// does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Pause before a registration is tried again.
const PAUSE: Duration = Duration::from_millis(20);
/// Number of connections of one proxy that are registered concurrently.
const AT_A_TIME: usize = 32;

fn away(status: &Status) -> AgentError {
    AgentError::Unavailable(format!(
        "the store of the mesh agents does not answer: {}",
        status.message()
    ))
}

impl Agent {
    fn etcd(&self) -> Result<&Etcd, AgentError> {
        match &self.0.store {
            Store::Etcd(etcd) => Ok(etcd),
            Store::Memory => Err(AgentError::Setup("the state is in memory".into())),
        }
    }

    pub(crate) async fn arrive_in_store(&self, arrival: Arrival) -> Result<Refused, AgentError> {
        let etcd = self.etcd()?;
        let Arrival { proxy, from, connections, running } = arrival;
        let id = proxy.id.clone();
        self.ready(etcd).await?;
        let known = etcd.revisions.lock().proxies.get(&id).map(|(_, lease)| *lease);
        // The lease that it has with another agent goes on, and with it all that is bound to it.
        let lease = match known.filter(|lease| *lease != 0) {
            Some(lease) => lease,
            None => etcd.client.grant_lease(TIME_TO_LIVE).await.map_err(|status| away(&status))?,
        };
        let put =
            Transaction::default().put(&etcd.keys.proxy(&id), proxy_value(&proxy, from), lease);
        let answer = etcd.client.transact(put.request()).await;
        let revision = match answer {
            Ok(answer) => answer.header.map_or(0, |header| header.revision),
            // The lease has just run out: the proxy comes again, and gets another.
            Err(status) => return Err(away(&status)),
        };
        let until = Some(Instant::now() + REGISTERED);
        etcd.here.lock().insert(id.clone(), Here { lease, revision, until });
        if !etcd.caught_up(revision, CATCH_UP).await {
            return Err(AgentError::Unavailable("the store of the mesh agents is slow".into()));
        }
        let mut gone = Vec::new();
        {
            let mut state = self.lock();
            for spec in running {
                state.topology.hold_running(spec, Instant::now() + Topology::HOLD);
            }
            state.topology.settle();
            self.publish(&mut state);
            if let Some(connections) = &connections {
                gone = superfluous(&state.topology, &id, connections);
            }
        }
        for connection in gone {
            self.disconnect_in_store(&id, &connection).await?;
        }
        let mut refused = Vec::new();
        let (mut tasks, room) = (JoinSet::new(), Arc::new(Semaphore::new(AT_A_TIME)));
        for connection in connections.into_iter().flatten() {
            let (agent, room) = (self.clone(), Arc::clone(&room));
            tasks.spawn(async move {
                // The semaphore is never closed.
                let _place = room.acquire_owned().await;
                let id = connection.id.clone();
                (id, agent.connect_in_store(connection).await)
            });
        }
        while let Some(done) = tasks.join_next().await {
            match done {
                Ok((_, Ok(()))) => {}
                Ok((id, Err(error))) => refused.push((id, error)),
                Err(error) => return Err(AgentError::Unavailable(error.to_string())),
            }
        }
        Ok(refused)
    }

    /// Waits for a while until the mirror shows the store.
    async fn ready(&self, etcd: &Etcd) -> Result<(), AgentError> {
        if etcd.caught_up(1, CATCH_UP).await {
            return Ok(());
        }
        Err(AgentError::Unavailable("the store of the mesh agents cannot be reached".into()))
    }

    pub(crate) async fn connect_in_store(&self, connection: Connection) -> Result<(), AgentError> {
        let etcd = self.etcd()?;
        self.ready(etcd).await?;
        let until = Instant::now() + PATIENCE;
        let mut why = AgentError::Unavailable("others keep changing the group".into());
        while Instant::now() < until {
            let transaction = self.connecting(etcd, &connection)?;
            match etcd.client.transact(transaction.request()).await {
                Ok(answer) => {
                    let revision = answer.header.map_or(0, |header| header.revision);
                    let time = if answer.succeeded { CATCH_UP } else { CATCH_UP / 10 };
                    // Later is no harm: what has been done has been done.
                    let _shown = etcd.caught_up(revision, time).await;
                    if answer.succeeded {
                        return Ok(());
                    }
                }
                Err(status) => {
                    self.lock().counters.store_errors += 1;
                    why = away(&status);
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
        Err(why)
    }

    /// The transaction that makes a connection a member, if all is as the mirror shows it.
    fn connecting(&self, etcd: &Etcd, connection: &Connection) -> Result<Transaction, AgentError> {
        let state = self.lock();
        let topology = &state.topology;
        let record = topology.check(connection)?;
        let id = GroupId::new(connection.config.group_id());
        let revisions = etcd.revisions.lock();
        let lease = revisions.proxies.get(&connection.proxy).map(|(_, lease)| *lease);
        let lease = lease.ok_or_else(|| AgentError::UnknownProxy(connection.proxy.clone()))?;
        let revision = revisions.groups.get(&id).copied().unwrap_or(0);
        drop(revisions);
        let (keys, key) = (&etcd.keys, etcd.keys.connection(&id, &connection.id));
        let mut transaction = Transaction::default()
            .leased(&keys.proxy(&connection.proxy), lease)
            .absent(&keys.removal(&connection.proxy, &connection.id))
            .unchanged(&keys.group(&id), revision);
        let known = topology.record(&id);
        if known != Some(&record) {
            if let Some(known) = known {
                // A source that the mirror has seen go must not have come back.
                if known.definition != record.definition {
                    transaction = transaction.none_but(&keys.connections(&id), Some(&key));
                }
                if let Some(Source::Connection(old)) = &known.source
                    && *old != connection.id
                {
                    transaction = transaction.absent(&keys.connection(&id, old));
                }
            }
            transaction = transaction.put(&keys.group(&id), group_value(&record), 0);
        }
        if let Some(old) = topology.connection(&connection.id) {
            let group = GroupId::new(old.config.group_id());
            if group != id {
                transaction = transaction.delete(&keys.connection(&group, &connection.id));
            }
        }
        Ok(transaction.put(&key, connection_value(connection), lease))
    }

    pub(crate) async fn disconnect_in_store(
        &self,
        proxy: &ProxyId,
        id: &ConnectionId,
    ) -> Result<(), AgentError> {
        let etcd = self.etcd()?;
        let (group, removed) = {
            let state = self.lock();
            let known = state.topology.connection(id).filter(|known| &known.proxy == proxy);
            let group = known.map(|known| GroupId::new(known.config.group_id()));
            (group, state.topology.is_removed(proxy, id))
        };
        let keys = group.map(|group| etcd.keys.connection(&group, id)).into_iter();
        let keys = keys.chain(removed.then(|| etcd.keys.removal(proxy, id)));
        let keys: Vec<_> = keys.collect();
        if keys.is_empty() {
            return Err(AgentError::UnknownConnection(id.clone()));
        }
        self.delete(etcd, &keys).await
    }

    /// An administrator removes a connection.
    pub(crate) async fn delete_in_store(&self, id: &ConnectionId) -> Result<(), AgentError> {
        let etcd = self.etcd()?;
        self.ready(etcd).await?;
        let (proxy, group) = {
            let state = self.lock();
            let known = state.topology.connection(id);
            let known = known.ok_or_else(|| AgentError::UnknownConnection(id.clone()))?;
            (known.proxy.clone(), GroupId::new(known.config.group_id()))
        };
        let seconds = i64::try_from(Topology::REMOVED.as_secs()).unwrap_or(i64::MAX);
        let lease = etcd.client.grant_lease(seconds).await.map_err(|status| away(&status))?;
        let transaction = Transaction::default().delete(&etcd.keys.connection(&group, id)).put(
            &etcd.keys.removal(&proxy, id),
            Vec::new(),
            lease,
        );
        self.commit(etcd, transaction).await
    }

    /// Carries out a transaction without conditions, and waits for a while until the mirror shows
    /// it.
    async fn commit(&self, etcd: &Etcd, transaction: Transaction) -> Result<(), AgentError> {
        let answer = etcd.client.transact(transaction.request()).await;
        let answer = answer.map_err(|status| away(&status))?;
        let revision = answer.header.map_or(0, |header| header.revision);
        let _shown = etcd.caught_up(revision, CATCH_UP).await;
        Ok(())
    }

    async fn delete(&self, etcd: &Etcd, keys: &[String]) -> Result<(), AgentError> {
        let all = keys.iter().fold(Transaction::default(), |all, key| all.delete(key));
        self.commit(etcd, all).await
    }

    pub(crate) async fn leave_store(&self, proxy: &ProxyId) -> Result<(), AgentError> {
        let etcd = self.etcd()?;
        let connections: Vec<_> = {
            let state = self.lock();
            if state.topology.proxy(proxy).is_none() {
                return Err(AgentError::UnknownProxy(proxy.clone()));
            }
            let all = state.topology.connections_of(proxy);
            all.map(|one| etcd.keys.connection(&GroupId::new(one.config.group_id()), &one.id))
                .collect()
        };
        // Before the proxy itself: so others see that they left, and were not lost.
        for some in connections.chunks(MAX_OPERATIONS) {
            self.delete(etcd, some).await?;
        }
        let lease = etcd.revisions.lock().proxies.get(proxy).map(|(_, lease)| *lease);
        self.delete(etcd, &[etcd.keys.proxy(proxy)]).await?;
        etcd.here.lock().remove(proxy);
        if let Some(lease) = lease {
            // Its ports.
            etcd.client.revoke_lease(lease).await.map_err(|status| away(&status))?;
        }
        Ok(())
    }
}
