//! A fleet with something of every kind.

use super::{Node, Server, mesh, proxy, stream, until};
use config::{ConnectionConfig, Endpoint, Rdma};
use media::{Ancillary, Audio, Payload};
use mesh::metrics::{Measured, Metric};
use mesh::plane::ControlPlane;
use mesh::topology::Proxy;
use proto::Kind;

/// Three proxies with connections and bridges, so that every property of every object is there.
pub(crate) fn fleet() -> (Server, [Node; 3]) {
    let server = Server::in_memory();
    let reachable = |number| Node::new(number, &[server.proxies]);
    let alone = Node::with(Proxy { rdma: None, ..proxy(3) }, &[server.proxies], None);
    let nodes = [reachable(1), reachable(2), alone];
    let [one, two, three] = &nodes;
    one.add("s", Kind::Source, &mesh("camera")).unwrap();
    two.add("r", Kind::Receiver, &mesh("camera")).unwrap();
    one.add("q", Kind::Receiver, &stream(5004)).unwrap();
    let audio = ConnectionConfig { payload: Payload::Audio(Audio::default()), ..mesh("sound") };
    one.add("a", Kind::Source, &audio).unwrap();
    let blob = ConnectionConfig { payload: Payload::Blob, max_payload_size: 77, ..mesh("bytes") };
    one.add("b", Kind::Source, &blob).unwrap();
    let rdma = ConnectionConfig::new(Endpoint::Rdma(Rdma::default()), mesh("").payload);
    one.add("d", Kind::Source, &rdma).unwrap();
    let payload = Payload::Ancillary(Ancillary::default());
    one.add("n", Kind::Source, &ConnectionConfig { payload, ..mesh("captions") }).unwrap();
    for (id, config) in [
        ("a2", audio),
        ("b2", blob),
        ("d2", rdma),
        ("n2", ConnectionConfig { payload, ..mesh("captions") }),
    ] {
        two.add(id, Kind::Receiver, &config).unwrap();
    }
    // One that other hosts cannot reach.
    three.add("r3", Kind::Receiver, &mesh("camera")).unwrap();
    let bridges = one.wait_for_bridges(6).bridges;
    two.wait_for_bridges(5);
    let measured = Measured {
        state: Some("active".into()),
        linked: Some(true),
        inbound: Some(1),
        outbound: Some(2),
        succeeded: Some(3),
        failed: Some(4),
        errors: Some(5),
        errors_delta: Some(6),
        fps: Some(59.94),
        inbound_mbit: Some(7.5),
        outbound_mbit: Some(8.5),
        program: Some("camera".into()),
        pid: Some(9),
        queue: Some(10),
        capacity: Some(11),
        held: Some(12),
        waits: Some(13),
        losses: Some(14),
    };
    let metric = |provider: &str| Metric {
        timestamp_ms: 1_700_000_000_000,
        provider: provider.to_owned(),
        measured: measured.clone(),
    };
    one.plane.metrics(vec![metric("s"), metric(bridges[0].id.as_str())]);
    until("it has been measured", || {
        server.get("/connection/s").1["status"]["tps"] == 59.94
            && server
                .list("/media-proxy?status", "mediaProxy")
                .iter()
                .all(|proxy| proxy["status"]["apply"]["state"] == "applied")
    });
    (server, nodes)
}
