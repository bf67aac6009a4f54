//! The proxy's control service, as a tool sees it.

use crate::wait;
use proto::control::control_client::ControlClient;
use proto::control::{
    Bridge, DeleteConnectionRequest, GetInfoRequest, GetSdpRequest, Group, Info,
    ListBridgesRequest, ListGroupsRequest, State,
};
use tokio::runtime::Runtime;
use tonic::transport::Channel;

/// A connection to the service. It comes back by itself after a restart of the proxy on the same
/// port.
#[derive(Debug)]
pub struct Control {
    runtime: Runtime,
    client: ControlClient<Channel>,
}

impl Control {
    /// A client of the service on this port.
    ///
    /// # Panics
    /// If there cannot be one.
    #[must_use]
    pub fn new(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://127.0.0.1:{port}"));
        let endpoint = endpoint.unwrap().timeout(wait::DEADLINE).connect_timeout(wait::DEADLINE);
        let client = {
            let _inside = runtime.enter();
            ControlClient::new(endpoint.connect_lazy())
        };
        Self { runtime, client }
    }

    /// The proxy's own information.
    ///
    /// # Panics
    /// If it does not answer.
    pub fn info(&mut self) -> Info {
        let call = self.client.get_info(GetInfoRequest {});
        self.runtime.block_on(call).expect("an answer to GetInfo").into_inner()
    }

    /// All groups.
    ///
    /// # Errors
    /// The service's.
    pub fn try_groups(&mut self) -> Result<Vec<Group>, tonic::Status> {
        let call = self.client.list_groups(ListGroupsRequest::default());
        Ok(self.runtime.block_on(call)?.into_inner().groups)
    }

    /// One group, if it exists.
    ///
    /// # Panics
    /// If the service does not answer.
    pub fn group(&mut self, id: &str) -> Option<Group> {
        let groups = self.try_groups().expect("an answer to ListGroups");
        groups.into_iter().find(|group| group.id == id)
    }

    /// Whether the group has a source and this many receivers, all of them active.
    pub fn is_complete(&mut self, id: &str, receivers: usize) -> bool {
        let active = |state: i32| State::try_from(state).is_ok_and(State::is_linked);
        self.group(id).is_some_and(|group| {
            group.source.is_some_and(|source| active(source.state))
                && group.receivers.len() == receivers
                && group.receivers.iter().all(|receiver| active(receiver.state))
        })
    }

    /// All bridges.
    ///
    /// # Panics
    /// If the service does not answer.
    pub fn bridges(&mut self) -> Vec<Bridge> {
        let call = self.client.list_bridges(ListBridgesRequest::default());
        self.runtime.block_on(call).expect("an answer to ListBridges").into_inner().bridges
    }

    /// The session description of a stream, by the name of its group, bridge or connection.
    ///
    /// # Errors
    /// The service's.
    pub fn sdp(&mut self, id: &str) -> Result<String, tonic::Status> {
        let call = self.client.get_sdp(GetSdpRequest { id: id.into() });
        Ok(self.runtime.block_on(call)?.into_inner().sdp)
    }

    /// Ends a connection, as an operator would.
    ///
    /// # Errors
    /// The service's.
    pub fn delete(&mut self, conn_id: &str) -> Result<(), tonic::Status> {
        let call =
            self.client.delete_connection(DeleteConnectionRequest { conn_id: conn_id.into() });
        self.runtime.block_on(call).map(drop)
    }
}
