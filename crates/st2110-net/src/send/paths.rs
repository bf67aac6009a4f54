//! The one or two paths of a stream (ST 2022-7): the same packets on each.

use std::{
    io::IoSlice,
    sync::{Arc, atomic::Ordering},
};

use media::Tai;

use super::stats::{PathSentCounters, SendStats};
use crate::{
    Error,
    engine::SharedClock,
    socket::{Backlog, SendFailure, Sender, SenderOptions, UDP_HEADER},
};

/// Sockets that get the same packets.
pub(super) struct Paths {
    senders: Vec<Sender>,
    stats: Arc<SendStats>,
    segments: bool,
    clock: SharedClock,
    /// When the last call of the kernel began and ended.
    last: (Tai, Tai),
    /// When the kernel is to let packets leave, if it holds them back.
    departure: Option<Tai>,
    /// Bytes that were handed over since somebody asked.
    handed: usize,
}

impl Paths {
    pub(super) fn open(options: &[SenderOptions], clock: &SharedClock) -> Result<Self, Error> {
        if options.is_empty() || options.len() > 2 {
            return Err(Error::Invalid {
                field: "paths",
                found: options.len().to_string(),
                accepted: "1, or 2 for ST 2022-7".into(),
            });
        }
        let senders = options.iter().map(Sender::open).collect::<Result<Vec<_>, _>>()?;
        let warnings = senders.iter().flat_map(|sender| sender.warnings().to_vec()).collect();
        let stats = Arc::new(SendStats::new(senders.len(), warnings));
        let segments = senders.iter().all(Sender::segments);
        let last = Default::default();
        let clock = clock.clone();
        Ok(Self { senders, stats, segments, clock, last, departure: None, handed: 0 })
    }

    /// Has the kernel hold packets back until they are to leave, if it can on every path. Says how much it holds.
    pub(super) fn hold_back(&mut self) -> Option<Backlog> {
        let mut least = None;
        for sender in &mut self.senders {
            let Some(backlog) = sender.hold_back() else {
                least = None;
                break;
            };
            least = Some(least.map_or(backlog, |least| backlog.least(least)));
        }
        self.stats.kernel_paced.store(least.is_some(), Ordering::Relaxed);
        self.show_warnings();
        least
    }

    /// Whether the kernel holds packets back.
    pub(super) fn holds_back(&self) -> bool {
        self.stats.kernel_paced()
    }

    /// The kernel was given packets to hold that it let go. If it cannot hold them any more, that is noted.
    pub(super) fn look_again(&mut self) {
        if self.hold_back().is_none() {
            let reason = "the interface's queueing discipline is no longer fq";
            self.senders[0].not_held_back(reason);
            self.show_warnings();
        }
    }

    /// Whether the kernel has nothing to hold on some path.
    pub(super) fn is_drained(&self) -> bool {
        !self.senders.iter().all(Sender::has_waiting)
    }

    /// Packets that are sent from now on leave at that moment, which is `monotonic` nanoseconds of CLOCK_MONOTONIC.
    pub(super) fn leave_at(&mut self, moment: Tai, monotonic: u64) {
        self.departure = Some(moment);
        self.senders.iter_mut().for_each(|sender| sender.leave_at(Some(monotonic)));
    }

    /// Packets that are sent from now on leave at once. Returns the bytes sent since this was said last.
    pub(super) fn leave_at_once(&mut self) -> usize {
        self.departure = None;
        self.senders.iter_mut().for_each(|sender| sender.leave_at(None));
        std::mem::take(&mut self.handed)
    }

    /// Where to, in words.
    pub(super) fn destinations(&self) -> String {
        let all: Vec<_> =
            self.senders.iter().map(|sender| sender.destination().to_string()).collect();
        all.join(" and ")
    }

    fn show_warnings(&self) {
        let warnings = self.senders.iter().flat_map(|sender| sender.warnings().to_vec()).collect();
        self.stats.lock().warnings = warnings;
    }

    pub(super) fn stats(&self) -> &Arc<SendStats> {
        &self.stats
    }

    /// When the kernel was called last, and when it came back; of packets that it holds back, when they are to leave.
    pub(super) fn last_call(&self) -> (Tai, Tai) {
        self.last
    }

    /// The largest datagram without UDP header that every path takes.
    pub(super) fn payload_limit(options: &[SenderOptions]) -> usize {
        options.iter().map(|path| path.udp_limit.saturating_sub(UDP_HEADER)).min().unwrap_or(0)
    }

    /// Sends datagrams that lie one behind the other; see [`Sender::send`].
    pub(super) fn send(&mut self, bytes: &[u8], segment: usize) {
        self.each(bytes.len(), bytes.len().div_ceil(segment), |sender| sender.send(bytes, segment));
    }

    /// Sends datagrams of several parts; see [`Sender::send_gathered`].
    pub(super) fn send_gathered(&mut self, parts: &[IoSlice<'_>], each: usize, segment: usize) {
        let bytes = parts.iter().map(|part| part.len()).sum();
        self.each(bytes, parts.len() / each, |sender| sender.send_gathered(parts, each, segment));
    }

    fn each(
        &mut self,
        bytes: usize,
        count: usize,
        mut send: impl FnMut(&mut Sender) -> Result<usize, SendFailure>,
    ) {
        self.stats.counters.packets.add(count as u64);
        self.stats.counters.bytes.add(bytes as u64);
        self.last.0 = self.departure.unwrap_or_else(|| self.clock.now());
        for (sender, path) in self.senders.iter_mut().zip(&self.stats.paths) {
            account(&self.stats, path, count as u64, send(sender));
        }
        self.last.1 = self.departure.unwrap_or_else(|| self.clock.now());
        self.handed += bytes;
        if self.segments && !self.senders.iter().all(Sender::segments) {
            // Without bundles the kernel's queue is too short.
            self.segments = false;
            self.stats.kernel_paced.store(false, Ordering::Relaxed);
            self.show_warnings();
        }
    }
}

fn account(
    stats: &SendStats,
    path: &PathSentCounters,
    count: u64,
    result: Result<usize, SendFailure>,
) {
    match result {
        Ok(sent) => {
            path.packets.add(sent as u64);
            // What did not fit is lost, as on a network that is too narrow: pacing is not to be disturbed by it.
            path.full.add(count.saturating_sub(sent as u64));
        }
        Err(SendFailure::Full) => path.full.add(count),
        Err(SendFailure::Refused(error)) => {
            // The text is for people: not more often than they can read.
            if path.refused.get().is_multiple_of(4096) {
                stats.lock().refusal = Some(error.to_string());
            }
            path.refused.add(count);
        }
    }
}
