//! Both gRPC ports of a real proxy.

mod common;

use common::{DEADLINE, Peer, Proxy, blob, block_on, channel, source};
use proto::control::control_client::ControlClient;
use proto::control::{
    DeleteConnectionRequest, GetInfoRequest, Kind, ListConnectionsRequest, ListGroupsRequest,
    WatchRequest,
};
use proto::exchange::from_proxy::Body;
use proto::sdk::sdkapi_client::SdkapiClient;
use proto::sdk::{CreateConnectionRequest, OpenExchangeRequest};
use shm::Seat;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream, UdpSocket};
use std::path::Path;
use testkit::certificates::{Authority, Credentials};
use tonic::Code;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn health_and_reflection() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    block_on(async {
        let channel = channel(proxy.grpc_port).await;
        let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
        for service in ["", "mcm.control.v1.Control"] {
            let request = tonic_health::pb::HealthCheckRequest { service: service.into() };
            let status = health.check(request).await.unwrap().into_inner().status();
            assert_eq!(status, tonic_health::pb::health_check_response::ServingStatus::Serving);
        }
        let mut reflection = ServerReflectionClient::new(channel);
        let ask = |request| tonic_reflection::pb::v1::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let requests = tokio_stream::iter([
            ask(MessageRequest::ListServices(String::new())),
            ask(MessageRequest::FileContainingSymbol("mcm.control.v1.Control".into())),
        ]);
        let mut answers = reflection.server_reflection_info(requests).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response;
        let Some(MessageResponse::ListServicesResponse(list)) = answer else {
            panic!("{answer:?}")
        };
        let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
        assert!(names.contains(&"mcm.control.v1.Control".into()), "{names:?}");
        assert!(names.contains(&"grpc.health.v1.Health".into()), "{names:?}");
        assert!(!names.contains(&"sdk.SDKAPI".into()), "not served on this port: {names:?}");
        let answer = answers.message().await.unwrap().unwrap().message_response;
        assert!(matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))), "{answer:?}");
    });
}

#[test]
fn sdk_gets_the_sockets_path() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    block_on(async {
        let mut sdk = SdkapiClient::new(channel(proxy.sdk_port).await);
        let path = sdk.open_exchange(OpenExchangeRequest {}).await.unwrap().into_inner().path;
        assert_eq!(std::path::Path::new(&path), proxy.socket());
        let status = sdk.create_connection(CreateConnectionRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        assert!(status.message().contains("memif"), "{status}");
    });
}

#[test]
fn state_and_control() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let (s, r) = (Peer::new(&proxy, "s"), Peer::new(&proxy, "r"));
    block_on(async {
        let mut control = ControlClient::new(channel(proxy.grpc_port).await);
        let info = control.get_info(GetInfoRequest {}).await.unwrap().into_inner();
        assert_eq!(info.exchange_socket, proxy.socket().display().to_string());
        assert_eq!(
            (info.sdk_port, info.grpc_port),
            (proxy.sdk_port.into(), proxy.grpc_port.into())
        );
        assert_eq!((info.clients, info.groups, info.connections), (2, 0, 0));

        let request = WatchRequest { interval_ms: 0, group_id: String::new() };
        let mut changes = control.watch(request).await.unwrap().into_inner();
        assert!(changes.message().await.unwrap().unwrap().groups.is_empty());
        let ring = source(1);
        s.announce_source(1, &ring, &blob("g"));
        s.created(1);
        let seat = Seat::new().unwrap();
        r.announce_receiver(7, &seat, &blob("g"));
        s.let_in(&ring);
        r.ring(7);
        let id = r.created(7);
        // Changes that follow one another may be told together, so wait for the last.
        loop {
            let groups = changes.message().await.unwrap().unwrap().groups;
            if groups.len() == 1 && groups[0].receivers.len() == 1 {
                break;
            }
        }
        let all = ListConnectionsRequest::default();
        let listed = control.list_connections(all).await.unwrap().into_inner().connections;
        let kinds: Vec<_> = listed.iter().map(|connection| connection.kind()).collect();
        assert_eq!(kinds, [Kind::Source, Kind::Receiver]);
        let other = ListGroupsRequest { group_id: "h".into(), fleet: true };
        assert!(control.list_groups(other).await.unwrap().into_inner().groups.is_empty());

        let delete = |id: &str| DeleteConnectionRequest { conn_id: id.to_owned() };
        control.delete_connection(delete(&id)).await.unwrap();
        let status = control.delete_connection(delete(&id)).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert!(matches!(r.receive().0, Body::Closed(closed) if closed.key == 7));
        assert!(matches!(s.receive().0, Body::Part(_)));
        loop {
            if changes.message().await.unwrap().unwrap().groups[0].receivers.is_empty() {
                break;
            }
        }
        let request = WatchRequest { interval_ms: 5, group_id: String::new() };
        assert_eq!(control.watch(request).await.unwrap_err().code(), Code::InvalidArgument);
    });
}

