//! A program's session with the proxy: one socket and one thread for all its connections.

mod join;
mod query;

use super::configuration;
use super::connection::Connection;
use super::control;
use super::peer::{Outgoing, Peer};
use super::warnings;
use crate::error::Error;
use config::ClientConfig;
use parking_lot::{Condvar, Mutex};
use proto::Kind;
use proto::datagram::encode_from_client;
use proto::exchange::{Announce, Goodbye, from_client::Body};
use rustix::event::{EventfdFlags, eventfd};
use shm::fork::ForkMark;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the proxy may take to set a connection up. It waits for others itself, for less.
const SETUP: Duration = Duration::from_secs(10);

/// How long the session's thread may take to read an answer that is there.
const GRACE: Duration = Duration::from_secs(1);

/// Which way frames go, seen from the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The program is the group's source.
    Send,
    /// The program is a receiver.
    Receive,
}

impl From<Direction> for Kind {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Send => Self::Source,
            Direction::Receive => Self::Receiver,
        }
    }
}

/// What connections of bridges have that those of programs have not.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extras {
    /// Source: so many missing regions can be described in each buffer, at most 1024; see
    /// [`Buffer::set_missing`](super::Buffer::set_missing).
    pub regions: usize,
    /// Source: it passes on frames from elsewhere. Its presence alone does not keep a stream from ending, and only
    /// [`Connection::shutdown`] ends it.
    pub relay: bool,
    /// Receiver: where a source has said goodbye, and everything was read, one get fails with [`Error::Farewell`] before the next
    /// source's frames come.
    pub tell_ends: bool,
}

/// A client: the holder of connections.
#[derive(Debug)]
pub struct Client {
    session: Arc<Session>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What the program's threads and the session's own thread share.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: ClientConfig,
    pub(super) client_id: String,
    made: ForkMark,
    /// Wakes the session's thread.
    alarm: OwnedFd,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    link: Link,
    entries: BTreeMap<u32, Arc<Entry>>,
    /// Connections that the program has not deleted, and those that it is creating.
    open: usize,
    last_key: u32,
    questions: query::Questions,
    /// Why the last attempt to reach the proxy failed.
    trouble: String,
    stopping: bool,
}

impl State {
    fn no_answer(&self, patience: Duration) -> Error {
        let mut reason = format!("the media proxy did not answer within {patience:?}");
        if matches!(self.link, Link::Lost) && !self.trouble.is_empty() {
            reason = format!("{reason}: {}", self.trouble);
        }
        Error::ConnectionFailed(reason)
    }
}

/// The way to the proxy.
#[derive(Debug, Default)]
enum Link {
    /// Nobody has tried yet, or the last try failed for this reason.
    #[default]
    Untried,
    Failed(String),
    /// It was there, and the thread tries to get it back.
    Lost,
    Up(Arc<OwnedFd>),
}

/// A connection as the session knows it.
#[derive(Debug)]
pub(super) struct Entry {
    key: u32,
    config: proto::sdk::ConnectionConfig,
    pub(super) peer: Peer,
    /// Empty until the proxy has given it.
    conn_id: Mutex<String>,
    answer: Mutex<Option<Result<(), Error>>>,
}

impl Entry {
    fn announce(&self) -> Result<Outgoing, Error> {
        self.peer.announce(Announce {
            key: self.key,
            conn_id: self.conn_id.lock().clone(),
            config: Some(self.config.clone()),
            ring_id: Vec::new(),
            receivers: Vec::new(),
        })
    }

    /// Ends the connection from the proxy's side. The origin of a stream ends it with that, a bridge does not.
    fn close(&self, reason: &'static str) {
        match &self.peer {
            Peer::Source(peer) if peer.source.is_relay() => peer.source.leave(reason),
            Peer::Source(peer) => peer.source.close(reason),
            Peer::Receiver(peer) => peer.receiver.close(reason),
        }
    }
}

