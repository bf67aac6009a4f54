//! Groups of the fleet in messages.

use super::{identifier, invalid, ip};
use crate::error::AgentError;
use crate::topology::{FleetGroup, GroupHost};
use config::{ConnectionConfig, kind_of};
use proto::mediaproxy as pb;
use std::sync::Arc;

/// A group of the fleet, in a message.
#[must_use]
pub fn fleet_group_message(group: &FleetGroup) -> pb::FleetGroup {
    let hosts = group.hosts.iter().map(|host| pb::GroupHost {
        proxy_id: host.proxy.to_string(),
        address: host.address.clone(),
        source: host.source,
        receivers: host.receivers.try_into().unwrap_or(u32::MAX),
    });
    pb::FleetGroup {
        group_id: group.id.to_string(),
        config: Some(group.config.to_sdk_of(group.kind)),
        stream_id: group.stream.as_ref().map(ToString::to_string).unwrap_or_default(),
        hosts: hosts.collect(),
    }
}

/// A group of the fleet, from a message.
pub fn fleet_group(message: pb::FleetGroup) -> Result<FleetGroup, AgentError> {
    let config = message
        .config
        .ok_or_else(|| invalid("config", "nothing", "a connection's configuration"))?;
    let (kind, config) = (kind_of(&config)?, ConnectionConfig::from_sdk(&config)?);
    let hosts = message.hosts.into_iter().map(|host| {
        Ok(GroupHost {
            proxy: identifier("proxyId", &host.proxy_id)?.into(),
            address: match host.address.as_str() {
                "" => String::new(),
                text => ip("address", text)?.to_string(),
            },
            source: host.source,
            receivers: host.receivers as usize,
        })
    });
    Ok(FleetGroup {
        id: message.group_id.into(),
        kind,
        config: Arc::new(config),
        // It ends up in logs and labels.
        stream: identifier("streamId", &message.stream_id).ok().map(Into::into),
        hosts: hosts.collect::<Result<_, AgentError>>()?,
    })
}
