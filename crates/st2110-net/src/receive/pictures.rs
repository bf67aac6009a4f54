//! Uncompressed video, ST 2110-20: packets are placed straight into the sink's slots.

use std::ops::Range;

use media::{FrameRate, Tai};
use st2110::{
    analyser::Expectation,
    pacing::Raster,
    sequence::NumberWidth,
    time::{FrameClock, MediaClock, RtpTimestamp},
    video::{Arrival, Depacketiser, Field, FrameLayout, PacketError, Picture, RowNumbering, Scan},
    window::{End, Fields, Finished, FrameId, FrameWindow, Place, WindowLimits},
};

use super::{
    Origin, Receiving,
    intake::{Intake, Traffic},
    judge::Judge,
    rider::{Rider, Waiting, first},
    selection::{Packet, Packets},
    stats::{ReceiveStats, RefusedCounters},
    times::Times,
};
use crate::{
    Counter, Error,
    engine::{Engine, Moment, Outcome, Over, ReceiveTask},
    frame::{FrameSink, FrameSlot, Gap, Incomplete, Received},
    socket::{Batch, Receiver},
};

/// A session that receives uncompressed video (ST 2110-20).
#[derive(Clone, Debug)]
pub struct VideoReceiver {
    /// What is received.
    pub picture: Picture,
    /// How frames shall lie in memory.
    pub layout: FrameLayout,
    /// Frames a second; of interlaced video, whole frames.
    pub rate: FrameRate,
    /// Which packets belong to the stream.
    pub origin: Origin,
    /// What is done with frames that have gaps.
    pub incomplete: Incomplete,
    /// A stream of ancillary data (ST 2110-40) whose packets become the frames' metadata, as far as the slot has room. While it is alive
    /// a finished frame waits for them, for that stream's skew at most.
    pub ancillary: Option<Origin>,
}

/// The smallest packets that are planned for, in octets of data, to estimate packets a second.
const SMALL_PACKET: usize = 700;

impl VideoReceiver {
    /// Starts to receive into `sink`.
    ///
    /// # Errors
    /// What is to be received is not possible, or a socket cannot be opened.
    pub fn start<S: FrameSink>(&self, engine: &Engine, sink: S) -> Result<Receiving, Error> {
        let depacketiser = Depacketiser::new(self.picture, self.layout, RowNumbering::PerField)?;
        let frame = self.picture.packed_size();
        let packets = frame.div_ceil(SMALL_PACKET) as f64 * self.rate.as_f64();
        let bytes = frame as f64 * self.rate.as_f64();
        let traffic = Traffic { packets: packets as u32, bytes: bytes as u64 };
        let (clock, fields) = clocks(&self.origin, self.picture.fields().len());
        let raster =
            Raster { height: self.picture.height(), fields: self.picture.fields().len() > 1 };
        let judge = judge(&self.origin, self.rate, raster, clock);
        let intake = Intake::open(&self.origin, NumberWidth::Bits32, traffic, &judge)?;
        let stats = intake.stats().clone();
        let limits = WindowLimits::new(fields, self.rate, clock, self.origin.skew);
        let scan = match self.picture.scan() {
            Scan::Progressive | Scan::Psf => media::Scan::Progressive,
            Scan::Interlaced => media::Scan::Interlaced,
        };
        let rider = self
            .ancillary
            .as_ref()
            .map(|origin| Rider::open(origin, self.rate, scan))
            .transpose()?;
        let ancillary = rider.as_ref().map(|rider| rider.intake.stats().clone());
        let session = Pictures {
            intake,
            frames: Frames {
                sink,
                times: Times { clock, frames: Some(FrameClock::frames(self.rate)) },
                depacketiser,
                open: limits.open,
                window: FrameWindow::new(limits),
                waiting: Waiting::new(),
                spare: Vec::new(),
                incomplete: self.incomplete,
                previous: Vec::new(),
                gaps: Vec::new(),
                rider,
                stats: stats.clone(),
            },
        };
        let session = engine.add_receiver(Box::new(session), packets as u64)?;
        Ok(Receiving { session, stats, ancillary })
    }
}

/// What video of that kind is judged by.
pub(super) fn judge(origin: &Origin, rate: FrameRate, raster: Raster, clock: MediaClock) -> Judge {
    Judge::video(Expectation {
        frame_rate: Some(rate),
        raster: Some(raster),
        offset: origin.troff,
        max_udp: origin.max_udp,
        clock,
        ..Expectation::default()
    })
}

/// The media clock of video at its origin, and whether frames have fields.
pub(super) fn clocks(origin: &Origin, fields: usize) -> (MediaClock, Fields) {
    let clock =
        MediaClock::new(MediaClock::VIDEO.rate(), origin.clock_offset).unwrap_or(MediaClock::VIDEO);
    (clock, if fields > 1 { Fields::Two } else { Fields::One })
}

struct Pictures<S: FrameSink> {
    intake: Intake,
    frames: Frames<S>,
}

/// A frame that is being filled.
struct Filling<T> {
    slot: T,
    arrival: Arrival,
    began: Tai,
}

