//! The objects of the REST API.

use crate::State;
use crate::session::Session;
use config::{ConnectionConfig, Endpoint};
use media::Payload;
use mesh::metrics::{Measured, Value as Measurement};
use mesh::topology::{
    BridgeLink, BridgeView, Connection, Direction, GroupView, Proxy, ProxyId, StreamId,
};
use mesh::wire;
use proto::{Kind, sdk};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Parts of an object to include beside its id.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub(super) config: bool,
    pub(super) status: bool,
}

/// A moment as RFC 3339 has it, in UTC.
pub(super) fn time(moment: SystemTime) -> String {
    let since = moment.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, seconds) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
    // Civil calendar from days, in years that begin in March, so that the leap day comes last.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let millis = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

fn object(
    id: &str,
    parts: Parts,
    config: impl FnOnce() -> Value,
    status: impl FnOnce() -> Value,
) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("id".into(), id.into());
    if parts.config {
        object.insert("config".into(), config());
    }
    if parts.status {
        object.insert("status".into(), status());
    }
    object
}

fn ids<T: ToString>(ids: impl IntoIterator<Item = T>) -> Value {
    ids.into_iter().map(|id| Value::from(id.to_string())).collect()
}

/// Outcome of the desired state, as far as this agent knows.
fn outcome(session: Option<&Session>, generation: u64) -> Value {
    let Some(session) = session else {
        return json!({"state": "unknown", "wanted": generation, "errors": []});
    };
    match &session.outcome {
        None => json!({"state": "pending", "wanted": generation, "errors": []}),
        Some(outcome) => json!({
            "state": match (outcome.errors.is_empty(), outcome.generation >= generation) {
                (false, _) => "failed",
                (true, true) => "applied",
                (true, false) => "pending",
            },
            "wanted": generation,
            "generation": outcome.generation,
            "at": time(outcome.at),
            "errors": outcome.errors,
        }),
    }
}

pub(super) fn proxy(state: &State, proxy: &Proxy, parts: Parts) -> Value {
    let desired = state.topology.desired(&proxy.id);
    let desired = desired.as_ref();
    let connections = state.topology.connections_of(&proxy.id).count();
    let bridges = desired.map_or(0, |desired| desired.bridges.len());
    let config = || {
        json!({
            "sdkApiPort": proxy.sdk_api_port,
            "controlplaneIpAddr": state.addresses.get(&proxy.id).map(ToString::to_string).unwrap_or_default(),
            "st2110": {
                "dataplaneIpAddr": proxy.st2110.as_ref().map(|d| d.dataplane_ip.to_string()).unwrap_or_default(),
                "devPort": proxy.st2110.as_ref().map(|d| d.device.clone()).unwrap_or_default(),
            },
            "rdma": {
                "dataplaneIpAddr": proxy.rdma.as_ref().map(|d| d.dataplane_ip.to_string()).unwrap_or_default(),
                "dataplanePorts": proxy.rdma.as_ref().map(|d| d.ports.to_string()).unwrap_or_default(),
            },
        })
    };
    let session = state.sessions.get(&proxy.id);
    let status = || {
        json!({
            "healthy": state.topology.proxy(&proxy.id).is_some_and(|(_, here)| here),
            "registeredAt": time(proxy.registered_at),
            "connsNum": connections,
            "bridgesNum": bridges,
            "apply": outcome(session, desired.map_or(0, |desired| desired.generation)),
        })
    };
    let mut object = object(proxy.id.as_str(), parts, config, status);
    // The parts of what it has are always there, as in the original, whichever are asked of it.
    let all = Parts { config: true, status: true };
    let own = state.topology.connections_of(&proxy.id).map(|one| connection(state, one, all));
    object.insert("conns".into(), own.collect());
    let own = desired.into_iter().flat_map(|desired| &desired.bridges).map(|spec| {
        let held = !state.topology.is_needed(spec);
        bridge(state, &BridgeView { spec: Arc::clone(spec), held }, all)
    });
    object.insert("bridges".into(), own.collect());
    object.into()
}

pub(super) fn connection(state: &State, connection: &Connection, parts: Parts) -> Value {
    let config =
        || configuration(&connection.config, connection.kind, wire::kind_word(connection.kind));
    let status = || measured_at(state, connection.id.as_str(), Some(connection.registered_at));
    let mut object = object(connection.id.as_str(), parts, config, status);
    object.insert("proxyId".into(), connection.proxy.as_str().into());
    object.insert("groupId".into(), connection.config.group_id().into());
    object.into()
}

