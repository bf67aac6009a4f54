//! Settings of a client.

use crate::{Client, ClientError, warnings};
use config::{ClientConfig, ProxyAddress};
use media::run_dir;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Settings of a client, and where it finds the media proxy.
///
/// Without an address the proxy is looked for as `docs/sdk.md` says: in the run directory that
/// `MCM_RUN_DIR` names or in the usual ones, then at `MCM_MEDIA_PROXY_IP` and
/// `MCM_MEDIA_PROXY_PORT`.
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing before `connect` or `build`"]
pub struct ClientBuilder {
    config: ClientConfig,
    name: Option<String>,
}

impl ClientBuilder {
    /// The unix socket of the proxy.
    pub fn socket(self, path: impl Into<PathBuf>) -> Self {
        self.proxy(ProxyAddress::Unix(path.into()))
    }

    /// The run directory of the proxy, in which its socket lies.
    pub fn run_dir(self, directory: impl AsRef<Path>) -> Self {
        self.socket(run_dir::socket_path(directory.as_ref()))
    }

    /// The TCP address at which the proxy serves programs. It must be on this host: frames pass
    /// through shared memory.
    pub fn address(self, host: impl Into<String>, port: u16) -> Self {
        self.proxy(ProxyAddress::Tcp { host: host.into(), port })
    }

    /// Where the proxy is.
    pub fn proxy(mut self, proxy: ProxyAddress) -> Self {
        self.config.proxy = proxy;
        self
    }

    /// The name by which the proxy and `mcm list` show the program; otherwise that of its
    /// executable.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What [`Timeout::Default`](crate::Timeout::Default) means, one second by default.
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.config.default_timeout = timeout;
        self
    }

    /// How many sources and receivers may exist at once, 32 by default, at most 65535.
    pub fn max_connections(mut self, connections: u16) -> Self {
        self.config.max_connections = connections.into();
        self
    }

    /// Takes the settings that JSON text has, as C programs give it to `mesh_create_client()`.
    ///
    /// # Errors
    /// [`ClientError::Config`].
    pub fn json(mut self, text: &str) -> Result<Self, ClientError> {
        let read = ClientConfig::from_json_with_warnings(text);
        warnings::keep("client", read.as_ref().map_or(&[], |(_, warnings)| warnings));
        let (config, _) = read.map_err(|error| ClientError::Config(error.to_string()))?;
        self.config = config;
        Ok(self)
    }

    /// Makes the client, and connects it to the proxy.
    ///
    /// # Errors
    /// [`ClientError::Unreachable`] if there is no proxy, and those of [`build`](Self::build).
    pub fn connect(self) -> Result<Client, ClientError> {
        let client = self.build()?;
        client.reach()?;
        Ok(client)
    }

    /// Makes the client, which connects to the proxy when it first needs it: for programs that may
    /// start before the proxy does.
    ///
    /// # Errors
    /// [`ClientError::Config`] for a limit of 0 connections or the port 0, [`ClientError::System`].
    pub fn build(self) -> Result<Client, ClientError> {
        let refuse = |text: &str| Err(ClientError::Config(text.to_owned()));
        if self.config.max_connections == 0 {
            return refuse("max_connections is 0, accepted are 1 to 65535");
        }
        if matches!(self.config.proxy, ProxyAddress::Tcp { port: 0, .. }) {
            return refuse("the proxy's port is 0, accepted are 1 to 65535");
        }
        Client::create(self.config, self.name)
    }
}
