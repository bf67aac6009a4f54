//! The mesh as an agent knows it, by its REST API.

use super::{Bridge, Group, Host, Member, Mesh, Role};
use crate::error::CliError;
use crate::server::Server;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Method;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use media::{Audio, AudioFormat, FrameRate, PacketTime, Payload, PixelFormat, SampleRate, Video};
use mesh::metrics::{Measured, Value as Measurement};
use serde_json::Value;
use std::time::Duration;
use tokio::runtime::Runtime;

/// Where an agent's REST API listens by default.
pub(crate) const AGENT_PORT: u16 = 8100;

/// How long an agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer: some ten thousand connections.
const MAX_ANSWER: usize = 64 << 20;

/// An agent that is asked.
pub(crate) struct AgentClient<'a> {
    runtime: Runtime,
    server: &'a Server,
}

impl<'a> AgentClient<'a> {
    /// For the agent at `server`.
    pub(crate) fn new(server: &'a Server) -> Result<Self, CliError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(server, error.to_string()))?;
        Ok(Self { runtime, server })
    }

    /// Deletes an object: a connection, a group.
    pub(crate) fn delete(&self, kind: &str, id: &str) -> Result<(), CliError> {
        let path = format!("/{kind}/{}", escaped(id));
        self.answered(self.call(Method::DELETE, &path)).map(drop)
    }

    /// The answer, unless it takes too long.
    fn answered<T>(&self, call: impl Future<Output = Result<T, String>>) -> Result<T, CliError> {
        let limited = async { tokio::time::timeout(PATIENCE, call).await };
        let answered = self.runtime.block_on(limited);
        let answered = answered.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        answered.map_err(|reason| failed(self.server, reason))
    }

    /// Hosts and groups at present.
    pub(crate) fn mesh(&self) -> Result<Mesh, CliError> {
        self.answered(async {
            let list = async |path: &str, key: &str| {
                let answer = self.call(Method::GET, &format!("/{path}?config&status")).await?;
                match answer[key].as_array() {
                    Some(list) => Ok(list.clone()),
                    None => Err(format!("GET /{path}: no list of {key}")),
                }
            };
            Ok(read(
                &list("media-proxy", "mediaProxy").await?,
                &list("multipoint-group", "multipointGroup").await?,
                &list("connection", "connection").await?,
                &list("bridge", "bridge").await?,
            ))
        })
    }

    /// One request. What is answered without a body is `null`.
    async fn call(&self, method: Method, path: &str) -> Result<Value, String> {
        let stream = self.server.connect(b"http/1.1", "mesh-agent").await?;
        let what = format!("{method} {path}");
        let told = |error: hyper::Error| format!("{what}: {error}{}", self.server.hint());
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(told)?;
        // It ends with the answer.
        tokio::spawn(connection);
        let request = hyper::Request::builder().method(method).uri(path);
        let request = request.header(hyper::header::HOST, &self.server.address);
        let request = request.body(Empty::<Bytes>::new()).map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(told)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|error| format!("{what}: {error}"))?.to_bytes();
        if status.is_success() && body.is_empty() {
            return Ok(Value::Null);
        }
        let value = serde_json::from_slice::<Value>(&body);
        if !status.is_success() {
            let reason =
                value.ok().and_then(|value| Some(value["error"]["message"].as_str()?.to_owned()));
            return Err(format!("{what}: {status}: {}", reason.unwrap_or_default()));
        }
        value.map_err(|error| format!("{what}: {error}"))
    }
}

/// An id as a part of a path.
fn escaped(id: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    };
    id.bytes().map(byte).collect()
}

fn failed(server: &Server, reason: String) -> CliError {
    CliError::Agent { agent: server.address.clone(), reason }
}

/// A text for a terminal, which what proxies tell must not command.
fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

fn read(proxies: &[Value], groups: &[Value], connections: &[Value], bridges: &[Value]) -> Mesh {
    let host = |proxy: &Value| {
        let config = &proxy["config"];
        let places = [&config["rdma"]["dataplaneIpAddr"], &config["controlplaneIpAddr"]];
        let name = places.into_iter().map(text).find(|ip| !ip.is_empty()).unwrap_or_default();
        Host { id: text(&proxy["id"]), name, healthy: proxy["status"]["healthy"] == true }
    };
    let connections = connections.iter().map(|connection| {
        let mut member = member(connection);
        if member.name.is_empty() {
            member.name = "program".to_owned();
        }
        (text(&connection["groupId"]), member)
    });
    let bridges = bridges.iter().map(|bridge| {
        let config = &bridge["config"];
        let kind = text(&config["type"]);
        let part = &config[kind.as_str()];
        let remote = format!("{}:{}", text(&part["remoteIp"]), part["port"]);
        let to = Bridge { peer: text(&config["peerProxyId"]), remote };
        (text(&bridge["groupId"]), Member { name: kind, bridge: Some(to), ..member(bridge) })
    });
    let mut members: Vec<_> = connections.chain(bridges).collect();
    let mut group = |group: &Value| {
        let id = text(&group["id"]);
        let status = &group["status"];
        let problems = status["problems"].as_array().into_iter().flatten();
        let of_group = members.extract_if(.., |(of, _)| *of == id);
        Group {
            format: format(&group["config"]["payload"]),
            stream: text(&status["streamId"]),
            problems: problems.map(|problem| text(&problem["reason"])).collect(),
            members: of_group.map(|(_, member)| member).collect(),
            id,
        }
    };
    Mesh {
        groups: groups.iter().map(&mut group).collect(),
        hosts: proxies.iter().map(host).collect(),
    }
}

