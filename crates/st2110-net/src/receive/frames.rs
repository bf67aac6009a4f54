//! Video frames, compressed or not: the window in which they are assembled, and their delivery with
//! the ancillary data associated with them.

#[cfg(test)]
mod tests;

use std::{ops::Range, sync::Arc};

use media::{FrameRate, Scan, Tai};
use st2110::{
    analyser::Expectation,
    pacing::Raster,
    sequence::NumberWidth,
    time::{FrameClock, MediaClock, RtpTimestamp},
    window::{End, Fields, Finished, FrameId, FrameWindow, Place, WindowLimits},
};

use super::{
    Origin, Receiving,
    analysis::Analyser,
    associated::{Associated, AwaitingAncillary},
    intake::{Intake, Traffic},
    selection::{Packet, Packets},
    session::{self, Incoming, Taken},
    stats::{ReceiveStats, RefusedCounters},
    times::Times,
};
use crate::{
    Counter, Error, IncompleteFrames,
    engine::{Engine, Moment, Outcome},
    frame::{FrameSink, FrameSlot, Gap, Received},
    socket::Batch,
};

/// Assembles the frames of one essence from their packets.
pub(super) trait Assembler<S: FrameSink>: Send + 'static {
    /// A frame under way.
    type Frame: Send;
    /// The payload header of a packet.
    type Header: Copy;
    /// Why a packet does not fit the format.
    type Error: Copy;

    /// The counter of a reason to refuse a packet.
    fn counter(refused: &RefusedCounters, error: Self::Error) -> &Counter;

    /// Reads the payload header.
    fn header(&self, payload: &[u8]) -> Result<Self::Header, Self::Error>;

    /// Whether a packet belongs to the second field or segment of its frame.
    fn is_second(header: Self::Header) -> bool;

    /// Begins a frame with one of its packets. `None` if the sink has no room.
    fn begin(&mut self, header: Self::Header, sink: &mut S) -> Option<Self::Frame>;

    /// Places the payload of a packet.
    fn place(
        &mut self,
        frame: &mut Self::Frame,
        header: Self::Header,
        packet: &Packet<'_>,
    ) -> Result<Placed, Self::Error>;

    /// Places payloads of the same frame and field as the packet before them, none of which has the
    /// marker bit. Returns how many were placed: it ends at one that does not fit, and when the
    /// frame is complete, which the flag tells.
    fn place_all<'a>(
        &mut self,
        _frame: &mut Self::Frame,
        _header: Self::Header,
        _payloads: impl Iterator<Item = &'a [u8]>,
    ) -> (usize, bool) {
        (0, false)
    }

    /// Completes the slot of a frame that is to be delivered. Returns it with the bytes of its
    /// payload.
    fn finish(
        &mut self,
        frame: Self::Frame,
        gaps: Option<Gaps<'_>>,
        sink: &mut S,
    ) -> Result<(S::Slot, usize), Undelivered>;

    /// Takes back a frame that is not delivered.
    fn discard(&mut self, frame: Self::Frame);
}

/// What placing a packet did to its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    /// Packets are still missing.
    Open,
    /// Nothing is missing any more.
    Complete,
    /// The packet shows that all frames under way were assembled wrongly.
    Misplaced,
}

/// How the gaps of an incomplete frame are treated.
pub(super) struct Gaps<'a> {
    /// The payload of the last complete frame, if it is to be repeated.
    pub(super) repeat: Option<&'a [u8]>,
    /// Takes what is missing.
    pub(super) missing: &'a mut Vec<Gap>,
}

/// Why a finished frame cannot be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undelivered {
    /// The sink has no room.
    NoSlot,
    /// It is larger than configured.
    TooLarge,
}

/// A stream of frames, for [`Stream::start`].
pub(super) struct Stream<'a> {
    pub(super) origin: &'a Origin,
    pub(super) width: NumberWidth,
    pub(super) traffic: Traffic,
    pub(super) rate: FrameRate,
    pub(super) scan: Scan,
    /// Lines of a frame.
    pub(super) height: u32,
    pub(super) incomplete: IncompleteFrames,
    pub(super) ancillary: Option<&'a Origin>,
}

impl Stream<'_> {
    /// The media clock of video at its origin.
    fn clock(&self) -> MediaClock {
        let clock = MediaClock::new(MediaClock::VIDEO.rate(), self.origin.clock_offset);
        clock.unwrap_or(MediaClock::VIDEO)
    }

    /// The conformance analysis of each path.
    fn analyser(&self) -> Analyser {
        Analyser::video(Expectation {
            frame_rate: Some(self.rate),
            raster: Some(Raster { height: self.height, fields: self.scan != Scan::Progressive }),
            offset: self.origin.troff,
            max_udp: self.origin.max_udp,
            clock: self.clock(),
            ..Expectation::default()
        })
    }

    /// Starts a session that receives the stream into `sink`.
    pub(super) fn start<S: FrameSink>(
        &self,
        engine: &Engine,
        assembler: impl Assembler<S>,
        sink: S,
    ) -> Result<Receiving, Error> {
        let intake = Intake::open(self.origin, self.width, self.traffic, &self.analyser())?;
        let open = |origin| Associated::open(origin, self.rate, self.scan);
        let associated = self.ancillary.map(open).transpose()?;
        let frames = Frames::new(self, assembler, sink, associated, Arc::clone(intake.stats()));
        session::start(engine, intake, frames, self.traffic.packets.into())
    }
}

