//! The gRPC service `mediaproxy.ProxyAPI`.

use super::Agent;
use daemon::Peer;
use mesh::topology::{ConnectionId, GroupId, ProxyId};
use mesh::wire;
use proto::mediaproxy as pb;
use proto::mediaproxy::proxy_api_server::ProxyApi;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// The service.
#[derive(Clone)]
pub struct ProxyService(pub Agent);

#[tonic::async_trait]
impl ProxyApi for ProxyService {
    async fn register_media_proxy(
        &self,
        request: Request<pb::RegisterMediaProxyRequest>,
    ) -> Result<Response<pb::RegisterMediaProxyReply>, Status> {
        let from = request.extensions().get::<Peer>().map(|peer| peer.address.ip());
        let request = request.into_inner();
        let (id, refused) = self.0.register_proxy(&request, from).await?;
        let refused = refused.into_iter().map(|(id, error)| pb::RefusedConnection {
            conn_id: id.to_string(),
            mesh_err: error.mesh_err(),
            reason: error.to_string(),
            removed: error.is_removal(),
        });
        Ok(Response::new(pb::RegisterMediaProxyReply {
            proxy_id: id.to_string(),
            extension: Some(pb::RegistrationExtension {
                proxy_chooses_ids: true,
                refused: refused.collect(),
            }),
        }))
    }

    async fn unregister_media_proxy(
        &self,
        request: Request<pb::UnregisterMediaProxyRequest>,
    ) -> Result<Response<pb::UnregisterMediaProxyReply>, Status> {
        self.0.unregister_proxy(&ProxyId::from(request.into_inner().proxy_id)).await?;
        Ok(Response::new(pb::UnregisterMediaProxyReply {}))
    }

    async fn register_connection(
        &self,
        request: Request<pb::RegisterConnectionRequest>,
    ) -> Result<Response<pb::RegisterConnectionReply>, Status> {
        let id = self.0.register_connection(&request.into_inner()).await?;
        Ok(Response::new(pb::RegisterConnectionReply { conn_id: id.to_string() }))
    }

    async fn unregister_connection(
        &self,
        request: Request<pb::UnregisterConnectionRequest>,
    ) -> Result<Response<pb::UnregisterConnectionReply>, Status> {
        let pb::UnregisterConnectionRequest { proxy_id, conn_id } = request.into_inner();
        self.0.unregister_connection(&proxy_id.into(), &ConnectionId::from(conn_id)).await?;
        Ok(Response::new(pb::UnregisterConnectionReply {}))
    }

    type StartCommandQueueStream = ReceiverStream<Result<pb::CommandRequest, Status>>;

    async fn start_command_queue(
        &self,
        request: Request<pb::StartCommandQueueRequest>,
    ) -> Result<Response<Self::StartCommandQueueStream>, Status> {
        let stream = self.0.start_session(&ProxyId::from(request.into_inner().proxy_id))?;
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn send_command_reply(
        &self,
        request: Request<pb::CommandReply>,
    ) -> Result<Response<pb::CommandReplyReceipt>, Status> {
        let pb::CommandReply { req_id, proxy_id, reply } = request.into_inner();
        // Nothing else is ever asked.
        if let Some(pb::command_reply::Reply::ApplyConfig(reply)) = reply {
            self.0.answer(&ProxyId::from(proxy_id), &req_id, reply.error);
        }
        Ok(Response::new(pb::CommandReplyReceipt {}))
    }

    async fn send_metrics(
        &self,
        request: Request<pb::SendMetricsRequest>,
    ) -> Result<Response<pb::SendMetricsReply>, Status> {
        let pb::SendMetricsRequest { proxy_id, metrics } = request.into_inner();
        let metrics = metrics.into_iter().map(wire::metric).collect();
        self.0.send_metrics(&ProxyId::from(proxy_id), metrics)?;
        Ok(Response::new(pb::SendMetricsReply {}))
    }

    async fn keep_alive(
        &self,
        _request: Request<pb::KeepAliveRequest>,
    ) -> Result<Response<pb::KeepAliveReply>, Status> {
        Ok(Response::new(pb::KeepAliveReply {}))
    }

    async fn list_groups(
        &self,
        request: Request<pb::ListGroupsRequest>,
    ) -> Result<Response<pb::ListGroupsReply>, Status> {
        let id = request.into_inner().group_id;
        let id = (!id.is_empty()).then(|| GroupId::from(id));
        let groups = self.0.fleet_groups(id.as_ref());
        let groups = groups.iter().map(wire::fleet_group_message).collect();
        Ok(Response::new(pb::ListGroupsReply { groups }))
    }
}
