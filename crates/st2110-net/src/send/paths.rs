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
    socket::{Backlog, SendFailure, Sender, SenderOptions, UDP_HEADER, bundles},
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
    launch_time: Option<Tai>,
    /// Bundles that were handed over to be held back since somebody asked, and their bytes.
    handed: (usize, usize),
    /// What is told of each datagram in place of a network.
    #[cfg(test)]
    tap: Option<Tap>,
}

/// Gets the first bytes of each datagram, and its length.
#[cfg(test)]
pub(super) type Tap = Box<dyn FnMut(&[u8], usize) + Send>;

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
        Ok(Self {
            senders,
            stats,
            segments,
            clock: clock.clone(),
            last: Default::default(),
            launch_time: None,
            handed: (0, 0),
            #[cfg(test)]
            tap: None,
        })
    }

    /// Paths that lead to `tap` and nowhere else.
    #[cfg(test)]
    pub(super) fn tapped(clock: &SharedClock, tap: Tap) -> Self {
        Self {
            senders: Vec::new(),
            stats: Arc::new(SendStats::new(0, Vec::new())),
            segments: true,
            clock: clock.clone(),
            last: Default::default(),
            launch_time: None,
            handed: (0, 0),
            tap: Some(tap),
        }
    }

    /// Has the kernel hold packets back until they are to leave, if it can on every path. Says how
    /// much it holds.
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

    /// Whether packets that are sent now are held back.
    pub(super) fn is_held_back(&self) -> bool {
        self.launch_time.is_some()
    }

    /// The kernel was given packets to hold that it let go. If it cannot hold them any more, that
    /// is noted.
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

    /// Packets that are sent from now on leave at that moment, which is `monotonic` nanoseconds of
    /// CLOCK_MONOTONIC.
    pub(super) fn leave_at(&mut self, moment: Tai, monotonic: u64) {
        self.launch_time = Some(moment);
        self.senders.iter_mut().for_each(|sender| sender.leave_at(Some(monotonic)));
    }

    /// Packets that are sent from now on leave at once. Returns the bundles that were to leave
    /// later since this was said last, and their bytes.
    pub(super) fn leave_at_once(&mut self) -> (usize, usize) {
        self.launch_time = None;
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

    /// When the kernel was called last, and when it came back; of packets that it holds back, when
    /// they are to leave.
    pub(super) fn last_call(&self) -> (Tai, Tai) {
        self.last
    }

    /// The largest datagram without UDP header that every path takes.
    pub(super) fn payload_limit(options: &[SenderOptions]) -> usize {
        options.iter().map(|path| path.udp_limit.saturating_sub(UDP_HEADER)).min().unwrap_or(0)
    }

    /// Sends a single datagram.
    pub(super) fn send(&mut self, datagram: &[u8]) {
        self.send_each_of(datagram, &[datagram.len()]);
    }

    /// Sends datagrams of these lengths that lie one behind the other; see
    /// [`Sender::send_each_of`].
    pub(super) fn send_each_of(&mut self, bytes: &[u8], lengths: &[usize]) {
        #[cfg(test)]
        if let Some(tap) = &mut self.tap {
            let mut at = 0;
            for length in lengths {
                tap(&bytes[at..at + length], *length);
                at += length;
            }
        }
        self.each(lengths, |sender| sender.send_each_of(bytes, lengths));
    }

    /// Sends datagrams of several parts, of which these are the lengths; see
    /// [`Sender::send_gathered`].
    pub(super) fn send_gathered(&mut self, parts: &[IoSlice<'_>], each: usize, lengths: &[usize]) {
        #[cfg(test)]
        if let Some(tap) = &mut self.tap {
            parts.chunks(each).zip(lengths).for_each(|(parts, length)| tap(&parts[0], *length));
        }
        self.each(lengths, |sender| sender.send_gathered(parts, each));
    }

    fn each(
        &mut self,
        lengths: &[usize],
        mut send: impl FnMut(&mut Sender) -> Result<usize, SendFailure>,
    ) {
        let (bytes, count) = (lengths.iter().sum::<usize>(), lengths.len());
        self.stats.counters.packets.add(count as u64);
        self.stats.counters.bytes.add(bytes as u64);
        self.last.0 = self.launch_time.unwrap_or_else(|| self.clock.now());
        for (sender, path) in self.senders.iter_mut().zip(&self.stats.paths) {
            account(&self.stats, path, count as u64, send(sender));
        }
        self.last.1 = self.launch_time.unwrap_or_else(|| self.clock.now());
        if self.launch_time.is_some() {
            self.handed = (self.handed.0 + bundles(lengths), self.handed.1 + bytes);
        }
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
            // What did not fit is lost, as on a network that is too narrow: pacing is not to be
            // disturbed by it.
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
