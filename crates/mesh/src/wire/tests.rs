//! Messages are read back as they were written.

use super::*;
use crate::metrics::{Measured, Metric};
use crate::topology::{Decides, Proxy, ProxyId, RdmaDevice, SessionKey, St2110Device, Topology};
use config::{ConnectionConfig, Endpoint, St2110};
use media::{Payload, Video};
use proto::Kind;
use proto::mediaproxy as pb;
use std::time::{Duration, Instant, SystemTime};

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
