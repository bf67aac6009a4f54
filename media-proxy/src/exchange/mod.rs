//! The exchange: one plain thread that talks to the clients on the unix socket.
//!
//! It keeps the descriptors, watches the clients' processes and does what the [registry](crate::registry) says. Frames
//! never come this way: while nobody connects, leaves or asks, the thread sleeps.

mod command;
mod intake;
mod link;
mod meter;
mod view;

pub(crate) use command::{Gone, Handle};

use crate::budget::Budget;
use crate::error::ProxyError;
use crate::peer::Identity;
use crate::registry::{Action, BoardNo, Carry, ClientNo, ConnNo, HOLD_TIME, Registry, SeatNo};
use command::Command;
use link::{Board, CROWDED_RETRY, Cargo, Link, Stage};
use log::{info, warn};
use meter::Meter;
use proto::exchange::{Closed, from_proxy::Body};
use ring::SeatMonitor;
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::net::{SocketFlags, accept_with};
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Events taken from the kernel at once.
const BATCH: usize = 1024;
/// Messages of one client, and new clients, taken before others have their turn.
const TURN: usize = 32;
/// How long a client may take to say Hello.
const GREET_TIMEOUT: Duration = Duration::from_secs(5);
/// Send buffer of a client's socket. Small, so that few descriptors are under way to a client that does not read.
const SEND_BUFFER: usize = 64 * 1024;

const LISTENER: u64 = 0;
const WAKE: u64 = 1;

/// A client's process.
#[derive(Debug)]
struct Process {
    pidfd: Arc<OwnedFd>,
    identity: Identity,
    name: String,
    program: String,
    /// As the program itself sees it.
    pid: u32,
    link: Option<u64>,
}

/// The exchange's state, all owned by its thread.
#[derive(Debug)]
pub(crate) struct Exchange {
    epoll: OwnedFd,
    listener: OwnedFd,
    wake: Arc<OwnedFd>,
    commands: Receiver<Command>,
    version: watch::Sender<u64>,
    start: Instant,
    proxy_id: String,
    max_links: usize,
    registry: Registry,
    links: HashMap<u64, Link>,
    processes: HashMap<ClientNo, Process>,
    boards: HashMap<BoardNo, Arc<Board>>,
    seats: HashMap<SeatNo, Arc<SeatMonitor>>,
    retired: HashMap<ConnNo, view::Retired>,
    meter: Meter,
    /// Clients that were turned away or cut off.
    refused: u64,
    /// Given up for a moment to turn a client away when descriptors have run out.
    spare: Option<OwnedFd>,
    buffer: Vec<u8>,
}

impl Exchange {
    /// Prepares the exchange on a listening socket. With `survivors`, a predecessor had clients, which will come back.
    pub(crate) fn new(
        listener: OwnedFd,
        survivors: bool,
        proxy_id: String,
        budget: Budget,
    ) -> Result<(Self, Handle), ProxyError> {
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(ProxyError::system("epoll"))?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(ProxyError::system("eventfd"))?;
        for (fd, token) in [(&listener, LISTENER), (&wake, WAKE)] {
            epoll::add(&epoll, fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN)
                .map_err(ProxyError::system("epoll"))?;
        }
        let wake = Arc::new(wake);
        let (sender, commands) = channel();
        let (version, seen) = watch::channel(0);
        let handle = Handle { commands: sender, wake: Arc::clone(&wake), version: seen };
        // Numbers of seats begin elsewhere at each start, so that a source never takes one for its predecessor's.
        let first = (u64::from(crate::random::number()) << 24) | 4;
        let exchange = Self {
            epoll,
            listener,
            wake,
            commands,
            version,
            start: Instant::now(),
            proxy_id,
            max_links: budget.links,
            registry: Registry::new(
                budget.limits(),
                survivors.then_some(HOLD_TIME),
                first,
                crate::random::identifier,
            ),
            links: HashMap::new(),
            processes: HashMap::new(),
            boards: HashMap::new(),
            seats: HashMap::new(),
            retired: HashMap::new(),
            meter: Meter::default(),
            refused: 0,
            spare: spare(),
            buffer: vec![0; proto::datagram::MAX_LEN],
        };
        Ok((exchange, handle))
    }

