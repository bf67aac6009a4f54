//! `mediaproxy.ProxyAPI` as the original's proxies use it: without extensions, with ids from the
//! agent.

mod common;

use common::{DEADLINE, Server, mesh, request, stream, until};
use config::ConnectionConfig;
use prost::Message;
use proto::mediaproxy as pb;
use proto::mediaproxy::command_request::Command;
use proto::mediaproxy::proxy_api_client::ProxyApiClient;
use proto::{Kind, sdk};
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};

struct Raw {
    client: ProxyApiClient<Channel>,
    id: String,
    commands: Streaming<pb::CommandRequest>,
}

impl Raw {
    async fn new(server: &Server, number: u8) -> Self {
        let endpoint =
            tonic::transport::Endpoint::from_shared(format!("http://{}", server.proxies));
        let channel = endpoint.unwrap().connect().await.unwrap();
        let mut client = ProxyApiClient::new(channel);
        let registration = pb::RegisterMediaProxyRequest {
            sdk_api_port: 8002,
            st2110_config: Some(pb::St2110ProxyConfig {
                dataplane_ip_addr: format!("192.168.96.{number}"),
                dev_port_bdf: "0000:31:00.0".into(),
            }),
            rdma_config: Some(pb::RdmaProxyConfig {
                dataplane_ip_addr: format!("192.168.97.{number}"),
                dataplane_local_ports: "9100-9999".into(),
            }),
            extension: None,
        };
        let id = client.register_media_proxy(registration).await.unwrap().into_inner().proxy_id;
        let start = pb::StartCommandQueueRequest { proxy_id: id.clone() };
        let commands = client.start_command_queue(start).await.unwrap().into_inner();
        Self { client, id, commands }
    }

    async fn register(&mut self, kind: &str, config: &ConnectionConfig) -> Result<String, Status> {
        // The configuration as such a peer sends it: fields below 100 only.
        let mut config = config.to_sdk_of(if kind == "rx" { Kind::Source } else { Kind::Receiver });
        if let Some(options) = &mut config.options {
            *options = sdk::ConnectionOptions { rdma: options.rdma.clone(), ..Default::default() };
        }
        let request = pb::RegisterConnectionRequest {
            proxy_id: self.id.clone(),
            kind: kind.into(),
            config: config.encode_to_vec(),
            conn_id: String::new(),
        };
        Ok(self.client.register_connection(request).await?.into_inner().conn_id)
    }

    async fn next(&mut self) -> (String, pb::ApplyConfigRequest) {
        let message = tokio::time::timeout(DEADLINE, self.commands.message());
        let message = message.await.expect("a command").unwrap().expect("an open stream");
        let Some(Command::ApplyConfig(config)) = message.command else { panic!("{message:?}") };
        (message.req_id, config)
    }

    async fn reply(&mut self, req_id: String, error: Vec<String>) {
        let reply = Some(pb::command_reply::Reply::ApplyConfig(pb::ApplyConfigReply { error }));
        let reply = pb::CommandReply { req_id, proxy_id: self.id.clone(), reply };
        self.client.send_command_reply(reply).await.unwrap();
    }

