//! The REST API's objects match its description.

mod common;

use common::schema::Schemas;
use common::{Node, Server, mesh, request, stream, until};
use mesh::plane::{Accepted, ControlPlane};
use proto::Kind;
use serde_json::Value;
use testkit::http;

/// A request whose answer must be as described. `template` is its path in the description.
fn checked(server: &Server, method: &str, path: &str, template: &str) -> (u16, Value) {
    let (_, document) = server.get("/openapi.json");
    let (status, body) = request(server.rest, method, path);
    let operation = &document["paths"][template][method.to_ascii_lowercase()];
    let response = &operation["responses"][status.to_string()];
    assert!(response.is_object(), "{method} {path}: {status} is not described");
    if let Some(schema) = response.pointer("/content/application~1json/schema") {
        Schemas::new(&document).validate(&body, schema, path).unwrap();
    }
    (status, body)
}

fn fleet() -> (Server, [Node; 2]) {
    let server = Server::in_memory();
    let nodes = [1, 2].map(|number| Node::new(number, &[server.proxies]));
    nodes[0].add("s", Kind::Source, &mesh("cam/1 ä")).unwrap();
    nodes[1].add("r", Kind::Receiver, &mesh("cam/1 ä")).unwrap();
    nodes[0].add("q", Kind::Receiver, &stream(5004)).unwrap();
    let mut audio = mesh("sound");
    audio.payload = media::Payload::Audio(media::Audio::default());
    nodes[0].add("a", Kind::Source, &audio).unwrap();
    let mut blob = mesh("bytes");
    (blob.payload, blob.max_payload_size) = (media::Payload::Blob, 77);
    nodes[0].add("b", Kind::Source, &blob).unwrap();
    nodes[0].wait_for_bridges(2);
    nodes[1].wait_for_bridges(1);
    until("all is applied", || {
        let all = server.list("/media-proxy?status", "mediaProxy");
        all.iter().all(|proxy| proxy["status"]["apply"]["state"] == "applied")
    });
    (server, nodes)
}

const KINDS: [(&str, &str); 4] = [
    ("/media-proxy", "mediaProxy"),
    ("/connection", "connection"),
    ("/multipoint-group", "multipointGroup"),
    ("/bridge", "bridge"),
];

/// An id as it stands in a path.
fn encoded(id: &str) -> String {
    id.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).into() } else { format!("%{b:02X}") })
        .collect()
}

#[test]
fn answers_are_as_described() {
    let (server, _nodes) = fleet();
    for (path, name) in KINDS {
        for query in ["", "?status", "?config", "?config&status", "?status=true"] {
            let (status, body) = checked(&server, "GET", &format!("{path}{query}"), path);
            assert_eq!(status, 200);
            for object in body[name].as_array().unwrap() {
                assert_eq!(object.get("config").is_some(), query.contains("config"));
                assert_eq!(object.get("status").is_some(), query.contains("status"));
            }
        }
        let template = format!("{path}/{{id}}");
        let all = server.list(path, name);
        assert!(!all.is_empty());
        for object in all {
            let path = format!("{path}/{}", encoded(object["id"].as_str().unwrap()));
            let (status, single) = checked(&server, "GET", &path, &template);
            assert_eq!((status, &single["id"]), (200, &object["id"]));
            assert!(single["config"].is_object() && single["status"].is_object());
        }
        assert_eq!(checked(&server, "GET", &format!("{path}/none"), &template).0, 404);
        assert_eq!(checked(&server, "DELETE", &format!("{path}/none"), &template).0, 404);
        let (status, body) = checked(&server, "GET", &format!("{path}?everything"), path);
        assert_eq!(status, 400);
        assert!(body["error"]["message"].as_str().unwrap().contains("allowed: config, status"));
    }
    for path in ["/openapi.json", "/health", "/metrics"] {
        assert_eq!(checked(&server, "GET", path, path).0, 200);
    }
}

