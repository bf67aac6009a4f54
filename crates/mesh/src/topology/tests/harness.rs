//! Shorthands for events and for the state that they lead to.

use super::super::*;
use crate::error::AgentError;
use config::{ConnectionConfig, Endpoint, St2110};
use media::{Payload, Video};
use proto::Kind;
use std::sync::Arc;
use std::time::SystemTime;

pub(super) struct Fleet {
    pub(super) topology: Topology,
    pub(super) start: Instant,
}

/// A bridge in a few words: "p1 tx rdma p2 10.0.0.2:9100", "p1 rx st2110".
pub(super) fn words(spec: &BridgeSpec) -> String {
    let link = match &spec.link {
        BridgeLink::St2110 => "st2110".to_owned(),
        BridgeLink::Rdma(link) => format!("rdma {} {}:{}", link.peer, link.remote_ip, link.port),
    };
    format!("{} {} {link}", spec.proxy, spec.direction.wire())
}

pub(super) fn mesh(urn: &str) -> ConnectionConfig {
    let endpoint = Endpoint::MultipointGroup { urn: urn.into() };
    ConnectionConfig::new(endpoint, Payload::Video(Video::default()))
}

pub(super) fn stream(ip: &str, port: u16) -> ConnectionConfig {
    let endpoint = Endpoint::St2110(St2110::new(ip.parse().unwrap(), port));
    ConnectionConfig::new(endpoint, Payload::Video(Video::default()))
}

pub(super) fn proxy(number: u8) -> Proxy {
    Proxy {
        id: ProxyId::new(format!("p{number}")),
        sdk_api_port: 8002,
        st2110: Some(St2110Device {
            dataplane_ip: [192, 168, 0, number].into(),
            device: "kernel:eth0".into(),
        }),
        rdma: Some(RdmaDevice {
            dataplane_ip: [10, 0, 0, number].into(),
            ports: "9100-9109".parse().unwrap(),
        }),
        extended: true,
        registered_at: SystemTime::UNIX_EPOCH,
    }
}

pub(super) fn connection(id: &str, proxy: u8, kind: Kind, config: &ConnectionConfig) -> Connection {
    Connection {
        id: id.into(),
        proxy: ProxyId::new(format!("p{proxy}")),
        kind,
        config: Arc::new(config.clone()),
        registered_at: SystemTime::UNIX_EPOCH,
    }
}

pub(super) fn counting_keys() -> impl FnMut() -> SessionKey + Send + 'static {
    let mut count = 0_u8;
    move || {
        count = count.wrapping_add(1);
        SessionKey([count; 32])
    }
}

impl Fleet {
    pub(super) fn empty() -> Self {
        Self { topology: Topology::new(Decides::Here, counting_keys()), start: Instant::now() }
    }

    /// With proxies p1, p2 …
    pub(super) fn new(proxies: u8) -> Self {
        let mut fleet = Self::empty();
        for number in 1..=proxies {
            fleet.proxy(number);
        }
        fleet
    }

    pub(super) fn proxy(&mut self, number: u8) {
        self.topology.register_proxy(proxy(number), Vec::new(), self.start);
    }

    pub(super) fn try_add(
        &mut self,
        id: &str,
        proxy: u8,
        kind: Kind,
        config: &ConnectionConfig,
    ) -> Result<(), AgentError> {
        self.topology.register_connection(connection(id, proxy, kind, config))
    }

    pub(super) fn source(&mut self, id: &str, proxy: u8, config: &ConnectionConfig) {
        self.try_add(id, proxy, Kind::Source, config).unwrap();
    }

    pub(super) fn receiver(&mut self, id: &str, proxy: u8, config: &ConnectionConfig) {
        self.try_add(id, proxy, Kind::Receiver, config).unwrap();
    }

    pub(super) fn remove(&mut self, id: &str) {
        let id = ConnectionId::from(id);
        let proxy = self.topology.connection(&id).unwrap().proxy.clone();
        self.topology.unregister_connection(&proxy, &id).unwrap();
    }

    /// All bridges in words, sorted.
    pub(super) fn bridges(&self) -> Vec<String> {
        let mut all: Vec<_> = self.topology.bridges().map(|view| words(&view.spec)).collect();
        all.sort();
        all
    }

    pub(super) fn desired(&self, proxy: u8) -> Desired {
        self.topology.desired(&ProxyId::new(format!("p{proxy}"))).unwrap()
    }

    /// The bridges that a proxy runs, as it would report them.
    pub(super) fn running(&self, proxy: u8) -> Vec<BridgeSpec> {
        self.desired(proxy).bridges.iter().map(|spec| (**spec).clone()).collect()
    }

    pub(super) fn lose(&mut self, number: u8, after: std::time::Duration) {
        let at = self.start + after;
        self.topology.set_lease(&ProxyId::new(format!("p{number}")), Some(at));
        self.topology.advance(at);
    }
}
