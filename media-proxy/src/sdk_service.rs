//! The SDK's port: gRPC `sdk.SDKAPI`.

use log::debug;
use proto::sdk::sdkapi_server::Sdkapi;
use proto::sdk::{
    ActivateConnectionRequest, ActivateConnectionResponse, CreateConnectionRequest,
    CreateConnectionResponse, DeleteConnectionRequest, DeleteConnectionResponse,
    OpenExchangeRequest, OpenExchangeResponse,
};
use tonic::{Request, Response, Status};

/// The service.
#[derive(Debug)]
pub(crate) struct SdkService {
    /// Path of the exchange's socket.
    pub(crate) socket: String,
    /// The proxy's identifier.
    pub(crate) proxy_id: String,
}

impl SdkService {
    /// Prefix of the proxy's identifier: enough to recognise the proxy, and not all, for callers
    /// who may not know that.
    pub(crate) fn known_by(&self) -> String {
        self.proxy_id.chars().take(16).collect()
    }
}

/// The answer to an SDK that wants to exchange frames over memif.
fn no_memif<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented(
        "this media_proxy does not exchange frames over memif yet; SDKs of its own version use OpenExchange",
    ))
}

#[tonic::async_trait]
impl Sdkapi for SdkService {
    async fn create_connection(
        &self,
        _request: Request<CreateConnectionRequest>,
    ) -> Result<Response<CreateConnectionResponse>, Status> {
        no_memif()
    }

    async fn activate_connection(
        &self,
        _request: Request<ActivateConnectionRequest>,
    ) -> Result<Response<ActivateConnectionResponse>, Status> {
        no_memif()
    }

    async fn delete_connection(
        &self,
        _request: Request<DeleteConnectionRequest>,
    ) -> Result<Response<DeleteConnectionResponse>, Status> {
        no_memif()
    }

    async fn open_exchange(
        &self,
        _request: Request<OpenExchangeRequest>,
    ) -> Result<Response<OpenExchangeResponse>, Status> {
        debug!("an SDK asks for the exchange's socket");
        Ok(Response::new(OpenExchangeResponse { path: self.socket.clone() }))
    }
}
