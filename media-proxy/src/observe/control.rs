//! The gRPC service `mcm.control.v1.Control`: state and control for operators and tools.

use super::fleet::Fleet;
use super::{bridges, clock};
use crate::bridge::{HostClock, Table};
use crate::broker::exchange::{Gone, Handle};
use proto::control::control_server::Control;
use proto::control::{
    DeleteConnectionRequest, DeleteConnectionResponse, GetInfoRequest, GetSdpRequest,
    GetSdpResponse, Group, Info, ListBridgesRequest, ListBridgesResponse, ListConnectionsRequest,
    ListConnectionsResponse, ListGroupsRequest, ListGroupsResponse, Snapshot, WatchRequest,
};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

/// The first reading of the counters gives no rates; the second comes this much later.
const FIRST_RATE: Duration = Duration::from_millis(500);
/// Changes that follow one another sooner than this are told together.
const CHANGES_APART: Duration = Duration::from_millis(50);
/// Shortest and longest interval of a watch, in milliseconds.
const INTERVAL_MS: std::ops::RangeInclusive<u32> = 100..=3_600_000;

/// Values that are constant while the proxy runs.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) proxy_id: String,
    pub(crate) run_dir: String,
    pub(crate) exchange_socket: String,
    pub(crate) sdk_port: u16,
    pub(crate) grpc_port: u16,
    pub(crate) started: Instant,
}

/// The service.
#[derive(Debug)]
pub(crate) struct ControlService {
    pub(crate) exchange: Handle,
    pub(crate) bridges: Table,
    pub(crate) clock: HostClock,
    pub(crate) identity: Identity,
    pub(crate) fleet: Fleet,
}

fn unavailable(_: Gone) -> Status {
    Status::unavailable("media_proxy is ending")
}

/// An empty name asks for all groups.
fn wanted(group_id: String) -> Option<String> {
    (!group_id.is_empty()).then_some(group_id)
}

/// Triggers of a `Watch` update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Time at which the rates of all connections have been measured.
    Rated,
    /// At once: connections that are new have no rates yet.
    AtOnce,
}

/// The groups, with rates, and with what is known of their bridges.
async fn groups(
    exchange: &Handle,
    bridges: &Table,
    group: Option<String>,
    told: Told,
) -> Result<Vec<Group>, Status> {
    let wanted = group.clone();
    let mut snapshot = exchange.snapshot(group.clone()).await.map_err(unavailable)?;
    if told == Told::Rated && !snapshot.has_rates && !snapshot.groups.is_empty() {
        tokio::time::sleep(FIRST_RATE).await;
        snapshot = exchange.snapshot(group).await.map_err(unavailable)?;
    }
    let mut groups = snapshot.groups;
    let rows = bridges.rows();
    bridges::describe_bridges(&mut groups, &rows);
    bridges::add_failed(&mut groups, &rows, wanted.as_deref());
    Ok(groups)
}

#[tonic::async_trait]
impl Control for ControlService {
    async fn get_info(&self, _request: Request<GetInfoRequest>) -> Result<Response<Info>, Status> {
        let totals = self.exchange.totals().await.map_err(unavailable)?;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let identity = self.identity.clone();
        Ok(Response::new(Info {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            proxy_id: identity.proxy_id,
            uptime_ms: identity.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
            pid: std::process::id(),
            run_dir: identity.run_dir,
            exchange_socket: identity.exchange_socket,
            sdk_port: identity.sdk_port.into(),
            grpc_port: identity.grpc_port.into(),
            clients: count(totals.clients),
            groups: count(totals.groups),
            connections: count(totals.connections),
            bridges: count(totals.bridges),
            refused_clients: totals.refused_clients,
            reference_clock: Some(clock::clock(&self.clock.state())),
        }))
    }

    async fn list_groups(
        &self,
        request: Request<ListGroupsRequest>,
    ) -> Result<Response<ListGroupsResponse>, Status> {
        let ListGroupsRequest { group_id, fleet } = request.into_inner();
        let group = wanted(group_id);
        let mut groups = groups(&self.exchange, &self.bridges, group.clone(), Told::Rated).await?;
        if fleet {
            self.fleet.add_to(&mut groups, group).await;
        }
        Ok(Response::new(ListGroupsResponse { groups }))
    }

