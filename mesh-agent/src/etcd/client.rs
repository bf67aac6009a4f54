//! Client of etcd: uses one member at a time, and the next one when a call fails.

use super::StoreAddress;
use daemon::TlsFiles;
use mesh::AgentError;
use mesh::plane::remote::client_tls;
use parking_lot::Mutex;
use proto::etcd as pb;
use proto::etcd::kv_client::KvClient;
use proto::etcd::lease_client::LeaseClient;
use proto::etcd::watch_client::WatchClient;
use std::future::Future;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};

/// Time-out of a member, after which another is asked.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(1);
/// Number of concurrent transactions.
const TRANSACTIONS: usize = 64;
/// The largest answer.
const MAX_MESSAGE: usize = 64 << 20;

pub(super) struct Client {
    members: Vec<Endpoint>,
    /// Their addresses, for errors.
    urls: Vec<String>,
    /// The number of the member in use, and its channel.
    current: Mutex<(usize, Channel)>,
    /// Permits for transactions: under load they wait here, where waiting does not look like a
    /// member that fails.
    places: Semaphore,
}

impl Client {
    pub(super) fn new(address: &StoreAddress, tls: Option<&TlsFiles>) -> Result<Self, AgentError> {
        let tls = match tls.filter(|_| address.uses_tls()) {
            Some(files) => Some(client_tls(files)?),
            None => None,
        };
        let member = |url: String| {
            let failed =
                |error: tonic::transport::Error| AgentError::Setup(format!("store {url}: {error}"));
            let endpoint = Endpoint::from_shared(url.clone())
                .map_err(failed)?
                .connect_timeout(CALL_TIMEOUT)
                // No HTTP/2 pings: etcd permits one in 5 s, which is too slow. The mirror polls
                // instead.
                .tcp_nodelay(true);
            match &tls {
                Some(tls) => endpoint.tls_config(tls.clone()).map_err(failed),
                None => Ok(endpoint),
            }
        };
        let members = address.urls().map(member).collect::<Result<Vec<_>, _>>()?;
        // There is at least one: an address without members is none.
        let channel = members[0].connect_lazy();
        let places = Semaphore::new(TRANSACTIONS);
        let urls = address.urls().collect();
        Ok(Self { members, urls, current: Mutex::new((0, channel)), places })
    }

    /// The channel to the member in use, with its number.
    fn channel(&self) -> (usize, Channel) {
        self.current.lock().clone()
    }

    /// The number of the member in use. It grows with each one that fails.
    pub(super) fn member(&self) -> usize {
        self.current.lock().0
    }

    /// Changes to the next member after a failure, unless another call has done so already.
    fn fail(&self, number: usize) {
        let mut current = self.current.lock();
        if current.0 == number {
            let next = number + 1;
            *current = (next, self.members[next % self.members.len()].connect_lazy());
        }
    }

    /// Calls one member.
    async fn call<T, F: Future<Output = Result<T, Status>>>(
        &self,
        call: impl FnOnce(Channel) -> F,
    ) -> Result<T, Status> {
        let (number, channel) = self.channel();
        let answer = tokio::time::timeout(CALL_TIMEOUT, call(channel)).await;
        let answer = answer.unwrap_or_else(|_| Err(Status::unavailable("no answer")));
        match answer.as_ref().map_err(Status::code) {
            // Another member would say the same.
            Ok(_) | Err(Code::NotFound | Code::InvalidArgument | Code::OutOfRange) => {}
            Err(_) => self.fail(number),
        }
        answer.map_err(|status| self.name_member(number, &status))
    }

    /// An error of a member, with its address and all that is known of the cause.
    pub(super) fn name_member(&self, number: usize, status: &Status) -> Status {
        let url = &self.urls[number % self.urls.len()];
        let text = match std::error::Error::source(status) {
            // tonic's own text is not informative.
            Some(cause) => proto::causes(cause),
            None => status.message().to_owned(),
        };
        Status::new(status.code(), format!("{url}: {text}"))
    }

    pub(super) async fn range(
        &self,
        request: pb::RangeRequest,
    ) -> Result<pb::RangeResponse, Status> {
        self.call(async |channel| {
            let mut client = KvClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
            Ok(client.range(request).await?.into_inner())
        })
        .await
    }

    pub(super) async fn transact(
        &self,
        request: pb::TxnRequest,
    ) -> Result<pb::TxnResponse, Status> {
        // The semaphore is never closed.
        let _place = self.places.acquire().await;
        self.call(async |channel| Ok(KvClient::new(channel).txn(request).await?.into_inner())).await
    }

    /// A new lease of so many seconds.
    pub(super) async fn grant_lease(&self, seconds: i64) -> Result<i64, Status> {
        let request = pb::LeaseGrantRequest { ttl: seconds, id: 0 };
        let granted = self.call(async |channel| {
            Ok(LeaseClient::new(channel).lease_grant(request).await?.into_inner())
        });
        let granted = granted.await?;
        if granted.error.is_empty() { Ok(granted.id) } else { Err(Status::internal(granted.error)) }
    }

    pub(super) async fn revoke_lease(&self, id: i64) -> Result<(), Status> {
        let request = pb::LeaseRevokeRequest { id };
        self.call(async |channel| LeaseClient::new(channel).lease_revoke(request).await).await?;
        Ok(())
    }

    /// A stream of leases to keep alive, and the answers: a lease that is gone has no time to live.
    pub(super) async fn keep_alive(
        &self,
    ) -> Result<
        (mpsc::Sender<pb::LeaseKeepAliveRequest>, Streaming<pb::LeaseKeepAliveResponse>),
        Status,
    > {
        let (ids, stream) = mpsc::channel(1024);
        // The answer begins with the first response, so there has to be a first request; this lease
        // does not exist.
        let _room = ids.try_send(pb::LeaseKeepAliveRequest { id: 0 });
        let stream = needs_leader(ReceiverStream::new(stream));
        let answers = self.call(async |channel| {
            Ok(LeaseClient::new(channel).lease_keep_alive(stream).await?.into_inner())
        });
        Ok((ids, answers.await?))
    }

    /// All changes of keys with this prefix from a revision on.
    pub(super) async fn watch(
        &self,
        prefix: &str,
        revision: i64,
    ) -> Result<(mpsc::Sender<pb::WatchRequest>, Streaming<pb::WatchResponse>), Status> {
        let create = pb::WatchCreateRequest {
            key: prefix.into(),
            range_end: super::keys::end_of(prefix),
            start_revision: revision,
        };
        let (requests, stream) = mpsc::channel(1);
        let union = Some(pb::watch_request::RequestUnion::CreateRequest(create));
        // There is room for one.
        let _room = requests.try_send(pb::WatchRequest { request_union: union });
        let stream = needs_leader(ReceiverStream::new(stream));
        let answers = self.call(async |channel| {
            let mut client = WatchClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
            Ok(client.watch(stream).await?.into_inner())
        });
        Ok((requests, answers.await?))
    }
}

/// A member that has lost the majority ends such a stream.
fn needs_leader<T>(stream: T) -> Request<T> {
    let mut request = Request::new(stream);
    request.metadata_mut().insert("hasleader", MetadataValue::from_static("true"));
    request
}
