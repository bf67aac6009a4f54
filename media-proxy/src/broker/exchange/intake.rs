//! Messages of clients: validates them and passes them to the registry.

use super::group_queries::{Asker, Step};
use super::link::{Board, Stage};
use super::{Exchange, Process};
use crate::broker::foreign::Foreign;
use crate::broker::peer;
use crate::broker::registry::{Announcement, BoardNo, ClientNo, Ends, Reach, RingBytes, SeatNo};
use crate::placement::Input;
use crate::rate_limited_log::RateLimitedLog;
use config::{ConnectionConfig, ErrorCode, kind_of};
use proto::exchange::{Announce, Hello, Told, Welcome, from_client, from_proxy};
use proto::{Kind, datagram, sdk};
use shm::{BoardMonitor, RingId, SeatMonitor};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

/// Clients of one process.
const CLIENTS_PER_PROCESS: usize = 256;
/// Length limit of text from clients that logs and tools show, in characters.
const MAX_LABEL: usize = 64;

static REFUSED: RateLimitedLog = RateLimitedLog::new();

impl Exchange {
    /// Handles one message of a link. An error closes the link.
    pub(super) fn take(
        &mut self,
        token: u64,
        len: usize,
        fds: Vec<Foreign>,
        now: Duration,
    ) -> Result<(), String> {
        let Some(link) = self.links.get(&token) else { return Ok(()) };
        let stage = link.stage;
        let body = datagram::decode_from_client(&self.buffer[..len], fds.len())
            .map_err(|error| error.to_string())?;
        let mut fds = fds.into_iter();
        match (stage, body) {
            (Stage::Greeting(_), from_client::Body::Hello(hello)) => {
                let offered = fds.next().ok_or("Hello without a pidfd")?.vet()?;
                self.hello(token, hello, offered, now)
            }
            (Stage::Greeting(_), _) => Err("its first message is not Hello".into()),
            (Stage::Client(_), from_client::Body::Hello(_)) => Err("it said Hello twice".into()),
            (Stage::Client(client), from_client::Body::Announce(announce)) => {
                self.announced(client, announce, fds.collect(), now)
            }
            (Stage::Client(client), from_client::Body::Standby(standby)) => {
                let seat = fds.next().ok_or("Standby without a seat")?;
                let seat = self.admit_seat(seat)?;
                self.registry.standby(client, standby.key, seat, now).map_err(|v| v.0)
            }
            (Stage::Client(client), from_client::Body::Joined(j)) => self
                .registry
                .joined(client, j.key, SeatNo(j.seat), j.start, &tame(&j.error), now)
                .map_err(|violation| violation.0),
            (Stage::Client(client), from_client::Body::Goodbye(goodbye)) => {
                self.registry.goodbye(client, goodbye.key, now);
                Ok(())
            }
            (Stage::Client(_), from_client::Body::Ask(ask)) => {
                self.asked((token, ask.question), ask.group, now);
                Ok(())
            }
        }
    }

    /// Handles a client's query for a group's format.
    fn asked(&mut self, asker: Asker, group: String, now: Duration) {
        let known = self.registry.group_config(&group);
        let config = known.map(|(kind, config)| config.to_sdk_of(kind));
        if config.is_none() && self.reach == Reach::Groups {
            match self.group_queries.ask(asker, &group, now) {
                Step::LookUp => {
                    // At the end of the daemon the placement thread has gone.
                    let _ = self.placement.send(Input::LookUp { group });
                    return;
                }
                Step::Wait => return,
                Step::Deny => {}
            }
        }
        self.answer(asker, config, now);
    }

    /// Takes a group's format from the control plane; `None` if it knows no such group.
    pub(super) fn found(
        &mut self,
        group: &str,
        config: Option<Box<(Kind, ConnectionConfig)>>,
        now: Duration,
    ) {
        let found = config.map(|found| found.1.to_sdk_of(found.0));
        // It may have come to this host meanwhile.
        let here = self.registry.group_config(group);
        let config = here.map(|(kind, config)| config.to_sdk_of(kind)).or(found);
        for asker in self.group_queries.answered(group, config.is_some(), now) {
            self.answer(asker, config.clone(), now);
        }
    }