/// The frames of a stream, from the window in which they are assembled to the sink.
struct Frames<S: FrameSink, A: Assembler<S>> {
    assembler: A,
    sink: S,
    times: Times,
    window: FrameWindow<Filling<A::Frame>>,
    /// Frames that may be open.
    open: usize,
    awaiting: AwaitingAncillary<Finished<Filling<A::Frame>>>,
    associated: Option<Associated>,
    incomplete: IncompleteFrames,
    /// The payload of the last complete frame, if it is to be repeated.
    previous: Vec<u8>,
    gaps: Vec<Gap>,
    /// Finished frames for which the sink had no room.
    without_slot: u64,
    stats: Arc<ReceiveStats>,
}

/// A frame that is being filled.
struct Filling<F> {
    frame: F,
    began: Tai,
}

impl<S: FrameSink, A: Assembler<S>> Frames<S, A> {
    fn new(
        stream: &Stream<'_>,
        assembler: A,
        sink: S,
        associated: Option<Associated>,
        stats: Arc<ReceiveStats>,
    ) -> Self {
        let fields = if stream.scan == Scan::Progressive { Fields::One } else { Fields::Two };
        let clock = stream.clock();
        let limits = WindowLimits::new(fields, stream.rate, clock, stream.origin.skew);
        Self {
            assembler,
            sink,
            times: Times { clock, frames: Some(FrameClock::frames(stream.rate)) },
            open: limits.open,
            window: FrameWindow::new(limits),
            awaiting: AwaitingAncillary::new(),
            associated,
            incomplete: stream.incomplete,
            previous: Vec::new(),
            gaps: Vec::new(),
            without_slot: 0,
            stats,
        }
    }

    /// Hands over what is finished, if anything is. False if the sink wants no more.
    fn deliver_due(&mut self, packets: &Packets<'_>) -> bool {
        self.due(packets).is_none_or(|by| self.deliver(by, false))
    }

    /// The moment by which frames are finished, if any are. That should be as early as possible:
    /// the slot of a finished frame may be the one that the next frame needs. But what came earlier
    /// on the other path may not have been read yet, so it is the time up to which both have been.
    /// If too many are open, because one path is silent while much is read of the other, the oldest
    /// has to go.
    fn due(&self, packets: &Packets<'_>) -> Option<Tai> {
        let crowded = self.window.len() > self.open;
        let by = if crowded { packets.at } else { packets.read };
        self.window.deadline().filter(|deadline| *deadline <= by).map(|_| by)
    }

    /// Places a packet. Returns its frame and payload header if it belongs to an open frame. Error
    /// if it does not fit.
    fn packet(&mut self, packet: &Packet<'_>) -> Result<Option<(FrameId, A::Header)>, A::Error> {
        if packet.restart {
            self.window.restart(packet.at);
        }
        let header = self.assembler.header(packet.payload)?;
        let (assembler, sink) = (&mut self.assembler, &mut self.sink);
        let begin = |_| {
            let frame = assembler.begin(header, sink)?;
            Some(Filling { frame, began: packet.at })
        };
        let timestamp = RtpTimestamp(packet.header.timestamp);
        let (second, marker) = (A::is_second(header), packet.header.marker);
        let (id, filling) = match self.window.packet(packet.at, timestamp, second, marker, begin) {
            Place::Slot { frame, slot } => (frame, slot),
            // The window counts these.
            Place::Late | Place::Implausible | Place::NoSlot => return Ok(None),
        };
        match self.assembler.place(&mut filling.frame, header, packet)? {
            Placed::Open => {}
            Placed::Complete => self.window.complete(id),
            Placed::Misplaced => {
                let dropped = self.window.clear().count();
                self.stats.counters.dropped_frames.add(dropped as u64);
            }
        }
        Ok(Some((id, header)))
    }

    /// Places packets that come behind one of the same frame and field, and have no marker: the
    /// window would find the same for each of them. Returns how many were placed. It ends where
    /// something else happens: a packet that does not fit, or a frame that is finished.
    fn followers(
        &mut self,
        packets: &Packets<'_>,
        rest: Range<usize>,
        id: FrameId,
        header: A::Header,
    ) -> usize {
        // A sink that wants no more has left what is due; after the next packet it would be asked
        // again.
        if rest.is_empty() || self.due(packets).is_some() {
            return 0;
        }
        let Some(filling) = self.window.slot(id) else { return 0 };
        let payloads =
            rest.map_while(|index| packets.run.packet(index).map(|(_, payload)| payload));
        let (placed, complete) = self.assembler.place_all(&mut filling.frame, header, payloads);
        if complete {
            self.window.complete(id);
        }
        placed
    }