pub(super) fn bridge(state: &State, view: &BridgeView, parts: Parts) -> Value {
    let spec = &view.spec;
    // To its proxy an ingress bridge is like a program that sends.
    let kind = match spec.direction {
        Direction::Ingress => Kind::Source,
        Direction::Egress => Kind::Receiver,
    };
    let config = || {
        let mut config = configuration(&spec.config, kind, spec.direction.wire());
        config["type"] = if spec.rdma().is_some() { "rdma" } else { "st2110" }.into();
        match (&spec.link, &spec.config.endpoint) {
            (BridgeLink::Rdma(link), _) => {
                config["rdma"] = json!({"remoteIp": link.remote_ip.to_string(), "port": link.port});
                config["peerProxyId"] = link.peer.as_str().into();
            }
            (BridgeLink::St2110, Endpoint::St2110(stream)) => {
                config["st2110"] = json!({
                    "remoteIp": stream.ip_addr.to_string(),
                    "port": stream.port,
                    "mcastSipAddr": stream.mcast_sip_addr.map(|ip| ip.to_string()).unwrap_or_default(),
                    "payloadType": stream.payload_type,
                });
            }
            (BridgeLink::St2110, _) => {}
        }
        config
    };
    let status = || {
        let since = state.topology.needed_since(spec);
        let mut status = measured_at(state, spec.id.as_str(), since);
        status["held"] = view.held.into();
        status
    };
    let mut object = object(spec.id.as_str(), parts, config, status);
    object.insert("proxyId".into(), spec.proxy.as_str().into());
    object.insert("groupId".into(), spec.group.as_str().into());
    object.into()
}

pub(super) fn group(state: &State, view: &GroupView, parts: Parts) -> Value {
    let config = || configuration(&view.config, Kind::Source, "");
    let status = || {
        let problem = |(proxy, reason): &(ProxyId, String)| json!({"proxyId": proxy.as_str(), "reason": reason});
        let connections = view.connections.iter().filter_map(|id| state.topology.connection(id));
        let registered = connections.map(|connection| connection.registered_at).min();
        let mut status = flow(state, view, registered);
        status["sourceProxyId"] = view.source_proxy.as_ref().map(ProxyId::as_str).into();
        status["streamId"] = view.stream.as_ref().map(StreamId::as_str).into();
        status["problems"] = view.problems.iter().map(problem).collect::<Value>();
        status
    };
    let mut object = object(view.id.as_str(), parts, config, status);
    object.insert("connIds".into(), ids(&view.connections));
    object.insert("bridgeIds".into(), ids(&view.bridges));
    object.into()
}

/// Sums over a group's programs: what the sending ones put in, and what the receiving ones take
/// out.
fn flow(state: &State, view: &GroupView, registered_at: Option<SystemTime>) -> Value {
    let active = view.source_proxy.is_some();
    let mut sum = Measured {
        state: Some(if active { "active" } else { "configured" }.to_owned()),
        ..Measured::default()
    };
    let mut updated = None;
    for connection in view.connections.iter().filter_map(|id| state.topology.connection(id)) {
        let Some(metric) = state.metrics.get(connection.id.as_str()) else { continue };
        updated = updated.max(Some(metric.timestamp_ms));
        let measured = &metric.measured;
        sum.linked = sum.linked.max(measured.linked);
        add(&mut sum.inbound, measured.inbound);
        add(&mut sum.outbound, measured.outbound);
        add(&mut sum.failed, measured.failed);
        add(&mut sum.errors, measured.errors);
        add(&mut sum.errors_delta, measured.errors_delta);
        add(&mut sum.inbound_mbit, measured.inbound_mbit);
        add(&mut sum.outbound_mbit, measured.outbound_mbit);
        // A frame is one transaction of the group, however many receive it.
        if connection.kind == Kind::Source {
            add(&mut sum.succeeded, measured.succeeded);
            add(&mut sum.fps, measured.fps);
        }
    }
    measurements(updated, &sum, registered_at)
}

fn add<T: std::ops::Add<Output = T>>(sum: &mut Option<T>, measured: Option<T>) {
    *sum = match (sum.take(), measured) {
        (Some(sum), Some(more)) => Some(sum + more),
        (sum, measured) => sum.or(measured),
    };
}

