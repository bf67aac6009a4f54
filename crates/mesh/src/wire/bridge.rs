//! Bridges in messages.

use super::{identifier, invalid, ip};
use crate::error::AgentError;
use crate::topology::{BridgeLink, BridgeSpec, Direction, ProxyId, RdmaLink, SessionKey};
use config::{ConnectionConfig, Endpoint};
use prost::Message;
use proto::mediaproxy as pb;
use proto::{Kind, sdk};
use std::sync::Arc;

/// A bridge in a message.
#[must_use]
pub fn bridge_message(spec: &BridgeSpec) -> pb::Bridge {
    let config = match (&spec.link, &spec.config.endpoint) {
        (BridgeLink::Rdma(link), _) => Some(pb::bridge::Config::Rdma(pb::BridgeRdma {
            remote_ip_addr: link.remote_ip.to_string(),
            port: link.port.into(),
        })),
        (BridgeLink::St2110, Endpoint::St2110(_)) => {
            let Some(sdk::connection_config::Conn::St2110(stream)) = spec.config.to_sdk().conn
            else {
                unreachable!("the configuration is of this kind");
            };
            Some(pb::bridge::Config::St2110(pb::BridgeSt2110 {
                ip_addr: stream.ip_addr,
                port: stream.port,
                mcast_sip_addr: stream.mcast_sip_addr,
                transport: stream.transport,
                payload_type: stream.payload_type,
            }))
        }
        (BridgeLink::St2110, _) => None,
    };
    // To its proxy an ingress bridge is like a program that sends.
    let kind = match spec.direction {
        Direction::Ingress => Kind::Source,
        Direction::Egress => Kind::Receiver,
    };
    let link = spec.rdma();
    pb::Bridge {
        bridge_id: spec.id.to_string(),
        r#type: if link.is_some() { "rdma" } else { "st2110" }.to_owned(),
        kind: spec.direction.wire().to_owned(),
        conn_config: spec.config.to_sdk_of(kind).encode_to_vec(),
        config,
        extension: Some(pb::BridgeExtension {
            group_id: spec.group.to_string(),
            peer_proxy_id: link.map(|link| link.peer.to_string()).unwrap_or_default(),
            session_key: link
                .and_then(|link| link.session_key)
                .map(|key| key.0.to_vec())
                .unwrap_or_default(),
        }),
    }
}

/// A bridge of a proxy from a message. `group` is what the message's list of groups says; the
/// extension of newer peers says more.
pub fn bridge(
    proxy: &ProxyId,
    message: &pb::Bridge,
    group: Option<&str>,
) -> Result<BridgeSpec, AgentError> {
    let direction = match message.kind.as_str() {
        "rx" => Direction::Ingress,
        "tx" => Direction::Egress,
        other => return Err(invalid("bridge.kind", other, "rx, tx")),
    };
    if message.conn_config.is_empty() {
        return Err(invalid("bridge.connConfig", "nothing", "a configuration"));
    }
    let config = ConnectionConfig::decode(&message.conn_config)?;
    let extension = message.extension.as_ref();
    let group = extension
        .map(|extension| extension.group_id.as_str())
        .filter(|group| !group.is_empty())
        .or(group)
        .map_or_else(|| config.group_id(), str::to_owned);
    let link = match (message.r#type.as_str(), &message.config) {
        ("st2110", _) if matches!(config.endpoint, Endpoint::St2110(_)) => BridgeLink::St2110,
        ("rdma", Some(pb::bridge::Config::Rdma(rdma))) => BridgeLink::Rdma(RdmaLink {
            peer: extension.map(|e| e.peer_proxy_id.as_str()).unwrap_or_default().into(),
            remote_ip: ip("bridge.rdma.remoteIp", &rdma.remote_ip_addr)?,
            port: u16::try_from(rdma.port).map_err(|_| {
                invalid("bridge.rdma.port", &rdma.port.to_string(), "a port number, 0 to 65535")
            })?,
            session_key: extension
                .map(|extension| extension.session_key.as_slice())
                .filter(|key| !key.is_empty())
                .map(session_key)
                .transpose()?,
        }),
        (other, _) => {
            let allowed = "rdma with its configuration, st2110 with a connection of that kind";
            return Err(invalid("bridge.type", other, allowed));
        }
    };
    Ok(BridgeSpec {
        id: identifier("bridge.bridgeId", &message.bridge_id)?.into(),
        group: group.into(),
        proxy: proxy.clone(),
        direction,
        config: Arc::new(config),
        link,
    })
}

/// A session key of 32 bytes.
pub fn session_key(bytes: &[u8]) -> Result<SessionKey, AgentError> {
    let key = bytes
        .try_into()
        .map_err(|_| invalid("bridge.sessionKey", &format!("{} bytes", bytes.len()), "32 bytes"))?;
    Ok(SessionKey(key))
}