    /// Serves until it is told to stop. Returns how many clients there were at that time.
    pub(crate) fn run(mut self) -> Result<usize, ProxyError> {
        let mut events = Vec::with_capacity(BATCH);
        loop {
            let timeout = self.timeout();
            events.clear();
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                timeout.as_ref(),
            ) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(ProxyError::system("epoll")(errno)),
            }
            let now = self.start.elapsed();
            // Whether everything that was readable has been read.
            let mut complete = events.len() < BATCH;
            // Deaths first: what a dead process's successor says comes after them.
            for event in &events {
                let token = event.data.u64();
                if token > WAKE && token % 2 == 1 {
                    self.process_ended(ClientNo(token / 2), now);
                }
            }
            let mut stop = false;
            for event in &events {
                match event.data.u64() {
                    LISTENER => complete &= self.accept(now),
                    WAKE => stop |= self.obey(now),
                    token if token % 2 == 0 => complete &= self.serve(token, event.flags, now),
                    _ => {}
                }
            }
            if stop {
                return Ok(self.processes.len());
            }
            self.registry.tick(now);
            if complete {
                self.registry.end_pass(now);
            }
            self.look_after_links(now);
            self.act(now);
            let version = self.registry.version();
            self.version.send_if_modified(|seen| std::mem::replace(seen, version) != version);
        }
    }

    /// How long to sleep.
    fn timeout(&self) -> Option<rustix::time::Timespec> {
        let now = self.start.elapsed();
        let mut due = self.links.values().filter_map(Link::deadline).min();
        if self.links.values().any(Link::is_crowded) {
            due = Some(due.map_or(now + CROWDED_RETRY, |due| due.min(now + CROWDED_RETRY)));
        }
        if self.registry.wants_pass() {
            due = Some(now);
        }
        let due = due.into_iter().chain(self.registry.next_deadline()).min()?;
        rustix::time::Timespec::try_from(due.saturating_sub(now)).ok()
    }

    /// Takes new clients. Returns whether there are no more.
    fn accept(&mut self, now: Duration) -> bool {
        for _ in 0..TURN {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.welcome(socket, now),
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
                    self.spare = None;
                    if let Ok(socket) = accept_with(&self.listener, SocketFlags::CLOEXEC) {
                        self.turn_away(&socket, "proxy is out of descriptors");
                    }
                    self.spare = spare();
                    return false;
                }
                // A client that was gone before it was accepted.
                Err(_) => {}
            }
        }
        false
    }

    fn welcome(&mut self, socket: OwnedFd, now: Duration) {
        if self.links.len() >= self.max_links {
            // Who has not even said Hello makes room first.
            let idle = self.links.iter().filter_map(|(token, link)| match link.stage {
                Stage::Greeting(by) => Some((by, *token)),
                Stage::Client(_) => None,
            });
            let Some((_, oldest)) = idle.min() else {
                let reason =
                    format!("proxy has {} clients, as many as it can serve", self.links.len());
                self.turn_away(&socket, &reason);
                return;
            };
            self.cut_off(oldest, "others need the room and it has not said Hello", now);
        }
        // A larger buffer does no harm, so a failure does not matter.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER);
        let token = self.registry.number() * 2;
        let data = epoll::EventData::new_u64(token);
        if let Err(errno) = epoll::add(&self.epoll, &socket, data, epoll::EventFlags::IN) {
            warn!("a client cannot be watched: {errno}");
            return;
        }
        self.links.insert(token, Link::new(socket, now + GREET_TIMEOUT));
    }

    /// Tells a client that there is no room for it.
    fn turn_away(&mut self, socket: &OwnedFd, reason: &str) {
        self.refused += 1;
        warn!("client refused: {reason}");
        let closed = Body::Closed(Closed { key: 0, reason: reason.to_owned() });
        if let Ok(bytes) = proto::datagram::encode_from_proxy(closed) {
            // It is told as a courtesy; the end of the connection says the same.
            let _ = proto::socket::try_send(socket, &bytes, &[]);
        }
    }

    /// Reads and writes what there is on one link. Returns whether nothing is left to read.
    fn serve(&mut self, token: u64, flags: epoll::EventFlags, now: Duration) -> bool {
        if flags.contains(epoll::EventFlags::OUT)
            && let Some(link) = self.links.get_mut(&token)
        {
            let result = link.flush(now);
            self.settle(token, result.map_err(|error| error.to_string()), now);
        }
        for _ in 0..TURN {
            let Some(link) = self.links.get(&token) else { return true };
            let received = proto::socket::try_recv(&link.socket, &mut self.buffer);
            match received {
                Ok((len, fds)) => {
                    let result = self.take(token, len, fds, now);
                    if let Err(reason) = result {
                        self.cut_off(token, &reason, now);
                    }
                    self.act(now);
                }
                Err(error) if error.would_block() => return true,
                // The other end was closed with messages unread. What it said before comes next, then the end.
                Err(proto::ProtoError::Io(error))
                    if error.kind() == std::io::ErrorKind::ConnectionReset => {}
                Err(proto::ProtoError::Closed | proto::ProtoError::Io(_)) => {
                    self.close(token, now);
                    return true;
                }
                Err(error) => {
                    self.cut_off(token, &error.to_string(), now);
                    return true;
                }
            }
        }
        false
    }

    /// Does what commands say. Returns whether to stop.
    fn obey(&mut self, now: Duration) -> bool {
        let mut count = [0; 8];
        // Nothing to read means that the commands have been seen already.
        let _ = rustix::io::read(&self.wake, &mut count);
        while let Ok(command) = self.commands.try_recv() {
            // Whoever asked may be gone meanwhile; then nobody needs the answer.
            match command {
                Command::Snapshot { group, reply } => {
                    let _ = reply.send(self.snapshot(group.as_deref(), now));
                }
                Command::Totals { reply } => {
                    let _ = reply.send(self.totals());
                }
                Command::Delete { conn_id, reply } => {
                    let found = self.registry.delete(&conn_id, "deleted by an operator", now);
                    if found {
                        info!("connection {conn_id}: deleted by an operator");
                    }
                    self.act(now);
                    let _ = reply.send(found);
                }
                Command::Stop => return true,
            }
        }
        false
    }

    /// Does what the registry says.
    fn act(&mut self, now: Duration) {
        while let Some(action) = self.registry.next_action() {
            match action {
                Action::Send { to, body, carry } => {
                    let Some(token) = self.processes.get(&to).and_then(|process| process.link)
                    else {
                        continue;
                    };
                    match self.load(carry) {
                        Some(cargo) => self.post(token, body, cargo, now),
                        None => warn!("a message to {} lacks its descriptors", self.label(to)),
                    }
                }
                Action::DropBoard(board) => {
                    self.boards.remove(&board);
                }
                Action::DropSeat(seat) => {
                    self.seats.remove(&seat);
                }
                Action::RetireSeat(seat, connection) => {
                    if let Some(seat) = self.seats.remove(&seat) {
                        let retired = self.retired.entry(connection).or_default();
                        retired.received += seat.received();
                        retired.missed += seat.missed();
                    }
                    if self.retired.len() > 2 * self.registry.connection_count() + 64 {
                        let registry = &self.registry;
                        self.retired.retain(|no, _| registry.connection(*no).is_some());
                    }
                }
                Action::DropClient(client) => {
                    if let Some(process) = self.processes.remove(&client) {
                        // Messages that carry the pidfd may still be under way, so closing it alone is not enough.
                        let _ = epoll::delete(&self.epoll, &process.pidfd);
                    }
                }
            }
        }
    }

    fn load(&self, carry: Carry) -> Option<Cargo> {
        let pidfd = |client| {
            self.processes.get(&client).map(|process: &Process| Arc::clone(&process.pidfd))
        };
        Some(match carry {
            Carry::Nothing => Cargo::Nothing,
            Carry::Seat(seat, client) => {
                Cargo::Seat(self.seats.get(&seat)?.clone(), pidfd(client)?)
            }
            Carry::Board(board, client) => {
                Cargo::Board(self.boards.get(&board)?.clone(), pidfd(client)?)
            }
        })
    }

    /// Sends a message by a link; a link that fails is closed.
    fn post(&mut self, token: u64, body: Body, cargo: Cargo, now: Duration) {
        let Some(link) = self.links.get_mut(&token) else { return };
        let result = match proto::datagram::encode_from_proxy(body) {
            Ok(bytes) => link.send(bytes, cargo, now).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        self.settle(token, result, now);
    }

    /// After sending: closes the link or arranges for the rest to be sent.
    fn settle(&mut self, token: u64, result: Result<(), String>, now: Duration) {
        if let Err(reason) = result {
            self.cut_off(token, &reason, now);
            return;
        }
        let Some(link) = self.links.get(&token) else { return };
        let mut flags = epoll::EventFlags::IN;
        if link.wants_room() {
            flags |= epoll::EventFlags::OUT;
        }
        let data = epoll::EventData::new_u64(token);
        if let Err(errno) = epoll::modify(&self.epoll, &link.socket, data, flags) {
            warn!("epoll: {errno}");
        }
    }

    /// Closes links whose time is up, and tries again where the kernel wanted a pause.
    fn look_after_links(&mut self, now: Duration) {
        let overdue: Vec<_> = self
            .links
            .iter()
            .filter_map(|(token, link)| link.overdue(now).map(|reason| (*token, reason)))
            .collect();
        for (token, reason) in overdue {
            self.cut_off(token, reason, now);
        }
        let crowded: Vec<_> = self
            .links
            .iter()
            .filter(|(_, link)| link.is_crowded())
            .map(|(token, _)| *token)
            .collect();
        for token in crowded {
            if let Some(link) = self.links.get_mut(&token) {
                let result = link.flush(now).map_err(|error| error.to_string());
                self.settle(token, result, now);
            }
        }
    }

    /// Closes a link for a fault of its client's, and tells why.
    fn cut_off(&mut self, token: u64, reason: &str, now: Duration) {
        let Some(link) = self.links.get(&token) else { return };
        let who = match link.stage {
            Stage::Greeting(_) => "a client".to_owned(),
            Stage::Client(client) => self.label(client),
        };
        warn!("{who}: cut off: {reason}");
        self.refused += 1;
        let closed = Body::Closed(Closed { key: 0, reason: reason.to_owned() });
        if let (Some(link), Ok(bytes)) =
            (self.links.get(&token), proto::datagram::encode_from_proxy(closed))
        {
            // As a courtesy; the end of the connection says the same.
            let _ = proto::socket::try_send(&link.socket, &bytes, &[]);
        }
        self.close(token, now);
    }

    /// Closes a link. Its client, if it has said Hello, counts as out of touch.
    fn close(&mut self, token: u64, now: Duration) {
        let Some(link) = self.links.remove(&token) else { return };
        // Dropping the socket takes it out of the epoll set: nobody else has it.
        if let Stage::Client(client) = link.stage {
            if let Some(process) = self.processes.get_mut(&client) {
                process.link = None;
            }
            self.registry.detach(client, now);
            self.act(now);
        }
    }

    fn close_link_of(&mut self, client: ClientNo, reason: &str, now: Duration) {
        if let Some(token) = self.processes.get(&client).and_then(|process| process.link) {
            info!("{}: its old socket is closed: {reason}", self.label(client));
            self.close(token, now);
        }
    }

    fn watch_process(&self, client: ClientNo, pidfd: &OwnedFd) -> Result<(), rustix::io::Errno> {
        let data = epoll::EventData::new_u64(client.0 * 2 + 1);
        epoll::add(&self.epoll, pidfd, data, epoll::EventFlags::IN)
    }

    fn process_ended(&mut self, client: ClientNo, now: Duration) {
        let Some(process) = self.processes.get_mut(&client) else { return };
        let link = process.link.take();
        info!("{}: its process has ended", self.label(client));
        if let Some(token) = link {
            self.links.remove(&token);
        }
        self.registry.died(client, now);
        self.act(now);
    }

    fn label(&self, client: ClientNo) -> String {
        self.processes.get(&client).map_or_else(
            || "a client".to_owned(),
            |process| format!("{} (pid {})", process.program, process.pid),
        )
    }
}

fn spare() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}
