//! Conversion of the state to protobuf messages and back.

use crate::error::AgentError;
use crate::metrics::{Measured, Metric, Value};
use crate::topology::{
    BridgeLink, BridgeSpec, Connection, ConnectionId, Desired, DesiredGroup, Direction, FleetGroup,
    GroupHost, Proxy, ProxyId, RdmaDevice, RdmaLink, SessionKey, St2110Device,
};
use config::{ConnectionConfig, Endpoint, kind_of};
use prost::Message;
use proto::mediaproxy as pb;
use proto::{Kind, sdk};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

/// Length limit of identifiers, in bytes.
const MAX_ID: usize = 128;
/// The longest group id of a wire message: a URN of 1024 bytes, "/" and a proxy's id.
const GROUP_SEPARATOR: char = '/';

/// The word of a connection's kind, from the proxy's point of view.
#[must_use]
pub fn kind_word(kind: Kind) -> &'static str {
    match kind {
        Kind::Source => "rx",
        Kind::Receiver => "tx",
    }
}

fn invalid(field: &'static str, found: &str, allowed: &'static str) -> AgentError {
    AgentError::Invalid { field, found: found.chars().take(64).collect(), allowed }
}

fn kind(word: &str) -> Result<Kind, AgentError> {
    match word {
        "rx" => Ok(Kind::Source),
        "tx" => Ok(Kind::Receiver),
        _ => Err(invalid("kind", word, "rx (the program sends), tx (it receives)")),
    }
}

/// Checks an identifier of a peer's choice: it goes into paths, keys and logs.
pub fn identifier<'a>(field: &'static str, text: &'a str) -> Result<&'a str, AgentError> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.:".contains(c);
    if (1..=MAX_ID).contains(&text.len()) && text.chars().all(fine) {
        return Ok(text);
    }
    Err(invalid(field, text, "1 to 128 letters, digits and -_.:"))
}

fn ip(field: &'static str, text: &str) -> Result<IpAddr, AgentError> {
    text.parse().map_err(|_| invalid(field, text, "an IP address"))
}

/// A proxy, as it registers with an id that it has been given or has chosen.
pub fn proxy(
    id: ProxyId,
    request: &pb::RegisterMediaProxyRequest,
    registered_at: SystemTime,
) -> Result<Proxy, AgentError> {
    let st2110 = request.st2110_config.as_ref().filter(|c| !c.dataplane_ip_addr.is_empty());
    let rdma = request.rdma_config.as_ref().filter(|c| !c.dataplane_ip_addr.is_empty());
    Ok(Proxy {
        id,
        sdk_api_port: u16::try_from(request.sdk_api_port).map_err(|_| {
            invalid("sdkApiPort", &request.sdk_api_port.to_string(), "a port number, 0 to 65535")
        })?,
        st2110: st2110
            .map(|config| -> Result<_, AgentError> {
                Ok(St2110Device {
                    dataplane_ip: ip("st2110.dataplaneIpAddr", &config.dataplane_ip_addr)?,
                    device: config.dev_port_bdf.clone(),
                })
            })
            .transpose()?,
        rdma: rdma
            .map(|config| -> Result<_, AgentError> {
                Ok(RdmaDevice {
                    dataplane_ip: ip("rdma.dataplaneIpAddr", &config.dataplane_ip_addr)?,
                    ports: config.dataplane_local_ports.parse()?,
                })
            })
            .transpose()?,
        extended: request.extension.as_ref().is_some_and(|extension| extension.rdma_session),
        registered_at,
    })
}

/// The request with which a proxy registers, without what it has.
#[must_use]
pub fn proxy_request(proxy: &Proxy) -> pb::RegisterMediaProxyRequest {
    pb::RegisterMediaProxyRequest {
        sdk_api_port: proxy.sdk_api_port.into(),
        st2110_config: proxy.st2110.as_ref().map(|device| pb::St2110ProxyConfig {
            dataplane_ip_addr: device.dataplane_ip.to_string(),
            dev_port_bdf: device.device.clone(),
        }),
        rdma_config: proxy.rdma.as_ref().map(|device| pb::RdmaProxyConfig {
            dataplane_ip_addr: device.dataplane_ip.to_string(),
            dataplane_local_ports: device.ports.to_string(),
        }),
        extension: Some(pb::ProxyExtension {
            proxy_id: proxy.id.to_string(),
            rdma_session: proxy.extended,
            ..Default::default()
        }),
    }
}

