//! All client sockets: accepting, reading, writing, closing.

use super::Exchange;
use super::link::{Cargo, Link, Stage};
use crate::broker::foreign::Foreign;
use crate::broker::registry::ClientNo;
use crate::rate_limited_log::RateLimitedLog;
use log::{info, warn};
use proto::exchange::{Closed, from_proxy::Body};
use rustix::event::epoll;
use rustix::net::{SocketFlags, accept_with};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Number of messages of one client, and of new clients, that are handled before others have their
/// turn.
const TURN: usize = 32;
/// Time-out for a client's Hello.
const GREET_TIMEOUT: Duration = Duration::from_secs(5);
/// Send buffer of a client's socket. Small, so that few descriptors are in flight to a client that
/// does not read.
const SEND_BUFFER: usize = 64 * 1024;

static TURNED_AWAY: RateLimitedLog = RateLimitedLog::new();
static CUT_OFF: RateLimitedLog = RateLimitedLog::new();

impl Exchange {
    /// Takes new clients. Returns whether there are no more.
    pub(super) fn accept(&mut self, now: Duration) -> bool {
        for _ in 0..TURN {
            match accept_with(&self.listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.welcome(socket.into(), now),
                Err(rustix::io::Errno::AGAIN) => return true,
                Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE) => {
                    self.spare = None;
                    if let Ok(socket) = accept_with(&self.listener, SocketFlags::CLOEXEC) {
                        self.turn_away(&socket.into(), "proxy is out of descriptors");
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

    fn welcome(&mut self, socket: Foreign, now: Duration) {
        if self.links.len() >= self.max_links {
            // Clients that have not said Hello make room first.
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
    fn turn_away(&mut self, socket: &Foreign, reason: &str) {
        self.refused += 1;
        TURNED_AWAY.warn(&format!("client refused: {reason}"));
        let closed = Body::Closed(Closed { key: 0, reason: reason.to_owned() });
        if let Ok(bytes) = proto::datagram::encode_from_proxy(closed) {
            // The message is a courtesy; the end of the connection says the same.
            let _ = proto::socket::try_send(socket, &bytes, &[]);
        }
    }

    /// Reads and writes what there is on one link. Returns whether nothing is left to read.
    pub(super) fn serve(&mut self, token: u64, flags: epoll::EventFlags, now: Duration) -> bool {
        if flags.contains(epoll::EventFlags::OUT)
            && let Some(link) = self.links.get_mut(&token)
        {
            let result = link.flush(now);
            self.settle(token, result.map_err(|error| error.to_string()), now);
        }
        for _ in 0..TURN {
            let Some(link) = self.links.get(&token) else { return true };
            let received = proto::socket::try_recv::<Foreign>(&link.socket, &mut self.buffer);
            match received {
                Ok((len, fds)) => {
                    let result = self.take(token, len, fds, now);
                    if let Err(reason) = result {
                        self.cut_off(token, &reason, now);
                    }
                    self.act(now);
                }
                Err(error) if error.would_block() => return true,
                // The other end was closed with messages unread. What it said before comes next,
                // then the end.
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

    /// Sends a message by a link; a link that fails is closed.
    pub(super) fn post(&mut self, token: u64, body: Body, cargo: Cargo, now: Duration) {
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

    /// Closes links whose time is up, and retries where the kernel required a pause.
    pub(super) fn look_after_links(&mut self, now: Duration) {
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

    /// Closes a link for a violation by its client, and sends the reason.
    fn cut_off(&mut self, token: u64, reason: &str, now: Duration) {
        let Some(link) = self.links.get(&token) else { return };
        match link.stage {
            Stage::Greeting(_) => TURNED_AWAY.warn(&format!("a client: cut off: {reason}")),
            Stage::Client(client) => {
                CUT_OFF.warn(&format!("{}: cut off: {reason}", self.label(client)));
            }
        }
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

    /// Closes a link. Its client, if it has sent Hello, becomes detached.
    pub(super) fn close(&mut self, token: u64, now: Duration) {
        let Some(link) = self.links.remove(&token) else { return };
        self.group_queries.forget(token);
        // Its socket is closed elsewhere, and later.
        if let Err(errno) = epoll::delete(&self.epoll, &link.socket) {
            warn!("epoll: {errno}");
        }
        if let Stage::Client(client) = link.stage {
            if let Some(process) = self.processes.get_mut(&client) {
                process.link = None;
            }
            self.registry.detach(client, now);
            self.act(now);
        }
    }

    pub(super) fn close_link_of(&mut self, client: ClientNo, reason: &str, now: Duration) {
        if let Some(token) = self.processes.get(&client).and_then(|process| process.link) {
            info!("{}: its old socket is closed: {reason}", self.label(client));
            self.close(token, now);
        }
    }
}

/// A spare descriptor, for when there are no others.
pub(super) fn spare() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(OwnedFd::from)
}
