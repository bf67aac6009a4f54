//! Selection of the packets that are used: payload type, SSRC, sequence numbers, the merge of two
//! paths.

use std::sync::Arc;

use media::Tai;
use st2110::{
    redundancy::{Merge, Use},
    rtp::{Datagrams, Header, Run},
    sequence::NumberWidth,
    video::LARGEST_UDP_PAYLOAD,
};

use super::{Origin, analysis::Analyser, stats::ReceiveStats};

/// A packet that is used.
pub(super) struct Packet<'a> {
    pub(super) header: Header,
    /// After the RTP header, without padding.
    pub(super) payload: &'a [u8],
    /// When it arrived.
    pub(super) at: Tai,
    /// The sender has started again: packets before this have nothing to do with it.
    pub(super) restart: bool,
}

/// Packets that are used and belong together.
pub(super) struct Packets<'a> {
    pub(super) run: Run<'a>,
    /// When they arrived.
    pub(super) at: Tai,
    /// Up to then all paths have been read: what has not come by then is late.
    pub(super) read: Tai,
    /// See [`Packet::restart`]; a packet for which it is set is alone.
    pub(super) restart: bool,
}

impl<'a> Packets<'a> {
    /// The packet with that index, from 0.
    pub(super) fn get(&self, index: usize) -> Option<Packet<'a>> {
        let &Self { ref run, at, restart, .. } = self;
        let (header, payload) = run.packet(index)?;
        Some(Packet { header, payload, at, restart })
    }

    /// One after the other, each put in by `each`, which returns false for one that does not fit.
    /// Returns how many do not.
    pub(super) fn each(&self, mut each: impl FnMut(&Packet<'a>) -> bool) -> usize {
        let packets = (0..self.run.count()).map_while(|index| self.get(index));
        packets.filter(|packet| !each(packet)).count()
    }
}

/// The packets of one stream among what its sockets receive, and the account of them.
pub(super) struct Selection {
    payload_type: u8,
    ssrc: Option<u32>,
    width: NumberWidth,
    merge: Merge,
    /// One for each path.
    analysers: Vec<Analyser>,
    /// Up to when each path has been read.
    read: Vec<Tai>,
    /// When a packet of the stream last came on each path. Until the first of all it is 0.
    heard: Vec<Tai>,
    stats: Arc<ReceiveStats>,
}

impl Selection {
    /// Of a stream of at most `packets` packets a second.
    pub(super) fn new(
        origin: &Origin,
        width: NumberWidth,
        packets: u32,
        analyser: &Analyser,
        stats: Arc<ReceiveStats>,
    ) -> Self {
        Self {
            payload_type: origin.payload_type,
            ssrc: origin.ssrc,
            width,
            merge: Merge::new(width, origin.skew, packets),
            analysers: vec![analyser.clone(); origin.paths.len()],
            read: vec![Tai::default(); origin.paths.len()],
            heard: vec![Tai::default(); origin.paths.len()],
            stats,
        }
    }

    pub(super) fn stats(&self) -> &Arc<ReceiveStats> {
        &self.stats
    }

    /// Takes in what arrived together on a path, and calls `each` for the packets of it that are
    /// used. That returns how many of them do not fit.
    pub(super) fn datagrams(
        &mut self,
        path: usize,
        datagrams: Datagrams<'_>,
        at: Tai,
        each: &mut impl FnMut(&Packets<'_>) -> usize,
    ) {
        self.read[path] = self.read[path].max(at);
        // What is coalesced has room for more than the largest one.
        if datagrams.longest() <= LARGEST_UDP_PAYLOAD {
            return self.runs(path, datagrams, at, each);
        }
        for datagram in datagrams.iter() {
            if datagram.len() > LARGEST_UDP_PAYLOAD {
                self.stats.counters.too_long.add(1);
            } else {
                self.runs(path, Datagrams::one(datagram), at, each);
            }
        }
    }

    fn runs(
        &mut self,
        path: usize,
        datagrams: Datagrams<'_>,
        at: Tai,
        each: &mut impl FnMut(&Packets<'_>) -> usize,
    ) {
        for run in Run::all(datagrams, self.width) {
            match run {
                Ok(run) => self.run(path, &run, at, each),
                Err(_) => self.stats.counters.not_rtp.add(1),
            }
        }
    }

    fn run(
        &mut self,
        path: usize,
        run: &Run<'_>,
        at: Tai,
        each: &mut impl FnMut(&Packets<'_>) -> usize,
    ) {
        let (header, counters) = (run.header(), &self.stats.counters);
        let count = run.count() as u64;
        if header.payload_type != self.payload_type {
            return counters.other_payload_type.add(count);
        }
        if self.ssrc.is_some_and(|ssrc| ssrc != header.ssrc) {
            return counters.other_ssrc.add(count);
        }
        hear(&mut self.heard, path, at);
        self.analysers[path].run(at, run);
        let Some(number) = run.number() else {
            self.stats.refused.truncated.add(count);
            return counters.other_format.add(count);
        };
        let read = self.read.iter().copied().min().unwrap_or(at);
        let mut give = |run: Run<'_>, outcome| match outcome {
            Use::First { restart, .. } => {
                counters.packets.add(run.count() as u64);
                counters.bytes.add(run.datagrams().octets() as u64);
                let refused = each(&Packets { run, at, read, restart });
                counters.other_format.add(refused as u64);
            }
            // Each path counts these.
            Use::Duplicate | Use::Late | Use::Unknown => {}
        };
        if let Some(outcome) = self.merge.packets(path, at, header.ssrc, number, count as u32) {
            return give(*run, outcome);
        }
        for single in (0..run.count()).map_while(|index| run.single(index)) {
            let Some(number) = single.number() else { continue };
            give(single, self.merge.packet(path, at, header.ssrc, number));
        }
    }

    /// Shows the merge's counts to others.
    pub(super) fn publish(&self) {
        let mut unknown = 0;
        let last = self.heard.iter().copied().max().unwrap_or_default();
        for (shown, heard) in self.stats.paths.iter().zip(&self.heard) {
            let silent = last.since(*heard).as_micros();
            shown.silent_us.set(u64::try_from(silent).unwrap_or(u64::MAX));
        }
        for (path, shown) in self.stats.paths.iter().enumerate() {
            let counts = self.merge.counts(path);
            shown.received.set(counts.stream.received);
            shown.used.set(counts.used);
            shown.lost.set(counts.stream.lost);
            shown.reordered.set(counts.stream.reordered);
            shown.duplicates.set(counts.stream.duplicate);
            shown.late.set(counts.stream.late + counts.late);
            shown.restarts.set(counts.stream.restarts);
            shown.foreign.set(counts.stream.unknown + counts.apart);
            unknown += counts.stream.unknown;
        }
        if self.ssrc.is_none() {
            self.stats.counters.other_ssrc.set(unknown);
        }
        self.stats.counters.lost.set(self.merge.lost());
    }

    /// Publishes the analyses of all paths.
    pub(super) fn show(&self) {
        self.stats.show(self.analysers.iter().map(Analyser::analysis));
    }
}

/// A packet came on a path. A path on which nothing comes has been silent since the first packet of
/// the stream.
fn hear(heard: &mut [Tai], path: usize, at: Tai) {
    if heard.iter().all(|heard| *heard == Tai::default()) {
        heard.fill(at);
    }
    heard[path] = heard[path].max(at);
}
