//! A program's session with the proxy: one socket and one thread for all its connections.

mod join;
mod query;
mod setup;

use crate::entry::Entry;
use crate::peer::Outgoing;
use crate::{ClientError, OpenError, random};
use config::ClientConfig;
use parking_lot::{Condvar, Mutex};
use proto::datagram::encode_from_client;
use proto::exchange::{Goodbye, from_client::Body};
use rustix::event::{EventfdFlags, eventfd};
use shm::fork::ForkMark;
use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

/// What the program's threads and the session's own thread share.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) config: ClientConfig,
    /// The name by which the proxy shows the program; `None`: that of its executable.
    pub(super) name: Option<String>,
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
    /// Threads that wait for the link without a connection or a question.
    callers: usize,
    /// Why the last attempt to reach the proxy failed.
    trouble: String,
    stopping: bool,
}

impl State {
    fn no_answer(&self, patience: Duration) -> String {
        let mut reason = format!("the media proxy did not answer within {patience:?}");
        if matches!(self.link, Link::Lost) && !self.trouble.is_empty() {
            reason = format!("{reason}: {}", self.trouble);
        }
        reason
    }

    /// The proxy's socket, if the link is up.
    fn up(&self) -> Option<Arc<OwnedFd>> {
        match &self.link {
            Link::Up(socket) => Some(Arc::clone(socket)),
            Link::Untried | Link::Failed(_) | Link::Lost => None,
        }
    }

    /// The proxy's socket; if the link is not up, the thread is made to reach for the proxy.
    fn link(&mut self, session: &Session) -> Option<Arc<OwnedFd>> {
        let socket = self.up();
        if socket.is_none() {
            if let Link::Failed(_) = self.link {
                self.link = Link::Untried;
            }
            session.ring_alarm();
        }
        socket
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

impl Session {
    pub(super) fn new(config: ClientConfig, name: Option<String>) -> Result<Self, ClientError> {
        let alarm = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|errno| ClientError::System(format!("eventfd: {errno}")))?;
        Ok(Self {
            config,
            name,
            client_id: random::id().map_err(ClientError::System)?,
            made: ForkMark::here(),
            alarm,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Whether this is the process that made the session, and not a forked child of that.
    pub(super) fn is_here(&self) -> bool {
        self.made.is_here()
    }

    /// Takes a place among the connections that the client may have.
    pub(super) fn reserve(&self) -> Result<(), OpenError> {
        if !self.is_here() {
            return Err(OpenError::Forked);
        }
        let mut state = self.state.lock();
        if state.open >= self.config.max_connections {
            return Err(OpenError::TooMany(state.open));
        }
        state.open += 1;
        Ok(())
    }

    /// Gives a place back.
    pub(super) fn release(&self) {
        if self.is_here() {
            self.state.lock().open -= 1;
        }
    }

    pub(super) fn open_connections(&self) -> usize {
        if self.is_here() { self.state.lock().open } else { 0 }
    }

    /// Makes the thread end.
    pub(super) fn stop(&self) {
        self.state.lock().stopping = true;
        self.ring_alarm();
    }

    pub(super) fn alarm(&self) -> BorrowedFd<'_> {
        self.alarm.as_fd()
    }

    fn ring_alarm(&self) {
        // Fails only if the counter is full, and then the thread is on its way.
        let _ = rustix::io::write(&self.alarm, &1u64.to_ne_bytes());
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

    /// Sends without waiting: a proxy that does not read for so long that the socket is full is
    /// treated as lost, and learns everything when it is back.
    pub(super) fn transmit(&self, socket: &OwnedFd, message: Outgoing) {
        let fds: Vec<_> = message.fds.iter().map(AsFd::as_fd).collect();
        let sent = encode_from_client(message.body)
            .and_then(|bytes| proto::socket::try_send(socket, &bytes, &fds));
        if let Err(error) = sent {
            log::warn!("media proxy: {error}");
            let _ = rustix::net::shutdown(socket, rustix::net::Shutdown::Both);
        }
    }

    /// Whether shutdown was requested.
    pub(super) fn stopping(&self) -> bool {
        self.state.lock().stopping
    }

    /// Whether the proxy is needed and not there.
    pub(super) fn wants_link(&self) -> bool {
        let state = self.state.lock();
        let needed = state.callers > 0 || !state.entries.is_empty() || !state.questions.is_empty();
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
                Err(error) if entry.is_new() => {
                    entry.answer(Err(error));
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
            if entry.is_new() {
                let error = std::io::Error::from(rustix::io::Errno::MFILE);
                self.answered(&entry, Err(OpenError::Failed(error.to_string())));
            }
        }
    }

    /// There is no proxy. Once connections have been set up the thread keeps trying; the first ones
    /// fail.
    pub(super) fn link_failed(&self, reason: String) {
        let mut state = self.state.lock();
        let established = state.entries.values().any(|entry| !entry.is_new());
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
        entry.name(conn_id);
        self.answered(entry, Ok(()));
    }

    /// The proxy does not want a connection: a new one fails, one that was there before has no
    /// group any more.
    pub(super) fn refused(&self, entry: &Entry, error: OpenError) {
        if entry.is_new() {
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
        self.answered(entry, Err(OpenError::Closed(reason.to_owned())));
    }

    fn answered(&self, entry: &Entry, answer: Result<(), OpenError>) {
        let state = self.state.lock();
        entry.answer(answer);
        drop(state);
        self.changed.notify_all();
    }
}