struct Frames<S: FrameSink> {
    sink: S,
    times: Times,
    depacketiser: Depacketiser,
    window: FrameWindow<Filling<S::Slot>>,
    /// Frames that wait for their ancillary data.
    waiting: Waiting<Finished<Filling<S::Slot>>>,
    /// Frames that may be open.
    open: usize,
    /// Records that are not in use.
    spare: Vec<Arrival>,
    incomplete: Incomplete,
    /// The last complete frame, if gaps are filled from it.
    previous: Vec<u8>,
    gaps: Vec<Gap>,
    rider: Option<Rider>,
    stats: std::sync::Arc<ReceiveStats>,
}

/// The counter of a reason to refuse a packet.
fn reason(refused: &RefusedCounters, error: PacketError) -> &Counter {
    match error {
        PacketError::HeaderTruncated | PacketError::DataTruncated => &refused.truncated,
        PacketError::Length => &refused.length,
        PacketError::Offset => &refused.offset,
        PacketError::Field => &refused.field,
        // How lines are numbered is found out, and memory is always that of the picture.
        PacketError::Row
        | PacketError::RowsPerFrame
        | PacketError::RowsPerField
        | PacketError::Frame => &refused.line,
    }
}

impl<S: FrameSink> Frames<S> {
    /// Places packets that belong together, and hands over what is finished. Returns how many do not fit, and whether the sink wants more.
    fn packets(&mut self, packets: &Packets<'_>) -> (usize, bool) {
        let (mut refused, mut goes_on, mut index) = (0, true, 0);
        while let Some(packet) = packets.get(index) {
            index += 1;
            let place = self.packet(&packet);
            if let Err(error) = &place {
                refused += 1;
                reason(&self.stats.refused, *error).add(1);
            }
            goes_on &= self.deliver_due(packets);
            if let Ok(Some((frame, field))) = place {
                let rest = index..packets.run.before_marker();
                index += self.followers(packets, rest, frame, field);
                goes_on &= self.deliver_due(packets);
            }
        }
        (refused, goes_on)
    }

    /// Hands over what is finished, if anything is. False if the sink wants no more.
    fn deliver_due(&mut self, packets: &Packets<'_>) -> bool {
        self.due(packets).is_none_or(|by| self.deliver(by, false))
    }

    /// The moment by which frames are finished, if any are. That should be as early as possible: the slot of a finished frame may be the one
    /// that the next frame needs. But what came earlier on the other path may not have been read yet, so it is the time up to which
    /// both have been. If too many are open, because one path is silent while much is read of the other, the oldest has to go.
    fn due(&self, packets: &Packets<'_>) -> Option<Tai> {
        let crowded = self.window.len() > self.open;
        let by = if crowded { packets.at } else { packets.read };
        self.window.deadline().filter(|deadline| *deadline <= by).map(|_| by)
    }

    /// Places a packet; says in which frame and field, if in any. Error if it does not fit.
    fn packet(&mut self, packet: &Packet<'_>) -> Result<Option<(FrameId, Field)>, PacketError> {
        if packet.restart {
            self.window.restart(packet.at);
        }
        let field = Depacketiser::field(packet.payload)?;
        let (sink, spare, depacketiser) = (&mut self.sink, &mut self.spare, &self.depacketiser);
        let open = |_| {
            let slot = sink.slot(depacketiser.frame_size())?;
            let arrival = spare.pop().unwrap_or_else(|| Arrival::new(*depacketiser.picture()));
            Some(Filling { slot, arrival, began: packet.at })
        };
        let timestamp = RtpTimestamp(packet.header.timestamp);
        let second = field == Field::Second;
        let (frame, filling) =
            match self.window.packet(packet.at, timestamp, second, packet.header.marker, open) {
                Place::Slot { frame, slot } => (frame, slot),
                // The window counts these.
                Place::Late | Place::Stray | Place::NoSlot => return Ok(None),
            };
        match self.depacketiser.place(packet.payload, filling.slot.payload(), &mut filling.arrival)
        {
            Ok(_) if filling.arrival.is_complete() => self.window.complete(frame),
            Ok(_) => {}
            Err(PacketError::RowsPerFrame) => self.number_rows(RowNumbering::PerFrame),
            Err(PacketError::RowsPerField) => self.number_rows(RowNumbering::PerField),
            Err(error) => return Err(error),
        }
        Ok(Some((frame, field)))
    }

    /// Places packets that come behind one of the same frame and field, and have no marker: the window would find the same for each of them.
    /// Returns how many were placed. It ends where something else happens: a packet that does not fit, or a frame that is finished.
    fn followers(
        &mut self,
        packets: &Packets<'_>,
        rest: Range<usize>,
        frame: FrameId,
        field: Field,
    ) -> usize {
        // A sink that wants no more has left what is due; after the next packet it would be asked again.
        if rest.is_empty() || self.due(packets).is_some() {
            return 0;
        }
        let Some(filling) = self.window.slot(frame) else { return 0 };
        let payloads =
            rest.map_while(|index| packets.run.packet(index).map(|(_, payload)| payload));
        let (slot, arrival) = (filling.slot.payload(), &mut filling.arrival);
        let placed = self.depacketiser.place_all(field, payloads, slot, arrival).unwrap_or(0);
        if arrival.is_complete() {
            self.window.complete(frame);
        }
        placed
    }

