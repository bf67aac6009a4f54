//! The exchange protocol spoken by hand, including its violations.

use crate::wait;
use proto::datagram::{MAX_LEN, VERSION, decode_from_proxy, encode_from_client};
use proto::exchange::{Announce, Hello, from_client, from_proxy};
use proto::sdk::ConnectionConfig;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// A socket to a proxy.
#[derive(Debug)]
pub struct Wire(pub OwnedFd);

/// A message of the proxy.
#[derive(Debug)]
pub enum Heard {
    /// A message with its descriptors.
    Message(from_proxy::Body, Vec<OwnedFd>),
    /// The connection is over.
    End,
}

impl Wire {
    /// Connects, without a word.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(socket: &Path) -> Result<Self, rustix::io::Errno> {
        let address = SocketAddrUnix::new(socket)?;
        let flags = SocketFlags::CLOEXEC;
        let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        connect(&fd, &address)?;
        Ok(Self(fd))
    }

    /// Connects and says Hello as a client of this name.
    ///
    /// # Panics
    /// If the proxy does not welcome it.
    #[must_use]
    pub fn welcomed(socket: &Path, client_id: &str) -> Self {
        let wire = Self::connect(socket).expect("a connection to the proxy");
        let hello = Hello {
            version: VERSION,
            client_id: client_id.into(),
            program: "wire".into(),
            pid: std::process::id(),
        };
        let process = pidfd_open(getpid(), PidfdFlags::empty()).expect("a pidfd of this process");
        wire.say(from_client::Body::Hello(hello), &[process.as_fd()]);
        match wire.hear() {
            Heard::Message(from_proxy::Body::Welcome(_), _) => wire,
            other => panic!("no welcome: {other:?}"),
        }
    }

    /// Sends a message. One that the proxy does not take any more does not matter.
    ///
    /// # Panics
    /// If the message is too long for a datagram.
    pub fn say(&self, body: from_client::Body, fds: &[BorrowedFd<'_>]) {
        let bytes = encode_from_client(body).expect("a message of allowed length");
        let _ = proto::socket::send(&self.0, &bytes, fds);
    }

    /// Announces a new connection.
    pub fn announce(
        &self,
        key: u32,
        config: ConnectionConfig,
        ring_id: &[u8],
        fds: &[BorrowedFd<'_>],
    ) {
        let announce = Announce {
            key,
            config: Some(config),
            ring_id: ring_id.to_vec(),
            ..Announce::default()
        };
        self.say(from_client::Body::Announce(announce), fds);
    }

    /// The next message.
    ///
    /// # Panics
    /// If nothing comes, or what comes is no message.
    pub fn hear(&self) -> Heard {
        let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
        let timeout = wait::DEADLINE.try_into().expect("a time");
        let ready = poll(&mut fds, Some(&timeout)).expect("poll");
        assert!(ready > 0, "the proxy does not answer");
        let mut buffer = vec![0; MAX_LEN];
        match proto::socket::recv(&self.0, &mut buffer) {
            Ok((len, fds)) => {
                let body = decode_from_proxy(&buffer[..len], fds.len());
                Heard::Message(body.expect("a message of the proxy"), fds)
            }
            Err(_) => Heard::End,
        }
    }

    /// The code and reason of the refusal that comes next.
    ///
    /// # Panics
    /// If something else comes.
    pub fn refusal(&self) -> (i32, String) {
        match self.hear() {
            Heard::Message(from_proxy::Body::Refused(refused), _) => (refused.code, refused.reason),
            other => panic!("no refusal: {other:?}"),
        }
    }

    /// The reason with which the proxy ends the connection; empty if it gave none.
    ///
    /// # Panics
    /// If it does not end it.
    pub fn end(&self) -> String {
        let mut reason = String::new();
        loop {
            match self.hear() {
                Heard::Message(from_proxy::Body::Closed(closed), _) if closed.key == 0 => {
                    reason = closed.reason;
                }
                Heard::Message(..) => {}
                Heard::End => return reason,
            }
        }
    }
}