/// What connections and bridges have in common.
fn member(object: &Value) -> Member {
    // "rx" is what comes to the proxy.
    let source = object["config"]["kind"] == "rx";
    let measured = Measured::from_rest(|name| value(&object["status"][name]));
    let linked = measured.linked == Some(true);
    let state = measured.state.filter(|state| !state.is_empty()).unwrap_or_else(|| "?".into());
    Member {
        id: text(&object["id"]),
        host: text(&object["proxyId"]),
        role: if source { Role::Source } else { Role::Receiver },
        name: measured.program.unwrap_or_default(),
        bridge: None,
        pid: measured.pid.unwrap_or(0),
        state: if state == "active" && !linked { "no link".into() } else { state },
        up: linked,
        frames: measured.succeeded.unwrap_or(0),
        missed: measured.failed.unwrap_or(0),
        fps: measured.fps.unwrap_or(0.0),
        mbit_per_s: measured.inbound_mbit.unwrap_or(0.0) + measured.outbound_mbit.unwrap_or(0.0),
        queue: measured.queue.unwrap_or(0),
        capacity: measured.capacity.unwrap_or(0),
        held: measured.held,
        waits: measured.waits,
    }
}

/// A field of a status as it was measured.
fn value(shown: &Value) -> Option<Measurement> {
    match shown {
        Value::String(_) => Some(Measurement::Text(text(shown))),
        Value::Bool(yes) => Some(Measurement::Bool(*yes)),
        number => match number.as_u64() {
            Some(whole) => Some(Measurement::Unsigned(whole)),
            None => number.as_f64().map(Measurement::Real),
        },
    }
}

/// A payload in a few words, as hosts show it.
fn format(payload: &Value) -> String {
    let Some((kind, value)) = payload.as_object().and_then(|payload| payload.iter().next()) else {
        return String::new();
    };
    let known = match kind.as_str() {
        "video" => video(value).map(Payload::Video),
        "audio" => audio(value).map(Payload::Audio),
        _ => None,
    };
    known.map_or_else(|| kind.to_owned(), |payload| payload.to_string())
}

/// Video as REST has it; `None` where an agent of another version has values that this one lacks.
fn video(value: &Value) -> Option<Video> {
    let number = |name: &str| u32::try_from(value[name].as_u64()?).ok();
    // Three formats have names of the original in REST.
    let format = match value["pixelFormat"].as_str()? {
        "yuv422planar10le" => "yuv422p10le",
        "yuv422rfc4175be10" => "yuv422p10rfc4175",
        other => other,
    };
    Some(Video {
        width: number("width")?,
        height: number("height")?,
        rate: FrameRate::from_f64(value["fps"].as_f64()?).ok()?,
        pixel_format: PixelFormat::from_name(format)?,
        ..Video::default()
    })
}

/// Audio, as [`video`].
fn audio(value: &Value) -> Option<Audio> {
    Some(Audio {
        channels: value["channels"].as_u64()?.try_into().ok()?,
        sample_rate: SampleRate::from_name(value["sampleRate"].as_str()?)?,
        format: AudioFormat::from_name(&value["format"].as_str()?.replacen("pcm-", "pcm_", 1))?,
        packet_time: PacketTime::from_name(value["packetTime"].as_str()?)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_find_their_groups() {
        let proxies = [
            json!({"id": "p1", "config": {"rdma": {"dataplaneIpAddr": "10.0.0.1"}}, "status": {"healthy": true}}),
        ];
        let groups = [json!({
            "id": "cam",
            "config": {"payload": {"video": {"width": 1920, "height": 1080, "fps": 59.940_059_94, "pixelFormat": "v210"}}},
            "status": {"streamId": "s", "problems": [{"proxyId": "p2", "reason": "no port"}]},
        })];
        let status = json!({"state": "active", "linked": true, "trnSucceeded": 5, "tps": 59.9, "inBandwidthMbit": 3.0, "program": "cam\u{1b}app", "pid": 7, "waits": 1});
        let connections = [
            json!({"id": "s", "proxyId": "p1", "groupId": "cam", "config": {"kind": "rx"}, "status": status}),
        ];
        let bridges = [json!({
            "id": "b", "proxyId": "p1", "groupId": "cam", "status": {},
            "config": {"kind": "tx", "type": "rdma", "rdma": {"remoteIp": "10.0.0.2", "port": 9100}, "peerProxyId": "p2"},
        })];
        let mesh = read(&proxies, &groups, &connections, &bridges);
        assert_eq!(mesh.host_name("p1"), "10.0.0.1");
        let group = &mesh.groups[0];
        assert_eq!(group.format, "video 1920x1080 60000/1001 v210");
        assert_eq!((group.stream.as_str(), group.problems.len()), ("s", 1));
        let origin = group.origin().unwrap();
        assert_eq!((origin.name.as_str(), origin.pid, origin.waits), ("cam?app", 7, Some(1)));
        assert_eq!((origin.frames, origin.mbit_per_s, origin.up), (5, 3.0, true));
        let (egress, to) = group.egresses("p1").next().unwrap();
        assert_eq!((to.peer.as_str(), to.remote.as_str()), ("p2", "10.0.0.2:9100"));
        // Nothing has been measured there yet.
        assert_eq!((egress.state.as_str(), egress.up), ("?", false));
    }
}
