//! From sockets to the packets of one stream: filters, sequence numbers, the merge of two paths.

use std::{net::IpAddr, sync::Arc, time::Duration};

use media::Tai;
use st2110::{
    redundancy::{Merge, Use},
    rtp::Header,
    sequence::NumberWidth,
    video::LARGEST_UDP_PAYLOAD,
};

use super::{Origin, judge::Judge, stats::ReceiveStats};
use crate::{
    Error,
    engine::{Moment, Outcome},
    socket::{Batch, Receiver, ReceiverOptions, receive_buffer},
};

/// A packet that is used.
pub(super) struct Packet<'a> {
    pub(super) header: Header,
    /// After the RTP header, without padding.
    pub(super) payload: &'a [u8],
    /// When it arrived.
    pub(super) at: Tai,
    /// The sender has started again: packets before this have nothing to do with it.
    pub(super) restart: bool,
    /// Up to then all paths have been read: what has not come by then is late.
    pub(super) read: Tai,
}

/// How much a stream is at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    /// Packets a second.
    pub(super) packets: u32,
    /// Bytes a second.
    pub(super) bytes: u64,
}

/// Sockets of a stream, and what of their packets is used.
pub(super) struct Intake {
    sockets: Vec<Receiver>,
    sources: Vec<Vec<IpAddr>>,
    payload_type: u8,
    ssrc: Option<u32>,
    width: NumberWidth,
    merge: Merge,
    /// One for each path.
    judges: Vec<Judge>,
    /// Up to when each path has been read.
    read: Vec<Tai>,
    published: Tai,
    stats: Arc<ReceiveStats>,
}

/// What is shown of the judgement is at most so old.
const SHOWN: Duration = Duration::from_millis(500);

impl Intake {
    /// Opens the sockets, with buffers for `traffic` where the origin does not give their size.
    pub(super) fn open(
        origin: &Origin,
        width: NumberWidth,
        traffic: Traffic,
        judge: &Judge,
    ) -> Result<Self, Error> {
        let invalid = |field, found: String, accepted: &str| {
            Err(Error::Invalid { field, found, accepted: accepted.into() })
        };
        if origin.paths.is_empty() || origin.paths.len() > 2 {
            return invalid("paths", origin.paths.len().to_string(), "1, or 2 for ST 2022-7");
        }
        if origin.payload_type > 127 {
            return invalid("payload type", origin.payload_type.to_string(), "0 to 127");
        }
        if origin.skew.as_millis() > 1000 {
            return invalid(
                "skew",
                format!("{:?}", origin.skew),
                "0 to 1 s; ST 2022-7 knows up to 450 ms",
            );
        }
        let usual = receive_buffer(traffic.packets.into(), traffic.bytes);
        let open = |path: &ReceiverOptions| {
            Receiver::open(&ReceiverOptions {
                buffer: Some(path.buffer.unwrap_or(usual)),
                ..path.clone()
            })
        };
        let sockets = origin.paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let warnings = sockets.iter().flat_map(|socket| socket.warnings().to_vec()).collect();
        Ok(Self {
            stats: Arc::new(ReceiveStats::new(sockets.len(), warnings)),
            sockets,
            sources: origin.paths.iter().map(|path| path.sources.clone()).collect(),
            payload_type: origin.payload_type,
            ssrc: origin.ssrc,
            width,
            merge: Merge::new(width, origin.skew, traffic.packets),
            judges: vec![judge.clone(); origin.paths.len()],
            read: vec![Tai::default(); origin.paths.len()],
            published: Tai::default(),
        })
    }

    pub(super) fn sockets(&self) -> &[Receiver] {
        &self.sockets
    }

    pub(super) fn stats(&self) -> &Arc<ReceiveStats> {
        &self.stats
    }

