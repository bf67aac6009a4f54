//! A double of the original's agent: it assigns ids, forgets no proxy, answers early or late, and
//! closes connections that ping.

use super::local;
use super::relay::Relay;
use prost::Message;
use proto::mediaproxy as pb;
use proto::mediaproxy::proxy_api_server::{ProxyApi, ProxyApiServer};
use proto::sdk;
use proto::sdk::connection_config::Conn;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};

type Commands = Sender<Result<pb::CommandRequest, Status>>;

/// Behaviour that differs from this project's agent.
#[derive(Clone, Copy)]
pub(crate) struct Habits {
    /// The command that follows from a registration goes out before the answer to it.
    pub(crate) command_first: bool,
    /// Delay of the second of two events.
    pub(crate) delay: Duration,
    /// It has the numbers of release 25.03.
    pub(crate) of_25_03: bool,
}

#[derive(Default)]
pub(crate) struct State {
    /// All that ever registered.
    pub(crate) proxies: Vec<String>,
    /// Connections with their proxies and configurations.
    pub(crate) connections: BTreeMap<String, (String, Vec<u8>)>,
    streams: BTreeMap<String, Commands>,
    /// Command streams that were opened.
    pub(crate) opened: usize,
    last: usize,
}

impl State {
    fn name(&mut self, what: &str) -> String {
        self.last += 1;
        format!("{what}-{}", self.last)
    }

    /// Desired state of a proxy: the bridges of ST 2110 streams.
    fn wanted(&self, proxy: &str) -> pb::ApplyConfigRequest {
        let mut message = pb::ApplyConfigRequest::default();
        for (id, (_, config)) in self.connections.iter().filter(|(_, it)| it.0 == proxy) {
            let read = sdk::ConnectionConfig::decode(&**config).unwrap();
            let Some(Conn::St2110(stream)) = read.conn else { continue };
            message.groups.push(pb::MultipointGroup {
                group_id: format!("{}:{}/{proxy}", stream.ip_addr, stream.port),
                conn_ids: vec![id.clone()],
                bridge_ids: vec![format!("bridge-of-{id}")],
                ..Default::default()
            });
            message.bridges.push(pb::Bridge {
                bridge_id: format!("bridge-of-{id}"),
                r#type: "st2110".into(),
                kind: "rx".into(),
                conn_config: config.clone(),
                config: Some(pb::bridge::Config::St2110(pb::BridgeSt2110 {
                    ip_addr: stream.ip_addr,
                    port: stream.port,
                    ..Default::default()
                })),
                extension: None,
            });
        }
        message
    }
}

#[derive(Clone)]
struct Service {
    habits: Habits,
    state: Arc<Mutex<State>>,
}

impl Service {
    async fn command(&self, proxy: &str) {
        let (stream, config) = {
            let mut state = self.state.lock().unwrap();
            let req_id = state.name("request");
            let config = pb::command_request::Command::ApplyConfig(state.wanted(proxy));
            let request = pb::CommandRequest { req_id, command: Some(config) };
            (state.streams.get(proxy).cloned(), request)
        };
        if let Some(stream) = stream {
            let _gone = stream.send(Ok(config)).await;
        }
    }
}

#[tonic::async_trait]
impl ProxyApi for Service {
    async fn register_media_proxy(
        &self,
        _: Request<pb::RegisterMediaProxyRequest>,
    ) -> Result<Response<pb::RegisterMediaProxyReply>, Status> {
        let mut state = self.state.lock().unwrap();
        let proxy_id = state.name("proxy");
        state.proxies.push(proxy_id.clone());
        Ok(Response::new(pb::RegisterMediaProxyReply { proxy_id, extension: None }))
    }

    async fn unregister_media_proxy(
        &self,
        _: Request<pb::UnregisterMediaProxyRequest>,
    ) -> Result<Response<pb::UnregisterMediaProxyReply>, Status> {
        Ok(Response::new(pb::UnregisterMediaProxyReply {}))
    }

