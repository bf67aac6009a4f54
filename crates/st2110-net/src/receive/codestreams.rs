//! Compressed video, ST 2110-22: JPEG XS codestreams.
//!
//! Each packet says whether codestreams are sent whole or in slices, so a receiver need not be told.

use std::sync::Arc;

use media::{FrameRate, Scan, Tai};
use st2110::{
    jpegxs::{Assembly, PacketError, Part, PayloadHeader},
    pacing::Raster,
    sequence::NumberWidth,
    time::{FrameClock, RtpTimestamp},
    window::{Finished, FrameWindow, Place, WindowLimits},
};

use super::{
    Origin, Receiving,
    ancillary::refuse,
    intake::{Intake, Traffic},
    pictures::{clocks, judge},
    rider::{Rider, Waiting, first},
    selection::Packet,
    stats::{ReceiveStats, RefusedCounters},
    times::Times,
};
use crate::{
    Counter, Error,
    engine::{Engine, Moment, Outcome, Over, ReceiveTask},
    frame::{FrameSink, FrameSlot, Gap, Incomplete, Received},
    socket::{Batch, Receiver},
};

/// A session that receives JPEG XS (ST 2110-22, RFC 9134). A frame's payload is a codestream, without the boxes that stand before it on
/// the wire; of interlaced and segmented video two of them, one behind the other.
#[derive(Clone, Debug)]
pub struct CodestreamReceiver {
    /// Frames a second; of interlaced video, whole frames.
    pub rate: FrameRate,
    /// How frames are scanned.
    pub scan: Scan,
    /// Lines of a frame, by which the stream is judged.
    pub height: u32,
    /// Bytes of a frame's codestreams at most.
    pub limit: usize,
    /// Which packets belong to the stream.
    pub origin: Origin,
    /// What is done with frames of which packets are missing. If they are delivered, then with what comes before the gap, or with all whole
    /// slices; to repeat means the whole last complete frame.
    pub incomplete: Incomplete,
    /// A stream of ancillary data (ST 2110-40) whose packets become the frames' metadata, as far as the slot has room. While it is alive
    /// a finished frame waits for them, for that stream's skew at most.
    pub ancillary: Option<Origin>,
}

impl CodestreamReceiver {
    /// Starts to receive into `sink`.
    ///
    /// # Errors
    /// A value out of range, or a socket that cannot be opened.
    pub fn start<S: FrameSink>(&self, engine: &Engine, sink: S) -> Result<Receiving, Error> {
        let packets = self.limit.div_ceil(SMALL_PACKET) as f64 * self.rate.as_f64();
        let bytes = self.limit as f64 * self.rate.as_f64();
        let traffic = Traffic { packets: packets as u32, bytes: bytes as u64 };
        let fields = if self.scan == Scan::Progressive { 1 } else { 2 };
        let (clock, kind) = clocks(&self.origin, fields);
        let raster = Raster { height: self.height, fields: fields > 1 };
        let judge = judge(&self.origin, self.rate, raster, clock);
        let intake = Intake::open(&self.origin, NumberWidth::Bits16, traffic, &judge)?;
        let stats = intake.stats().clone();
        let limits = WindowLimits::new(kind, self.rate, clock, self.origin.skew);
        let rider = self
            .ancillary
            .as_ref()
            .map(|origin| Rider::open(origin, self.rate, self.scan))
            .transpose()?;
        let ancillary = rider.as_ref().map(|rider| rider.intake.stats().clone());
        let session = Codestreams {
            intake,
            rider,
            frames: Frames {
                sink,
                times: Times { clock, frames: Some(FrameClock::frames(self.rate)) },
                open: limits.open,
                window: FrameWindow::new(limits),
                waiting: Waiting::new(),
                fields,
                limit: self.limit,
                spare: Vec::new(),
                picture: Vec::new(),
                incomplete: self.incomplete,
                previous: Vec::new(),
                stats: stats.clone(),
            },
        };
        let session = engine.add_receiver(Box::new(session), packets as u64)?;
        Ok(Receiving { session, stats, ancillary })
    }
}

/// Octets of boxes that may stand before a codestream; those of RFC 9134 are 60.
const BOXES: usize = 1024;
/// The smallest packets that are planned for, in octets of data.
const SMALL_PACKET: usize = 512;

