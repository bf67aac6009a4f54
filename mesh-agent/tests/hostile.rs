//! Hostile peers: the agent refuses and counts what they send, and other peers do not notice.
//!
//! `tests/tests/fleet_hostile.rs` has unknown peers on other hosts.

mod common;

use common::{DEADLINE, Node, Server, mesh, request, stream, until};
use prost::Message;
use proto::Kind;
use proto::mediaproxy as pb;
use proto::mediaproxy::proxy_api_client::ProxyApiClient;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use tonic::transport::Channel;
use tonic::{Code, Status};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The agent's counters.
fn count(server: &Server, name: &str) -> u64 {
    let (_, text) = request(server.rest, "GET", "/metrics");
    let text = text.as_str().unwrap().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
}

fn refused(server: &Server, reason: &str) -> u64 {
    count(server, &format!("mcm_agent_refused_total{{reason=\"{reason}\"}}"))
}

fn open(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream
}

/// Reads until the server has closed the connection.
fn closed(mut stream: TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) => {
            let waits = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!waits, "still open: {error}");
        }
    }
}

async fn client(server: &Server) -> ProxyApiClient<Channel> {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", server.proxies));
    let channel = endpoint.unwrap().connect().await.unwrap();
    ProxyApiClient::new(channel).max_encoding_message_size(64 << 20)
}

/// Bytes of memory that this process, in which the agent runs, has in use.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A fleet of two whose stream must be as it was at the end.
struct Fleet {
    server: Server,
    nodes: [Node; 2],
}

impl Fleet {
    fn new() -> Self {
        let server = Server::in_memory();
        let nodes = [1, 2].map(|number| Node::new(number, &[server.proxies]));
        nodes[0].add("s", Kind::Source, &mesh("cam")).unwrap();
        nodes[1].add("r", Kind::Receiver, &mesh("cam")).unwrap();
        nodes.iter().for_each(|node| drop(node.wait_for_bridges(1)));
        Self { server, nodes }
    }

    fn assert_well(&self) {
        assert_eq!(self.server.get("/health").0, 200);
        let ids = |kind: &str, name: &str| {
            let all = self.server.list(kind, name);
            all.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        // On a busy machine a proxy may have lost touch for a moment.
        until("all proxies and connections are there", || {
            ids("/media-proxy", "mediaProxy") == ["p1", "p2"]
                && ids("/connection", "connection") == ["r", "s"]
        });
        for node in &self.nodes {
            node.with_state(|state| {
                assert!(
                    state.bridges.iter().skip_while(|all| all.is_empty()).all(|all| all.len() == 1)
                );
            });
        }
        assert!(self.nodes[0].add("new", Kind::Receiver, &stream(5004)).is_ok());
    }
}

#[test]
fn garbage_is_counted() {
    let fleet = Fleet::new();
    let server = &fleet.server;
    let before = refused(server, "garbage");
    for bytes in [&[0_u8; 64][..], b"mcm\0\x10\0\0\0", b"\x7fELF", b"PRI * HTTP/2.0\r\n\r\nXX"] {
        let mut stream = open(server.proxies);
        // The server may have closed it before all is written.
        let _sent = stream.write_all(bytes);
        closed(stream);
    }
    let mut stream = open(server.rest);
    let _sent = stream.write_all(&[0xff; 64]);
    closed(stream);
    assert!(refused(server, "garbage") >= before + 5);
    let before = refused(server, "tls");
    for address in [server.proxies, server.rest] {
        let mut stream = open(address);
        let _sent = stream.write_all(b"\x16\x03\x01\x02\0\x01\0");
        closed(stream);
    }
    assert!(refused(server, "tls") >= before + 2, "TLS is not configured");
    // Frames that are none, after a good beginning.
    for bytes in [&[0xff_u8; 4096][..], &[0; 4096], b"\0\0\0\x04\0\0\0\0\0garbage".as_slice()] {
        let mut stream = open(server.proxies);
        let _sent = stream.write_all(PREFACE);
        let _sent = stream.write_all(bytes);
        let _ended = stream.shutdown(std::net::Shutdown::Write);
        closed(stream);
    }
    fleet.assert_well();
}

/// Hundreds of connections that say next to nothing, on both ports. Others are served meanwhile,
/// and in the end they are closed.
#[test]
fn slow_peers_hold_up_nobody() {
    let fleet = Fleet::new();
    let server = &fleet.server;
    let before = refused(server, "silent");
    let mut slow = Vec::new();
    for number in 0..300 {
        let (address, bytes) = match number % 4 {
            0 => (server.proxies, &PREFACE[..number % 20]),
            1 => (server.rest, &b""[..]),
            2 => (server.rest, &b"GET /connection HTTP/1.1\r\nHost: a"[..]),
            _ => (server.proxies, PREFACE),
        };
        let mut stream = open(address);
        stream.write_all(bytes).unwrap();
        slow.push(stream);
    }
    fleet.assert_well();
    // Those that did not get as far as a server, first.
    until("the silent ones are given up", || refused(server, "silent") >= before + 150);
    // Heads of requests that never end are waited for a little longer.
    let others = slow.into_iter().enumerate().filter(|(number, _)| number % 4 != 2);
    others.for_each(|(_, stream)| closed(stream));
    assert_eq!(server.get("/health").0, 200);
}

#[test]
fn messages_that_are_too_long_are_refused() {
    let fleet = Fleet::new();
    let server = &fleet.server;
    let before = count(server, "mcm_agent_failed_calls_total");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut client = client(server).await;
        // As many fields as go into the bytes.
        let many = pb::RegisterMediaProxyRequest {
            extension: Some(pb::ProxyExtension {
                connections: vec![pb::RegisterConnectionRequest::default(); 100_000],
                ..Default::default()
            }),
            ..Default::default()
        };
        let before = resident();
        let status = client.register_media_proxy(many).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
        let grown = resident().saturating_sub(before);
        assert!(grown < 64 << 20, "{grown} bytes");
        let long = pb::RegisterMediaProxyRequest {
            st2110_config: Some(pb::St2110ProxyConfig {
                dataplane_ip_addr: "x".repeat(5 << 20),
                dev_port_bdf: String::new(),
            }),
            ..Default::default()
        };
        let status = client.register_media_proxy(long).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
        let mut client = self::client(server).await;
        // Metadata without end. The connection may be closed instead of an answer.
        let mut request = tonic::Request::new(pb::UnregisterMediaProxyRequest::default());
        for number in 0..64 {
            let name: tonic::metadata::MetadataKey<_> = format!("x-{number}").parse().unwrap();
            request.metadata_mut().insert(name, "y".repeat(1024).parse().unwrap());
        }
        assert!(client.unregister_media_proxy(request).await.is_err());
    });
    assert!(count(server, "mcm_agent_failed_calls_total") > before);
    let mut stream = open(server.rest);
    let _sent =
        write!(stream, "GET /connection/{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(1 << 20));
    closed(stream);
    let mut stream = open(server.rest);
    let head = "DELETE /connection/none HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let _sent = write!(stream, "{head}Content-Length: 99999999999\r\n\r\n");
    closed(stream);
    fleet.assert_well();
}