#[test]
fn objects_say_what_is_so() {
    let (server, _nodes) = fleet();
    let (_, proxy) = server.get("/media-proxy/p1");
    assert_eq!(proxy["config"]["controlplaneIpAddr"], "127.0.0.1");
    assert_eq!(proxy["config"]["rdma"]["dataplanePorts"], "9100-9999");
    assert_eq!(proxy["config"]["st2110"]["devPort"], "kernel:eth0");
    assert_eq!(proxy["status"]["healthy"], true);
    assert_eq!(
        (&proxy["status"]["connsNum"], &proxy["status"]["bridgesNum"]),
        (&4.into(), &2.into())
    );
    let (_, connection) = server.get("/connection/q");
    assert_eq!(
        (&connection["proxyId"], &connection["groupId"]),
        (&"p1".into(), &"239.1.1.1:5004".into())
    );
    assert_eq!(connection["config"]["kind"], "tx");
    assert_eq!(connection["config"]["conn"]["st2110"]["remoteIpAddr"], "239.1.1.1");
    assert_eq!(connection["config"]["payload"]["video"]["pixelFormat"], "yuv422planar10le");
    assert_eq!(connection["config"]["role"], "receiver");
    let sysdata = &connection["config"]["bufPartitions"]["sysdata"];
    assert_eq!((&sysdata["offset"], &sysdata["size"]), (&0.into(), &24.into()));
    let (_, group) = server.get(&format!("/multipoint-group/{}", encoded("cam/1 ä")));
    assert_eq!(group["connIds"], serde_json::json!(["s", "r"]));
    assert_eq!(group["bridgeIds"].as_array().unwrap().len(), 2);
    assert_eq!(group["status"]["sourceProxyId"], "p1");
    let bridges = server.list("/bridge?config", "bridge");
    let rdma =
        bridges.iter().find(|b| b["config"]["type"] == "rdma" && b["proxyId"] == "p1").unwrap();
    assert_eq!(rdma["config"]["rdma"], serde_json::json!({"remoteIp": "10.0.0.2", "port": 9100}));
    assert_eq!(rdma["config"]["kind"], "tx");
    let text = serde_json::to_string(&bridges).unwrap();
    assert!(!text.to_lowercase().contains("key"), "keys are not shown: {text}");
}

/// The fields that clients of the original read have its names and types, even before the first
/// measurement.
#[test]
fn clients_of_the_original_find_what_they_read() {
    let (server, nodes) = fleet();
    let is_time = |value: &Value| value.as_str().is_some_and(|text| text.ends_with('Z'));
    let checks = |status: &Value| {
        let numbers = [
            "inbound",
            "outbound",
            "trnSucceeded",
            "trnFailed",
            "tps",
            "inBandwidthMbit",
            "outBandwidthMbit",
            "errors",
            "errorsDelta",
        ];
        assert!(is_time(&status["registeredAt"]), "{status}");
        assert!(status["state"].is_string() && status["linked"].is_boolean(), "{status}");
        assert!(numbers.iter().all(|name| status[name].is_number()), "{status}");
        assert!(status.get("updatedAt").is_some(), "{status}");
    };
    for proxy in server.list("/media-proxy", "mediaProxy") {
        for part in ["conns", "bridges"] {
            for object in proxy[part].as_array().unwrap() {
                assert!(object["config"]["bufPartitions"].is_object(), "{object}");
                checks(&object["status"]);
            }
        }
    }
    for (kind, name) in [("/connection", "connection"), ("/bridge", "bridge")] {
        server.list(&format!("{kind}?status"), name).iter().for_each(|it| checks(&it["status"]));
    }
    let metric = |of: &str| mesh::metrics::Metric {
        timestamp_ms: 1_700_000_000_000,
        provider: of.into(),
        measured: mesh::metrics::Measured {
            linked: Some(true),
            succeeded: Some(7),
            inbound: Some(100),
            inbound_mbit: Some(1.5),
            ..Default::default()
        },
    };
    nodes[0].plane.metrics(vec![metric("s"), metric("r")]);
    let path = format!("/multipoint-group/{}", encoded("cam/1 ä"));
    until("it is told", || server.get(&path).1["status"]["inbound"] == 200);
    let (_, group) = server.get(&path);
    checks(&group["status"]);
    assert_eq!(group["status"]["state"], "active");
    // A frame counts once, however many receive it.
    assert_eq!(group["status"]["trnSucceeded"], 7);
    assert_eq!(group["status"]["inBandwidthMbit"], 3.0);
    assert_eq!(
        (&group["status"]["linked"], is_time(&group["status"]["updatedAt"])),
        (&true.into(), true)
    );
}

