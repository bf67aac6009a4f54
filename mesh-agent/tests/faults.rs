//! Agents that fail at the worst moment: after they have accepted a connection, or before they
//! answer.

mod common;

use common::{Node, stream, until};
use mesh::plane::{Accepted, ControlPlane};
use proto::Kind;
use proto::mediaproxy as pb;
use proto::mediaproxy::proxy_api_server::{ProxyApi, ProxyApiServer};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};

/// The connections that the agent knows, and how often a proxy has begun to register.
#[derive(Clone, Default)]
struct Known(Arc<Mutex<(BTreeSet<String>, usize)>>);

impl Known {
    fn connections(&self) -> Vec<String> {
        self.0.lock().unwrap().0.iter().cloned().collect()
    }

    fn registrations(&self) -> usize {
        self.0.lock().unwrap().1
    }
}

type Commands = tokio::sync::mpsc::Sender<Result<pb::CommandRequest, Status>>;

/// An agent that accepts everything and never says what follows from it.
#[derive(Clone)]
struct Mute {
    known: Known,
    /// Registrations of proxies are answered once this is so.
    answers: watch::Receiver<bool>,
    /// The open command streams.
    commands: Arc<Mutex<Vec<Commands>>>,
}

#[tonic::async_trait]
impl ProxyApi for Mute {
    async fn register_media_proxy(
        &self,
        request: Request<pb::RegisterMediaProxyRequest>,
    ) -> Result<Response<pb::RegisterMediaProxyReply>, Status> {
        self.known.0.lock().unwrap().1 += 1;
        let mut answers = self.answers.clone();
        let _answers = answers.wait_for(|answers| *answers).await.is_ok();
        let extension = request.into_inner().extension.unwrap();
        let connections = extension.connections.into_iter().map(|connection| connection.conn_id);
        self.known.0.lock().unwrap().0 = connections.collect();
        Ok(Response::new(pb::RegisterMediaProxyReply {
            proxy_id: extension.proxy_id,
            extension: Some(pb::RegistrationExtension {
                proxy_chooses_ids: true,
                refused: Vec::new(),
            }),
        }))
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
        let conn_id = request.into_inner().conn_id;
        self.known.0.lock().unwrap().0.insert(conn_id.clone());
        Ok(Response::new(pb::RegisterConnectionReply { conn_id }))
    }

    async fn unregister_connection(
        &self,
        request: Request<pb::UnregisterConnectionRequest>,
    ) -> Result<Response<pb::UnregisterConnectionReply>, Status> {
        self.known.0.lock().unwrap().0.remove(&request.into_inner().conn_id);
        Ok(Response::new(pb::UnregisterConnectionReply {}))
    }

    type StartCommandQueueStream = ReceiverStream<Result<pb::CommandRequest, Status>>;

    async fn start_command_queue(
        &self,
        _: Request<pb::StartCommandQueueRequest>,
    ) -> Result<Response<Self::StartCommandQueueStream>, Status> {
        let (commands, stream) = tokio::sync::mpsc::channel(1);
        self.commands.lock().unwrap().push(commands);
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
        Ok(Response::new(pb::KeepAliveReply {}))
    }

    async fn list_groups(
        &self,
        _: Request<pb::ListGroupsRequest>,
    ) -> Result<Response<pb::ListGroupsReply>, Status> {
        Err(Status::unimplemented("as agents of others"))
    }
}

struct Agent {
    runtime: Option<tokio::runtime::Runtime>,
    address: SocketAddr,
    known: Known,
    answers: watch::Sender<bool>,
}

impl Agent {
    fn new(answers: bool) -> Self {
        let builder = &mut tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let listener = tokio::net::TcpListener::bind(common::local(0));
        let listener = runtime.block_on(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let (answers, receiver) = watch::channel(answers);
        let known = Known::default();
        let mute = Mute { known: known.clone(), answers: receiver, commands: Arc::default() };
        let server = tonic::transport::Server::builder().add_service(ProxyApiServer::new(mute));
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { runtime: Some(runtime), address, known, answers }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The agent accepts a connection, and dies before it says which bridges follow. The connection
/// works on its host.
#[test]
fn an_agent_that_dies_between_acceptance_and_desired_state() {
    let agent = Agent::new(true);
    let node = Node::new(1, &[agent.address]);
    node.wait_reachable(true);
    assert_eq!(node.add("r", Kind::Receiver, &stream(5004)), Ok(Accepted::Member));
    let bridges =
        |state: &common::HeardState| state.desired.as_ref().map_or(0, |it| it.bridges.len());
    assert_eq!(node.with_state(bridges), 0);
    drop(agent);
    let answer = node.wait("an answer of this host", |state| {
        state.answers.iter().find(|(_, answer)| *answer == Ok(Accepted::LocalOnly)).cloned()
    });
    assert_eq!(answer.0.as_str(), "r");
    node.wait_for_bridges(1);
}

/// While an agent takes its time to answer, the host works alone; what came and went meanwhile
/// reaches the agent afterwards.
#[test]
fn an_agent_that_does_not_answer_holds_up_nobody() {
    let agent = Agent::new(false);
    let node = Node::new(1, &[agent.address]);
    // The first attempt is waited for, and fails for want of an answer.
    assert_eq!(node.add("old", Kind::Receiver, &stream(5004)), Ok(Accepted::LocalOnly));
    let before = agent.known.registrations();
    until("the proxy registers again", || agent.known.registrations() > before);
    for (number, id) in ["a", "b", "c"].into_iter().enumerate() {
        let config = stream(5006 + 2 * u16::try_from(number).unwrap());
        assert_eq!(node.add(id, Kind::Receiver, &config), Ok(Accepted::LocalOnly));
    }
    node.wait_for_bridges(4);
    node.plane.unregister(&"old".into());
    node.plane.unregister(&"a".into());
    node.wait_for_bridges(2);
    agent.answers.send_replace(true);
    node.wait_reachable(true);
    until("it hears of what came and went", || agent.known.connections() == ["b", "c"]);
    node.wait_for_bridges(2);
}
