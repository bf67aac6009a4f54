//! Who may call: programs on the same host, and others with a certificate.

use crate::seldom::Seldom;
use std::net::{IpAddr, SocketAddr};
use tonic::{Request, Status};

/// The other end of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// It has shown a certificate that was checked.
    pub(crate) certified: bool,
    /// It is on this host.
    pub(crate) local: bool,
}

impl Peer {
    /// A peer that has shown no certificate.
    ///
    /// The kernel uses the destination's own address as the source of a connection from a host to itself.
    pub(crate) fn new(address: SocketAddr, own: SocketAddr) -> Self {
        let (peer, own) = (canonical(address.ip()), canonical(own.ip()));
        Self { address, certified: false, local: peer.is_loopback() || peer == own }
    }

    /// Whether it may call anything.
    pub(crate) fn allowed(self) -> bool {
        self.local || self.certified
    }
}

fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

static REFUSED: Seldom = Seldom::new();

/// Refuses calls of peers that may not make any.
#[allow(clippy::result_large_err)] // The signature is tonic's.
pub(crate) fn check(request: Request<()>) -> Result<Request<()>, Status> {
    match request.extensions().get::<Peer>() {
        Some(peer) if peer.allowed() => Ok(request),
        Some(peer) => {
            REFUSED.warn(&format!(
                "{}: refused, as it is not on this host; to let other hosts in, start media_proxy with --tls-cert, \
                 --tls-key and --tls-ca",
                peer.address
            ));
            Err(Status::permission_denied(
                "this media_proxy answers only callers on its own host, or with a certificate that it trusts",
            ))
        }
        None => Err(Status::internal("caller is unknown")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(address: &str, own: &str) -> Peer {
        Peer::new(address.parse().unwrap(), own.parse().unwrap())
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
        let mut request = Request::new(());
        assert_eq!(check(Request::new(())).unwrap_err().code(), tonic::Code::Internal);
        request.extensions_mut().insert(peer);
        assert_eq!(check(request).unwrap_err().code(), tonic::Code::PermissionDenied);
    }
}
