//! Ancillary data, ST 2110-40: as a stream of its own, and beside video.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use media::{Ancillary, FrameRate, Scan, Tai};
use st2110::{
    ancillary::{AncillaryPacketError, Collector},
    sequence::NumberWidth,
    time::{FrameClock, MediaClock, RtpTimestamp},
};

use super::{
    Origin, Receiving,
    intake::{Intake, Traffic},
    judge::Judge,
    selection::Packet,
    stats::ReceiveStats,
    times::Times,
};
use crate::{
    Error,
    engine::{Engine, Moment, Outcome, Over, ReceiveTask},
    frame::{FrameSink, FrameSlot, Gap, Incomplete, Received},
    socket::{Batch, Receiver, STANDARD_UDP_LIMIT},
};

/// A session that receives ancillary data (ST 2110-40). A frame's payload is a block as [`st2110::ancillary`] describes it.
#[derive(Clone, Debug)]
pub struct AncillaryReceiver {
    /// Frames a second, and the scan of the pictures that the data belong to.
    pub ancillary: Ancillary,
    /// Bytes of a block at most.
    pub limit: usize,
    /// Which packets belong to the stream.
    pub origin: Origin,
    /// What is done with frames that have gaps. There is nothing to repeat in ancillary data: that is as delivering them.
    pub incomplete: Incomplete,
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
        let stats = intake.stats().clone();
        let clock = MediaClock::new(MediaClock::VIDEO.rate(), self.origin.clock_offset);
        let times = Times {
            clock: clock.unwrap_or(MediaClock::VIDEO),
            frames: Some(FrameClock::frames(rate)),
        };
        let session = Blocks {
            intake,
            frames: Frames {
                sink,
                times,
                collector: Collector::new(rate, scan, self.limit),
                limit: self.limit,
                incomplete: self.incomplete,
                scratch: vec![0; self.limit],
                patience: patience(&self.origin, rate),
                pending: None,
                stats: stats.clone(),
            },
        };
        let session = engine.add_receiver(Box::new(session), u64::from(PACKETS))?;
        Ok(Receiving { session, stats, ancillary: None })
    }
}

fn open(origin: &Origin, rate: FrameRate) -> Result<Intake, Error> {
    let packets = rate.as_f64() * f64::from(PACKETS);
    let traffic =
        Traffic { packets: packets as u32, bytes: packets as u64 * STANDARD_UDP_LIMIT as u64 };
    Intake::open(origin, NumberWidth::Bits32, traffic, &Judge::None)
}

/// How long after the last packet the rest is delivered.
fn patience(origin: &Origin, rate: FrameRate) -> Duration {
    origin.skew + 2 * Duration::from_nanos(rate.period_ns())
}

struct Blocks<S: FrameSink> {
    intake: Intake,
    frames: Frames<S>,
}

struct Frames<S: FrameSink> {
    sink: S,
    times: Times,
    collector: Collector,
    limit: usize,
    incomplete: Incomplete,
    /// For a frame for which the sink has no room.
    scratch: Vec<u8>,
    patience: Duration,
    pending: Option<Tai>,
    stats: Arc<ReceiveStats>,
}

/// Gives a packet to a collector. False if it does not fit.
fn collect(collector: &mut Collector, packet: &Packet<'_>, stats: &ReceiveStats) -> bool {
    match collector.push(&packet.header, packet.payload) {
        Ok(()) => true,
        Err(AncillaryPacketError::Late | AncillaryPacketError::Duplicate) => {
            stats.counters.late.add(1);
            true
        }
        Err(_) => false,
    }
}

impl<S: FrameSink> Frames<S> {
    /// Hands finished frames over. False if the sink wants no more.
    fn deliver(&mut self, now: Tai) -> bool {
        loop {
            // The block is small, and whether there is one is known only afterwards.
            let Ok(Some(collected)) = self.collector.pop(&mut self.scratch) else { return true };
            let counters = &self.stats.counters;
            if !collected.complete && self.incomplete == Incomplete::Drop {
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

impl<S: FrameSink> ReceiveTask for Blocks<S> {
    fn socket(&self, path: usize) -> Option<&Receiver> {
        self.intake.sockets().get(path)
    }

    fn receive(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome {
        let frames = &mut self.frames;
        let mut goes_on = true;
        let outcome = self.intake.receive(path, batch, moment, |packets| {
            packets.each(|packet| {
                frames.pending = packet.at.checked_add(frames.patience);
                let fits = collect(&mut frames.collector, packet, &frames.stats);
                goes_on &= frames.deliver(packet.at);
                fits
            })
        });
        if goes_on { outcome } else { Outcome::End }
    }

    fn deadline(&self) -> Option<Tai> {
        self.frames.pending
    }

    fn tick(&mut self, now: Tai) -> Outcome {
        self.frames.pending = None;
        self.frames.collector.give_up();
        if self.frames.deliver(now) { Outcome::Drained } else { Outcome::End }
    }

    fn over(&mut self, why: Over) {
        self.intake.stats().end(why);
    }
}

/// Blocks that are kept until the picture of their frame is finished.
const KEPT: usize = 8;
/// Bytes of a block that rides with video at most; a slot's room for metadata may be less.
const RIDER_LIMIT: usize = 65_536;

/// Ancillary data that ride with video.
pub(super) struct Rider {
    pub(super) intake: Intake,
    collector: Collector,
    scratch: Vec<u8>,
    kept: VecDeque<(RtpTimestamp, Vec<u8>)>,
    stats: Arc<ReceiveStats>,
}

impl Rider {
    pub(super) fn open(origin: &Origin, rate: FrameRate, scan: Scan) -> Result<Self, Error> {
        let intake = open(origin, rate)?;
        let stats = intake.stats().clone();
        Ok(Self {
            intake,
            collector: Collector::new(rate, scan, RIDER_LIMIT),
            scratch: vec![0; RIDER_LIMIT],
            kept: VecDeque::new(),
            stats,
        })
    }

    /// Reads packets.
    pub(super) fn receive(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome {
        let (collector, stats) = (&mut self.collector, &self.stats);
        let (scratch, kept) = (&mut self.scratch, &mut self.kept);
        self.intake.receive(path, batch, moment, |packets| {
            packets.each(|packet| {
                let fits = collect(collector, packet, stats);
                while let Ok(Some(collected)) = collector.pop(scratch) {
                    stats.counters.frames.add(1);
                    stats.counters.incomplete_frames.add(u64::from(!collected.complete));
                    if kept.len() == KEPT {
                        kept.pop_front();
                    }
                    kept.push_back((
                        RtpTimestamp(collected.timestamp),
                        scratch[..collected.len].to_vec(),
                    ));
                }
                fits
            })
        })
    }

    /// Writes the block of the frame with that time stamp to `room`, and says how long it is; 0 if there is none, or no room.
    pub(super) fn write(&mut self, timestamp: RtpTimestamp, room: &mut [u8]) -> usize {
        // Senders round the two streams' time stamps alike, or nearly so.
        let near = |(other, _): &(RtpTimestamp, _)| other.since(timestamp).unsigned_abs() <= 2;
        let block = self.kept.iter().position(near).and_then(|index| self.kept.remove(index));
        let Some((_, block)) = block else { return 0 };
        let Some(room) = room.get_mut(..block.len()) else { return 0 };
        room.copy_from_slice(&block);
        block.len()
    }
}