/// A connection, as its proxy registers it.
pub fn connection(
    id: ConnectionId,
    request: &pb::RegisterConnectionRequest,
    registered_at: SystemTime,
) -> Result<Connection, AgentError> {
    let kind = kind(&request.kind)?;
    if request.config.is_empty() {
        return Err(invalid("config", "nothing", "a connection's configuration"));
    }
    let config = ConnectionConfig::decode(&request.config)?;
    Ok(Connection {
        id,
        proxy: ProxyId::from(request.proxy_id.as_str()),
        kind,
        config: Arc::new(config),
        registered_at,
    })
}

/// The request with which a proxy registers a connection.
#[must_use]
pub fn connection_request(
    proxy: &ProxyId,
    id: &str,
    kind: Kind,
    config: &ConnectionConfig,
) -> pb::RegisterConnectionRequest {
    pb::RegisterConnectionRequest {
        proxy_id: proxy.to_string(),
        kind: kind_word(kind).to_owned(),
        config: config.to_sdk_of(kind).encode_to_vec(),
        conn_id: id.to_owned(),
    }
}

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

/// A bridge of a proxy from a message. `group` is what the message's list of groups says; the extension of newer peers says more.
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

/// All that a proxy must have, from a message. What is wrong with single bridges is told beside: the others are not touched by it.
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

/// Measurements in messages.
#[must_use]
pub fn metric_message(metric: &Metric) -> pb::Metric {
    use pb::metric_field::Value as Wire;
    let fields = metric.measured.fields().map(|(name, value)| pb::MetricField {
        name: name.to_owned(),
        value: Some(match value {
            Value::Text(text) => Wire::StrValue(text),
            Value::Unsigned(number) => Wire::UintValue(number),
            Value::Real(number) => Wire::DoubleValue(number),
            Value::Bool(yes) => Wire::BoolValue(yes),
        }),
    });
    pb::Metric {
        timestamp_ms: metric.timestamp_ms,
        provider_id: metric.provider.clone(),
        fields: fields.collect(),
    }
}

