//! Where a command asks, and the credentials that it shows there.

use clap::{Args, ValueHint};
use daemon::TlsFiles;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::ServerName;

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

/// The options of commands that ask a media proxy.
#[derive(Clone, Debug, Args)]
pub(crate) struct ProxyOptions {
    /// Control service of the media proxy [default: 127.0.0.1:8001]
    #[arg(short, long, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    tls: Option<TlsFiles>,
}

impl ProxyOptions {
    /// The proxy that was named, or that of this host.
    pub(crate) fn server(&self) -> Server {
        let server = self.server.as_deref().unwrap_or(crate::proxy::DEFAULT_SERVER);
        Server::new(server, crate::proxy::DEFAULT_PORT, self.tls.clone())
    }
}

/// The options of commands that ask a media proxy or a mesh agent.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceOptions {
    #[command(flatten)]
    proxy: ProxyOptions,
    /// REST API of a mesh agent instead: all hosts of its fleet; port 8100 unless it is given
    #[arg(short, long, value_name = "HOST[:PORT]", value_hint = ValueHint::Hostname)]
    #[arg(conflicts_with = "server")]
    agent: Option<String>,
}

impl PlaceOptions {
    /// The place that was named, or the proxy of this host.
    pub(crate) fn place(&self) -> Place {
        match &self.agent {
            Some(agent) => {
                let tls = self.proxy.tls.clone();
                Place::Agent(Server::new(agent, crate::mesh::AGENT_PORT, tls))
            }
            None => Place::Proxy(self.proxy.server()),
        }
    }
}

/// A connection to a server, in the clear or encrypted.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

impl Server {
    /// From `HOST`, `HOST:PORT`, `[HOST]` or `[HOST]:PORT`.
    pub(crate) fn new(address: &str, default_port: u16, tls: Option<TlsFiles>) -> Self {
        let has_port = match address.strip_prefix('[') {
            Some(rest) => rest.contains("]:"),
            None => address.contains(':'),
        };
        let address =
            if has_port { address.to_owned() } else { format!("{address}:{default_port}") };
        Self { address, tls }
    }

    /// Connects. `protocol` is what is spoken over TLS (ALPN), `program` what should listen there.
    ///
    /// The error is a reason without the address.
    pub(crate) async fn connect(
        &self,
        protocol: &[u8],
        program: &str,
    ) -> Result<Box<dyn Io>, String> {
        if let Some(Err(error)) = self.tls.as_ref().map(TlsFiles::check_validity) {
            return Err(error.to_string());
        }
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
    use crate::arguments::tests::read;

    #[test]
    fn a_port_may_be_left_out() {
        let address = |text: &str| Server::new(text, 8001, None).address;
        assert_eq!(address("localhost"), "localhost:8001");
        assert_eq!(address("localhost:1"), "localhost:1");
        assert_eq!(address("[::1]"), "[::1]:8001");
        assert_eq!(address("[::1]:1"), "[::1]:1");
    }

    #[test]
    fn one_place_is_asked() {
        let asked = |arguments: &[&str]| match read::<PlaceOptions>(arguments).unwrap().place() {
            Place::Proxy(server) => format!("proxy {}", server.address),
            Place::Agent(server) => format!("agent {}", server.address),
        };
        assert_eq!(asked(&[]), "proxy 127.0.0.1:8001");
        assert_eq!(asked(&["-s", "h"]), "proxy h:8001");
        assert_eq!(asked(&["--agent=h"]), "agent h:8100");
        let error = read::<PlaceOptions>(&["-s", "h", "-a", "h"]).unwrap_err();
        assert!(error.contains("--server") && error.contains("--agent"), "{error}");
    }

    #[test]
    fn credentials_go_together() {
        let error = read::<ProxyOptions>(&["--tls-cert=c"]).unwrap_err();
        assert!(error.contains("--tls-key") && error.contains("--tls-ca"), "{error}");
        let all = ["--tls-cert=c", "--tls-key=k", "--tls-ca=a"];
        assert!(read::<ProxyOptions>(&all).unwrap().server().tls.is_some());
        assert!(read::<ProxyOptions>(&[]).unwrap().server().tls.is_none());
    }
}