/// A moment in milliseconds since 1970.
fn moment(millis: i64) -> String {
    time(UNIX_EPOCH + std::time::Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// A configuration; `kind` is left out if it is empty.
fn configuration(config: &ConnectionConfig, end: Kind, kind: &str) -> Value {
    let parts = config.to_sdk().buf_parts.unwrap_or_default();
    let part = |part: Option<proto::sdk::BufferPartition>| {
        let part = part.unwrap_or_default();
        json!({"offset": part.offset, "size": part.size})
    };
    let conn = match &config.endpoint {
        Endpoint::MultipointGroup { urn } => json!({"multipointGroup": {"urn": urn}}),
        Endpoint::St2110(stream) => json!({"st2110": {
            "remoteIpAddr": stream.ip_addr.to_string(),
            "port": stream.port,
            "mcastSipAddr": stream.mcast_sip_addr.map(|ip| ip.to_string()).unwrap_or_default(),
            "transport": stream.transport.name(),
            "pacing": stream.pacing.name(),
            "payloadType": stream.payload_type,
        }}),
        Endpoint::Rdma(rdma) => json!({"rdma": {
            "connectionMode": rdma.connection_mode.name(),
            "maxLatencyNs": rdma.max_latency_ns,
        }}),
    };
    let mut object = json!({
        "bufQueueCapacity": config.queue_capacity,
        "maxPayloadSize": config.max_payload_size,
        "maxMetadataSize": config.max_metadata_size,
        "calculatedPayloadSize": config.payload_size(),
        "bufPartitions": {
            "payload": part(parts.payload),
            "metadata": part(parts.metadata),
            "sysdata": part(parts.sysdata),
        },
        "conn": conn,
        "options": {"rdma": {
            "provider": config.options.rdma.provider.name(),
            "numEndpoints": config.options.rdma.num_endpoints,
        }},
        "payload": payload(config),
    });
    if !kind.is_empty() {
        object["kind"] = kind.into();
        // The original's word is the media proxy's view; this one is the usual one.
        object["role"] = if end == Kind::Source { "source" } else { "receiver" }.into();
    }
    object
}

/// A value of an enumeration of the protocol as the original's REST has it: without its prefix, in
/// small letters.
fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase()
}

fn payload(config: &ConnectionConfig) -> Value {
    let wire = config.to_sdk().payload;
    match (&config.payload, wire) {
        (Payload::Video(video), Some(sdk::connection_config::Payload::Video(wire))) => {
            json!({"video": {
                "width": video.width,
                "height": video.height,
                "fps": video.rate.as_f64(),
                "pixelFormat": word(wire.pixel_format().as_str_name(), "VIDEO_PIXEL_FORMAT_"),
            }})
        }
        (Payload::Audio(audio), Some(sdk::connection_config::Payload::Audio(wire))) => {
            let format = word(wire.format().as_str_name(), "AUDIO_FORMAT_");
            json!({"audio": {
                "channels": audio.channels,
                "sampleRate": audio.sample_rate.name(),
                "format": format.replacen('_', "-", 1),
                "packetTime": audio.packet_time.name(),
            }})
        }
        (other, _) => json!({other.kind(): {}}),
    }
}

/// The measurements of a moment, in milliseconds since 1970.
fn measurements(
    updated: Option<i64>,
    measured: &Measured,
    registered_at: Option<SystemTime>,
) -> Value {
    let mut status = json!({
        "registeredAt": registered_at.map(time),
        "updatedAt": updated.map(moment),
    });
    for (name, value) in measured.rest() {
        status[name] = match value {
            Measurement::Text(text) => text.into(),
            Measurement::Unsigned(number) => number.into(),
            Measurement::Real(number) => number.into(),
            Measurement::Bool(yes) => yes.into(),
        };
    }
    status
}

/// What was measured last at a connection or bridge.
fn measured_at(state: &State, provider: &str, registered_at: Option<SystemTime>) -> Value {
    match state.metrics.get(provider) {
        Some(metric) => measurements(Some(metric.timestamp_ms), &metric.measured, registered_at),
        None => measurements(None, &Measured::default(), registered_at),
    }
}

#[cfg(test)]
#[path = "../../../crates/config/tests/golden/table.rs"]
mod table;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::Duration;

    #[test]
    fn configurations_have_their_objects() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"));
        table::check(&path.join("tests/golden/rest_configurations.txt"), 1, |input| {
            let config = ConnectionConfig::from_json(input[0], Kind::Receiver).expect(input[0]);
            configuration(&config, Kind::Receiver, "tx").to_string()
        });
    }

    #[test]
    fn moments() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(time(UNIX_EPOCH + Duration::from_secs(seconds)), text);
        }
        assert_eq!(time(UNIX_EPOCH + Duration::from_millis(1234)), "1970-01-01T00:00:01.234Z");
    }
}