    /// The sender numbers lines otherwise than expected. Frames under way have them in wrong places.
    fn number_rows(&mut self, rows: RowNumbering) {
        self.depacketiser.set_row_numbering(rows);
        let dropped = self.window.clear().count();
        self.stats.counters.dropped_frames.add(dropped as u64);
    }

    /// Takes finished frames out of the window, and hands over those that need not wait. False if the sink wants no more.
    fn deliver(&mut self, now: Tai, read: bool) -> bool {
        loop {
            if !self.hand_over(now, read) {
                return false;
            }
            let Some(finished) = self.window.pop(now) else { return true };
            self.waiting.push(self.rider.as_ref(), finished.timestamp, now, finished);
        }
    }

    /// Hands over frames that wait no longer for their ancillary data; see [`Waiting::pop`]. False if the sink wants no more.
    fn hand_over(&mut self, now: Tai, read: bool) -> bool {
        while let Some(finished) = self.waiting.pop(self.rider.as_mut(), now, read) {
            let Filling { slot, arrival, began } = finished.slot;
            let complete = finished.end == End::Complete;
            let (tai, aligned) = self.times.of(finished.timestamp, began);
            if !aligned {
                self.stats.counters.unaligned_times.add(1);
            }
            let goes_on = if complete || self.incomplete != Incomplete::Drop {
                self.commit(slot, &arrival, complete, tai, finished.timestamp)
            } else {
                self.stats.counters.dropped_frames.add(1);
                true
            };
            let mut arrival = arrival;
            arrival.clear();
            self.spare.push(arrival);
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// Shows the window's counts to others.
    fn publish(&self) {
        let counts = self.window.counts();
        self.stats.counters.late.set(counts.late);
        self.stats.counters.stray.set(counts.stray);
        self.stats.counters.frames_without_slot.set(counts.without_slot);
    }

    fn commit(
        &mut self,
        mut slot: S::Slot,
        arrival: &Arrival,
        complete: bool,
        tai: Tai,
        timestamp: RtpTimestamp,
    ) -> bool {
        let size = self.depacketiser.frame_size();
        self.gaps.clear();
        let repeats = self.incomplete == Incomplete::Repeat;
        let frame = &mut slot.payload()[..size];
        if complete && repeats {
            self.previous.clear();
            self.previous.extend_from_slice(frame);
        }
        if !complete {
            // Slots are used again, so there may be pixels of an older frame, even of another stream.
            let filled = if repeats && self.previous.len() == size {
                self.depacketiser.fill_missing(arrival, &self.previous, frame)
            } else {
                self.depacketiser.clear_missing(arrival, frame)
            };
            // All have the size of a frame and the record is this picture's, which is all that is asked for.
            debug_assert!(filled.is_ok());
            self.gaps.extend(arrival.missing().map(Gap::Pixels));
            self.stats.counters.incomplete_frames.add(1);
        }
        self.stats.counters.frames.add(1);
        let metadata =
            self.rider.as_mut().map_or(0, |rider| rider.write(timestamp, slot.metadata()));
        let frame =
            Received { tai, timestamp: timestamp.0, payload: size, metadata, gaps: &self.gaps };
        self.sink.commit(slot, &frame)
    }
}

impl<S: FrameSink> ReceiveTask for Pictures<S> {
    fn socket(&self, path: usize) -> Option<&Receiver> {
        let own = self.intake.sockets();
        match (own.get(path), &self.frames.rider) {
            (None, Some(rider)) => rider.intake.sockets().get(path - own.len()),
            (socket, _) => socket,
        }
    }

    fn receive(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome {
        let frames = &mut self.frames;
        if let (Some(path), Some(rider)) =
            (path.checked_sub(self.intake.sockets().len()), &mut frames.rider)
        {
            let outcome = rider.receive(path, batch, moment);
            return if frames.hand_over(moment.now, false) { outcome } else { Outcome::End };
        }
        let mut goes_on = true;
        let outcome = self.intake.receive(path, batch, moment, |packets| {
            let (refused, more) = frames.packets(packets);
            goes_on &= more;
            refused
        });
        frames.publish();
        if goes_on { outcome } else { Outcome::End }
    }

    fn deadline(&self) -> Option<Tai> {
        let Frames { window, waiting, rider, .. } = &self.frames;
        let rider = rider.as_ref().and_then(Rider::deadline);
        first([window.deadline(), waiting.deadline(), rider])
    }

    fn tick(&mut self, now: Tai) -> Outcome {
        if let Some(rider) = &mut self.frames.rider {
            rider.tick(now);
        }
        let goes_on = self.frames.deliver(now, true);
        self.frames.publish();
        if goes_on { Outcome::Drained } else { Outcome::End }
    }

    fn over(&mut self, why: Over) {
        self.intake.stats().end(why);
        if let Some(rider) = &self.frames.rider {
            rider.intake.stats().end(why);
        }
    }
}

#[cfg(test)]
mod tests;
