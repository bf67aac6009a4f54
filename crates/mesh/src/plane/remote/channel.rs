//! gRPC channels to agents.

use super::Agents;
use crate::error::AgentError;
use daemon::TlsFiles;
use std::fmt::{Display, Formatter};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};

/// Time-out for connecting to an agent.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Address of an agent: "host:port".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentAddress {
    host: String,
    port: u16,
}

impl FromStr for AgentAddress {
    type Err = AgentError;

    fn from_str(text: &str) -> Result<Self, AgentError> {
        let wrong = || AgentError::Invalid {
            field: "agent",
            found: text.chars().take(64).collect(),
            allowed: "host:port, such as localhost:50051",
        };
        let (host, port) = text.trim().rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?;
        let plain = host.trim_start_matches('[').trim_end_matches(']');
        let fine = |c: char| c.is_ascii_alphanumeric() || "-_.:%".contains(c);
        if plain.is_empty()
            || !plain.chars().all(fine)
            || (plain.contains(':') != host.starts_with('['))
        {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl Display for AgentAddress {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Credentials of a program that calls others.
pub fn client_tls(files: &TlsFiles) -> Result<ClientTlsConfig, AgentError> {
    let read = |option: &str, path: &Path| {
        std::fs::read(path)
            .map_err(|error| AgentError::Setup(format!("{option} {}: {error}", path.display())))
    };
    let identity =
        Identity::from_pem(read("--tls-cert", &files.cert)?, read("--tls-key", &files.key)?);
    let ca = Certificate::from_pem(read("--tls-ca", &files.ca)?);
    Ok(ClientTlsConfig::new().identity(identity).ca_certificate(ca))
}

/// The endpoints of all agents.
pub(super) fn endpoints(agents: &Agents) -> Result<Vec<(AgentAddress, Endpoint)>, AgentError> {
    let failed =
        |what: String| move |error: &dyn Display| AgentError::Setup(format!("{what}: {error}"));
    if agents.addresses.is_empty() {
        return Err(AgentError::Setup("no mesh agent's address is given".into()));
    }
    let tls = agents.tls.as_ref().map(client_tls).transpose()?;
    let endpoint = |address: &AgentAddress| {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))
            .map_err(|error| failed(format!("mesh agent {address}"))(&error))?
            .connect_timeout(CONNECT_TIMEOUT)
            // No HTTP/2 pings: servers such as grpc-go's treat frequent ones as an attack. See
            // `pulse`.
            .tcp_nodelay(true);
        if let Some(tls) = &tls {
            endpoint = endpoint
                .tls_config(tls.clone())
                .map_err(|error| failed("credentials for mesh agents".into())(&error))?;
        }
        Ok((address.clone(), endpoint))
    };
    agents.addresses.iter().map(endpoint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["localhost:50051", "10.0.0.1:1", "[::1]:50051", "agent-1.example.org:65535"] {
            assert_eq!(good.parse::<AgentAddress>().unwrap().to_string(), good);
        }
        for bad in ["", "host", "host:0", ":1", "::1:1", "host:65536", "a b:1", "a/b:1"] {
            assert!(bad.parse::<AgentAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn credentials_that_are_not_there_are_named() {
        let path = std::path::PathBuf::from("/nonexistent/cert.pem");
        let files = daemon::TlsFiles { cert: path.clone(), key: path.clone(), ca: path };
        let addresses = vec!["localhost:50051".parse().unwrap()];
        let error = endpoints(&Agents { addresses, tls: Some(files) }).unwrap_err().to_string();
        assert!(error.starts_with("--tls-cert /nonexistent/cert.pem"), "{error}");
        assert!(endpoints(&Agents { addresses: Vec::new(), tls: None }).is_err());
    }
}