struct Codestreams<S: FrameSink> {
    intake: Intake,
    rider: Option<Rider>,
    frames: Frames<S>,
}

/// A frame of which packets have come.
struct Filling {
    parts: [Assembly; 2],
    began: Tai,
}

struct Frames<S: FrameSink> {
    sink: S,
    times: Times,
    window: FrameWindow<Filling>,
    /// Frames that wait for their ancillary data.
    waiting: Waiting<Finished<Filling>>,
    /// Frames that may be open.
    open: usize,
    fields: usize,
    limit: usize,
    spare: Vec<[Assembly; 2]>,
    /// A picture with its boxes.
    picture: Vec<u8>,
    incomplete: Incomplete,
    /// The last complete frame, if it is repeated.
    previous: Vec<u8>,
    stats: Arc<ReceiveStats>,
}

/// The counter of a reason to refuse a packet.
fn reason(refused: &RefusedCounters, error: PacketError) -> &Counter {
    match error {
        PacketError::HeaderTruncated => &refused.truncated,
        PacketError::Empty => &refused.empty,
        PacketError::Mode => &refused.mode,
        PacketError::Interlace => &refused.field,
        PacketError::Picture => &refused.picture,
        PacketError::TooLarge => &refused.room,
        PacketError::Last => &refused.last,
    }
}

impl<S: FrameSink> Frames<S> {
    /// Places a packet. False if it does not fit.
    fn packet(&mut self, packet: &Packet<'_>) -> bool {
        if packet.restart {
            self.window.restart(packet.at);
        }
        let refused = &self.stats.refused;
        let header = match PayloadHeader::read(packet.payload) {
            Ok((header, _)) => header,
            Err(error) => return refuse(reason(refused, error)),
        };
        if (header.part == Part::Progressive) != (self.fields == 1) {
            return refuse(&refused.field);
        }
        let second = header.part == Part::Second;
        let (spare, mode, size) = (&mut self.spare, header.mode, self.limit + BOXES);
        let open = |_| {
            let new = || [(); 2].map(|()| Assembly::new(mode, size));
            let mut parts = spare.pop().unwrap_or_else(new);
            parts.iter_mut().for_each(|part| part.begin(mode));
            Some(Filling { parts, began: packet.at })
        };
        let timestamp = RtpTimestamp(packet.header.timestamp);
        let (frame, filling) =
            match self.window.packet(packet.at, timestamp, second, packet.header.marker, open) {
                Place::Slot { frame, slot } => (frame, slot),
                // The window counts these.
                Place::Late | Place::Stray | Place::NoSlot => return true,
            };
        let part = &mut filling.parts[usize::from(second)];
        if let Err(error) = part.place(packet.payload, packet.header.marker) {
            return refuse(reason(refused, error));
        }
        if filling.parts[..self.fields].iter().all(Assembly::is_complete) {
            self.window.complete(frame);
        }
        true
    }

    /// Takes finished frames out of the window, and hands over those that need not wait. False if the sink wants no more.
    fn deliver(&mut self, now: Tai, read: bool, rider: &mut Option<Rider>) -> bool {
        loop {
            if !self.hand_over(now, read, rider) {
                return false;
            }
            let Some(finished) = self.window.pop(now) else { return true };
            self.waiting.push(rider.as_ref(), finished.timestamp, now, finished);
        }
    }

    /// Hands over frames that wait no longer for their ancillary data; see [`Waiting::pop`]. False if the sink wants no more.
    fn hand_over(&mut self, now: Tai, read: bool, rider: &mut Option<Rider>) -> bool {
        while let Some(finished) = self.waiting.pop(rider.as_mut(), now, read) {
            let Filling { parts, began } = finished.slot;
            let goes_on = self.commit(&parts, finished.timestamp, began, rider);
            self.spare.push(parts);
            if !goes_on {
                return false;
            }
        }
        true
    }

