//! The session's thread: talks to the proxy, watches the processes at the other ends, and gets a
//! lost proxy back.

use super::link;
use super::peer::{Outgoing, Peer};
use super::session::Session;
use crate::OpenError;
use config::ErrorCode;
use proto::datagram::{MAX_LEN, VERSION, decode_from_proxy, encode_from_client};
use proto::exchange::{Hello, from_client, from_proxy::Body};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{PidfdFlags, getpid, pidfd_open};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pauses between attempts to reach a proxy that was lost: short at first, because a restarted one
/// is back soon.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LATER: Duration = Duration::from_millis(250);
const RETRIES_FIRST: u32 = 40;

/// A socket to the proxy, and whether the proxy has answered on it.
struct Line {
    socket: Arc<OwnedFd>,
    welcome: bool,
    /// How the proxy's identifier must begin.
    proxy: String,
}

/// The thread.
struct Control<'a> {
    session: &'a Session,
    line: Option<Line>,
    attempts: u32,
    next_attempt: Instant,
    buffer: Vec<u8>,
}

/// Runs until the session stops.
pub(super) fn run(session: &Session) {
    let mut control = Control {
        session,
        line: None,
        attempts: 0,
        next_attempt: Instant::now(),
        buffer: vec![0; MAX_LEN],
    };
    while !session.stopping() {
        control.connect();
        control.wait();
        control.read();
        for entry in session.entries() {
            entry.peer.bury_dead();
        }
    }
}