impl Client {
    /// A client from its JSON configuration. No proxy need be there yet.
    pub fn new(config: &str) -> Result<Arc<Self>, Error> {
        let read = ClientConfig::from_json_with_warnings(config);
        warnings::keep("client", read.as_ref().map_or(&[], |(_, warnings)| warnings));
        let (config, _) = read.map_err(|error| Error::ClientConfig(error.to_string()))?;
        let alarm = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| Error::Internal(format!("eventfd: {errno}")))?;
        let session = Session {
            config,
            client_id: random_id()?,
            made: ForkMark::here(),
            alarm,
            state: Mutex::default(),
            changed: Condvar::new(),
        };
        Ok(Arc::new(Self { session: Arc::new(session), thread: Mutex::new(None) }))
    }

    /// A connection from its JSON configuration; fails as a whole or succeeds as a whole.
    pub fn connect(
        self: &Arc<Self>,
        direction: Direction,
        config: &str,
    ) -> Result<Arc<Connection>, Error> {
        let config = configuration::read(direction, config)?;
        self.open(direction, &config, Extras::default())
    }

    /// A connection from a configuration that has been validated.
    pub fn open(
        self: &Arc<Self>,
        direction: Direction,
        config: &config::ConnectionConfig,
        extras: Extras,
    ) -> Result<Arc<Connection>, Error> {
        self.session.check_here()?;
        let place = Session::reserve(&self.session)?;
        self.start()?;
        let peer = Connection::peer(direction, config, extras)?;
        let wire = config.to_sdk_of(direction.into());
        let entry = self.session.introduce(peer, wire)?;
        Ok(Arc::new(Connection::new(place, entry, config)))
    }

    /// How many connections have been created and not dropped.
    pub fn connections(&self) -> usize {
        self.session.state.lock().open
    }

    /// Ends the session. Refused while connections exist.
    pub fn close(&self) -> Result<(), Error> {
        if !self.session.made.is_here() {
            // A fork has inherited neither thread nor connections; there is nothing to end.
            return Ok(());
        }
        {
            let mut state = self.session.state.lock();
            if state.open > 0 {
                return Err(Error::FoundAllocated(state.open));
            }
            state.stopping = true;
        }
        self.stop();
        Ok(())
    }

    /// Starts the session's thread, if it does not run yet.
    fn start(&self) -> Result<(), Error> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let session = Arc::clone(&self.session);
            let started = shm::quiet_thread("mcm-control", move || control::run(&session));
            *thread = Some(started.map_err(|error| {
                Error::ConnectionFailed(format!("no thread for the client: {error}"))
            })?);
        }
        Ok(())
    }

    fn stop(&self) {
        self.session.state.lock().stopping = true;
        self.session.ring_alarm();
        if let Some(thread) = self.thread.lock().take() {
            // A panic of the thread has been reported by the panic hook already.
            let _ = thread.join();
        }
        // Connections and buffers that outlive the client keep the session, but not its socket.
        self.session.state.lock().link = Link::default();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if self.session.made.is_here() {
            self.stop();
        } else {
            // A fork has no such thread to wait for.
            std::mem::forget(self.thread.get_mut().take());
        }
    }
}

/// A place among the connections that a client may have.
#[derive(Debug)]
pub(super) struct Place(Arc<Session>);

impl Place {
    pub(super) fn session(&self) -> &Arc<Session> {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.0.made.is_here() {
            self.0.state.lock().open -= 1;
        }
    }
}

impl Session {
    pub(super) fn check_here(&self) -> Result<(), Error> {
        if self.made.is_here() { Ok(()) } else { Err(Error::Forked) }
    }

