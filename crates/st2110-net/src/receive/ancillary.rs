//! Reception of ancillary data, ST 2110-40, as a stream of its own.

use std::{sync::Arc, time::Duration};

use media::{Ancillary, FrameRate, Tai};
use st2110::{
    ancillary::{AncillaryPacketError, Collector},
    sequence::NumberWidth,
    time::{FrameClock, MediaClock, RtpTimestamp},
    window::WindowLimits,
};

use super::{
    Origin, Receiving,
    analysis::Analyser,
    intake::{Intake, Traffic},
    selection::{Packet, Packets},
    session::{self, Incoming, Taken},
    stats::ReceiveStats,
    times::Times,
};
use crate::{
    Counter, Error, IncompleteFrames,
    engine::Engine,
    frame::{FrameSink, FrameSlot, Gap, Received},
    socket::STANDARD_UDP_LIMIT,
};

/// A session that receives ancillary data (ST 2110-40). A frame's payload is a block as
/// [`st2110::ancillary`] describes it.
#[derive(Clone, Debug)]
pub struct AncillaryReceiver {
    /// Frames a second, and the scan of the pictures that the data belong to.
    pub ancillary: Ancillary,
    /// Bytes of a block at most.
    pub limit: usize,
    /// Which packets belong to the stream.
    pub origin: Origin,
    /// What is done with frames that have gaps. There is nothing to repeat in ancillary data: that
    /// is as delivering them.
    pub incomplete: IncompleteFrames,
}

/// Packets of a frame that are planned for.
const PACKETS: u32 = 64;

impl AncillaryReceiver {
    /// Starts to receive into `sink`.
    ///
    /// # Errors
    /// A value out of range, or a socket that cannot be opened.
    pub fn start<S: FrameSink>(&self, engine: &Engine, sink: S) -> Result<Receiving, Error> {
        let Ancillary { rate, scan } = self.ancillary;
        let intake = open(&self.origin, rate)?;
        let clock = MediaClock::new(MediaClock::VIDEO.rate(), self.origin.clock_offset);
        let times = Times {
            clock: clock.unwrap_or(MediaClock::VIDEO),
            frames: Some(FrameClock::frames(rate)),
        };
        let blocks = Blocks {
            sink,
            times,
            collector: Collector::new(rate, scan, self.limit).learning_scan(),
            limit: self.limit,
            incomplete: self.incomplete,
            scratch: vec![0; self.limit],
            patience: patience(&self.origin, rate),
            pending: None,
            stats: Arc::clone(intake.stats()),
        };
        session::start(engine, intake, blocks, u64::from(PACKETS))
    }
}

/// Opens the sockets of an ancillary stream for video of this frame rate.
pub(super) fn open(origin: &Origin, rate: FrameRate) -> Result<Intake, Error> {
    let packets = rate.as_f64() * f64::from(PACKETS);
    let traffic =
        Traffic { packets: packets as u32, bytes: packets as u64 * STANDARD_UDP_LIMIT as u64 };
    Intake::open(origin, NumberWidth::Bits32, traffic, &Analyser::None)
}

/// How long after the last packet the rest is delivered.
pub(super) fn patience(origin: &Origin, rate: FrameRate) -> Duration {
    origin.skew + 2 * Duration::from_nanos(rate.period_ns()) + WindowLimits::STALL
}

/// The blocks of a stream, one for each frame.
struct Blocks<S: FrameSink> {
    sink: S,
    times: Times,
    collector: Collector,
    limit: usize,
    incomplete: IncompleteFrames,
    /// For a frame for which the sink has no room.
    scratch: Vec<u8>,
    patience: Duration,
    pending: Option<Tai>,
    stats: Arc<ReceiveStats>,
}

/// Gives a packet to a collector. False if it does not fit.
pub(super) fn collect(
    collector: &mut Collector,
    packet: &Packet<'_>,
    stats: &ReceiveStats,
) -> bool {
    match collector.push(&packet.header, packet.payload) {
        Ok(()) => true,
        Err(AncillaryPacketError::Late | AncillaryPacketError::Duplicate) => {
            stats.counters.late.add(1);
            true
        }
        Err(AncillaryPacketError::Truncated) => refuse(&stats.refused.truncated),
        Err(AncillaryPacketError::Length) => refuse(&stats.refused.length),
        Err(AncillaryPacketError::Field) => refuse(&stats.refused.field),
        Err(AncillaryPacketError::Parity) => refuse(&stats.refused.parity),
        Err(AncillaryPacketError::Checksum) => refuse(&stats.refused.checksum),
        Err(AncillaryPacketError::Room) => refuse(&stats.refused.room),
    }
}

/// Counts a packet that does not fit; false, as it does not.
fn refuse(reason: &Counter) -> bool {
    reason.add(1);
    false
}

impl<S: FrameSink> Blocks<S> {
    /// Hands finished frames over. False if the sink wants no more.
    fn deliver(&mut self, now: Tai) -> bool {
        loop {
            // The block is small, and whether there is one is known only afterwards.
            let Ok(Some(collected)) = self.collector.pop(&mut self.scratch) else { return true };
            let counters = &self.stats.counters;
            if !collected.complete && self.incomplete == IncompleteFrames::Drop {
                counters.dropped_frames.add(1);
                continue;
            }
            let Some(mut slot) = self.sink.slot(self.limit) else {
                counters.frames_without_slot.add(1);
                continue;
            };
            slot.payload()[..collected.len].copy_from_slice(&self.scratch[..collected.len]);
            let (tai, aligned) = self.times.of(RtpTimestamp(collected.timestamp), now);
            if !aligned {
                counters.unaligned_times.add(1);
            }
            let gaps = [Gap::Packets];
            let gaps = if collected.complete { &[][..] } else { &gaps[..] };
            counters.frames.add(1);
            counters.incomplete_frames.add(u64::from(!collected.complete));
            let timestamp = collected.timestamp;
            let frame = Received { tai, timestamp, payload: collected.len, metadata: 0, gaps };
            if !self.sink.commit(slot, &frame) {
                return false;
            }
        }
    }
}

impl<S: FrameSink> Incoming for Blocks<S> {
    fn packets(&mut self, packets: &Packets<'_>) -> Taken {
        let mut wants_more = true;
        let refused = packets.each(|packet| {
            self.pending = packet.at.checked_add(self.patience);
            let fits = collect(&mut self.collector, packet, &self.stats);
            wants_more &= self.deliver(packet.at);
            fits
        });
        Taken { refused, wants_more }
    }

    fn deadline(&self) -> Option<Tai> {
        self.pending
    }

    fn tick(&mut self, now: Tai) -> bool {
        self.pending = None;
        self.collector.give_up();
        self.deliver(now)
    }
}
