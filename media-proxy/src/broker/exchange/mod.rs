//! The exchange: one plain thread that serves the clients on the unix socket.
//!
//! It keeps the descriptors, watches the clients' processes and carries out the actions of the
//! [registry](crate::broker::registry). Frames never pass through it: while no client connects,
//! leaves or asks, the thread sleeps.

mod command;
mod detail;
mod group_queries;
mod intake;
mod link;
mod links;
mod meter;
mod view;

pub(crate) use command::{Gone, Handle, Snapshot, Totals};
pub(crate) use detail::Detail;
#[cfg(test)]
pub(crate) use detail::{ReceiverDelays, Slots};
pub(crate) use view::format_text;

use crate::bridge::Workers;
use crate::broker::budget::Budget;
use crate::broker::peer::Identity;
use crate::broker::registry::{
    Action, BoardNo, Carry, ClientNo, ConnNo, HOLD_TIME, Reach, Registry, SeatNo,
};
use crate::error::ProxyError;
use crate::placement::Input;
use command::Command;
use group_queries::GroupQueries;
use link::{Board, CROWDED_RETRY, Cargo, Link};
use log::{debug, info, warn};
use meter::Meter;
use rustix::event::{EventfdFlags, epoll, eventfd};
use shm::SeatMonitor;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Number of events taken from the kernel at once.
const BATCH: usize = 1024;

/// Number of reads from the socket of a dead process. Its queue is shorter; further messages come
/// from a child that has inherited it.
const LAST_TURNS: usize = 64;

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
    /// This process: bridges are its own clients.
    own: Identity,
    /// Bridges of this proxy that are processes of their own.
    workers: Workers,
    /// The placement thread.
    placement: Sender<Input>,
    max_links: usize,
    registry: Registry,
    links: HashMap<u64, Link>,
    processes: HashMap<ClientNo, Process>,
    boards: HashMap<BoardNo, Arc<Board>>,
    seats: HashMap<SeatNo, Arc<SeatMonitor>>,
    retired: HashMap<ConnNo, view::Retired>,
    meter: Meter,
    /// Queries for groups that this host does not know.
    group_queries: GroupQueries,
    /// Whether this host belongs to a fleet.
    reach: Reach,
    /// Number of clients that were refused or disconnected.
    refused: u64,
    /// Released for a moment to refuse a client when descriptors have run out.
    spare: Option<OwnedFd>,
    buffer: Vec<u8>,
}

impl Exchange {
    /// Prepares the exchange on a listening socket. With `survivors`, a predecessor had clients,
    /// which will come back.
    pub(crate) fn new(
        listener: OwnedFd,
        survivors: bool,
        proxy_id: String,
        budget: Budget,
        reach: Reach,
        placement: Sender<Input>,
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
        // Numbers of seats begin elsewhere at each start, so that a source never takes one for its
        // predecessor's.
        let first = (u64::from(u32::from_ne_bytes(media::random::bytes())) << 24) | 4;
        let exchange = Self {
            epoll,
            listener,
            wake,
            commands,
            version,
            start: Instant::now(),
            proxy_id,
            own: Identity::own().map_err(ProxyError::system("own process"))?,
            workers: Workers::default(),
            placement,
            max_links: budget.links,
            registry: Registry::new(
                budget.limits(),
                reach,
                survivors.then_some(HOLD_TIME),
                first,
                media::random::identifier,
            ),
            links: HashMap::new(),
            processes: HashMap::new(),
            boards: HashMap::new(),
            seats: HashMap::new(),
            retired: HashMap::new(),
            meter: Meter::default(),
            group_queries: GroupQueries::default(),
            reach,
            refused: 0,
            spare: links::spare(),
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
            // Deaths first: messages of a dead process's successor come after them.
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
                return Ok(self.programs());
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

    /// Time until the next deadline.
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

    /// Carries out commands. Returns whether to stop.
    fn obey(&mut self, now: Duration) -> bool {
        let mut count = [0; 8];
        // Nothing to read means that the commands have been seen already.
        let _ = rustix::io::read(&self.wake, &mut count);
        while let Ok(command) = self.commands.try_recv() {
            // The caller may have gone meanwhile; then the answer is dropped.
            match command {
                Command::Snapshot { group, detailed, reply } => {
                    let _ = reply.send(self.snapshot(group.as_deref(), detailed, now));
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
                Command::End { conn_id, reason } => {
                    if self.registry.delete(&conn_id, reason, now) {
                        info!("connection {conn_id}: {reason}");
                    }
                    self.act(now);
                }
                Command::Placed { conn_id, answer } => {
                    self.registry.placed(&conn_id, answer, now);
                    self.act(now);
                }
                Command::Found { group, config } => self.found(&group, config, now),
                Command::Streams(streams) => self.registry.name_streams(streams),
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
                        retired.delays.add(&seat);
                    }
                    if self.retired.len() > 2 * self.registry.connection_count() + 64 {
                        let registry = &self.registry;
                        self.retired.retain(|no, _| registry.connection(*no).is_some());
                    }
                }
                // At the end of the daemon the placement thread has gone.
                Action::AskPlace { conn_id, kind, config, returning } => {
                    let _ = self.placement.send(Input::Ask { conn_id, kind, config, returning });
                }
                Action::GiveUp { conn_id } => {
                    let _ = self.placement.send(Input::GiveUp { conn_id });
                }
                Action::DropClient(client) => {
                    if let Some(process) = self.processes.remove(&client) {
                        // Messages that carry the pidfd may still be under way, so closing it alone
                        // is not enough.
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

    fn watch_process(&self, client: ClientNo, pidfd: &OwnedFd) -> Result<(), rustix::io::Errno> {
        let data = epoll::EventData::new_u64(client.0 * 2 + 1);
        epoll::add(&self.epoll, pidfd, data, epoll::EventFlags::IN)
    }

    /// The processes that count as part of this one.
    pub(crate) fn with_workers(self, workers: Workers) -> Self {
        Self { workers, ..self }
    }

    /// Whether a process is this one, or one of its workers.
    fn is_own(&self, identity: &Identity) -> bool {
        *identity == self.own || self.workers.contains(identity.pid)
    }

    fn process_ended(&mut self, client: ClientNo, now: Duration) {
        let Some(process) = self.processes.get(&client) else { return };
        let label = self.label(client);
        // Its messages before its death count: a source may have come, sent and gone between two
        // rounds of this thread.
        if let Some(token) = process.link {
            for _ in 0..LAST_TURNS {
                if self.serve(token, epoll::EventFlags::IN, now) {
                    break;
                }
            }
        }
        match self.registry.connections_of(client) {
            0 => debug!("{label}: its process has ended"),
            count => {
                info!("{label}: its process has ended without a goodbye, with {count} connections");
            }
        }
        if let Some(token) = self.processes.get_mut(&client).and_then(|it| it.link.take()) {
            self.links.remove(&token);
            self.group_queries.forget(token);
        }
        self.registry.died(client, now);
        self.act(now);
    }

    /// Clients that are programs: all but this process and its workers.
    fn programs(&self) -> usize {
        self.processes.values().filter(|process| !self.is_own(&process.identity)).count()
    }

    fn label(&self, client: ClientNo) -> String {
        self.processes.get(&client).map_or_else(
            || "a client".to_owned(),
            |process| format!("{} (pid {})", process.program, process.pid),
        )
    }
}