    pub(super) fn alarm(&self) -> BorrowedFd<'_> {
        self.alarm.as_fd()
    }

    fn ring_alarm(&self) {
        // Fails only if the counter is full, and then the thread is on its way.
        let _ = rustix::io::write(&self.alarm, &1u64.to_ne_bytes());
    }

    fn reserve(session: &Arc<Self>) -> Result<Place, Error> {
        let mut state = session.state.lock();
        if state.open >= session.config.max_connections {
            return Err(Error::MaxConnections(state.open));
        }
        state.open += 1;
        Ok(Place(Arc::clone(session)))
    }

    /// Makes a connection known to the proxy, and waits for its answer.
    fn introduce(
        &self,
        peer: Peer,
        config: proto::sdk::ConnectionConfig,
    ) -> Result<Arc<Entry>, Error> {
        let entry = {
            let mut state = self.state.lock();
            state.last_key += 1;
            let key = state.last_key;
            let (conn_id, answer) = (Mutex::default(), Mutex::default());
            let entry = Arc::new(Entry { key, config, peer, conn_id, answer });
            state.entries.insert(key, Arc::clone(&entry));
            match &state.link {
                // The thread announces everything that it finds as soon as the link is up.
                Link::Untried | Link::Failed(_) => {
                    state.link = Link::Untried;
                    self.ring_alarm();
                }
                Link::Lost => self.ring_alarm(),
                Link::Up(socket) => {
                    let socket = Arc::clone(socket);
                    let announced = entry.announce().map(|message| self.transmit(&socket, message));
                    if let Err(error) = announced {
                        state.entries.remove(&key);
                        return Err(error);
                    }
                }
            }
            entry
        };
        let answer = self.await_answer(&entry);
        if answer.is_err() {
            self.forget(entry.key);
        }
        answer.map(|()| entry)
    }

    fn await_answer(&self, entry: &Entry) -> Result<(), Error> {
        let start = Instant::now();
        let mut state = self.state.lock();
        let mut grace = Duration::ZERO;
        loop {
            if let Some(answer) = entry.answer.lock().take() {
                return answer;
            }
            let patience = match &state.link {
                Link::Failed(reason) => return Err(Error::ConnectionFailed(reason.clone())),
                Link::Lost => self.config.default_timeout,
                Link::Untried | Link::Up(_) => SETUP,
            };
            let elapsed = start.elapsed();
            let Some(left) = (patience + grace).checked_sub(elapsed).filter(|left| !left.is_zero())
            else {
                if grace.is_zero() && matches!(state.link, Link::Up(_)) {
                    // If the process was stopped, the answer may be there, and the thread has only now the chance to read it.
                    grace = elapsed + GRACE - patience;
                    continue;
                }
                return Err(state.no_answer(patience));
            };
            self.changed.wait_for(&mut state, left);
        }
    }

    /// Ends a connection: the proxy is told, and the session knows it no more.
    pub(super) fn forget(&self, key: u32) {
        if !self.made.is_here() {
            return;
        }
        let mut state = self.state.lock();
        if state.entries.remove(&key).is_some()
            && let Link::Up(socket) = &state.link
        {
            let body = Body::Goodbye(Goodbye { key });
            self.transmit(&Arc::clone(socket), Outgoing { body, fds: Vec::new() });
        }
        // The thread gives up the descriptors that it watches for this connection.
        self.ring_alarm();
    }

    /// Sends without waiting: a proxy that does not read for so long that the socket is full is treated as lost, and learns
    /// everything when it is back.
    pub(super) fn transmit(&self, socket: &OwnedFd, message: Outgoing) {
        let fds: Vec<_> = message.fds.iter().map(AsFd::as_fd).collect();
        let sent = encode_from_client(message.body)
            .and_then(|bytes| proto::socket::try_send(socket, &bytes, &fds));
        if let Err(error) = sent {
            log::warn!("media proxy: {error}");
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }

    /// Whether the thread has an end to come to.
    pub(super) fn stopping(&self) -> bool {
        self.state.lock().stopping
    }

    /// Whether somebody needs the proxy.
    pub(super) fn wants_link(&self) -> bool {
        let state = self.state.lock();
        let needed = !state.entries.is_empty() || !state.questions.is_empty();
        needed && !matches!(state.link, Link::Up(_) | Link::Failed(_))
    }

    /// The link is there: everything that the session holds is announced on it.
    pub(super) fn link_up(&self, socket: &Arc<OwnedFd>) {
        let mut state = self.state.lock();
        state.link = Link::Up(Arc::clone(socket));
        state.trouble.clear();
        for entry in state.entries.values() {
            match entry.announce() {
                Ok(message) => self.transmit(socket, message),
                Err(error) if entry.conn_id.lock().is_empty() => {
                    *entry.answer.lock() = Some(Err(error));
                    self.changed.notify_all();
                }
                Err(error) => log::error!("announcing a connection: {error}"),
            }
        }
        for question in state.questions.open() {
            self.transmit(socket, question);
        }
    }

    /// The link is gone. Frames flow on.
    pub(super) fn link_lost(&self) {
        self.state.lock().link = Link::Lost;
        self.changed.notify_all();
    }

    /// The process is out of descriptors: connections that are being set up fail.
    pub(super) fn exhausted(&self) {
        for entry in self.entries() {
            if entry.conn_id.lock().is_empty() {
                let error = std::io::Error::from(rustix::io::Errno::MFILE);
                self.answered(&entry, Err(Error::ConnectionFailed(error.to_string())));
            }
        }
    }

    /// There is no proxy. Once connections have been set up the thread keeps trying; the first ones fail.
    pub(super) fn link_failed(&self, reason: String) {
        let mut state = self.state.lock();
        let established = state.entries.values().any(|entry| !entry.conn_id.lock().is_empty());
        state.link = if established { Link::Lost } else { Link::Failed(reason.clone()) };
        state.trouble = reason;
        self.changed.notify_all();
    }

    pub(super) fn entry(&self, key: u32) -> Option<Arc<Entry>> {
        self.state.lock().entries.get(&key).cloned()
    }

    pub(super) fn entries(&self) -> Vec<Arc<Entry>> {
        self.state.lock().entries.values().cloned().collect()
    }

    /// The proxy has set a connection up, or taken it on again.
    pub(super) fn created(&self, entry: &Entry, conn_id: String) {
        *entry.conn_id.lock() = conn_id;
        self.answered(entry, Ok(()));
    }

    /// The proxy does not want a connection: a new one fails, one that was there before has no group any more.
    pub(super) fn refused(&self, entry: &Entry, error: Error) {
        if entry.conn_id.lock().is_empty() {
            self.answered(entry, Err(error));
        } else {
            log::error!("the media proxy did not take a connection on again: {error}");
            entry.close("the media proxy did not take the connection on again");
        }
    }

    /// The proxy has ended a connection.
    pub(super) fn closed(&self, entry: &Entry, reason: &str) {
        log::warn!("connection closed by the media proxy: {reason}");
        entry.close("closed by the media proxy");
        self.answered(entry, Err(Error::Closed(reason.to_owned())));
    }

    fn answered(&self, entry: &Entry, answer: Result<(), Error>) {
        let state = self.state.lock();
        *entry.answer.lock() = Some(answer);
        drop(state);
        self.changed.notify_all();
    }
}

impl Entry {
    pub(super) fn key(&self) -> u32 {
        self.key
    }

    pub(super) fn id(&self) -> String {
        self.conn_id.lock().clone()
    }
}

/// 128 random bits in hexadecimal.
fn random_id() -> Result<String, Error> {
    Ok(super::random::bytes()?.iter().map(|byte| format!("{byte:02x}")).collect())
}
