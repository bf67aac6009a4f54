//! Requests of proxies: state changes that are validated first.

use super::identifier::{ConnectionId, GroupId, ProxyId};
use super::model::{BridgeSpec, Connection, GroupRecord, Proxy, Source};
use super::{Member, Topology};
use crate::error::{AgentError, GroupMember};
use config::{ConnectionConfig, Endpoint};
use media::ConfigError;
use proto::Kind;
use std::sync::Arc;
use std::time::Instant;

impl Topology {
    /// Registers a proxy, for the first time or again; `running` are the bridges that it has. Its
    /// earlier connections stay.
    pub fn register_proxy(&mut self, proxy: Proxy, running: Vec<BridgeSpec>, now: Instant) {
        let id = proxy.id.clone();
        self.put_proxy(proxy);
        for spec in running.into_iter().filter(|spec| spec.proxy == id) {
            self.hold_running(spec, now + Self::HOLD);
        }
        self.settle();
    }

    /// Unregisters a proxy, with all its connections and bridges.
    ///
    /// # Errors
    /// [`AgentError::UnknownProxy`].
    pub fn unregister_proxy(&mut self, proxy: &ProxyId) -> Result<(), AgentError> {
        if !self.proxies.contains_key(proxy) {
            return Err(AgentError::UnknownProxy(proxy.clone()));
        }
        self.remove_proxy(proxy, None);
        self.settle();
        Ok(())
    }

    /// Registers a connection, for the first time or again. One that is registered already,
    /// elsewhere or otherwise, is replaced.
    ///
    /// # Errors
    /// As [`Topology::check`]. Nothing has changed then.
    pub fn register_connection(&mut self, connection: Connection) -> Result<(), AgentError> {
        let record = self.check(&connection)?;
        let group = GroupId::new(connection.config.group_id());
        let known = self.connections.get(&connection.id);
        let order = known.filter(|known| known.group == group).map_or_else(
            || {
                self.order += 1;
                self.order
            },
            |known| known.order,
        );
        self.put_connection(connection, order);
        self.put_record(&group, Some(record));
        self.settle();
        Ok(())
    }

    /// Unregisters a connection.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`], also if another proxy serves it.
    pub fn unregister_connection(
        &mut self,
        proxy: &ProxyId,
        id: &ConnectionId,
    ) -> Result<(), AgentError> {
        if self.forget_removed(proxy, id) {
            return Ok(());
        }
        if self.connections.get(id).is_none_or(|member| &member.connection.proxy != proxy) {
            return Err(AgentError::UnknownConnection(id.clone()));
        }
        self.remove_connection(id, None);
        self.settle();
        Ok(())
    }

    /// Removes a connection on behalf of an administrator. Its proxy has to end it, and cannot
    /// register it again.
    ///
    /// # Errors
    /// [`AgentError::UnknownConnection`].
    pub fn delete_connection(&mut self, id: &ConnectionId, now: Instant) -> Result<(), AgentError> {
        let known = self.connection(id).map(|connection| connection.proxy.clone());
        let proxy = known.ok_or_else(|| AgentError::UnknownConnection(id.clone()))?;
        self.put_removed(&proxy, id, Some(now + Self::REMOVED));
        self.remove_connection(id, None);
        self.settle();
        Ok(())
    }

    /// Checks that a connection may join its group, and returns the group's new record.
    ///
    /// # Errors
    /// [`AgentError::UnknownProxy`]; [`AgentError::Removed`]; [`AgentError::Incompatible`] if it
    /// does not fit the group; [`AgentError::SourceTaken`] if it sends and somebody else does
    /// already.
    pub fn check(&self, connection: &Connection) -> Result<GroupRecord, AgentError> {
        if !self.proxies.contains_key(&connection.proxy) {
            return Err(AgentError::UnknownProxy(connection.proxy.clone()));
        }
        if self.is_removed(&connection.proxy, &connection.id) {
            return Err(AgentError::Removed(connection.id.clone()));
        }
        let fresh = || GroupRecord { definition: Arc::clone(&connection.config), source: None };
        let id = GroupId::new(connection.config.group_id());
        let group = self.groups.get(&id);
        let mut record = match group.and_then(|group| group.record.clone()) {
            Some(record) if self.has_other_members(&id, &connection.id) => {
                check_compatible(&connection.config, &record.definition)
                    .map_err(|error| self.incompatible(error, &id, &connection.id))?;
                record
            }
            Some(record) => GroupRecord { source: record.source, ..fresh() },
            None => fresh(),
        };
        if connection.kind == Kind::Source {
            if let Some(Source::Connection(other)) = &record.source
                && *other != connection.id
                && let Some(Member { connection: other, .. }) = self.connections.get(other)
                && other.kind == Kind::Source
            {
                let (connection, proxy) = (other.id.clone(), other.proxy.clone());
                let host = self.rdma_ip(&proxy);
                return Err(AgentError::SourceTaken { group: id, connection, proxy, host });
            }
            record.source = Some(Source::Connection(connection.id.clone()));
        } else if record.source == Some(Source::Connection(connection.id.clone())) {
            // It was the source before.
            record.source = None;
        }
        if connection.kind == Kind::Receiver
            && matches!(connection.config.endpoint, Endpoint::St2110(_))
            && self.origin_of(&id, &record).is_none()
            && self.holds.of_group(&id).next().is_none()
            && !self.has_other_members(&id, &connection.id)
        {
            // The first receiver of a stream brings its ingress bridge with it.
            let (proxy, config) = (connection.proxy.clone(), Arc::clone(&connection.config));
            record.source = Some(Source::Ingress { proxy, config });
        }
        Ok(record)
    }

    /// The refusal of a newcomer, with the member that it has to fit to.
    fn incompatible(
        &self,
        error: ConfigError,
        id: &GroupId,
        newcomer: &ConnectionId,
    ) -> AgentError {
        let group = self.groups.get(id);
        let members = group.into_iter().flat_map(|group| group.members.values());
        let members = members.flat_map(super::group::Members::all).filter(|id| *id != newcomer);
        let members = members.filter_map(|id| self.connections.get(id));
        let first = members.min_by_key(|member| {
            let is_source = member.connection.kind == Kind::Source;
            (!is_source, member.order)
        });
        let Some(Member { connection, .. }) = first else { return error.into() };
        let Connection { id: connection, proxy, kind, .. } = connection.clone();
        let host = self.rdma_ip(&proxy);
        let member = Box::new(GroupMember { kind, connection, proxy, host });
        AgentError::Incompatible { error, member }
    }

    fn has_other_members(&self, group: &GroupId, except: &ConnectionId) -> bool {
        let members = self.groups.get(group).into_iter().flat_map(|group| group.members.values());
        members.flat_map(super::group::Members::all).any(|id| id != except)
    }
}

/// Checks that a connection is compatible with its group; beyond the rules for one host, the
/// options of streams between proxies must agree.
fn check_compatible(own: &ConnectionConfig, group: &ConnectionConfig) -> Result<(), ConfigError> {
    own.check_compatible(group)?;
    let (own, group) = (own.options.rdma, group.options.rdma);
    let as_in_group =
        |value: &dyn std::fmt::Display| format!("{value}, as in the rest of the group");
    if own.provider != group.provider {
        let allowed = as_in_group(&group.provider);
        return Err(ConfigError::incompatible("options.rdma.provider", own.provider, allowed));
    }
    if own.num_endpoints != group.num_endpoints {
        let allowed = as_in_group(&group.num_endpoints);
        let path = "options.rdma.numEndpoints";
        return Err(ConfigError::incompatible(path, own.num_endpoints, allowed));
    }
    Ok(())
}