    /// Takes finished frames out of the window, and hands over those that need not wait. False if
    /// the sink wants no more.
    fn deliver(&mut self, now: Tai, read: bool) -> bool {
        loop {
            if !self.hand_over(now, read) {
                return false;
            }
            let Some(finished) = self.window.pop(now) else { return true };
            self.awaiting.push(self.associated.as_ref(), finished.timestamp, now, finished);
        }
    }

    /// Hands over frames that wait no longer for their ancillary data; see
    /// [`AwaitingAncillary::pop`]. False if the sink wants no more.
    fn hand_over(&mut self, now: Tai, read: bool) -> bool {
        while let Some(finished) = self.awaiting.pop(self.associated.as_mut(), now, read) {
            let Finished { timestamp, slot: Filling { frame, began }, end } = finished;
            let complete = end == End::Complete;
            if !complete && self.incomplete == IncompleteFrames::Drop {
                self.stats.counters.dropped_frames.add(1);
                self.assembler.discard(frame);
            } else if !self.commit(frame, complete, timestamp, began) {
                return false;
            }
        }
        true
    }

    /// Gives a frame to the sink. False if the sink wants no more.
    fn commit(
        &mut self,
        frame: A::Frame,
        complete: bool,
        timestamp: RtpTimestamp,
        began: Tai,
    ) -> bool {
        let (counters, repeats) =
            (&self.stats.counters, self.incomplete == IncompleteFrames::Repeat);
        self.gaps.clear();
        let gaps = (!complete).then(|| Gaps {
            repeat: Some(&self.previous[..]).filter(|frame| repeats && !frame.is_empty()),
            missing: &mut self.gaps,
        });
        let (mut slot, payload) = match self.assembler.finish(frame, gaps, &mut self.sink) {
            Ok(finished) => finished,
            Err(Undelivered::NoSlot) => {
                self.without_slot += 1;
                return true;
            }
            Err(Undelivered::TooLarge) => {
                counters.other_format.add(1);
                self.stats.refused.room.add(1);
                return true;
            }
        };
        if complete && repeats {
            self.previous.clear();
            self.previous.extend_from_slice(&slot.payload()[..payload]);
        }
        let (tai, aligned) = self.times.of(timestamp, began);
        counters.unaligned_times.add(u64::from(!aligned));
        counters.incomplete_frames.add(u64::from(!complete));
        counters.frames.add(1);
        let associated = self.associated.as_mut();
        let metadata = associated.map_or(0, |stream| stream.write(timestamp, slot.metadata()));
        let frame = Received { tai, timestamp: timestamp.0, payload, metadata, gaps: &self.gaps };
        self.sink.commit(slot, &frame)
    }
}

impl<S: FrameSink, A: Assembler<S>> Incoming for Frames<S, A> {
    fn packets(&mut self, packets: &Packets<'_>) -> Taken {
        let (mut refused, mut wants_more, mut index) = (0, true, 0);
        while let Some(packet) = packets.get(index) {
            index += 1;
            let place = self.packet(&packet);
            if let Err(error) = place {
                refused += 1;
                A::counter(&self.stats.refused, error).add(1);
            }
            wants_more &= self.deliver_due(packets);
            if let Ok(Some((id, header))) = place {
                let rest = index..packets.run.before_marker();
                let placed = self.followers(packets, rest, id, header);
                index += placed;
                if placed > 0 {
                    wants_more &= self.deliver_due(packets);
                }
            }
        }
        Taken { refused, wants_more }
    }

    fn deadline(&self) -> Option<Tai> {
        let associated = self.associated.as_ref().and_then(Associated::deadline);
        [self.window.deadline(), self.awaiting.deadline(), associated].into_iter().flatten().min()
    }

    fn tick(&mut self, now: Tai) -> bool {
        if let Some(associated) = &mut self.associated {
            associated.tick(now);
        }
        self.deliver(now, true)
    }

    fn publish(&self) {
        let (counts, counters) = (self.window.counts(), &self.stats.counters);
        counters.late.set(counts.late);
        counters.stray.set(counts.implausible);
        counters.frames_without_slot.set(counts.without_slot + self.without_slot);
    }

    fn associated(&self) -> Option<&Associated> {
        self.associated.as_ref()
    }

    fn receive_associated(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome {
        let Some(associated) = &mut self.associated else { return Outcome::Nothing };
        let outcome = associated.receive(path, batch, moment);
        if self.hand_over(moment.now, false) { outcome } else { Outcome::End }
    }
}