/// The header with which a browser lets a page read an answer.
fn allowed(server: &Server, method: &str, origin: &str) -> (u16, Option<String>) {
    let fields = format!("Origin: {origin}\r\nAccess-Control-Request-Method: DELETE\r\n");
    let answer = http::request(server.rest, method, "/health", &fields).unwrap();
    let mut lines = answer.head.lines();
    let header = lines.find_map(|line| line.strip_prefix("access-control-allow-origin: "));
    (answer.status, header.map(str::to_owned))
}

#[test]
fn pages_of_configured_origins_alone_may_read() {
    let ops = "https://ops.example.org";
    let server = Server::start(
        0,
        || Ok(mesh_agent::Agent::in_memory()),
        |ports| mesh_agent::server::Ports { origins: vec![ops.into()], ..ports },
    );
    assert_eq!(allowed(&server, "GET", ops), (200, Some(ops.to_owned())));
    assert_eq!(allowed(&server, "OPTIONS", ops), (204, Some(ops.to_owned())));
    for other in ["https://example.org", "http://ops.example.org", "null"] {
        assert_eq!(allowed(&server, "GET", other), (200, None));
        assert_eq!(allowed(&server, "OPTIONS", other).1, None);
    }
    let closed = Server::in_memory();
    assert_eq!(allowed(&closed, "GET", ops), (200, None));
}

#[test]
fn what_is_deleted_is_gone() {
    let (server, nodes) = fleet();
    let bridge = server.list("/bridge", "bridge")[0]["id"].as_str().unwrap().to_owned();
    let (status, body) = checked(&server, "DELETE", &format!("/bridge/{bridge}"), "/bridge/{id}");
    assert_eq!((status, &body["error"]["code"]), (409, &"conflict".into()));
    assert_eq!(checked(&server, "DELETE", "/connection/q", "/connection/{id}").0, 200);
    nodes[0].wait_for_bridges(1);
    assert_eq!(server.get("/connection/q").0, 404);
    let path = format!("/multipoint-group/{}", encoded("cam/1 ä"));
    assert_eq!(checked(&server, "DELETE", &path, "/multipoint-group/{id}").0, 200);
    assert_eq!(server.get(&path).0, 404);
    nodes[1].wait_for_bridges(0);
    // A proxy that is alive registers again, with all that it has.
    assert_eq!(checked(&server, "DELETE", "/media-proxy/p1", "/media-proxy/{id}").0, 200);
    until("it is back", || server.get("/connection/a").0 == 200);
    assert_eq!(server.get("/connection/s").0, 404);
}

/// A connection that an administrator removes stays removed until its program makes a new one, even
/// if its proxy registers it again.
#[test]
fn what_is_deleted_stays_away() {
    let (server, nodes) = fleet();
    let node = &nodes[0];
    assert_eq!(checked(&server, "DELETE", "/connection/s", "/connection/{id}").0, 200);
    node.wait("the order to end it", |state| state.removed.contains(&"s".into()).then_some(()));
    nodes[1].wait_for_bridges(0);
    assert_eq!(checked(&server, "DELETE", "/connection/s", "/connection/{id}").0, 404);
    // Its proxy dies before it has ended it, and starts anew with the connections of the programs
    // that went on.
    let [one, two] = nodes;
    drop(one);
    until("the proxy is gone", || server.get("/media-proxy/p1").0 == 404);
    let one = Node::new(1, &[server.proxies]);
    one.wait_reachable(true);
    let error = one.add("s", Kind::Source, &mesh("cam/1 ä")).unwrap_err();
    assert_eq!(error.to_string(), "connection s was removed by an administrator");
    one.wait("the order to end it", |state| state.removed.contains(&"s".into()).then_some(()));
    // The program makes a new one.
    assert_eq!(one.add("s2", Kind::Source, &mesh("cam/1 ä")), Ok(Accepted::Member));
    two.wait_for_bridges(1);
    until("the old one is forgotten", || one.add("s", Kind::Receiver, &mesh("cam/1 ä")).is_ok());
}

#[test]
fn errors_are_json() {
    let server = Server::in_memory();
    for (method, path, status, code) in [
        ("GET", "/nothing", 404, "notFound"),
        ("POST", "/connection", 405, "methodNotAllowed"),
        ("DELETE", "/connection", 405, "methodNotAllowed"),
        ("GET", "/connection/%ff", 400, ""),
    ] {
        let (found, body) = request(server.rest, method, path);
        assert_eq!(found, status, "{method} {path}: {body}");
        if !code.is_empty() {
            assert_eq!(body["error"]["code"], code);
        }
    }
}
