//! The desired state of a proxy in messages.

use super::{bridge, bridge_message, identifier};
use crate::topology::{ConnectionId, Desired, DesiredGroup, ProxyId};
use proto::mediaproxy as pb;
use std::sync::Arc;

/// Separates group and proxy in the group id of a message.
const GROUP_SEPARATOR: char = '/';

/// All that a proxy must have, in a message.
#[must_use]
pub fn apply_config(desired: &Desired) -> pb::ApplyConfigRequest {
    let groups = desired.groups.iter().map(|group| pb::MultipointGroup {
        group_id: format!("{}{GROUP_SEPARATOR}{}", group.id, desired.proxy),
        conn_ids: group.connections.iter().map(ConnectionId::to_string).collect(),
        bridge_ids: group.bridges.iter().map(ToString::to_string).collect(),
        stream_id: group.stream.as_ref().map(ToString::to_string).unwrap_or_default(),
        bridges_pending: group.bridges_pending,
    });
    pb::ApplyConfigRequest {
        groups: groups.collect(),
        bridges: desired.bridges.iter().map(|spec| bridge_message(spec)).collect(),
        generation: desired.generation,
        removed_conn_ids: desired.removed.iter().map(ConnectionId::to_string).collect(),
    }
}

/// All that a proxy must have, from a message. What is wrong with single bridges is told beside:
/// the others are not touched by it.
pub fn desired(
    proxy: &ProxyId,
    message: &pb::ApplyConfigRequest,
    generation: u64,
) -> (Desired, Vec<String>) {
    let suffix = format!("{GROUP_SEPARATOR}{proxy}");
    let groups: Vec<_> = message
        .groups
        .iter()
        .map(|group| DesiredGroup {
            id: group.group_id.strip_suffix(&suffix).unwrap_or(&group.group_id).into(),
            connections: group.conn_ids.iter().map(|id| id.as_str().into()).collect(),
            bridges: group.bridge_ids.iter().map(|id| id.as_str().into()).collect(),
            // It ends up in logs and labels. Older agents do not tell it.
            stream: identifier("streamId", &group.stream_id).ok().map(Into::into),
            bridges_pending: group.bridges_pending,
        })
        .collect();
    let (mut bridges, mut errors) = (Vec::new(), Vec::new());
    for bridge_message in &message.bridges {
        let id = bridge_message.bridge_id.as_str();
        let group = groups.iter().find(|group| group.bridges.iter().any(|b| b.as_str() == id));
        match bridge(proxy, bridge_message, group.map(|group| group.id.as_str())) {
            Ok(spec) => bridges.push(Arc::new(spec)),
            Err(error) => errors.push(format!("bridge {}: {error}", id.escape_debug())),
        }
    }
    let removed = message.removed_conn_ids.iter().map(|id| id.as_str().into()).collect();
    (Desired { proxy: proxy.clone(), generation, groups, bridges, removed }, errors)
}
