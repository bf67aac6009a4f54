//! A relay in front of an HTTP/2 server, which counts the pings of clients as a grpc-go server
//! does.

use super::local;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[derive(Default)]
struct Shared {
    pings: AtomicUsize,
    frames: AtomicUsize,
    sockets: Mutex<Vec<TcpStream>>,
}

/// Passes bytes on. It closes a connection with ENHANCE_YOUR_CALM at its third ping: a grpc-go
/// server permits one in five minutes, and gives two warnings.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

const PING: u8 = 6;
const ACK: u8 = 1;
/// GOAWAY: the last stream is 2^31-1, the error 11; "too_many_pings".
const CALM: &[u8] =
    b"\x00\x00\x16\x07\x00\x00\x00\x00\x00\x7f\xff\xff\xff\x00\x00\x00\x0btoo_many_pings";

impl Relay {
    /// Clients of the relay's address reach the server.
    pub(crate) fn new(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(local(0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::<Shared>::default();
        let own = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { return };
                let Ok(server) = TcpStream::connect(server) else { continue };
                let (mut from, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                own.sockets
                    .lock()
                    .unwrap()
                    .extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                std::thread::spawn(move || {
                    let _over = std::io::copy(&mut from, &mut to);
                    let _over = to.shutdown(Shutdown::Both);
                });
                let shared = Arc::clone(&own);
                std::thread::spawn(move || {
                    let _over = pass(&client, &server, &shared);
                    let _over = server.shutdown(Shutdown::Both);
                });
            }
        });
        Self { address, shared }
    }

    /// Pings that came from clients.
    pub(crate) fn pings(&self) -> usize {
        self.shared.pings.load(Ordering::SeqCst)
    }

    /// Other frames that came from clients.
    pub(crate) fn frames(&self) -> usize {
        self.shared.frames.load(Ordering::SeqCst)
    }

    /// Cuts all connections.
    pub(crate) fn cut(&self) {
        for socket in self.shared.sockets.lock().unwrap().drain(..) {
            let _gone = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Passes a client's frames to the server.
fn pass(mut client: &TcpStream, mut server: &TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut preface = [0; 24];
    client.read_exact(&mut preface)?;
    server.write_all(&preface)?;
    let mut strikes = 0;
    loop {
        let mut head = [0; 9];
        client.read_exact(&mut head)?;
        let len = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut body = vec![0; len as usize];
        client.read_exact(&mut body)?;
        if head[3] != PING {
            shared.frames.fetch_add(1, Ordering::SeqCst);
        } else if head[4] & ACK == 0 {
            shared.pings.fetch_add(1, Ordering::SeqCst);
            strikes += 1;
            if strikes > 2 {
                client.write_all(CALM)?;
                return client.shutdown(Shutdown::Both);
            }
        }
        server.write_all(&head)?;
        server.write_all(&body)?;
    }
}
