//! Where a command asks, and the credentials that it shows there.

use crate::error::CliError;
use daemon::TlsFiles;
use std::path::PathBuf;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

/// Lines about credentials in the help of commands that call others.
pub(crate) const TLS_USAGE: &str = "\
      --tls-cert FILE     certificate chain to show, PEM; with the next two: mutual TLS
      --tls-key FILE      its private key, PEM
      --tls-ca FILE       certificates of the authorities that sign the server's, PEM
";

/// The options `--tls-cert`, `--tls-key` and `--tls-ca`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    pub(crate) cert: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
    pub(crate) ca: Option<PathBuf>,
}

impl TlsOptions {
    /// All of the files, or none.
    fn files(self) -> Result<Option<TlsFiles>, CliError> {
        match (self.cert, self.key, self.ca) {
            (None, None, None) => Ok(None),
            (Some(cert), Some(key), Some(ca)) => Ok(Some(TlsFiles { cert, key, ca })),
            _ => Err(lexopt::Error::from("--tls-cert, --tls-key and --tls-ca go together").into()),
        }
    }
}

/// A server that is called: its address, and the credentials to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// `HOST:PORT`, or `[HOST]:PORT` of IPv6.
    pub(crate) address: String,
    tls: Option<TlsFiles>,
}

/// Which server a command asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The control service of a media proxy.
    Proxy(Server),
    /// The REST API of a mesh agent: the fleet.
    Agent(Server),
}

/// The options `--server` and `--agent`, and those of credentials.
#[derive(Clone, Debug, Default)]
pub(crate) struct PlaceOptions {
    pub(crate) server: Option<String>,
    pub(crate) agent: Option<String>,
    pub(crate) tls: TlsOptions,
}

impl PlaceOptions {
    /// The place that was named, or the proxy of this host.
    pub(crate) fn place(self) -> Result<Place, CliError> {
        match (self.server, self.agent) {
            (Some(_), Some(_)) => Err(lexopt::Error::from(
                "--server asks a media proxy, --agent a mesh agent: give one of them",
            )
            .into()),
            (None, Some(agent)) => {
                Ok(Place::Agent(Server::new(&agent, crate::mesh::AGENT_PORT, self.tls)?))
            }
            (server, None) => {
                let server = server.as_deref().unwrap_or(crate::proxy::DEFAULT_SERVER);
                Ok(Place::Proxy(Server::new(server, crate::proxy::DEFAULT_PORT, self.tls)?))
            }
        }
    }
}

/// A connection to a server, in the clear or encrypted.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Server {
    /// From `HOST`, `HOST:PORT`, `[HOST]` or `[HOST]:PORT`.
    pub(crate) fn new(
        address: &str,
        default_port: u16,
        credentials: TlsOptions,
    ) -> Result<Self, CliError> {
        let has_port = match address.strip_prefix('[') {
            Some(rest) => rest.contains("]:"),
            None => address.contains(':'),
        };
        let address =
            if has_port { address.to_owned() } else { format!("{address}:{default_port}") };
        Ok(Self { address, tls: credentials.files()? })
    }

    /// Connects. `protocol` is what is spoken over TLS (ALPN), `program` what should listen there.
    ///
    /// The error is a reason without the address.
    pub(crate) async fn connect(
        &self,
        protocol: &[u8],
        program: &str,
    ) -> Result<Box<dyn Io>, String> {
        let stream = TcpStream::connect(&self.address).await.map_err(|error| {
            let refused = error.kind() == std::io::ErrorKind::ConnectionRefused;
            let hint = if refused { format!("; is {program} running?") } else { String::new() };
            format!("{error}{hint}")
        })?;
        let Some(files) = &self.tls else { return Ok(Box::new(stream)) };
        let connector = daemon::connector(files, &[protocol]).map_err(|error| error.to_string())?;
        let host = self.address.rsplit_once(':').map_or(self.address.as_str(), |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("{host:?} is no name that a certificate could have"))?;
        let stream = connector.connect(name, stream).await.map_err(|error| {
            format!("TLS: {error}; does {program} have certificates, signed by those of --tls-ca, for the name {host}?")
        })?;
        Ok(Box::new(stream))
    }

    /// What a failed exchange on a connection in the clear may mean.
    pub(crate) fn hint(&self) -> &'static str {
        if self.tls.is_some() {
            ""
        } else {
            "; if it asks for certificates, give --tls-cert, --tls-key and --tls-ca"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> String {
        Server::new(text, 8001, TlsOptions::default()).unwrap().address
    }

    #[test]
    fn a_port_may_be_left_out() {
        assert_eq!(address("localhost"), "localhost:8001");
        assert_eq!(address("localhost:1"), "localhost:1");
        assert_eq!(address("[::1]"), "[::1]:8001");
        assert_eq!(address("[::1]:1"), "[::1]:1");
    }

    #[test]
    fn one_place_is_asked() {
        let options = |server: Option<&str>, agent: Option<&str>| PlaceOptions {
            server: server.map(Into::into),
            agent: agent.map(Into::into),
            tls: TlsOptions::default(),
        };
        let asked = |options: PlaceOptions| match options.place().unwrap() {
            Place::Proxy(server) => format!("proxy {}", server.address),
            Place::Agent(server) => format!("agent {}", server.address),
        };
        assert_eq!(asked(options(None, None)), "proxy 127.0.0.1:8001");
        assert_eq!(asked(options(Some("h"), None)), "proxy h:8001");
        assert_eq!(asked(options(None, Some("h"))), "agent h:8100");
        assert!(options(Some("h"), Some("h")).place().is_err());
    }

    #[test]
    fn credentials_go_together() {
        let some = TlsOptions { cert: Some("c".into()), ..TlsOptions::default() };
        let error = Server::new("h", 1, some.clone()).unwrap_err().to_string();
        assert!(error.contains("go together"), "{error}");
        let all = TlsOptions { key: Some("k".into()), ca: Some("a".into()), ..some };
        assert!(Server::new("h", 1, all).unwrap().tls.is_some());
    }
}