/// Requests whose fields are nonsense, and whose messages are none.
#[test]
fn nonsense_is_refused() {
    let fleet = Fleet::new();
    let server = &fleet.server;
    let before = count(server, "mcm_agent_failed_calls_total");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut failures: u64 = 0;
    runtime.block_on(async {
        let mut client = client(server).await;
        let mut fails = |what: &str, answer: Result<(), Status>| {
            let status = answer.expect_err(what);
            assert!(
                matches!(
                    status.code(),
                    Code::InvalidArgument | Code::NotFound | Code::Internal | Code::Unimplemented
                ),
                "{what}: {status:?}"
            );
            failures += 1;
        };
        let good = mesh("cam").to_sdk_of(Kind::Receiver);
        let request = |proxy: &str, kind: &str, id: &str| pb::RegisterConnectionRequest {
            proxy_id: proxy.into(),
            kind: kind.into(),
            config: good.encode_to_vec(),
            conn_id: id.into(),
        };
        let long = "i".repeat(1 << 16);
        for bad in [
            request("nobody", "tx", ""),
            request("p1", "both", ""),
            request("p1", "tx", "../proxies/p2"),
            request("p1", "tx", "a b"),
            request("p1", "tx", &long),
            request(&long, "tx", ""),
            pb::RegisterConnectionRequest { config: Vec::new(), ..request("p1", "tx", "") },
        ] {
            let answer = client.register_connection(bad).await;
            fails("a connection", answer.map(drop));
        }
        for id in ["", "nobody", "p1/../p2", &long] {
            let unregister = pb::UnregisterMediaProxyRequest { proxy_id: id.into() };
            fails("goodbye", client.unregister_media_proxy(unregister).await.map(drop));
            let start = pb::StartCommandQueueRequest { proxy_id: id.into() };
            fails("a stream", client.start_command_queue(start).await.map(drop));
            let metrics = pb::SendMetricsRequest { proxy_id: id.into(), metrics: Vec::new() };
            fails("metrics", client.send_metrics(metrics).await.map(drop));
        }
        // A connection of another proxy.
        let other = pb::UnregisterConnectionRequest { proxy_id: "p2".into(), conn_id: "s".into() };
        fails("another's connection", client.unregister_connection(other).await.map(drop));
        for id in ["a/b", "ä", &long] {
            let extension = pb::ProxyExtension { proxy_id: id.into(), ..Default::default() };
            let bad =
                pb::RegisterMediaProxyRequest { extension: Some(extension), ..Default::default() };
            fails("a proxy", client.register_media_proxy(bad).await.map(drop));
        }
        // Answers to commands that were never given have no effect.
        let reply = pb::CommandReply { proxy_id: "p1".into(), req_id: "1-1".into(), reply: None };
        client.send_command_reply(reply).await.unwrap();
        // Bytes where a configuration should be: the field's number is that of another message's
        // bytes.
        let endpoint =
            tonic::transport::Endpoint::from_shared(format!("http://{}", server.proxies));
        let channel = endpoint.unwrap().connect().await.unwrap();
        let mut raw = tonic::client::Grpc::new(channel);
        let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..100 {
            let mut byte = || {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 56) as u8
            };
            let length = usize::from(byte()) + 1;
            // Wire types 6 and 7 do not exist.
            let session_key = std::iter::once(0x0e).chain((1..length).map(|_| byte())).collect();
            let bytes = pb::BridgeExtension { session_key, ..Default::default() };
            raw.ready().await.unwrap();
            let codec = tonic_prost::ProstCodec::<pb::BridgeExtension, pb::SendMetricsReply>::new();
            let path = tonic::codegen::http::uri::PathAndQuery::from_static(
                "/mediaproxy.ProxyAPI/RegisterConnection",
            );
            let answer = raw.unary(tonic::Request::new(bytes), path, codec).await;
            fails("no message", answer.map(drop));
        }
    });
    assert!(count(server, "mcm_agent_failed_calls_total") >= before + failures);
    fleet.assert_well();
}