#[test]
fn rates_are_measured() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let s = Peer::new(&proxy, "s");
    let ring = source(1);
    s.announce_source(1, &ring, &blob("g"));
    s.created(1);
    block_on(async {
        let mut control = ControlClient::new(channel(proxy.grpc_port).await);
        let request = WatchRequest { interval_ms: 300, group_id: "g".into() };
        let mut watch = control.watch(request).await.unwrap().into_inner();
        loop {
            let slot = ring.get(shm::Deadline::Never).unwrap();
            ring.put(slot, shm::Deadline::Never, || 0).unwrap_or_else(|_| panic!("put"));
            let snapshot = watch.message().await.unwrap().unwrap();
            let source = snapshot.groups[0].source.clone().unwrap();
            if source.fps > 0.0 && source.mbit_per_s > 0.0 {
                let per_frame = source.mbit_per_s / source.fps * 1e6 / 8.0;
                assert!((per_frame - 1000.0).abs() < 1e-6, "{per_frame}");
                break;
            }
        }
    });
}

/// An address of this host that is not the loopback's, if there is one.
fn other_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent; the kernel only chooses a source address.
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
}

#[test]
fn strangers_are_refused_and_told_why() {
    let dir = temp();
    let mut proxy = Proxy::start(dir.path());
    let Some(address) = other_address() else {
        println!("skipped: this host has no address but the loopback's");
        return;
    };
    block_on(async {
        for port in [proxy.grpc_port, proxy.sdk_port] {
            // As a peer on another host looks: neither loopback nor the address that it calls.
            let endpoint = Endpoint::from_shared(format!("http://127.0.0.1:{port}")).unwrap();
            let stranger = endpoint.local_address(Some(address)).connect().await.unwrap();
            let status = if port == proxy.grpc_port {
                let mut health = tonic_health::pb::health_client::HealthClient::new(stranger);
                health.check(tonic_health::pb::HealthCheckRequest::default()).await.unwrap_err()
            } else {
                SdkapiClient::new(stranger).open_exchange(OpenExchangeRequest {}).await.unwrap_err()
            };
            assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        }
        // By its own address the host is itself.
        let endpoint =
            Endpoint::from_shared(format!("http://{address}:{}", proxy.sdk_port)).unwrap();
        let mut sdk = SdkapiClient::new(endpoint.connect().await.unwrap());
        sdk.open_exchange(OpenExchangeRequest {}).await.unwrap();
    });
    proxy.wait_log("to let other hosts in, start media_proxy with --tls-cert");
}

/// The text of a file.
fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A program's certificate and key.
fn identity(authority: &Authority) -> Identity {
    let Credentials { cert, key } = authority.files("client", "client.test");
    Identity::from_pem(text(&cert), text(&key))
}