    fn commit(
        &mut self,
        parts: &[Assembly; 2],
        timestamp: RtpTimestamp,
        began: Tai,
        rider: &mut Option<Rider>,
    ) -> bool {
        let counters = &self.stats.counters;
        let parts = &parts[..self.fields];
        let complete = parts.iter().all(Assembly::is_complete);
        if !complete && self.incomplete == Incomplete::Drop {
            counters.dropped_frames.add(1);
            return true;
        }
        let Some(mut slot) = self.sink.slot(self.limit) else {
            counters.frames_without_slot.add(1);
            return true;
        };
        let out = &mut slot.payload()[..self.limit];
        let repeats = self.incomplete == Incomplete::Repeat;
        let mut len = 0;
        if !complete && repeats && !self.previous.is_empty() {
            len = self.previous.len();
            out[..len].copy_from_slice(&self.previous);
        } else {
            for part in parts {
                self.picture.resize(part.size(), 0);
                // There is room for all of it.
                let Ok(received) = part.finish(&mut self.picture) else { continue };
                let codestream = &self.picture[received.codestream];
                let Some(room) = out.get_mut(len..len + codestream.len()) else {
                    // The boxes are smaller than they may be, or each field fits, and both do not.
                    counters.other_format.add(1);
                    self.stats.refused.room.add(1);
                    return true;
                };
                room.copy_from_slice(codestream);
                len += codestream.len();
            }
        }
        if complete && repeats {
            self.previous.clear();
            self.previous.extend_from_slice(&out[..len]);
        }
        let (tai, aligned) = self.times.of(timestamp, began);
        counters.unaligned_times.add(u64::from(!aligned));
        counters.incomplete_frames.add(u64::from(!complete));
        counters.frames.add(1);
        let metadata = rider.as_mut().map_or(0, |rider| rider.write(timestamp, slot.metadata()));
        let gaps = [Gap::Packets];
        let gaps = if complete { &[][..] } else { &gaps[..] };
        let frame = Received { tai, timestamp: timestamp.0, payload: len, metadata, gaps };
        self.sink.commit(slot, &frame)
    }

    /// Shows the window's counts to others.
    fn publish(&self) {
        let counts = self.window.counts();
        self.stats.counters.late.set(counts.late);
        self.stats.counters.stray.set(counts.stray);
    }
}

impl<S: FrameSink> ReceiveTask for Codestreams<S> {
    fn socket(&self, path: usize) -> Option<&Receiver> {
        let own = self.intake.sockets();
        match (own.get(path), &self.rider) {
            (None, Some(rider)) => rider.intake.sockets().get(path - own.len()),
            (socket, _) => socket,
        }
    }

    fn receive(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome {
        let (frames, rider) = (&mut self.frames, &mut self.rider);
        if let (Some(path), Some(beside)) =
            (path.checked_sub(self.intake.sockets().len()), rider.as_mut())
        {
            let outcome = beside.receive(path, batch, moment);
            return if frames.hand_over(moment.now, false, rider) { outcome } else { Outcome::End };
        }
        let mut goes_on = true;
        let outcome = self.intake.receive(path, batch, moment, |packets| {
            packets.each(|packet| {
                let fits = frames.packet(packet);
                // As early as possible: the slot of a finished frame may be the one that the next frame needs. But what came earlier on the
                // other path may not have been read yet, so that frames are finished by the time up to which both have been. If too many
                // are open, because one path is silent while much is read of the other, the oldest has to go.
                let crowded = frames.window.len() > frames.open;
                let by = if crowded { packet.at } else { packet.read };
                if frames.window.deadline().is_some_and(|deadline| deadline <= by) {
                    goes_on &= frames.deliver(by, false, rider);
                }
                fits
            })
        });
        frames.publish();
        if goes_on { outcome } else { Outcome::End }
    }

    fn deadline(&self) -> Option<Tai> {
        let Frames { window, waiting, .. } = &self.frames;
        let rider = self.rider.as_ref().and_then(Rider::deadline);
        first([window.deadline(), waiting.deadline(), rider])
    }

    fn tick(&mut self, now: Tai) -> Outcome {
        if let Some(rider) = &mut self.rider {
            rider.tick(now);
        }
        let goes_on = self.frames.deliver(now, true, &mut self.rider);
        self.frames.publish();
        if goes_on { Outcome::Drained } else { Outcome::End }
    }

    fn over(&mut self, why: Over) {
        self.intake.stats().end(why);
        if let Some(rider) = &self.rider {
            rider.intake.stats().end(why);
        }
    }
}
