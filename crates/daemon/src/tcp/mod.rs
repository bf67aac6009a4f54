//! TCP ports: checks a connection before a server gets it.
//!
//! A connection first has to show, within a few seconds, that it speaks the port's protocol (or
//! TLS, and then that). Connections that stay silent, send something else or exceed the limit never
//! cost more than a small buffer each.

mod connection_limit;
mod guarded;

pub use guarded::Guarded;

use crate::networks::Networks;
use crate::peer::Peer;
use crate::rate_limited_log::RateLimitedLog;
use crate::refused::Reason;
use connection_limit::{ConnectionLimit, Rank};
use guarded::{Duplex, Rewound};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

/// First bytes of an HTTP/2 connection (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// First bytes of a connection of the legacy SDK.
const LEGACY: &[u8] = b"mcm\0";
/// First byte of a TLS handshake.
const TLS: u8 = 0x16;
/// Time limit for a connection to show its protocol.
const GREET_TIMEOUT: Duration = Duration::from_secs(5);

static LEGACY_SEEN: RateLimitedLog = RateLimitedLog::new();
static GARBAGE_SEEN: RateLimitedLog = RateLimitedLog::new();
static TLS_FAILED: RateLimitedLog = RateLimitedLog::new();

/// Protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// HTTP/2 alone.
    Grpc,
    /// HTTP of any version.
    Http,
}

/// Configuration of a port.
#[derive(Clone)]
pub struct Port {
    /// Its protocol.
    pub speaks: Speaks,
    /// Limit of connections that have shown their protocol, and of those that have not: others make
    /// room for new ones.
    pub limit: usize,
    /// Mutual TLS, if there are credentials.
    pub tls: Option<TlsAcceptor>,
    /// Networks whose hosts may call without a certificate, beside programs on this host.
    pub trusted: Networks,
}

/// Accepts connections on a port for ever, and passes on those that speak the protocol.
pub async fn accept(
    listener: TcpListener,
    port: Port,
    out: mpsc::Sender<Result<Guarded, std::io::Error>>,
) {
    let Port { speaks, limit, tls, trusted } = port;
    let connections = ConnectionLimit::new(limit);
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(_) => {
                // Out of descriptors, or the peer was gone already. Connections that time out make
                // room.
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Ok(own) = stream.local_addr() else { continue };
        let peer = Peer::new(address, own, &trusted);
        let rank = rank(peer);
        let (permit, mut ended) = connections.enter(rank, Instant::now());
        let (tls, out) = (tls.clone(), out.clone());
        tokio::spawn(async move {
            let greeted = tokio::select! {
                greeted = tokio::time::timeout(GREET_TIMEOUT, greet(stream, peer, speaks, tls)) => greeted,
                _ = &mut ended => return,
            };
            if greeted.is_err() {
                Reason::Silent.happened();
            }
            if let Ok(Some((stream, peer))) = greeted {
                permit.greeted(self::rank(peer), Instant::now());
                // If the server is gone, so is the connection.
                let _ = out.send(Ok(Guarded { stream, peer, permit, ended })).await;
            }
        });
    }
}

fn rank(peer: Peer) -> Rank {
    if peer.allowed() { Rank::Authorised } else { Rank::Unauthorised }
}

/// Determines the protocol of a connection; `None` if it is not the port's.
async fn greet(
    mut stream: TcpStream,
    peer: Peer,
    speaks: Speaks,
    tls: Option<TlsAcceptor>,
) -> Option<(Box<dyn Duplex>, Peer)> {
    // A request and its answer are small; waiting for more only delays them.
    stream.set_nodelay(true).ok()?;
    let address = peer.address;
    let first = stream.read_u8().await.ok()?;
    if first != TLS {
        let stream = opening(vec![first], stream, speaks, address).await?;
        return Some((Box::new(stream), Peer { asked: tls.is_some(), ..peer }));
    }
    let Some(tls) = tls else {
        Reason::Tls.happened();
        TLS_FAILED.warn(&format!(
            "{address}: speaks TLS, which is not configured; see --tls-cert, --tls-key and --tls-ca"
        ));
        return None;
    };
    match tls.accept(Rewound::new(vec![first], stream)).await {
        Ok(stream) => {
            let stream = opening(Vec::new(), stream, speaks, address).await?;
            // The handshake fails without a certificate that one of our authorities has signed.
            Some((Box::new(stream), Peer { certified: true, ..peer }))
        }
        Err(error) => {
            Reason::Tls.happened();
            TLS_FAILED.warn(&format!("{address}: TLS handshake failed: {error}"));
            None
        }
    }
}

