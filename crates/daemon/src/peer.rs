//! Access control by peer: programs on the same host, and others with a certificate.

use crate::networks::Networks;
use crate::rate_limited_log::RateLimitedLog;
use crate::refused::Reason;
use std::net::{IpAddr, SocketAddr};
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// The other end of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// It has shown a certificate that was checked.
    pub certified: bool,
    /// It is on this host.
    pub local: bool,
    /// It is in a network that is trusted.
    pub trusted: bool,
    /// It could have shown a certificate.
    pub asked: bool,
}

impl Peer {
    /// A peer that has shown no certificate.
    ///
    /// The kernel uses the destination's own address as the source of a connection from a host to
    /// itself.
    #[must_use]
    pub fn new(address: SocketAddr, own: SocketAddr, trusted: &Networks) -> Self {
        let trusted = trusted.contain(address.ip());
        let (peer, own) = (canonical(address.ip()), canonical(own.ip()));
        let local = peer.is_loopback() || peer == own;
        Self { address, certified: false, local, trusted, asked: false }
    }

    /// Whether it may call anything.
    #[must_use]
    pub fn allowed(self) -> bool {
        self.local || self.certified || self.trusted
    }
}

fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

static REFUSED: RateLimitedLog = RateLimitedLog::new();

/// Refuses calls of peers that may not make any.
#[derive(Clone, Copy, Debug)]
pub struct Checker {
    /// The program's name, for refused callers.
    pub program: &'static str,
    /// Its option for networks whose hosts may call, if it has one.
    pub networks: Option<&'static str>,
}

impl Checker {
    /// Looks at a call's peer.
    ///
    /// # Errors
    /// What the peer is told.
    pub fn check(self, peer: Option<&Peer>) -> Result<(), Refusal> {
        let Some(peer) = peer else { return Err(Refusal::Unknown) };
        if peer.allowed() {
            return Ok(());
        }
        Reason::Stranger.happened();
        let networks = self.networks.map(|option| format!(", or {} with {option}", self.program));
        let networks = networks.unwrap_or_default();
        let remedy = if peer.asked {
            format!(
                "it shows no certificate: start it with --tls-cert, --tls-key and --tls-ca{networks}"
            )
        } else {
            format!(
                "to let other hosts in, start {} with --tls-cert, --tls-key and --tls-ca{networks}",
                self.program
            )
        };
        REFUSED.warn(&format!("{}: refused, as it is not on this host; {remedy}", peer.address));
        let networks = self.networks.map(|_| ", or in a network that it was told to trust");
        Err(Refusal::Denied(format!(
            "this {} answers only callers on its own host, or with a certificate that it trusts{}",
            self.program,
            networks.unwrap_or_default()
        )))
    }
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It may not call.
    Denied(String),
    /// The server does not know the peer, which is a bug.
    Unknown,
}

impl Interceptor for Checker {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        match self.check(request.extensions().get::<Peer>()) {
            Ok(()) => Ok(request),
            Err(Refusal::Denied(text)) => Err(Status::permission_denied(text)),
            Err(Refusal::Unknown) => Err(Status::internal("caller is unknown")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str, own: &str) -> Peer {
        Peer::new(address.parse().unwrap(), own.parse().unwrap(), &Networks::default())
    }

    #[test]
    fn same_host() {
        for (address, own) in [
            ("127.0.0.1:5", "127.0.0.1:8001"),
            ("127.9.9.9:5", "127.0.0.1:8001"),
            ("[::1]:5", "[::1]:8001"),
            ("10.0.0.1:5", "10.0.0.1:8001"),
            ("[::ffff:10.0.0.1]:5", "10.0.0.1:8001"),
            ("[::ffff:127.0.0.1]:5", "[::]:8001"),
        ] {
            assert!(peer(address, own).allowed(), "{address} {own}");
        }
    }

    #[test]
    fn other_hosts_need_a_certificate() {
        let peer = peer("10.0.0.2:5", "10.0.0.1:8001");
        assert!(!peer.allowed());
        assert!(Peer { certified: true, ..peer }.allowed());
        let own = "10.0.0.1:8001".parse().unwrap();
        assert!(Peer::new(peer.address, own, &"10.0.0.0/24".parse().unwrap()).allowed());
        let mut checker = Checker { program: "media_proxy", networks: None };
        let mut request = Request::new(());
        assert_eq!(checker.call(Request::new(())).unwrap_err().code(), tonic::Code::Internal);
        request.extensions_mut().insert(peer);
        assert_eq!(checker.call(request).unwrap_err().code(), tonic::Code::PermissionDenied);
    }
}