    fn answer(&mut self, asker: Asker, config: Option<sdk::ConnectionConfig>, now: Duration) {
        let (token, question) = asker;
        let told = from_proxy::Body::Told(Box::new(Told { question, config }));
        self.post(token, told, super::link::Cargo::Nothing, now);
    }

    fn hello(
        &mut self,
        token: u64,
        hello: Hello,
        offered: OwnedFd,
        now: Duration,
    ) -> Result<(), String> {
        if hello.version != datagram::VERSION {
            let (theirs, ours) = (hello.version, datagram::VERSION);
            return Err(format!(
                "it speaks version {theirs} of the protocol; this proxy speaks {ours}"
            ));
        }
        let id = &hello.client_id;
        if id.is_empty() || id.len() > 64 || !id.bytes().all(|c| c.is_ascii_graphic()) {
            return Err("client_id: 1 to 64 printable ASCII characters are allowed".into());
        }
        let Some(link) = self.links.get(&token) else { return Ok(()) };
        let (pidfd, identity) = peer::identify(std::os::fd::AsFd::as_fd(&link.socket), offered)
            .map_err(|error| format!("its process cannot be identified: {error}"))?;
        if let Some(known) = self.registry.client_named(id) {
            if self.processes.get(&known).is_none_or(|process| process.identity != identity) {
                return Err("client_id is in use by another process".into());
            }
            if self.registry.is_attached(known) {
                self.close_link_of(known, "it came again by another socket", now);
            }
        }
        let siblings = self.processes.values().filter(|p| p.identity == identity).count();
        if siblings >= CLIENTS_PER_PROCESS {
            return Err(format!("its process has {siblings} clients already"));
        }
        let program = tame(&hello.program);
        let label = format!("{program} (pid {})", hello.pid);
        let client = self.registry.attach(id, &label, self.is_own(&identity));
        if !self.processes.contains_key(&client) {
            self.watch_process(client, &pidfd).map_err(|error| error.to_string())?;
            let process = Process {
                pidfd: Arc::new(pidfd),
                identity,
                name: id.clone(),
                program,
                pid: hello.pid,
                link: None,
            };
            self.processes.insert(client, process);
        }
        if let Some(process) = self.processes.get_mut(&client) {
            process.link = Some(token);
        }
        if let Some(link) = self.links.get_mut(&token) {
            link.stage = Stage::Client(client);
        }
        log::debug!("{label}: client {id}");
        let welcome = Welcome { version: datagram::VERSION, proxy_id: self.proxy_id.clone() };
        self.post(token, from_proxy::Body::Welcome(welcome), super::link::Cargo::Nothing, now);
        Ok(())
    }

    fn announced(
        &mut self,
        client: ClientNo,
        announce: Announce,
        fds: Vec<Foreign>,
        now: Duration,
    ) -> Result<(), String> {
        let Announce { key, conn_id, config, ring_id, receivers } = announce;
        let refusal = match self.examine(config.as_ref(), &ring_id, receivers, fds) {
            Ok((config, ends)) => {
                let announcement = Announcement { key, conn_id, config, ends };
                return self.registry.announce(client, announcement, now).map_err(|v| v.0);
            }
            Err(refusal) => refusal,
        };
        let (code, reason) = refusal;
        REFUSED.warn(&format!("{}: connection refused: {reason}", self.label(client)));
        self.registry.refuse(client, key, code, reason);
        Ok(())
    }