/// Reads what a connection begins with, of which `head` is there already.
async fn opening<S: Duplex>(
    head: Vec<u8>,
    mut stream: S,
    speaks: Speaks,
    address: SocketAddr,
) -> Option<Rewound<S>> {
    if speaks == Speaks::Grpc {
        return preface(head, stream, address).await;
    }
    let first = match head.first() {
        Some(first) => *first,
        None => stream.read_u8().await.ok()?,
    };
    // Methods begin with a capital letter, and so does the preface of HTTP/2.
    if first.is_ascii_uppercase() {
        return Some(Rewound::new(vec![first], stream));
    }
    Reason::Garbage.happened();
    GARBAGE_SEEN.warn(&format!(
        "{address}: refused: it speaks neither HTTP nor TLS; it began with \"{}\"",
        first.escape_ascii()
    ));
    None
}

/// Reads the preface of HTTP/2, of which `head` is there already.
async fn preface<S: Duplex>(
    mut head: Vec<u8>,
    mut stream: S,
    address: SocketAddr,
) -> Option<Rewound<S>> {
    let mut buffer = [0; PREFACE.len()];
    loop {
        if head == PREFACE {
            return Some(Rewound::new(head, stream));
        }
        if head.starts_with(LEGACY) {
            Reason::Garbage.happened();
            LEGACY_SEEN.warn(&format!(
                "{address}: refused: it speaks the binary protocol of older SDKs, which is not served yet"
            ));
            return None;
        }
        if !PREFACE.starts_with(&head) && !LEGACY.starts_with(&head) {
            Reason::Garbage.happened();
            GARBAGE_SEEN.warn(&format!(
                "{address}: refused: it speaks neither gRPC (HTTP/2) nor TLS; it began with \"{}\"",
                head.escape_ascii()
            ));
            if head[0].is_ascii_uppercase() {
                // Perhaps a browser. The connection is closed either way.
                let answer = "HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n\
                              Content-Type: text/plain\r\n\r\nThis port speaks gRPC (HTTP/2).\n";
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
            return None;
        }
        let room = PREFACE.len() - head.len();
        match stream.read(&mut buffer[..room]).await {
            Ok(len) if len > 0 => head.extend_from_slice(&buffer[..len]),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Poll;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(future)
    }

    /// Whether a connection that begins with these bytes is accepted; `None` while more bytes are
    /// needed.
    fn fate(pieces: &[&[u8]]) -> Option<bool> {
        run(async {
            let (mut near, far) = tokio::io::duplex(4096);
            let greeting = preface(Vec::new(), far, "127.0.0.1:1".parse().unwrap());
            let mut greeting = std::pin::pin!(greeting);
            for piece in pieces {
                near.write_all(piece).await.unwrap();
                let state =
                    std::future::poll_fn(|context| Poll::Ready(greeting.as_mut().poll(context)));
                if let Poll::Ready(result) = state.await {
                    return Some(result.is_some());
                }
            }
            None
        })
    }

    #[test]
    fn what_begins_how() {
        assert_eq!(fate(&[PREFACE]), Some(true));
        assert_eq!(fate(&[&PREFACE[..3], &PREFACE[3..10], &PREFACE[10..]]), Some(true));
        assert_eq!(fate(&[&PREFACE[..23]]), None);
        assert_eq!(fate(&[b"mcm"]), None);
        assert_eq!(fate(&[b"mcm\0\x10"]), Some(false));
        assert_eq!(fate(&[b"GET / HTTP/1.1\r\n\r\n"]), Some(false));
        assert_eq!(fate(&[b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"]), Some(false));
        assert_eq!(fate(&[&[0; 100]]), Some(false));
    }

    #[test]
    fn bytes_read_ahead_come_first() {
        run(async {
            let (mut near, far) = tokio::io::duplex(64);
            near.write_all(b"cd").await.unwrap();
            drop(near);
            let mut text = String::new();
            Rewound::new(b"ab".to_vec(), far).read_to_string(&mut text).await.unwrap();
            assert_eq!(text, "abcd");
        });
    }
}
