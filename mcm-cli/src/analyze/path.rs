//! One path of a stream, as it is received and measured.

use super::report::{self, About, Report};
use crate::error::CliError;
use crate::progress::Progress;
use media::Tai;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use st2110::analyser::{AudioAnalyser, VideoAnalyser};
use st2110::rtp::Header;
use st2110_net::socket::{Batch, Bundle, Receiver, ReceiverOptions};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// How long one look at the sockets lasts.
const LOOK: Duration = Duration::from_millis(100);

/// What measures.
pub(super) enum Analyser {
    Video(Box<VideoAnalyser>),
    /// Ancillary data have frames as video has, and no limits to keep.
    Ancillary(Box<VideoAnalyser>),
    Audio(Box<AudioAnalyser>),
}

/// Datagrams that came to the address of a stream and are not of it. The names are those of the
/// media proxy's counters.
#[derive(Debug, Default)]
pub(super) struct Others {
    /// From an address that is not among the sources.
    pub(super) sender: u64,
    /// Of another payload type, and which.
    pub(super) payload_type: u64,
    types: BTreeSet<u8>,
    /// Not RTP.
    pub(super) not_rtp: u64,
    /// Longer than any of ST 2110.
    pub(super) too_long: u64,
}

impl Others {
    pub(super) fn all(&self) -> u64 {
        self.sender + self.payload_type + self.not_rtp + self.too_long
    }
}

/// A path.
pub(super) struct Path {
    /// Address and port, for people.
    pub(super) name: String,
    receiver: Receiver,
    sources: Vec<IpAddr>,
    payload_type: Option<u8>,
    analyser: Analyser,
    /// Properties that are assumed because the description lacks them.
    assumed: Vec<&'static str>,
    others: Others,
}

impl Path {
    /// Opens its socket. A payload type that is not known is any.
    pub(super) fn open(
        name: String,
        options: &ReceiverOptions,
        payload_type: Option<u8>,
        analyser: Analyser,
        assumed: Vec<&'static str>,
    ) -> Result<Self, CliError> {
        let receiver = Receiver::open(options)?;
        let (sources, others) = (options.sources.clone(), Others::default());
        Ok(Self { name, receiver, sources, payload_type, analyser, assumed, others })
    }

    /// What works less well than it should.
    pub(super) fn warn(&self) {
        for warning in self.receiver.warnings() {
            eprintln!("mcm: warning: {warning}");
        }
    }

    /// The figures.
    pub(super) fn report(&self) -> Report {
        let about = About { dropped: self.dropped(), assumed: &self.assumed, others: &self.others };
        match &self.analyser {
            Analyser::Video(analyser) => report::video(&analyser.summary(), about),
            Analyser::Ancillary(analyser) => report::ancillary(&analyser.summary(), about),
            Analyser::Audio(analyser) => report::audio(&analyser.summary(), about),
        }
    }

    /// Packets that reached this host and that its kernel dropped.
    fn dropped(&self) -> u32 {
        self.receiver.drops().unwrap_or(0)
    }

    /// Why nothing is analysed, if this host has dropped packets.
    pub(super) fn overflow(&self) -> Option<String> {
        let dropped = self.dropped();
        (dropped > 0).then(|| {
            format!(
                "{}: this host dropped {dropped} packets for want of receive buffer, so the stream is not judged \
                 (a larger net.core.rmem_max, CAP_NET_ADMIN or a less busy host helps)",
                self.name
            )
        })
    }

    /// Why there is nothing to analyse; `None` if there is.
    pub(super) fn silence(&self) -> Option<String> {
        let counts = match &self.analyser {
            Analyser::Video(analyser) | Analyser::Ancillary(analyser) => analyser.summary().counts,
            Analyser::Audio(analyser) => analyser.summary().counts,
        };
        if counts.received > 0 {
            return None;
        }
        let (others, mut instead) = (&self.others, Vec::new());
        if others.sender > 0 {
            let wanted = list(&self.sources);
            instead.push(format!("{} of other senders than {wanted}", others.sender));
        }
        if let (1.., Some(wanted)) = (others.payload_type, self.payload_type) {
            let (count, found) = (others.payload_type, list(&others.types));
            instead.push(format!("{count} of payload type {found} and not {wanted}"));
        }
        if others.not_rtp > 0 {
            instead.push(format!("{} that are not RTP", others.not_rtp));
        }
        if others.too_long > 0 {
            instead.push(format!("{} longer than ST 2110 allows", others.too_long));
        }
        Some(match instead.as_slice() {
            [] => format!("{}: no packet came", self.name),
            _ => format!("{}: no packet of the stream came, but {}", self.name, instead.join(", ")),
        })
    }

    /// Takes what has arrived.
    fn take(&mut self, bundle: &Bundle<'_>, offset: i64) {
        let sender = bundle.sender().map(|sender| sender.ip());
        let is_of_source = |sender| self.sources.contains(&sender);
        if !self.sources.is_empty() && !sender.is_some_and(is_of_source) {
            self.others.sender += bundle.datagrams().count() as u64;
            return;
        }
        if bundle.truncated() {
            self.others.too_long += 1;
            return;
        }
        let arrival = bundle.realtime().map_or_else(Tai::now, |utc| {
            let tai = i128::from(utc) + i128::from(offset) * 1_000_000_000;
            Tai::from_nanos(u64::try_from(tai).unwrap_or(0))
        });
        for datagram in bundle.datagrams().iter() {
            let Ok((header, _)) = Header::parse(datagram) else {
                self.others.not_rtp += 1;
                continue;
            };
            if self.payload_type.is_some_and(|wanted| wanted != header.payload_type) {
                self.others.payload_type += 1;
                self.others.types.insert(header.payload_type);
                continue;
            }
            match &mut self.analyser {
                Analyser::Video(analyser) | Analyser::Ancillary(analyser) => {
                    analyser.packet(arrival, &header, datagram.len());
                }
                Analyser::Audio(analyser) => {
                    analyser.packet(arrival, &header, datagram.len());
                }
            }
        }
    }
}

fn list<'a, T: ToString + 'a>(items: impl IntoIterator<Item = &'a T>) -> String {
    items.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// Receives on all paths for so long.
pub(super) fn receive(paths: &mut [Path], time: Duration) -> Result<(), CliError> {
    let fail =
        |what: &str, error: &dyn std::fmt::Display| CliError::Stream(format!("{what}: {error}"));
    let end = Instant::now() + time;
    let offset = media::tai::offset_seconds();
    let mut batch = Batch::new();
    let mut packets = 0_usize;
    let name = paths.iter().map(|path| path.name.as_str()).collect::<Vec<_>>().join(" and ");
    let mut progress = Progress::new(format!("packets of {name}"));
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        let mut fds: Vec<_> = paths
            .iter()
            .map(|path| PollFd::from_borrowed_fd(path.receiver.as_fd(), PollFlags::IN))
            .collect();
        let patience = Timespec { tv_sec: 0, tv_nsec: left.min(LOOK).as_nanos() as i64 };
        match poll(&mut fds, Some(&patience)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(fail("poll()", &error)),
        }
        for path in paths.iter_mut() {
            path.receiver.receive(&mut batch).map_err(|error| fail("recvmmsg()", &error))?;
            for bundle in batch.bundles() {
                packets += bundle.datagrams().count();
                path.take(&bundle, offset);
            }
        }
        progress.look(
            (packets > 0).then_some(|| format!("{packets} packets of {:.0} s", time.as_secs_f64())),
        );
    }
}
