//! A real `media_proxy` on a run directory of its own, and clients that speak the exchange protocol
//! by hand.

#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

use config::{ConnectionConfig, Endpoint};
use media::Payload;
use proto::Kind;
use proto::datagram::{MAX_LEN, decode_from_proxy, encode_from_client};
use proto::exchange::{Announce, Hello, Joined, Standby, from_client, from_proxy::Body};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{PidfdFlags, Signal, getpid, pidfd_open};
use shm::{AtEnd, Seat, Source, SourceOptions};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;
use testkit::process::Process;
use testkit::resources;
pub use testkit::wait::DEADLINE;

/// A running proxy.
pub struct Proxy {
    pub process: Process,
    pub dir: PathBuf,
    pub sdk_port: u16,
    pub grpc_port: u16,
}

impl Proxy {
    pub fn command(dir: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_media_proxy"));
        command.arg("--run-dir").arg(dir).args(["-t", "0", "-g", "0"]);
        command
    }

    pub fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    pub fn start_with(dir: &Path, args: &[&str]) -> Self {
        let mut command = Self::command(dir);
        command.args(args);
        let mut process = Process::start("media_proxy", command, |_| false);
        let mut port = |line: &str| {
            let line = process.until_line(line);
            line.rsplit_once(':').unwrap().1.parse().unwrap()
        };
        let sdk_port = port("INFO: TCP Server listening on ");
        let grpc_port = port("INFO: gRPC Server listening on ");
        Self { process, dir: dir.to_owned(), sdk_port, grpc_port }
    }

    /// Waits for a line of the log.
    pub fn wait_log(&mut self, part: &str) -> String {
        self.process.until_line(part)
    }

    /// Whether the log has had such a line so far.
    pub fn has_logged(&self, part: &str) -> bool {
        self.process.output().contains(part)
    }

    pub fn socket(&self) -> PathBuf {
        self.dir.join("media_proxy.sock")
    }

    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }

    /// Descriptors that the proxy has open.
    pub fn descriptors(&self) -> usize {
        resources::descriptors(self.process.pid())
    }

    /// The proxy's memory in use, in KiB.
    pub fn memory_kib(&self) -> u64 {
        resources::resident_kib(self.process.pid())
    }
}

/// A client of the exchange.
pub struct Peer {
    pub socket: OwnedFd,
    pub id: String,
}

/// A message of the proxy, with its descriptors.
pub type Said = (Body, Vec<OwnedFd>);