    /// Checks configuration and descriptors of an announcement.
    fn examine(
        &mut self,
        config: Option<&proto::sdk::ConnectionConfig>,
        ring_id: &[u8],
        receivers: Vec<String>,
        fds: Vec<Foreign>,
    ) -> Result<(ConnectionConfig, Ends), (ErrorCode, String)> {
        let config = config
            .ok_or_else(|| (ErrorCode::ConnConfigInval, "configuration is missing".to_owned()))?;
        let read = kind_of(config).and_then(|kind| Ok((kind, ConnectionConfig::from_sdk(config)?)));
        let (kind, config) =
            read.map_err(|error| (ErrorCode::from(error.kind), error.to_string()))?;
        let failed = |reason: String| (ErrorCode::ConnFailed, reason);
        let mut fds = fds.into_iter();
        let mut next = || fds.next().ok_or_else(|| failed("a descriptor is missing".into()));
        let ends = match kind {
            Kind::Source => {
                let (pool, board) = (next()?, next()?);
                let ring = ring_bytes(ring_id).map_err(failed)?;
                let board = open_board(pool, board, ring, &config).map_err(failed)?;
                let number = BoardNo(self.registry.number());
                self.boards.insert(number, Arc::new(board));
                Ends::Source { board: number, ring, receivers }
            }
            Kind::Receiver => {
                let standby = open_seat(next()?).map_err(failed)?;
                let using = if ring_id.is_empty() {
                    None
                } else {
                    let ring = ring_bytes(ring_id).map_err(failed)?;
                    Some((ring, open_seat(next()?).map_err(failed)?))
                };
                let standby = self.keep_seat(standby);
                let using = using.map(|(ring, seat)| (ring, self.keep_seat(seat)));
                Ends::Receiver { standby, using }
            }
        };
        Ok((config, ends))
    }

    fn admit_seat(&mut self, seat: Foreign) -> Result<SeatNo, String> {
        let seat = open_seat(seat)?;
        Ok(self.keep_seat(seat))
    }

    fn keep_seat(&mut self, seat: SeatMonitor) -> SeatNo {
        let number = SeatNo(self.registry.number());
        self.seats.insert(number, Arc::new(seat));
        number
    }
}

fn open_seat(seat: Foreign) -> Result<SeatMonitor, String> {
    let seat = seat.vet().map_err(|error| format!("seat: {error}"))?;
    SeatMonitor::open(seat).map_err(|error| error.to_string())
}

fn ring_bytes(bytes: &[u8]) -> Result<RingBytes, String> {
    bytes.try_into().map_err(|_| format!("ring_id has {} bytes, 16 are expected", bytes.len()))
}

fn open_board(
    pool: Foreign,
    board: Foreign,
    ring: RingBytes,
    config: &ConnectionConfig,
) -> Result<Board, String> {
    let pool = pool.vet().map_err(|error| format!("pool: {error}"))?;
    let board = board.vet().map_err(|error| format!("board: {error}"))?;
    let monitor = BoardMonitor::open(board).map_err(|error| error.to_string())?;
    monitor.check_pool(std::os::fd::AsFd::as_fd(&pool)).map_err(|error| error.to_string())?;
    if monitor.ring_id() != RingId(ring) {
        return Err(format!(
            "board is of ring {}, announced is {}",
            monitor.ring_id(),
            RingId(ring)
        ));
    }
    let geometry = monitor.geometry();
    for (what, has, wants) in [
        ("payload", geometry.payload_size, config.payload_size()),
        ("metadata", geometry.metadata_size, config.metadata_size()),
    ] {
        if has as u64 != u64::from(wants) {
            return Err(format!(
                "board has slots with {has} bytes of {what}, configured are {wants}"
            ));
        }
    }
    Ok(Board { pool, monitor })
}

/// Sanitises a client's text for logs and tables: one line of bounded length.
fn tame(text: &str) -> String {
    text.chars().take(MAX_LABEL).map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_for_people_is_tame() {
        assert_eq!(tame("a\nb\u{1b}[31m"), "a?b?[31m");
        assert_eq!(tame(&"ä".repeat(100)).chars().count(), MAX_LABEL);
    }

    #[test]
    fn rings_have_sixteen_bytes() {
        assert_eq!(ring_bytes(&[7; 16]), Ok([7; 16]));
        assert!(ring_bytes(&[7; 15]).is_err());
    }
}
