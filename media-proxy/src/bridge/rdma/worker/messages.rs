//! Messages between proxy and worker: one line of JSON each.

use crate::bridge::statistics::BridgeStatistics;
use config::ConnectionConfig;
use mesh::topology::{BridgeLink, BridgeSpec, Direction, RdmaLink, SessionKey};
use prost::Message;
use serde::Deserialize;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{BufRead, Write};
use std::net::IpAddr;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The bridge that a worker is for.
#[derive(Debug)]
pub(in super::super) struct Job {
    /// Of the proxy's exchange.
    pub(in super::super) socket: PathBuf,
    pub(in super::super) spec: BridgeSpec,
    pub(in super::super) link: RdmaLink,
    /// Local address of streams.
    pub(in super::super) ip: Option<IpAddr>,
    pub(in super::super) sealed: bool,
}

/// From a worker.
#[derive(Debug, PartialEq)]
pub(super) enum Report {
    /// It has joined its group with this connection, and its endpoints are open.
    Started { connection: String, local: String },
    /// It could not start.
    Failed(String),
    /// It cannot go on.
    Broken(String),
    /// Its stream has ended.
    Over,
    /// Its state.
    State(Box<State>),
}

/// State of a bridge.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) statistics: BridgeStatistics,
    /// CPU time of its thread.
    pub(super) cpu_ns: u64,
    /// Why it has no link.
    pub(super) no_link: Option<String>,
}

/// Order to a worker, after its job. At the end of the socket it ends at once.
pub(super) const STOP: &str = "stop";

impl Job {
    pub(super) fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let spec = &self.spec;
        let line = json!({
            "socket": self.socket.as_os_str().as_encoded_bytes(),
            "id": spec.id.as_str(),
            "group": spec.group.as_str(),
            "proxy": spec.proxy.as_str(),
            "egress": spec.direction == Direction::Egress,
            "config": spec.config.to_sdk().encode_to_vec(),
            "peer": self.link.peer.as_str(),
            "remoteIp": self.link.remote_ip.to_string(),
            "port": self.link.port,
            "key": self.link.session_key.map(|key| key.0),
            "ip": self.ip.map(|ip| ip.to_string()),
            "sealed": self.sealed,
        });
        writeln!(out, "{line}")
    }

    /// `None` for a message that a proxy of this version does not write.
    pub(super) fn read(input: &mut impl BufRead) -> Option<Self> {
        let value = read_line(input)?;
        let text = |key: &str| value[key].as_str();
        let bytes = |key: &str| -> Option<Vec<u8>> {
            let numbers = value[key].as_array()?.iter();
            numbers.map(|number| u8::try_from(number.as_u64()?).ok()).collect()
        };
        let config = ConnectionConfig::decode(&bytes("config")?).ok()?;
        let key = match &value["key"] {
            Value::Null => None,
            _ => Some(SessionKey(bytes("key")?.try_into().ok()?)),
        };
        let link = RdmaLink {
            peer: text("peer")?.into(),
            remote_ip: text("remoteIp")?.parse().ok()?,
            port: value["port"].as_u64()?.try_into().ok()?,
            session_key: key,
        };
        let direction =
            if value["egress"].as_bool()? { Direction::Egress } else { Direction::Ingress };
        Some(Self {
            socket: OsString::from_vec(bytes("socket")?).into(),
            spec: BridgeSpec {
                id: text("id")?.into(),
                group: text("group")?.into(),
                proxy: text("proxy")?.into(),
                direction,
                config: Arc::new(config),
                link: BridgeLink::Rdma(link.clone()),
            },
            link,
            ip: text("ip").and_then(|ip| ip.parse().ok()),
            sealed: value["sealed"].as_bool()?,
        })
    }
}

