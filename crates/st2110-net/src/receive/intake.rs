//! Reading of a stream's packets from its sockets.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use media::Tai;
use st2110::sequence::NumberWidth;

use super::{
    Origin,
    analysis::Analyser,
    selection::{Packets, Selection},
    stats::ReceiveStats,
};
use crate::{
    Error,
    engine::{Moment, Outcome},
    socket::{Batch, Receiver, ReceiverOptions, receive_buffer},
};

/// Upper bound of a stream's packet and byte rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    /// Packets a second.
    pub(super) packets: u32,
    /// Bytes a second.
    pub(super) bytes: u64,
}

/// The sockets of a stream, and the selection of their packets.
pub(super) struct Intake {
    sockets: Vec<Receiver>,
    filters: Vec<Filter>,
    selection: Selection,
    published: Tai,
}

/// Whose packets are taken.
struct Filter {
    /// Empty for any.
    sources: Vec<IpAddr>,
    excluded: Vec<IpAddr>,
}

impl Filter {
    fn of(path: &ReceiverOptions) -> Self {
        Self { sources: path.sources.clone(), excluded: path.excluded.clone() }
    }

    /// Whether it lets every sender pass.
    fn is_open(&self) -> bool {
        self.sources.is_empty() && self.excluded.is_empty()
    }

    fn lets_pass(&self, sender: Option<SocketAddr>) -> bool {
        self.is_open()
            || sender.is_some_and(|sender| {
                let sender = sender.ip();
                (self.sources.is_empty() || self.sources.contains(&sender))
                    && !self.excluded.contains(&sender)
            })
    }
}

/// Published analyses are at most so old.
const SHOWN: Duration = Duration::from_millis(500);

impl Intake {
    /// Opens the sockets, with buffers for `traffic` where the origin does not give their size.
    pub(super) fn open(
        origin: &Origin,
        width: NumberWidth,
        traffic: Traffic,
        analyser: &Analyser,
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
                senders: !Filter::of(path).is_open(),
                ..path.clone()
            })
        };
        let sockets = origin.paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let warnings = sockets.iter().flat_map(|socket| socket.warnings().to_vec()).collect();
        let stats = Arc::new(ReceiveStats::new(sockets.len(), warnings));
        Ok(Self {
            selection: Selection::new(origin, width, traffic.packets, analyser, stats),
            sockets,
            filters: origin.paths.iter().map(Filter::of).collect(),
            published: Tai::default(),
        })
    }

    pub(super) fn sockets(&self) -> &[Receiver] {
        &self.sockets
    }

    pub(super) fn stats(&self) -> &Arc<ReceiveStats> {
        self.selection.stats()
    }

    /// Reads a batch from the socket of `path`, and calls `each` for the packets that are used.
    /// That returns how many of them have a payload that does not fit.
    pub(super) fn receive(
        &mut self,
        path: usize,
        batch: &mut Batch,
        moment: Moment,
        mut each: impl FnMut(&Packets<'_>) -> usize,
    ) -> Outcome {
        let socket = &self.sockets[path];
        let outcome = match socket.receive(batch) {
            Ok(0) => Outcome::Nothing,
            Ok(count) if count == Batch::capacity(socket.coalesces()) => Outcome::More,
            // An error is that of one datagram, reported by ICMP for example.
            Ok(_) | Err(_) => Outcome::Drained,
        };
        for bundle in batch.bundles() {
            let stats = self.selection.stats();
            if let Some(drops) = bundle.drops() {
                let counter = &stats.paths[path].socket_drops;
                // The kernel's count has 32 bits.
                let more = drops.wrapping_sub(counter.get() as u32);
                counter.add(more.into());
            }
            let counters = &stats.counters;
            if !self.filters[path].lets_pass(bundle.sender()) {
                counters.other_sender.add(bundle.datagrams().count() as u64);
                continue;
            }
            if bundle.truncated() {
                counters.too_long.add(1);
                continue;
            }
            let at = moment.of(bundle.realtime());
            self.selection.datagrams(path, bundle.datagrams(), at, &mut each);
        }
        self.selection.publish();
        if moment.now.since(self.published) >= SHOWN {
            self.published = moment.now;
            self.selection.show();
        }
        outcome
    }
}