#[test]
fn certificates_let_others_in() {
    let dir = temp();
    let authority = Authority::new();
    let Credentials { cert, key } = authority.files("proxy", "proxy.test");
    let ca = text(&authority.ca());
    let run_dir = dir.path().join("run");
    let args = [
        format!("--tls-cert={}", cert.display()),
        format!("--tls-key={}", key.display()),
        format!("--tls-ca={}", authority.ca().display()),
    ];
    let mut proxy = Proxy::start_with(&run_dir, &args.each_ref().map(String::as_str));
    let tls =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&ca)).domain_name("proxy.test");
    let endpoint = |tls: ClientTlsConfig| {
        let endpoint =
            Endpoint::from_shared(format!("https://127.0.0.1:{}", proxy.sdk_port)).unwrap();
        endpoint.tls_config(tls).unwrap().local_address(other_address())
    };
    block_on(async {
        let known = tls.clone().identity(identity(&authority));
        let mut sdk = SdkapiClient::new(endpoint(known).connect().await.unwrap());
        sdk.open_exchange(OpenExchangeRequest {}).await.unwrap();
        // Without a certificate, and with one of another authority.
        let foreign = tls.clone().identity(identity(&Authority::new()));
        for tls in [tls, foreign] {
            let result = match endpoint(tls).connect().await {
                Ok(channel) => {
                    SdkapiClient::new(channel).open_exchange(OpenExchangeRequest {}).await.is_ok()
                }
                Err(_) => false,
            };
            assert!(!result);
        }
        // On the same host nothing has changed.
        let mut sdk = SdkapiClient::new(channel(proxy.sdk_port).await);
        sdk.open_exchange(OpenExchangeRequest {}).await.unwrap();
    });
    proxy.wait_log("TLS handshake failed");
}

#[test]
fn bad_credentials_are_named() {
    let dir = temp();
    let file = dir.path().join("file");
    std::fs::write(&file, "nothing").unwrap();
    let file = file.display().to_string();
    let run_dir = dir.path().join("run");
    let output = Proxy::command(&run_dir)
        .args(["--tls-cert", &file, "--tls-key", &file, "--tls-ca", &file])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(&format!("--tls-cert {file}: no certificate in it")), "{text}");
}

/// Sends bytes to a port and returns what comes back until the end.
fn poke(port: u16, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset is an end as well.
    let _ = stream.read_to_end(&mut answer);
    answer
}

#[test]
fn garbage_on_both_ports() {
    let dir = temp();
    let mut proxy = Proxy::start(dir.path());
    for port in [proxy.sdk_port, proxy.grpc_port] {
        assert_eq!(poke(port, &[0; 1000]), b"");
        assert_eq!(poke(port, b"mcm\0\x10\0\0\0\x01\0\x10\0"), b"");
        let answer = poke(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.starts_with(b"HTTP/1.1 505 "), "{}", answer.escape_ascii());
        assert_eq!(poke(port, b"\x16\x03\x01\x02\x00\x01"), b"");
        // The right beginning, and then nothing that makes sense: a frame longer than allowed.
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend([0xff; 64]);
        poke(port, &bytes);
    }
    proxy.wait_log("it speaks the binary protocol of older SDKs, which is not served yet");
    proxy.wait_log("it speaks neither gRPC (HTTP/2) nor TLS; it began with \"");
    proxy.wait_log("speaks TLS, which is not configured");
    block_on(async {
        let mut sdk = SdkapiClient::new(channel(proxy.sdk_port).await);
        sdk.open_exchange(OpenExchangeRequest {}).await.unwrap();
    });
}

#[test]
fn crowds_of_silent_and_slow_connections_do_no_harm() {
    let dir = temp();
    let proxy = Proxy::start(dir.path());
    let mut crowd = Vec::new();
    let beginnings: [&[u8]; 3] =
        [b"", b"PRI * HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x20\x01"];
    for number in 0..3000 {
        // The test may have fewer descriptors than the proxy; what there is will do.
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", proxy.sdk_port)) else { break };
        let _ = stream.write_all(beginnings[number % 3]);
        crowd.push(stream);
        if number % 500 == 0 {
            block_on(async {
                let mut sdk = SdkapiClient::new(channel(proxy.sdk_port).await);
                sdk.open_exchange(OpenExchangeRequest {}).await.unwrap();
            });
        }
    }
    assert!(crowd.len() > 600, "{}", crowd.len());
    block_on(async {
        let mut sdk = SdkapiClient::new(channel(proxy.sdk_port).await);
        sdk.open_exchange(OpenExchangeRequest {}).await.unwrap();
    });
    assert!(proxy.memory_kib() < 200 << 10, "{} KiB", proxy.memory_kib());
}