    /// Reads a batch from the socket of `path`, and calls `each` for every packet that is used. That returns false for one whose
    /// payload does not fit.
    pub(super) fn receive(
        &mut self,
        path: usize,
        batch: &mut Batch,
        moment: Moment,
        mut each: impl FnMut(&Packet<'_>) -> bool,
    ) -> Outcome {
        let socket = &self.sockets[path];
        let outcome = match socket.receive(batch) {
            Ok(count) if count == Batch::capacity(socket.coalesces()) => Outcome::More,
            // An error is that of one datagram, reported by ICMP for example.
            Ok(_) | Err(_) => Outcome::Drained,
        };
        for bundle in batch.bundles() {
            if let Some(drops) = bundle.drops() {
                let counter = &self.stats.paths[path].socket_drops;
                // The kernel's count has 32 bits.
                let more = drops.wrapping_sub(counter.get() as u32);
                counter.add(more.into());
            }
            let counters = &self.stats.counters;
            let sources = &self.sources[path];
            if !sources.is_empty()
                && !bundle.sender().is_some_and(|sender| sources.contains(&sender.ip()))
            {
                counters.other_sender.add(bundle.datagrams().len() as u64);
                continue;
            }
            if bundle.truncated() {
                counters.too_long.add(1);
                continue;
            }
            let at = moment.of(bundle.realtime());
            self.read[path] = self.read[path].max(at);
            for datagram in bundle.datagrams() {
                self.datagram(path, datagram, at, &mut each);
            }
        }
        self.publish();
        if moment.now.since(self.published) >= SHOWN {
            self.published = moment.now;
            self.stats.show(self.judges.iter().map(Judge::analysis));
        }
        outcome
    }

    fn datagram(
        &mut self,
        path: usize,
        datagram: &[u8],
        at: Tai,
        each: &mut impl FnMut(&Packet<'_>) -> bool,
    ) {
        let counters = &self.stats.counters;
        // What is coalesced has room for more than the largest one.
        if datagram.len() > LARGEST_UDP_PAYLOAD {
            return counters.too_long.add(1);
        }
        let Ok((header, payload)) = Header::parse(datagram) else { return counters.not_rtp.add(1) };
        if header.payload_type != self.payload_type {
            return counters.other_payload_type.add(1);
        }
        if self.ssrc.is_some_and(|ssrc| ssrc != header.ssrc) {
            return counters.other_ssrc.add(1);
        }
        self.judges[path].packet(at, &header, datagram.len());
        let payload = &datagram[payload];
        let number = match (self.width, payload) {
            (NumberWidth::Bits16, _) => u32::from(header.sequence),
            (NumberWidth::Bits32, [high, low, ..]) => {
                u32::from(u16::from_be_bytes([*high, *low])) << 16 | u32::from(header.sequence)
            }
            (NumberWidth::Bits32, _) => {
                self.stats.refused.truncated.add(1);
                return counters.other_format.add(1);
            }
        };
        match self.merge.packet(path, at, header.ssrc, number) {
            Use::First { restart, .. } => {
                let read = self.read.iter().copied().min().unwrap_or(at);
                counters.packets.add(1);
                counters.bytes.add(datagram.len() as u64);
                if !each(&Packet { header, payload, at, restart, read }) {
                    counters.other_format.add(1);
                }
            }
            // Each path counts these.
            Use::Duplicate | Use::Late | Use::Foreign => {}
        }
    }

    /// Shows the merge's counts to others.
    fn publish(&self) {
        let mut foreign = 0;
        for (path, shown) in self.stats.paths.iter().enumerate() {
            let counts = self.merge.counts(path);
            shown.received.set(counts.stream.received);
            shown.used.set(counts.used);
            shown.lost.set(counts.stream.lost);
            shown.reordered.set(counts.stream.reordered);
            shown.duplicates.set(counts.stream.duplicate);
            shown.late.set(counts.stream.late + counts.late);
            shown.restarts.set(counts.stream.restarts);
            shown.foreign.set(counts.stream.foreign + counts.apart);
            foreign += counts.stream.foreign;
        }
        if self.ssrc.is_none() {
            self.stats.counters.other_ssrc.set(foreign);
        }
        self.stats.counters.lost.set(self.merge.lost());
    }
}
