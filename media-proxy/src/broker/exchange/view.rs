//! The state for tools: the registry's view with the counters in shared memory.

use super::Exchange;
use super::command::{Snapshot, Totals};
use super::detail::{Detail, ReceiverDelays};
use super::meter::{Counts, Rates};
use crate::broker::registry::{ConnNo, Connection, State};
use config::{ConnectionConfig, Delivery};
use media::Payload;
use proto::control;
use std::collections::HashMap;
use std::time::Duration;

/// Counters of seats that a receiver has left.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Retired {
    pub(super) received: u64,
    pub(super) missed: u64,
    pub(super) delays: ReceiverDelays,
}

impl Exchange {
    pub(super) fn totals(&self) -> Totals {
        Totals {
            clients: self.programs(),
            groups: self.registry.groups().count(),
            connections: self.registry.program_connections(),
            bridges: self.registry.connection_count() - self.registry.program_connections(),
            refused_clients: self.refused,
        }
    }

    /// Takes a reading of all counters, and describes one group or all; with details of its
    /// connections if so asked.
    pub(super) fn snapshot(
        &mut self,
        wanted: Option<&str>,
        detailed: bool,
        now: Duration,
    ) -> Snapshot {
        let registry = &self.registry;
        self.retired.retain(|no, _| registry.connection(*no).is_some());
        let mut groups = Vec::new();
        let mut counts = HashMap::new();
        for (name, group) in self.registry.groups() {
            let source = group.source().and_then(|no| self.describe(no, None, now));
            let mean = source.as_ref().map_or(0.0, |source| {
                if source.frames == 0 { 0.0 } else { source.bytes as f64 / source.frames as f64 }
            });
            let newest = group.source().and_then(|no| self.newest_put(no));
            let mut receivers = Vec::new();
            for &no in group.receivers() {
                if let Some(mut receiver) = self.describe(no, group.source(), now) {
                    receiver.bytes = (receiver.frames as f64 * mean) as u64;
                    let control::Connection { frames, bytes, .. } = receiver;
                    counts.insert(no, Counts { frames, bytes, newest });
                    receivers.push((no, receiver));
                }
            }
            let source = group.source().zip(source).map(|(no, mut source)| {
                counts.insert(no, Counts { frames: source.frames, bytes: source.bytes, newest });
                source.queue_depth =
                    receivers.iter().map(|(_, receiver)| receiver.queue_depth).max().unwrap_or(0);
                (no, source)
            });
            groups.push((name.to_owned(), source, receivers));
        }
        let all = counts.len();
        let rates = self.meter.read(now, counts);
        let has_rates = rates.len() == all;
        let rated = |(no, mut connection): (ConnNo, control::Connection)| {
            let Rates { fps, mbit_per_s } = rates.get(&no).copied().unwrap_or_default();
            connection.fps = fps;
            connection.mbit_per_s = mbit_per_s;
            connection
        };
        groups.retain(|(id, ..)| wanted.is_none_or(|wanted| wanted == id));
        let members =
            groups.iter().flat_map(|(_, source, receivers)| source.iter().chain(receivers));
        let details = members
            .filter(|_| detailed)
            .filter_map(|(no, connection)| {
                let detail = Detail { rated: rates.contains_key(no), ..self.detail(*no)? };
                Some((connection.conn_id.clone(), detail))
            })
            .collect();
        let groups = groups
            .into_iter()
            .map(|(id, source, receivers)| {
                let source = source.map(rated);
                let receivers: Vec<_> = receivers.into_iter().map(rated).collect();
                let stream_id = self.registry.stream_of(&id).unwrap_or_default().to_owned();
                let format = source.iter().chain(&receivers).map(|c| c.format.clone()).next();
                control::Group {
                    id,
                    format: format.unwrap_or_default(),
                    source,
                    receivers,
                    stream_id,
                    hosts: Vec::new(),
                }
            })
            .filter(|group| group.source.is_some() || !group.receivers.is_empty())
            .collect();
        Snapshot { groups, has_rates, details }
    }

    /// Time of the newest frame's put, according to the source.
    fn newest_put(&self, no: ConnNo) -> Option<Duration> {
        let source = self.registry.connection(no)?.source()?;
        self.boards.get(&source.board)?.monitor.newest_put()
    }

    fn describe(
        &self,
        no: ConnNo,
        source: Option<ConnNo>,
        now: Duration,
    ) -> Option<control::Connection> {
        let connection = self.registry.connection(no)?;
        let process = self.processes.get(&connection.client);
        let state = match self.registry.state(no)? {
            State::Active => control::State::Active,
            State::Waiting => control::State::Waiting,
            State::Joining => control::State::Joining,
            State::Detached => control::State::Detached,
        };
        let mut view = control::Connection {
            conn_id: connection.id.clone(),
            group_id: connection.group.clone(),
            state: state.into(),
            format: format_text(&connection.config),
            capacity: connection.config.queue_capacity.into(),
            age_ms: now.saturating_sub(connection.since).as_millis().try_into().unwrap_or(u64::MAX),
            bridge: connection.bridge,
            stream_id: self.registry.stream_of(&connection.group).unwrap_or_default().to_owned(),
            ..Default::default()
        };
        if let Some(process) = process {
            view.client_id.clone_from(&process.name);
            view.program.clone_from(&process.program);
            view.pid = process.pid;
            view.host_pid = process.identity.pid;
        }
        match (connection.source(), connection.receiver()) {
            (Some(role), _) => {
                view.kind = control::Kind::Source.into();
                if let Some(board) = self.boards.get(&role.board) {
                    view.frames = board.monitor.published();
                    view.bytes = board.monitor.bytes();
                    view.waits = board.monitor.waits();
                }
            }
            (None, Some(role)) => {
                view.kind = control::Kind::Receiver.into();
                let source = source.and_then(|no| self.registry.connection(no));
                view.live = Self::is_live(connection, source);
                let retired = self.retired.get(&no).copied().unwrap_or_default();
                view.frames = retired.received;
                view.missed = retired.missed;
                if let Some((ring, seat)) = role.using
                    && let Some(seat) = self.seats.get(&seat)
                {
                    view.frames += seat.received();
                    view.missed += seat.missed();
                    view.held = seat.held();
                    let board = source
                        .and_then(Connection::source)
                        .filter(|source| source.ring == ring)
                        .and_then(|source| self.boards.get(&source.board));
                    // Frames that it has missed are no longer there, and count as missed at its
                    // next get.
                    view.queue_depth = board.map_or(0, |board| {
                        u32::try_from(board.monitor.waiting(seat.position())).unwrap_or(u32::MAX)
                    });
                    view.behind = board.map_or(0, |board| board.monitor.behind(seat.position()));
                    // A receiver that keeps up, or that is waited for, is never further behind than
                    // the queue is long.
                    let stalled = board.is_some_and(|board| {
                        view.behind > board.monitor.geometry().capacity as u64
                    });
                    if stalled && state == control::State::Active {
                        view.state = control::State::Stalled.into();
                    }
                }
            }
            (None, None) => {}
        }
        Some(view)
    }

    /// Whether either side configures this receiver as live.
    fn is_live(receiver: &Connection, source: Option<&Connection>) -> bool {
        let mut both = std::iter::once(receiver).chain(source);
        both.any(|connection| connection.config.options.delivery == Some(Delivery::Live))
    }
}

/// A configuration's payload in a few words.
pub(crate) fn format_text(config: &ConnectionConfig) -> String {
    match config.payload {
        Payload::Blob => format!("{} {} bytes", config.payload, config.payload_size()),
        payload => payload.to_string(),
    }
}