impl Report {
    pub(super) fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let line = match self {
            Self::Started { connection, local } => {
                json!({ "connection": connection, "local": local })
            }
            Self::Failed(reason) => json!({ "failed": reason }),
            Self::Broken(reason) => json!({ "broken": reason }),
            Self::Over => json!({ "over": true }),
            Self::State(state) => {
                let State { statistics, cpu_ns, no_link } = &**state;
                json!({ "statistics": statistics, "cpu": cpu_ns, "noLink": no_link })
            }
        };
        writeln!(out, "{line}")
    }

    /// `None` at the end, and for a message that a worker of this version does not write.
    pub(super) fn read(input: &mut impl BufRead) -> Option<Self> {
        let value = read_line(input)?;
        let text = |key: &str| value[key].as_str().map(str::to_owned);
        if let Some(connection) = text("connection") {
            return Some(Self::Started { connection, local: text("local")? });
        }
        if let Some(reason) = text("failed") {
            return Some(Self::Failed(reason));
        }
        if let Some(reason) = text("broken") {
            return Some(Self::Broken(reason));
        }
        if value["over"].as_bool() == Some(true) {
            return Some(Self::Over);
        }
        Some(Self::State(Box::new(State {
            statistics: BridgeStatistics::deserialize(&value["statistics"]).ok()?,
            cpu_ns: value["cpu"].as_u64()?,
            no_link: text("noLink"),
        })))
    }
}

fn read_line(input: &mut impl BufRead) -> Option<Value> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|len| *len > 0)?;
    serde_json::from_str(&line).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::{ConnectionConfig, Endpoint, RdmaProvider};
    use media::Payload;

    #[test]
    fn jobs_go_there_and_back() {
        let endpoint = Endpoint::MultipointGroup { urn: "across".into() };
        let mut config = ConnectionConfig::new(endpoint, Payload::Blob);
        config.max_payload_size = 12_345;
        config.queue_capacity = 7;
        config.options.rdma.provider = RdmaProvider::Verbs;
        config.options.rdma.num_endpoints = 3;
        for (direction, key) in
            [(Direction::Egress, None), (Direction::Ingress, Some(SessionKey([200; 32])))]
        {
            let link = RdmaLink {
                peer: "there".into(),
                remote_ip: [10, 7, 0, 1].into(),
                port: 9100,
                session_key: key,
            };
            let spec = BridgeSpec {
                id: "bridge".into(),
                group: "across".into(),
                proxy: "here".into(),
                direction,
                config: Arc::new(config.clone()),
                link: BridgeLink::Rdma(link.clone()),
            };
            let ip = key.map(|_| [10, 7, 0, 2].into());
            let socket = PathBuf::from("/run/mcm/media_proxy.sock");
            let job = Job { socket, spec, link, ip, sealed: key.is_some() };
            let mut line = Vec::new();
            job.write(&mut line).unwrap();
            let read = Job::read(&mut line.as_slice()).unwrap();
            assert_eq!((read.spec, read.link), (job.spec, job.link));
            assert_eq!((read.socket, read.ip, read.sealed), (job.socket, job.ip, job.sealed));
        }
        assert!(Job::read(&mut &b"{}\n"[..]).is_none());
        assert!(Job::read(&mut &b""[..]).is_none());
    }

    #[test]
    fn reports_go_there_and_back() {
        for report in [
            Report::Started { connection: "12ab".into(), local: "10.7.0.1:9100".into() },
            Report::Failed("fi_enable: no".into()),
            Report::Broken("it \"ended\"\n".into()),
            Report::Over,
            Report::State(Box::new(State {
                statistics: BridgeStatistics {
                    linked: Some(true),
                    foreign: Some(u64::MAX),
                    ..BridgeStatistics::default()
                },
                cpu_ns: 17,
                no_link: None,
            })),
            Report::State(Box::new(State {
                no_link: Some("no answer".into()),
                ..State::default()
            })),
        ] {
            let mut line = Vec::new();
            report.write(&mut line).unwrap();
            assert_eq!(Report::read(&mut line.as_slice()), Some(report));
        }
        assert_eq!(Report::read(&mut &b""[..]), None);
    }
}