impl Control<'_> {
    /// Tries to reach the proxy, if somebody needs it and it is time.
    fn connect(&mut self) {
        if self.line.is_some() || !self.session.wants_link() || Instant::now() < self.next_attempt {
            return;
        }
        match link::open(&self.session.config).and_then(|found| {
            self.greet(&found.socket).map_err(|error| error.to_string())?;
            Ok(found)
        }) {
            Ok(link::Found { socket, proxy }) => {
                self.line = Some(Line { socket: Arc::new(socket), welcome: false, proxy });
            }
            Err(reason) => self.fail(reason),
        }
    }

    fn greet(&self, socket: &OwnedFd) -> Result<(), proto::ProtoError> {
        // Newer kernels tell the proxy themselves who we are, and then it does not look at this. So
        // a sandbox that does not know the call (Valgrind is one) need not keep a program out: any
        // other descriptor stands in.
        let process = pidfd_open(getpid(), PidfdFlags::empty())
            .or_else(|_| rustix::io::fcntl_dupfd_cloexec(self.session.alarm(), 0))?;
        let hello = Hello {
            version: VERSION,
            client_id: self.session.client_id.clone(),
            program: self.session.name.clone().unwrap_or_else(program),
            pid: std::process::id(),
        };
        let bytes = encode_from_client(from_client::Body::Hello(hello))?;
        proto::socket::try_send(socket, &bytes, &[process.as_fd()])
    }

    /// There is no proxy, or there is one no more.
    fn fail(&mut self, reason: String) {
        self.attempts += 1;
        let pause = if self.attempts <= RETRIES_FIRST { RETRY_FIRST } else { RETRY_LATER };
        self.next_attempt = Instant::now() + pause;
        log::debug!("attempt {}: {reason}", self.attempts);
        self.session.link_failed(reason);
        if !self.session.wants_link() {
            // Nobody waits for the proxy to come back; the next to ask is served at once.
            self.attempts = 0;
            self.next_attempt = Instant::now();
        }
    }

    /// Sleeps until there is something to do.
    fn wait(&self) {
        let entries = self.session.entries();
        // The descriptors of processes are borrowed from behind locks, so they are polled as
        // copies.
        let mut processes = Vec::new();
        for entry in &entries {
            entry.peer.watch(&mut |process| processes.extend(process.try_clone_to_owned().ok()));
        }
        // A connection that is deleted meanwhile must not be kept alive, with all its memory, by
        // this sleep.
        drop(entries);
        let mut fds = vec![PollFd::from_borrowed_fd(self.session.alarm(), PollFlags::IN)];
        fds.extend(self.line.iter().map(|line| PollFd::new(&*line.socket, PollFlags::IN)));
        fds.extend(processes.iter().map(|process| PollFd::new(process, PollFlags::IN)));
        let pause = (self.line.is_none() && self.session.wants_link())
            .then(|| self.next_attempt.saturating_duration_since(Instant::now()));
        let timeout = pause.and_then(|pause| pause.try_into().ok());
        let _ = poll(&mut fds, timeout.as_ref());
        let mut count = [0; 8];
        let _ = rustix::io::read(self.session.alarm(), &mut count);
    }

    /// Takes in everything that the proxy has said.
    fn read(&mut self) {
        while let Some(line) = &self.line {
            let socket = Arc::clone(&line.socket);
            let received =
                proto::socket::try_recv(&*socket, &mut self.buffer).and_then(|(len, fds)| {
                    Ok((decode_from_proxy(&self.buffer[..len], fds.len())?, fds))
                });
            match received {
                Ok((body, fds)) => self.handle(&socket, body, fds),
                Err(error) if error.would_block() => return,
                Err(error) => {
                    if matches!(error, proto::ProtoError::TooManyDescriptors { .. }) {
                        // Nothing that this process does not have room for can be set up, however
                        // often it is tried.
                        self.session.exhausted();
                    }
                    self.lose(&error.to_string());
                    return;
                }
            }
        }
    }

    fn lose(&mut self, reason: &str) {
        let welcome = self.line.take().is_some_and(|line| line.welcome);
        if welcome {
            log::warn!("media proxy lost: {reason}");
            self.attempts = 0;
            self.next_attempt = Instant::now();
            self.session.link_lost();
        } else {
            self.fail(format!("media proxy: {reason}"));
        }
    }

    fn handle(&mut self, socket: &Arc<OwnedFd>, body: Body, fds: Vec<OwnedFd>) {
        let mut fds = fds.into_iter();
        let answer = match body {
            Body::Welcome(welcome) => {
                if welcome.version != VERSION {
                    let reason = format!(
                        "it speaks version {} of the exchange protocol, this library version {VERSION}",
                        welcome.version
                    );
                    return self.lose(&reason);
                }
                if let Some(line) = &mut self.line {
                    if !welcome.proxy_id.starts_with(&line.proxy) {
                        let reason = "the socket in the run directory here is that of another proxy than the one at the address that was given; share that proxy's run directory";
                        return self.lose(reason);
                    }
                    line.welcome = true;
                }
                self.attempts = 0;
                self.session.link_up(socket);
                return;
            }
            Body::Closed(closed) if closed.key == 0 => {
                self.lose(&closed.reason);
                return;
            }
            Body::Created(created) => {
                if let Some(entry) = self.session.entry(created.key) {
                    self.session.created(&entry, created.conn_id);
                }
                return;
            }
            Body::Refused(refused) => {
                if let Some(entry) = self.session.entry(refused.key) {
                    self.session.refused(&entry, reason_of(refused.code, refused.reason));
                }
                return;
            }
            Body::Told(told) => {
                self.session.told(*told);
                return;
            }
            Body::Closed(closed) => {
                if let Some(entry) = self.session.entry(closed.key) {
                    self.session.closed(&entry, &closed.reason);
                }
                return;
            }
            Body::Join(join) => {
                let (Some(seat), Some(process)) = (fds.next(), fds.next()) else { return };
                self.session.join(socket, join, seat, process);
                return;
            }
            Body::Part(part) => {
                self.session.part(&part);
                return;
            }
            Body::Ring(ring) => {
                let (Some(pool), Some(board), Some(process)) = (fds.next(), fds.next(), fds.next())
                else {
                    return;
                };
                self.with_receiver(ring.key, |peer| peer.ring(&ring, &pool, board, process))
            }
            Body::NeedSeat(need) => self.with_receiver(need.key, |peer| peer.standby(need.key)),
        };
        if let Some(answer) = answer {
            self.session.transmit(socket, answer);
        }
    }

    fn with_receiver(
        &self,
        key: u32,
        act: impl FnOnce(&super::peer::ReceiverPeer) -> Result<Outgoing, OpenError>,
    ) -> Option<Outgoing> {
        let entry = self.session.entry(key)?;
        match &entry.peer {
            Peer::Receiver(peer) => act(peer)
                .inspect_err(|error| log::error!("connection {}: {error}", entry.key()))
                .ok(),
            Peer::Source(_) => {
                log::error!("the media proxy takes connection {key} for a receiver");
                None
            }
        }
    }
}

/// The program's name, for people. What it was called as comes first: one that the dynamic loader
/// was told to run is known to the kernel by the loader's name.
fn program() -> String {
    let called = std::env::args_os().next().map(std::path::PathBuf::from);
    let called = called.as_deref().and_then(std::path::Path::file_name);
    match called {
        Some(name) => name.to_string_lossy().into_owned(),
        None => {
            let known = std::fs::read_to_string("/proc/self/comm").unwrap_or_default();
            known.trim_end().to_owned()
        }
    }
}

/// The error behind the proxy's number and text.
fn reason_of(code: i32, reason: String) -> OpenError {
    match ErrorCode::from_number(code) {
        Some(ErrorCode::ConnConfigInval) => OpenError::Config(reason),
        Some(ErrorCode::ConnConfigIncompat) => OpenError::Incompatible(reason),
        Some(ErrorCode::NotImplemented) => OpenError::NotImplemented(reason),
        _ => OpenError::Failed(reason),
    }
}
