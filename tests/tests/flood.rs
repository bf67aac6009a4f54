//! Thousands of connections, garbage and partial requests on the ports and on the socket, while a
//! stream runs.

mod common;

use common::Stream;
use mcm_tests::random::Random;
use mcm_tests::wire::Wire;
use mcm_tests::{config, wait};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// First bytes of every HTTP/2 client.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// As many descriptors as this process may have.
fn raise_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: limit.maximum, maximum: limit.maximum };
    setrlimit(Resource::Nofile, wanted).expect("the soft limit may be raised");
    limit.maximum.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))
}

fn ports(stream: &Stream) -> [u16; 2] {
    [stream.proxy.sdk_port, stream.proxy.grpc_port]
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, wait::DEADLINE)?;
    stream.set_read_timeout(Some(wait::DEADLINE))?;
    stream.set_write_timeout(Some(wait::DEADLINE))?;
    Ok(stream)
}

/// A program that comes by TCP is served, and so is a tool.
fn served(stream: &Stream) {
    let client = config::build(&config::tcp_client(stream.proxy.sdk_port));
    let config = config::blob("served", 10).to_string();
    wait::until("a program is served", || client.source(&config).is_ok());
    let mut control = stream.proxy.control();
    wait::until("a tool is served", || control.try_groups().is_ok());
}

#[test]
fn garbage_on_the_ports() {
    let mut stream = Stream::new();
    let mut random = Random::of_test("ports");
    let headers = [0, 0, 200, 1, 4, 0, 0, 0, 1];
    let vast_frame = [0xff, 0xff, 0xff, 1, 4, 0, 0, 0, 1];
    for port in ports(&stream) {
        let mut messages = vec![
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
            [PREFACE, &random.bytes(500)].concat(),
            [PREFACE, SETTINGS, &headers, &random.bytes(200)].concat(),
            [PREFACE, SETTINGS, &vast_frame, &random.bytes(5000)].concat(),
        ];
        messages.extend((0..50).map(|n| random.bytes(10 + n * 20)));
        for message in messages {
            let mut socket = connect(port).unwrap();
            // It may be cut off before it has said everything.
            if socket.write_all(&message).is_ok() {
                let _ = socket.shutdown(std::net::Shutdown::Write);
            }
            let mut answer = Vec::new();
            let read = socket.read_to_end(&mut answer);
            let timeout = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
            assert!(!read.as_ref().is_err_and(timeout), "it is cut off: {read:?}");
        }
    }
    stream.flows();
    served(&stream);
    stream.unharmed();
}

#[test]
fn oversized_requests_are_refused() {
    let stream = Stream::new();
    let mut control = stream.proxy.control();
    let error = control.delete(&"x".repeat(5 << 20)).unwrap_err();
    assert_ne!(error.code(), tonic::Code::NotFound, "{error}");
    let error = control.delete("nobody").unwrap_err();
    assert_eq!(error.code(), tonic::Code::NotFound);
    drop(control);
    stream.unharmed();
}

/// Opens so many connections and says half a sentence on each. The proxy may close what it likes.
fn flood(count: usize, port: u16, says: &[u8]) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        // A full backlog may refuse some.
        let Ok(mut socket) = connect(port) else { continue };
        let _ = socket.set_nonblocking(true);
        let _ = socket.write(says);
        open.push(socket);
    }
    open
}

#[test]
fn thousands_of_connections_that_say_half_of_it() {
    let count = (raise_limit() / 2).saturating_sub(500).min(10_000);
    assert!(count >= 500, "so few descriptors are no test");
    let mut stream = Stream::new();
    let half_a_frame = [PREFACE, SETTINGS, &[0, 0, 100, 1, 4, 0, 0, 0, 1, 0x82]].concat();
    for port in ports(&stream) {
        for says in [&b""[..], &PREFACE[..10], &half_a_frame] {
            let open = flood(count / if says.is_empty() { 1 } else { 4 }, port, says);
            stream.flows();
            stream.memory_is_bounded();
            // Even now no honest client is refused.
            served(&stream);
            drop(open);
            served(&stream);
        }
    }
    stream.unharmed();
}

#[test]
fn thousands_of_clients_that_say_nothing() {
    let count = (raise_limit() / 2).saturating_sub(500).min(10_000);
    let mut stream = Stream::new();
    let socket = stream.run.socket();
    let mut open = Vec::with_capacity(count);
    for n in 0..count {
        open.extend(Wire::connect(&socket).ok());
        if n % 1000 == 999 {
            stream.flows();
            served(&stream);
        }
    }
    stream.memory_is_bounded();
    drop(open);
    served(&stream);
    stream.unharmed();
}

/// A request that arrives one byte at a time and never completes is ended after a time, and does no
/// harm.
#[test]
fn slow_requests() {
    let mut stream = Stream::new();
    let request = [PREFACE, SETTINGS, &[0, 0, 100, 1, 4, 0, 0, 0, 1]].concat();
    let mut sockets: Vec<_> =
        ports(&stream).into_iter().flat_map(|port| flood(100, port, &[])).collect();
    for byte in request {
        for socket in &mut sockets {
            // The proxy may have lost its patience.
            let _ = socket.write(&[byte]);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    stream.flows();
    served(&stream);
    stream.unharmed();
}