    /// Applies what comes until it is as wanted.
    async fn apply_until(
        &mut self,
        so: impl Fn(&pb::ApplyConfigRequest) -> bool,
    ) -> pb::ApplyConfigRequest {
        loop {
            let (req_id, config) = self.next().await;
            self.reply(req_id, Vec::new()).await;
            if so(&config) {
                return config;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_are_linked() {
    let server = Server::in_memory();
    let (mut one, mut two) = (Raw::new(&server, 1).await, Raw::new(&server, 2).await);
    assert!(one.apply_until(|config| config.groups.is_empty()).await.bridges.is_empty());
    let source = one.register("rx", &mesh("cam")).await.unwrap();
    let receiver = two.register("tx", &mesh("cam")).await.unwrap();
    assert_ne!(source, receiver);
    let sends = one.apply_until(|config| !config.bridges.is_empty()).await;
    let receives = two.apply_until(|config| !config.bridges.is_empty()).await;
    assert_eq!(sends.groups[0].group_id, format!("cam/{}", one.id));
    assert_eq!(sends.groups[0].conn_ids, [source]);
    assert_eq!(sends.groups[0].bridge_ids, [sends.bridges[0].bridge_id.clone()]);
    let (egress, ingress) = (&sends.bridges[0], &receives.bridges[0]);
    assert_eq!((egress.r#type.as_str(), egress.kind.as_str()), ("rdma", "tx"));
    assert_eq!((ingress.r#type.as_str(), ingress.kind.as_str()), ("rdma", "rx"));
    let remote = |ip: &str| {
        let remote_ip_addr = ip.into();
        Some(pb::bridge::Config::Rdma(pb::BridgeRdma { remote_ip_addr, port: 9100 }))
    };
    assert_eq!(egress.config, remote("192.168.97.2"));
    assert_eq!(ingress.config, remote("192.168.97.1"));
    assert!(egress.extension.as_ref().unwrap().session_key.is_empty(), "it could not use one");
    assert_eq!(
        proto::sdk::ConnectionConfig::decode(&*egress.conn_config).unwrap().calculated_payload_size,
        640 * 640 * 4
    );
    // Unregistered connections take the bridges with them.
    let request = pb::UnregisterConnectionRequest { proxy_id: two.id.clone(), conn_id: receiver };
    two.client.unregister_connection(request).await.unwrap();
    one.apply_until(|config| config.bridges.is_empty()).await;
    let config = two.apply_until(|config| config.bridges.is_empty()).await;
    assert!(config.groups.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn st2110_bridges_name_the_stream() {
    let server = Server::in_memory();
    let mut one = Raw::new(&server, 1).await;
    one.register("tx", &stream(5004)).await.unwrap();
    let config = one.apply_until(|config| !config.bridges.is_empty()).await;
    assert_eq!(config.groups[0].group_id, format!("239.1.1.1:5004/{}", one.id));
    let bridge = &config.bridges[0];
    assert_eq!((bridge.r#type.as_str(), bridge.kind.as_str()), ("st2110", "rx"));
    let stream = pb::BridgeSt2110 {
        ip_addr: "239.1.1.1".into(),
        port: 5004,
        mcast_sip_addr: String::new(),
        transport: 0,
        payload_type: 112,
    };
    assert_eq!(bridge.config, Some(pb::bridge::Config::St2110(stream)));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_have_a_code_and_a_reason() {
    let server = Server::in_memory();
    let (mut one, mut two) = (Raw::new(&server, 1).await, Raw::new(&server, 2).await);
    one.register("rx", &mesh("cam")).await.unwrap();
    let number = |status: &Status| {
        status.metadata().get("mcm-mesh-err").unwrap().to_str().unwrap().to_owned()
    };
    let status = two.register("rx", &mesh("cam")).await.unwrap_err();
    assert_eq!((status.code(), number(&status).as_str()), (Code::AlreadyExists, "1008"));
    assert!(status.message().contains("has a source already"), "{}", status.message());
    let mut other = mesh("cam");
    other.max_payload_size = 99;
    let status = two.register("tx", &other).await.unwrap_err();
    assert_eq!((status.code(), number(&status).as_str()), (Code::FailedPrecondition, "1010"));
    let status = two.register("sideways", &mesh("cam")).await.unwrap_err();
    assert_eq!((status.code(), number(&status).as_str()), (Code::InvalidArgument, "1009"));
    two.id = "somebody".into();
    let status = two.register("tx", &mesh("cam")).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    // The others are as they were.
    assert_eq!(server.list("/connection", "connection").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_is_shown_and_sent_again() {
    let server = Server::in_memory();
    let mut one = Raw::new(&server, 1).await;
    let (req_id, _) = one.next().await;
    let path = format!("/media-proxy/{}?status", one.id);
    let apply = || server.get(&path).1["status"]["apply"].clone();
    assert_eq!(apply()["state"], "pending", "not before it is answered");
    one.reply("of somebody else".into(), Vec::new()).await;
    assert_eq!(apply()["state"], "pending");
    one.reply(req_id, vec!["bridge x: no such device".into()]).await;
    until("failure is shown", || apply()["state"] == "failed");
    assert_eq!(apply()["errors"][0], "bridge x: no such device");
    let (req_id, _) = one.next().await;
    one.reply(req_id, Vec::new()).await;
    until("success is shown", || apply()["state"] == "applied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_gone_is_noticed() {
    let server = Server::in_memory();
    let (mut one, mut two) = (Raw::new(&server, 1).await, Raw::new(&server, 2).await);
    one.register("rx", &mesh("cam")).await.unwrap();
    two.register("tx", &mesh("cam")).await.unwrap();
    one.apply_until(|config| !config.bridges.is_empty()).await;
    drop(two);
    until("its connections leave", || server.list("/connection", "connection").len() == 1);
    assert_eq!(server.list("/media-proxy", "mediaProxy").len(), 1);
    let config = one.apply_until(|config| config.bridges.is_empty()).await;
    assert_eq!(config.groups.len(), 1);
    let (_, text) = request(server.rest, "GET", "/metrics");
    assert!(text.as_str().unwrap().contains("mcm_agent_lost_media_proxies_total 1"), "{text}");
    // One that registers and never opens its stream does not stay either.
    let registration = pb::RegisterMediaProxyRequest::default();
    one.client.register_media_proxy(registration).await.unwrap();
    until("only one stays", || server.list("/media-proxy", "mediaProxy").len() == 1);
}

#[test]
fn a_proxy_that_falls_silent_is_noticed() {
    let server = Server::in_memory();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let raw = runtime.block_on(Raw::new(&server, 1));
    assert_eq!(server.list("/media-proxy", "mediaProxy").len(), 1);
    // Its connection is not driven any more: it stays open, and nothing is answered.
    until("it is lost", || server.list("/media-proxy", "mediaProxy").is_empty());
    drop(raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn measurements_are_kept() {
    use pb::metric_field::Value;
    let server = Server::in_memory();
    let mut one = Raw::new(&server, 1).await;
    let id = one.register("rx", &mesh("cam")).await.unwrap();
    let field = |name: &str, value| pb::MetricField { name: name.into(), value: Some(value) };
    let metric = pb::Metric {
        timestamp_ms: 1_700_000_000_000,
        provider_id: id.clone(),
        fields: vec![
            field("state", Value::StrValue("active".into())),
            field("link", Value::BoolValue(true)),
            field("strn", Value::UintValue(42)),
            field("tps", Value::DoubleValue(59.94)),
        ],
    };
    let request = pb::SendMetricsRequest { proxy_id: one.id.clone(), metrics: vec![metric] };
    one.client.send_metrics(request.clone()).await.unwrap();
    let (_, object) = server.get(&format!("/connection/{id}"));
    let status = &object["status"];
    assert_eq!(status["updatedAt"], "2023-11-14T22:13:20.000Z");
    assert_eq!((&status["state"], &status["linked"]), (&"active".into(), &true.into()));
    assert_eq!((&status["trnSucceeded"], &status["tps"]), (&42.into(), &59.94.into()));
    let (_, text) = server.get("/metrics");
    let line = format!(
        "mcm_transactions_succeeded_total{{id=\"{id}\",stream=\"{id}\",group=\"cam\",media_proxy=\"{}\",kind=\"source\"}} 42",
        one.id
    );
    assert!(text.as_str().unwrap().contains(&line), "{text}");
    let stranger = pb::SendMetricsRequest { proxy_id: "x".into(), ..request };
    assert_eq!(one.client.send_metrics(stranger).await.unwrap_err().code(), Code::NotFound);
}
