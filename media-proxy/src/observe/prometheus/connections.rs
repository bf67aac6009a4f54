//! Connections: what the ring counts.

use super::MAX_SHOWN;
use crate::bridge::Row;
use crate::broker::exchange::{Detail, Snapshot};
use daemon::exposition::{Exposition, Kind, Labels};
use proto::control::{self, State};
use shm::{DELAY_BOUNDS_NS, Delays};
use std::collections::HashMap;

/// A connection with its labels.
struct Line<'a> {
    labels: [(&'static str, &'a str); 5],
    connection: &'a control::Connection,
    detail: Option<&'a Detail>,
}

impl Line<'_> {
    fn is_source(&self) -> bool {
        self.connection.kind() == control::Kind::Source
    }
}

/// A family: its name, kind, unit and explanation, and what it shows of a connection.
type Column = (
    &'static str,
    Kind,
    &'static str,
    &'static str,
    fn(&Line<'_>) -> Option<daemon::exposition::Value>,
);

const COLUMNS: [Column; 17] = [
    (
        "mcm_connection_active",
        Kind::Gauge,
        "0, 1",
        "1: a source with its ring, or a receiver that reads. 0: it waits, joins, or its program is out of touch.",
        |line| Some(line.connection.state().is_linked().into()),
    ),
    (
        "mcm_connection_age_seconds",
        Kind::Gauge,
        "seconds",
        "Time since the connection was made, as this proxy knows it.",
        |line| Some((line.connection.age_ms as f64 / 1e3).into()),
    ),
    (
        "mcm_frames_total",
        Kind::Counter,
        "frames",
        "Frames that a source has put, or a receiver has taken.",
        |line| Some(line.connection.frames.into()),
    ),
    (
        "mcm_payload_bytes_total",
        Kind::Counter,
        "bytes",
        "Payload of these frames; a receiver's is estimated from its source's mean.",
        |line| Some(line.connection.bytes.into()),
    ),
    (
        "mcm_frames_per_second",
        Kind::Gauge,
        "1/s",
        "Frames a second, over the last second or so; absent before the second reading.",
        |line| line.detail?.rated.then(|| line.connection.fps.into()),
    ),
    (
        "mcm_payload_bytes_per_second",
        Kind::Gauge,
        "bytes/s",
        "Payload, over the last second or so; absent before the second reading.",
        |line| line.detail?.rated.then(|| (line.connection.mbit_per_s * 1e6 / 8.0).into()),
    ),
    (
        "mcm_nominal_frames_per_second",
        Kind::Gauge,
        "1/s",
        "Frames a second as configured; absent where the payload has no rate.",
        |line| Some(line.detail?.nominal_rate?.into()),
    ),
    (
        "mcm_queue_frames",
        Kind::Gauge,
        "frames",
        "Frames that wait for a receiver; of a source, the most that wait for one of its receivers.",
        |line| Some(line.connection.queue_depth.into()),
    ),
    (
        "mcm_queue_capacity_frames",
        Kind::Gauge,
        "frames",
        "Room in the queue, as configured.",
        |line| Some(line.connection.capacity.into()),
    ),
    (
        "mcm_held_frames",
        Kind::Gauge,
        "frames",
        "Frames that a receiver's program has taken and not given back.",
        |line| (!line.is_source()).then(|| line.connection.held.into()),
    ),
    (
        "mcm_ring_slots_in_use",
        Kind::Gauge,
        "slots",
        "Slots of a source's ring that have been used so far, and so are in memory.",
        |line| Some(line.detail?.slots?.touched.into()),
    ),
    ("mcm_ring_slots", Kind::Gauge, "slots", "Slots that a source's ring may use.", |line| {
        Some(line.detail?.slots?.all.into())
    }),
    (
        "mcm_source_waits_total",
        Kind::Counter,
        "waits",
        "How often a source had to wait for a receiver.",
        |line| line.is_source().then(|| line.connection.waits.into()),
    ),
    (
        "mcm_connection_detached",
        Kind::Gauge,
        "0, 1",
        "1 while the program has lost touch with the proxy, but lives.",
        |line| Some((line.connection.state() == State::Detached).into()),
    ),
    (
        "mcm_connection_stalled",
        Kind::Gauge,
        "0, 1",
        "1 while a receiver is further behind than its source's queue is long: it misses frames.",
        |line| (!line.is_source()).then(|| (line.connection.state() == State::Stalled).into()),
    ),
    (
        "mcm_behind_frames",
        Kind::Gauge,
        "frames",
        "Frames that a source has put and a receiver has not looked at; those beyond the queue are overwritten, and count as missed with its next get.",
        |line| (!line.is_source()).then(|| line.connection.behind.into()),
    ),
    ("mcm_connection_waiting", Kind::Gauge, "0, 1", "1 while a receiver has no source.", |line| {
        (!line.is_source()).then(|| (line.connection.state() == State::Waiting).into())
    }),
];

/// Name, kind and unit of each column.
#[cfg(test)]
pub(in crate::observe) fn declared() -> impl Iterator<Item = (&'static str, Kind, &'static str)> {
    COLUMNS.iter().map(|(name, kind, unit, ..)| (*name, *kind, *unit))
}

pub(super) fn write(out: &mut Exposition, snapshot: &Snapshot, rows: &[Row]) {
    let kinds: HashMap<_, _> = rows.iter().map(|row| (row.conn_id.as_str(), row.kind())).collect();
    let members =
        snapshot.groups.iter().flat_map(|group| group.source.iter().chain(&group.receivers));
    let lines: Vec<_> = members
        .take(MAX_SHOWN)
        .map(|connection| {
            let bridge = kinds.get(connection.conn_id.as_str()).copied().unwrap_or("bridge");
            let source = connection.kind() == control::Kind::Source;
            Line {
                labels: [
                    ("connection", &connection.conn_id),
                    ("stream", &connection.stream_id),
                    ("group", &connection.group_id),
                    ("kind", if connection.bridge { bridge } else { "program" }),
                    ("direction", if source { "in" } else { "out" }),
                ],
                connection,
                detail: snapshot.details.get(&connection.conn_id),
            }
        })
        .collect();
    info(out, &lines);
    for (name, kind, _, help, value) in COLUMNS {
        let mut family = out.family(name, kind, help);
        for line in &lines {
            if let Some(value) = value(line) {
                family.sample(&line.labels, value);
            }
        }
    }
    missed(out, &lines);
    let help =
        "Time from put to a receiver's get. At most one frame each 250 microseconds is measured.";
    delays(out, &lines, "mcm_handoff_seconds", help, |detail| detail.delays.map(|it| it.handoff));
    let help = "Time from a frame's own TAI time to a receiver's get, by this host's clock; measured like mcm_handoff_seconds.";
    delays(out, &lines, "mcm_frame_age_seconds", help, |detail| detail.delays.map(|it| it.age));
}

fn info(out: &mut Exposition, lines: &[Line<'_>]) {
    let mut family =
        out.family("mcm_connection_info", Kind::Gauge, "Always 1; what a connection is.");
    for line in lines {
        let control::Connection { program, host_pid, pid, format, remote, live, .. } =
            line.connection;
        let pid = if *host_pid == 0 { pid } else { host_pid }.to_string();
        let more = [
            ("program", program.as_str()),
            ("pid", &pid),
            ("format", format),
            ("remote", remote),
            ("delivery", if *live { "live" } else { "reliable" }),
        ];
        family.sample(&[&line.labels[..], &more].concat(), true);
    }
}

/// A reliable receiver misses frames only once it has kept its source waiting for the stall time.
fn missed(out: &mut Exposition, lines: &[Line<'_>]) {
    let help = "Frames that were overwritten before a receiver took them. Reason live: nobody waits for it; stalled: it took longer than the stall time.";
    let mut family = out.family("mcm_missed_frames_total", Kind::Counter, help);
    for line in lines.iter().filter(|line| !line.is_source()) {
        let reason = if line.connection.live { "live" } else { "stalled" };
        let labels = [&line.labels[..], &[("reason", reason)]].concat();
        family.sample(&labels, line.connection.missed);
    }
}

fn delays(
    out: &mut Exposition,
    lines: &[Line<'_>],
    name: &str,
    help: &str,
    of: impl Fn(&Detail) -> Option<Delays>,
) {
    let bounds = DELAY_BOUNDS_NS.map(|bound| bound as f64 / 1e9);
    let mut family = out.family(name, Kind::Histogram, help);
    for line in lines {
        let labels: &Labels<'_> = &line.labels;
        if let Some(delays) = line.detail.and_then(&of).filter(|delays| delays.count() > 0) {
            family.histogram(labels, &bounds, &delays.buckets, delays.sum_ns as f64 / 1e9);
        }
    }
}