/// Measurements from a message; unknown fields, and those without a value, are left out.
#[must_use]
pub fn metric(message: pb::Metric) -> Metric {
    use pb::metric_field::Value as Wire;
    let mut measured = Measured::default();
    for field in message.fields {
        let value = match field.value {
            Some(Wire::StrValue(text)) => Value::Text(text),
            Some(Wire::UintValue(number)) => Value::Unsigned(number),
            Some(Wire::DoubleValue(number)) => Value::Real(number),
            Some(Wire::BoolValue(yes)) => Value::Bool(yes),
            None => continue,
        };
        measured.set(&field.name, value);
    }
    Metric { timestamp_ms: message.timestamp_ms, provider: message.provider_id, measured }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::{Decides, Topology};
    use config::St2110;
    use media::{Payload, Video};
    use std::time::{Duration, Instant};

    fn test_proxy(number: u8) -> Proxy {
        Proxy {
            id: ProxyId::new(format!("p{number}")),
            sdk_api_port: 8002,
            st2110: Some(St2110Device {
                dataplane_ip: [10, 0, 0, number].into(),
                device: "kernel:eth0".into(),
            }),
            rdma: Some(RdmaDevice {
                dataplane_ip: [10, 0, 0, number].into(),
                ports: "9100-9199,9300".parse().unwrap(),
            }),
            extended: true,
            registered_at: SystemTime::UNIX_EPOCH + Duration::from_secs(5),
        }
    }

    fn stream() -> ConnectionConfig {
        let endpoint = Endpoint::St2110(St2110::new([239, 0, 0, 1].into(), 5004));
        ConnectionConfig::new(endpoint, Payload::Video(Video::default()))
    }

    #[test]
    fn proxies_and_connections_are_read_back() {
        let one = test_proxy(1);
        assert_eq!(proxy(one.id.clone(), &proxy_request(&one), one.registered_at).unwrap(), one);
        for kind in [Kind::Source, Kind::Receiver] {
            let request = connection_request(&one.id, "c", kind, &stream());
            let read = connection("c".into(), &request, one.registered_at).unwrap();
            assert_eq!((read.kind, &*read.config, &read.proxy), (kind, &stream(), &one.id));
        }
    }

    #[test]
    fn desired_states_are_read_back() {
        let mut topology = Topology::new(Decides::Here, || SessionKey([7; 32]));
        for number in [1, 2] {
            topology.register_proxy(test_proxy(number), Vec::new(), Instant::now());
        }
        for (id, kind, number) in [("s", Kind::Source, 1), ("r", Kind::Receiver, 2)] {
            let request = connection_request(&test_proxy(number).id, id, kind, &stream());
            let connection = connection(id.into(), &request, SystemTime::now()).unwrap();
            topology.register_connection(connection).unwrap();
        }
        for number in [1, 2] {
            let state = topology.desired(&test_proxy(number).id).unwrap();
            let message = apply_config(&state);
            assert_eq!(message.groups[0].group_id, format!("239.0.0.1:5004/p{number}"));
            let (read, errors) = desired(&state.proxy, &message, state.generation);
            assert_eq!((read, errors), (state, Vec::new()));
        }
    }

    #[test]
    fn a_bad_bridge_is_named_and_hurts_no_other() {
        let mut topology = Topology::new(Decides::Here, || SessionKey([7; 32]));
        topology.register_proxy(test_proxy(1), Vec::new(), Instant::now());
        let request = connection_request(&"p1".into(), "s", Kind::Source, &stream());
        let source = connection("s".into(), &request, SystemTime::now()).unwrap();
        topology.register_connection(source).unwrap();
        let good = apply_config(&topology.desired(&"p1".into()).unwrap());
        for change in [
            |bridge: &mut pb::Bridge| bridge.kind = "x".into(),
            |bridge: &mut pb::Bridge| bridge.r#type = "rdma".into(),
            |bridge: &mut pb::Bridge| bridge.conn_config = Vec::new(),
            |bridge: &mut pb::Bridge| bridge.bridge_id = "../x".into(),
        ] {
            let mut message = good.clone();
            let mut bad = message.bridges[0].clone();
            change(&mut bad);
            message.bridges.push(bad);
            let (read, errors) = desired(&"p1".into(), &message, 1);
            assert_eq!((read.bridges.len(), errors.len()), (1, 1), "{errors:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let request = connection_request(&"p1".into(), "c", Kind::Source, &stream());
        let bad = pb::RegisterConnectionRequest { kind: "sends".into(), ..request.clone() };
        let error = connection("c".into(), &bad, SystemTime::now()).unwrap_err();
        assert!(error.to_string().contains("kind: found \"sends\""), "{error}");
        let bad = pb::RegisterConnectionRequest { config: Vec::new(), ..request };
        assert!(connection("c".into(), &bad, SystemTime::now()).is_err());
        // A video of 16 columns, as release 25.03 numbers it.
        let bad = pb::RegisterConnectionRequest { config: vec![0x52, 2, 8, 16], ..bad };
        let error = connection("c".into(), &bad, SystemTime::now()).unwrap_err();
        assert_eq!(error.mesh_err(), 1009);
        assert!(error.to_string().contains("release 25.03"), "{error}");
        let good = proxy_request(&test_proxy(1));
        let mut bad = good.clone();
        bad.rdma_config.as_mut().unwrap().dataplane_local_ports = "9-1".into();
        assert!(proxy("p".into(), &bad, SystemTime::now()).is_err());
        let bad = pb::RegisterMediaProxyRequest { sdk_api_port: 70_000, ..good };
        assert!(proxy("p".into(), &bad, SystemTime::now()).is_err());
        for text in ["", "a/b", "ä", &"x".repeat(129)] {
            assert!(identifier("connId", text).is_err(), "{text}");
        }
    }

    #[test]
    fn measurements_are_read_back() {
        let measured = Measured {
            state: Some("active".into()),
            inbound: Some(3),
            fps: Some(59.94),
            linked: Some(true),
            ..Measured::default()
        };
        let original = Metric { timestamp_ms: 9, provider: "c".into(), measured };
        assert_eq!(metric(metric_message(&original)), original);
    }
}