    async fn register_connection(
        &self,
        request: Request<pb::RegisterConnectionRequest>,
    ) -> Result<Response<pb::RegisterConnectionReply>, Status> {
        let pb::RegisterConnectionRequest { proxy_id, config, conn_id, .. } = request.into_inner();
        if !conn_id.is_empty() {
            let known = self.state.lock().unwrap().connections.contains_key(&conn_id);
            return if known {
                Ok(Response::new(pb::RegisterConnectionReply { conn_id }))
            } else {
                Err(Status::unknown("connection registry get exec req err: not found"))
            };
        }
        let read = sdk::ConnectionConfig::decode(&*config).unwrap();
        if self.habits.of_25_03 {
            // A blob has another number there, and is found nowhere.
            assert!(matches!(read.payload, Some(sdk::connection_config::Payload::Blob(_))));
            return Err(Status::unknown("unknown sdk conn cfg payload type"));
        }
        if let Some(Conn::Rdma(_)) = read.conn {
            return Err(Status::unknown("can't get multipoint group urn: no cfg"));
        }
        let conn_id = {
            let mut state = self.state.lock().unwrap();
            assert!(state.proxies.contains(&proxy_id), "{proxy_id}");
            let id = state.name("connection");
            state.connections.insert(id.clone(), (proxy_id.clone(), config));
            id
        };
        if self.habits.command_first {
            self.command(&proxy_id).await;
            tokio::time::sleep(self.habits.delay).await;
        } else {
            let service = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(service.habits.delay).await;
                service.command(&proxy_id).await;
            });
        }
        Ok(Response::new(pb::RegisterConnectionReply { conn_id }))
    }

    async fn unregister_connection(
        &self,
        request: Request<pb::UnregisterConnectionRequest>,
    ) -> Result<Response<pb::UnregisterConnectionReply>, Status> {
        self.state.lock().unwrap().connections.remove(&request.into_inner().conn_id);
        Ok(Response::new(pb::UnregisterConnectionReply {}))
    }

    type StartCommandQueueStream = ReceiverStream<Result<pb::CommandRequest, Status>>;

    async fn start_command_queue(
        &self,
        request: Request<pb::StartCommandQueueRequest>,
    ) -> Result<Response<Self::StartCommandQueueStream>, Status> {
        let proxy = request.into_inner().proxy_id;
        let (commands, stream) = channel(8);
        {
            let mut state = self.state.lock().unwrap();
            if !state.proxies.contains(&proxy) {
                return Err(Status::not_found("media proxy registry get exec req err"));
            }
            state.opened += 1;
            state.streams.insert(proxy.clone(), commands);
        }
        self.command(&proxy).await;
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn send_command_reply(
        &self,
        _: Request<pb::CommandReply>,
    ) -> Result<Response<pb::CommandReplyReceipt>, Status> {
        Ok(Response::new(pb::CommandReplyReceipt {}))
    }

    async fn send_metrics(
        &self,
        _: Request<pb::SendMetricsRequest>,
    ) -> Result<Response<pb::SendMetricsReply>, Status> {
        Ok(Response::new(pb::SendMetricsReply {}))
    }

    async fn keep_alive(
        &self,
        _: Request<pb::KeepAliveRequest>,
    ) -> Result<Response<pb::KeepAliveReply>, Status> {
        Err(Status::unimplemented("unknown method KeepAlive"))
    }

    async fn list_groups(
        &self,
        _: Request<pb::ListGroupsRequest>,
    ) -> Result<Response<pb::ListGroupsReply>, Status> {
        Err(Status::unimplemented("unknown method ListGroups"))
    }
}

/// The agent, behind a relay that counts pings.
pub(crate) struct Original {
    runtime: Option<tokio::runtime::Runtime>,
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    relay: Relay,
}

impl Original {
    pub(crate) fn new(habits: Habits) -> Self {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind(local(0))).unwrap();
        let server = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let service = Service { habits, state: Arc::clone(&state) };
        let served = tonic::transport::Server::builder().add_service(ProxyApiServer::new(service));
        runtime.spawn(served.serve_with_incoming(TcpListenerStream::new(listener)));
        let relay = Relay::new(server);
        Self { runtime: Some(runtime), address: relay.address, state, relay }
    }

    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }

    /// Pings of HTTP/2 that came from proxies.
    pub(crate) fn pings(&self) -> usize {
        self.relay.pings()
    }

    /// Cuts all connections, as a restart of a switch would.
    pub(crate) fn cut(&self) {
        self.relay.cut();
    }

    /// Forgets everything, as its restart does, and cuts all connections.
    pub(crate) fn restart(&self) {
        self.look(|state| {
            let last = state.last;
            *state = State { last, ..State::default() };
        });
        self.cut();
    }
}

impl Drop for Original {
    fn drop(&mut self) {
        self.cut();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
