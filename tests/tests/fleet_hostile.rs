//! Unknown peers on other hosts, at an agent with credentials: the agent refuses and counts what
//! they send, and the fleet does not notice.

use mcm_tests::agent::{self, Agent, PROXY_PORT, REST_PORT};
use mcm_tests::certificates::Authority;
use mcm_tests::fleet::{AGENT, Fleet, finish, group};
use mcm_tests::proxy::Proxy;
use mcm_tests::wait;
use proto::mediaproxy as pb;
use proto::mediaproxy::proxy_api_client::ProxyApiClient;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Status};

const AGENT_IP: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 4);
/// The host of the strangers.
const STRANGER: usize = 3;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let builder = &mut tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime").block_on(future)
}

/// A channel to the agent, with the certificate of an authority or without.
async fn channel(authority: Option<(&Authority, &Authority)>) -> Result<Channel, String> {
    let scheme = if authority.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{AGENT_IP}:{PROXY_PORT}"));
    let mut endpoint = endpoint.expect("an address").connect_timeout(wait::DEADLINE);
    if let Some((known, own)) = authority {
        let files = own.files("stranger", "10.77.0.3");
        let read = |path: &std::path::Path| std::fs::read(path).expect("a file");
        let tls = ClientTlsConfig::new()
            .identity(Identity::from_pem(read(&files.cert), read(&files.key)))
            .ca_certificate(Certificate::from_pem(read(&known.ca())));
        endpoint = endpoint.tls_config(tls).expect("credentials");
    }
    endpoint.connect().await.map_err(|error| error.to_string())
}

/// All calls by which an unknown peer could impersonate a proxy. Returns their results.
async fn attack(channel: Channel, proxy_id: &str, conn_id: &str) -> Vec<Status> {
    let mut client = ProxyApiClient::new(channel);
    let (proxy_id, conn_id) = (proxy_id.to_owned(), conn_id.to_owned());
    let register = pb::RegisterMediaProxyRequest {
        sdk_api_port: 1,
        extension: Some(pb::ProxyExtension { proxy_id: proxy_id.clone(), ..Default::default() }),
        ..Default::default()
    };
    let unregister = pb::UnregisterConnectionRequest { proxy_id: proxy_id.clone(), conn_id };
    let start = pb::StartCommandQueueRequest { proxy_id: proxy_id.clone() };
    let leave = pb::UnregisterMediaProxyRequest { proxy_id };
    let answers = [
        client.register_media_proxy(register).await.err(),
        client.register_connection(pb::RegisterConnectionRequest::default()).await.err(),
        client.unregister_connection(unregister).await.err(),
        client.start_command_queue(start).await.err(),
        client.send_command_reply(pb::CommandReply::default()).await.err(),
        client.send_metrics(pb::SendMetricsRequest::default()).await.err(),
        client.unregister_media_proxy(leave).await.err(),
    ];
    let refused: Vec<_> = answers.into_iter().flatten().collect();
    assert_eq!(refused.len(), 7, "all are refused: {refused:?}");
    refused
}

/// The agent's count of a reason.
fn refused(fleet: &Fleet, reason: &str) -> u64 {
    let ask = || agent::request(Ipv4Addr::LOCALHOST, "GET", "/metrics");
    let (status, text) = fleet.net.on(AGENT, ask);
    assert_eq!(status, 200);
    let line = format!("mcm_agent_refused_total{{reason=\"{reason}\"}} ");
    let value = text.lines().find_map(|text| text.strip_prefix(&line)?.parse().ok());
    value.unwrap_or_else(|| panic!("no {line} in {text}"))
}

#[test]
fn strangers_without_credentials_change_nothing() {
    let Some(mut fleet) = Fleet::new() else { return };
    let (authority, another) = (Authority::new(), Authority::new());
    let options = |name: &str, address: &str| {
        let files = authority.files(name, address);
        let option =
            |name: &str, path: &std::path::Path| format!("--tls-{name}={}", path.display());
        [option("cert", &files.cert), option("key", &files.key), option("ca", &authority.ca())]
    };
    let of_agent = options("agent", "10.77.0.4");
    fleet.agent = Some(Agent::start(|program| fleet.net.command(AGENT, program), of_agent));
    for host in [1, 2] {
        let mut all = vec!["-a".to_owned(), "10.77.0.4:50051".into()];
        all.extend(options(&format!("proxy{host}"), &format!("10.77.0.{host}")));
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        fleet.proxies[host - 1] =
            Some(Proxy::on(fleet.net.host(host), &fleet.runs[host - 1], &all));
    }
    fleet.wait_listed("media-proxy", "mediaProxy", 2);
    let connection = group("studio 11");
    let source = fleet.source(1, &connection, 7).ready();
    let mut receiver = fleet.receiver(2, &connection);
    receiver.progress(20);
    let bridges = || {
        [1, 2].map(|host| {
            let bridges = fleet.bridges(host).into_iter();
            bridges.map(|bridge| (bridge.bridge_id, bridge.conn_id)).collect::<Vec<_>>()
        })
    };
    let before = bridges();
    let first =
        |kind: &str, key: &str| fleet.list(kind, key)[0]["id"].as_str().expect("an id").to_owned();
    let (proxy_id, conn_id) =
        (first("media-proxy", "mediaProxy"), first("connection", "connection"));

    // With no certificate, with one of an unknown authority, and without a valid message.
    fleet.net.on(STRANGER, || {
        block_on(async {
            let channel = channel(None).await.expect("a connection");
            for status in attack(channel, &proxy_id, &conn_id).await {
                assert_eq!(status.code(), Code::PermissionDenied, "{status:?}");
            }
        });
        block_on(async {
            // With TLS 1.3 a client believes that it is connected before its certificate has been
            // looked at.
            if let Ok(channel) = channel(Some((&authority, &another))).await {
                attack(channel, &proxy_id, &conn_id).await;
            }
        });
        for (method, path) in [
            ("GET", "/media-proxy".to_owned()),
            ("DELETE", format!("/media-proxy/{proxy_id}")),
            ("DELETE", format!("/connection/{conn_id}")),
            ("DELETE", "/multipoint-group/studio%2011".to_owned()),
            ("GET", "/metrics".to_owned()),
        ] {
            assert_eq!(agent::request(AGENT_IP, method, &path).0, 403, "{method} {path}");
        }
        for port in [PROXY_PORT, REST_PORT] {
            let mut stream = TcpStream::connect((AGENT_IP, port)).expect("a connection");
            stream.set_read_timeout(Some(wait::DEADLINE)).expect("a time");
            // The agent may close it before all of it has been sent.
            let _sent = stream.write_all(&[0; 64]);
            let _end = stream.read_to_end(&mut Vec::new());
        }
    });
    assert!(refused(&fleet, "stranger") >= 12);
    assert!(refused(&fleet, "tls") >= 1);
    assert!(refused(&fleet, "garbage") >= 2);
    receiver.progress(20);
    assert_eq!(bridges(), before, "no bridge was made anew");
    fleet.wait_listed("media-proxy", "mediaProxy", 2);
    fleet.wait_listed("connection", "connection", 2);
    finish(source, vec![receiver]);
    fleet.wait_listed("connection", "connection", 0);
}