pub fn dial(path: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

impl Peer {
    /// A client that has been welcomed.
    pub fn new(proxy: &Proxy, id: &str) -> Self {
        let peer = Self { socket: dial(&proxy.socket()), id: id.to_owned() };
        peer.hello(1);
        match peer.receive().0 {
            Body::Welcome(welcome) => assert_eq!(welcome.version, 1),
            other => panic!("{other:?}"),
        }
        peer
    }

    pub fn hello(&self, version: u32) {
        let pidfd = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
        let hello = Hello {
            version,
            client_id: self.id.clone(),
            program: "test\nprogram".into(),
            pid: std::process::id(),
        };
        self.send(from_client::Body::Hello(hello), &[pidfd.as_fd()]);
    }

    pub fn send(&self, body: from_client::Body, fds: &[BorrowedFd<'_>]) {
        proto::socket::send(&self.socket, &encode_from_client(body).unwrap(), fds).unwrap();
    }

    /// The next message; `None` at the end of the connection.
    pub fn try_receive(&self) -> Option<Said> {
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        let timeout = Timespec { tv_sec: DEADLINE.as_secs() as i64, tv_nsec: 0 };
        assert_eq!(poll(&mut polled, Some(&timeout)).unwrap(), 1, "{}: no message", self.id);
        let mut buffer = vec![0; MAX_LEN];
        match proto::socket::recv(&self.socket, &mut buffer) {
            Ok((len, fds)) => Some((decode_from_proxy(&buffer[..len], fds.len()).unwrap(), fds)),
            Err(_) => None,
        }
    }

    pub fn receive(&self) -> Said {
        self.try_receive().unwrap_or_else(|| panic!("{}: connection was closed", self.id))
    }

    pub fn created(&self, key: u32) -> String {
        match self.receive().0 {
            Body::Created(created) if created.key == key => created.conn_id,
            other => panic!("{}: {other:?}", self.id),
        }
    }

    pub fn refused(&self, key: u32) -> (i32, String) {
        match self.receive().0 {
            Body::Refused(refused) if refused.key == key => (refused.code, refused.reason),
            other => panic!("{}: {other:?}", self.id),
        }
    }

    /// The reason that the proxy gives before it closes the connection.
    pub fn cut_off(&self) -> String {
        let reason = match self.receive().0 {
            Body::Closed(closed) if closed.key == 0 => closed.reason,
            other => panic!("{}: {other:?}", self.id),
        };
        assert!(self.try_receive().is_none());
        reason
    }

    pub fn announce_source(&self, key: u32, source: &Source, config: &ConnectionConfig) {
        self.announce_source_again(key, "", source, config, &[]);
    }

    pub fn announce_source_again(
        &self,
        key: u32,
        conn_id: &str,
        source: &Source,
        config: &ConnectionConfig,
        receivers: &[&str],
    ) {
        let announce = Announce {
            key,
            conn_id: conn_id.into(),
            config: Some(config.to_sdk_of(Kind::Source)),
            ring_id: source.ring_id().0.to_vec(),
            receivers: receivers.iter().map(ToString::to_string).collect(),
        };
        let fds = [source.pool_fd(), source.board_fd()];
        self.send(from_client::Body::Announce(announce), &fds);
    }

    pub fn announce_receiver(&self, key: u32, standby: &Seat, config: &ConnectionConfig) {
        self.announce_receiver_again(key, "", standby, None, config);
    }

    pub fn announce_receiver_again(
        &self,
        key: u32,
        conn_id: &str,
        standby: &Seat,
        using: Option<(&[u8; 16], &Seat)>,
        config: &ConnectionConfig,
    ) {
        let announce = Announce {
            key,
            conn_id: conn_id.into(),
            config: Some(config.to_sdk_of(Kind::Receiver)),
            ring_id: using.map(|(ring, _)| ring.to_vec()).unwrap_or_default(),
            receivers: Vec::new(),
        };
        let mut fds = vec![standby.fd()];
        fds.extend(using.map(|(_, seat)| seat.fd()));
        self.send(from_client::Body::Announce(announce), &fds);
    }

    pub fn standby(&self, key: u32, seat: &Seat) {
        self.send(from_client::Body::Standby(Standby { key }), &[seat.fd()]);
    }

    /// Takes the next message, which must be a Join, and lets the receiver in.
    pub fn let_in(&self, source: &Source) -> u64 {
        let (body, fds) = self.receive();
        let Body::Join(join) = body else { panic!("{}: {body:?}", self.id) };
        let mut fds = fds.into_iter();
        let seat = fds.next().unwrap();
        let start = source.join(join.seat, seat, join.live).unwrap();
        let joined = Joined { key: join.key, seat: join.seat, start, error: String::new() };
        self.send(from_client::Body::Joined(joined), &[]);
        join.seat
    }

    /// Takes the next message, which must be a Ring.
    pub fn ring(&self, key: u32) -> (proto::exchange::Ring, Vec<OwnedFd>) {
        match self.receive() {
            (Body::Ring(ring), fds) if ring.key == key => (ring, fds),
            other => panic!("{}: {other:?}", self.id),
        }
    }
}

/// A blob of 1000 bytes in a group.
pub fn blob(urn: &str) -> ConnectionConfig {
    let endpoint = Endpoint::MultipointGroup { urn: urn.into() };
    ConnectionConfig { max_payload_size: 1000, ..ConnectionConfig::new(endpoint, Payload::Blob) }
}

/// The ring of a source of [`blob`].
pub fn source(ring_id: u8) -> Source {
    let options = SourceOptions {
        payload_size: 1000,
        metadata_size: 0,
        capacity: 16,
        live: false,
        stall_time: Duration::from_millis(100),
        wait_for_receivers: 0,
        at_end: AtEnd::Wait,
        regions: 0,
        relay: false,
    };
    Source::new(options, [ring_id; 16]).unwrap()
}

/// Runs a future.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(DEADLINE, future).await.expect("too slow") })
}

/// A channel to a port of the proxy.
pub async fn channel(port: u16) -> tonic::transport::Channel {
    let address = format!("http://127.0.0.1:{port}");
    tonic::transport::Endpoint::from_shared(address).unwrap().connect().await.unwrap()
}

/// The groups as the control service lists them.
pub fn groups(proxy: &Proxy) -> Vec<proto::control::Group> {
    block_on(async {
        let channel = channel(proxy.grpc_port).await;
        let mut client = proto::control::control_client::ControlClient::new(channel);
        let request = proto::control::ListGroupsRequest::default();
        client.list_groups(request).await.unwrap().into_inner().groups
    })
}