    async fn list_connections(
        &self,
        request: Request<ListConnectionsRequest>,
    ) -> Result<Response<ListConnectionsResponse>, Status> {
        let group = wanted(request.into_inner().group_id);
        let groups = groups(&self.exchange, &self.bridges, group, Told::Rated).await?;
        let connections =
            groups.into_iter().flat_map(|group| group.source.into_iter().chain(group.receivers));
        Ok(Response::new(ListConnectionsResponse { connections: connections.collect() }))
    }

    type WatchStream = ReceiverStream<Result<Snapshot, Status>>;

    async fn watch(
        &self,
        request: Request<WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let WatchRequest { interval_ms, group_id } = request.into_inner();
        if interval_ms != 0 && !INTERVAL_MS.contains(&interval_ms) {
            let (least, most) = (INTERVAL_MS.start(), INTERVAL_MS.end());
            let text =
                format!("interval_ms: found {interval_ms}; allowed: 0, or {least} to {most}");
            return Err(Status::invalid_argument(text));
        }
        let interval = (interval_ms != 0).then(|| Duration::from_millis(interval_ms.into()));
        // One message in store: a watcher that does not read gets fewer, later ones.
        let (sender, receiver) = mpsc::channel(1);
        let (exchange, bridges) = (self.exchange.clone(), self.bridges.clone());
        tokio::spawn(watch(exchange, bridges, wanted(group_id), interval, sender));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }

    async fn list_bridges(
        &self,
        request: Request<ListBridgesRequest>,
    ) -> Result<Response<ListBridgesResponse>, Status> {
        let group = wanted(request.into_inner().group_id);
        let mut bridges = bridges::bridges(&self.bridges, group.as_deref());
        let groups = self.exchange.snapshot(group).await.map_err(unavailable)?.groups;
        bridges::name_streams(&mut bridges, &groups);
        Ok(Response::new(ListBridgesResponse { bridges }))
    }

    async fn get_sdp(
        &self,
        request: Request<GetSdpRequest>,
    ) -> Result<Response<GetSdpResponse>, Status> {
        let id = request.into_inner().id;
        let groups = self.exchange.snapshot(None).await.map_err(unavailable)?.groups;
        let sdp = bridges::sdp(&self.bridges, &groups, &id)?;
        Ok(Response::new(GetSdpResponse { sdp }))
    }

    async fn delete_connection(
        &self,
        request: Request<DeleteConnectionRequest>,
    ) -> Result<Response<DeleteConnectionResponse>, Status> {
        let conn_id = request.into_inner().conn_id;
        if self.exchange.delete(conn_id.clone()).await.map_err(unavailable)? {
            return Ok(Response::new(DeleteConnectionResponse {}));
        }
        Err(Status::not_found(format!(
            "conn_id: there is no connection \"{}\"",
            conn_id.escape_debug()
        )))
    }
}

/// Sends snapshots until the watcher or the exchange is gone.
async fn watch(
    exchange: Handle,
    bridges: Table,
    group: Option<String>,
    interval: Option<Duration>,
    sender: mpsc::Sender<Result<Snapshot, Status>>,
) {
    let mut version = exchange.version();
    let mut told = Told::Rated;
    loop {
        version.mark_unchanged();
        let groups = match groups(&exchange, &bridges, group.clone(), told).await {
            Ok(groups) => groups,
            Err(status) => {
                let _ = sender.send(Err(status)).await;
                return;
            }
        };
        told = Told::AtOnce;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_time_ns = now.as_nanos().try_into().unwrap_or(u64::MAX);
        if sender.send(Ok(Snapshot { unix_time_ns, groups })).await.is_err() {
            return;
        }
        let due = async {
            match interval {
                Some(interval) => tokio::time::sleep(interval).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            () = sender.closed() => return,
            changed = version.changed() => {
                if changed.is_err() {
                    let _ = sender.send(Err(unavailable(Gone))).await;
                    return;
                }
                tokio::time::sleep(CHANGES_APART).await;
            }
        }
    }
}
