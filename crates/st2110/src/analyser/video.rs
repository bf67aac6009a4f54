//! Analysis of video streams, and of other streams of frames.

mod runs;

use std::collections::VecDeque;
use std::time::Duration;

use media::{FrameRate, Tai};

use super::learning::Learner;
use super::running::Running;
use super::{Compliance, Expectation, UnitReport, VideoSummary};
use crate::pacing::{LeakyBucket, Limits, Raster, Schedule, SenderType};
use crate::rtp::Header;
use crate::sequence::{Arrival, Counts, NumberWidth, Tracker};
use crate::time::{FrameClock, RtpTimestamp, nanos};

/// The standard's β: the network drains at 1.1 times the average rate.
const BETA: (u32, u32) = (11, 10);
/// Units whose delays decide the offset where none is agreed.
const OFFSET_UNITS: usize = 8;
/// Packets that may come in the wrong order.
const WINDOW: u32 = 4096;

/// Analyses the conformance of a stream of frames to ST 2110-21.
///
/// A unit is what ends with a marker or with another timestamp: a frame, or a field. The virtual
/// receiver buffer is judged in units that have as many packets as expected, or as units lately had
/// at most.
#[derive(Clone, Debug)]
pub struct VideoAnalyser {
    expected: Expectation,
    tracker: Tracker,
    learner: Learner,
    model: Option<Model>,
    offsets: [Offset; 2],
    unit: Option<Unit>,
    ended: Option<Ended>,
    before: Option<u64>,
    last_arrival: Option<Tai>,
    figures: Running<VideoSummary>,
}

/// The receiver model that units are compared with.
#[derive(Clone, Debug)]
struct Model {
    rate: FrameRate,
    packets: u32,
    clock: FrameClock,
    active: (u32, u32),
    bucket: LeakyBucket,
}

/// The offset of one of the two schedules.
#[derive(Clone, Debug, Default)]
struct Offset {
    agreed: Option<u64>,
    /// The greatest delays of the last units.
    delays: VecDeque<u64>,
}

impl Offset {
    fn get(&self) -> Option<u64> {
        self.agreed.or_else(|| self.delays.iter().copied().max())
    }
}

/// The last packet of the unit before.
#[derive(Clone, Copy, Debug)]
struct Ended {
    number: u64,
    timestamp: RtpTimestamp,
    marker: bool,
}

#[derive(Clone, Debug)]
struct Unit {
    timestamp: RtpTimestamp,
    first_arrival: Tai,
    /// The number of its first packet, and whether that is certain.
    base: u64,
    certain: bool,
    highest: u64,
    received: u32,
    marker: bool,
    /// Number of the unit on the clock, once the model is known.
    n: Option<u64>,
    cinst: u128,
    /// Gapped and linear: levels of the buffer, and the greatest delay.
    levels: [Option<(i64, i64)>; 2],
    delays: [u64; 2],
    /// What had been read at an arrival, by each schedule: packets of this unit, less those of the
    /// one before that had not. Packets that the kernel hands over together have one arrival.
    read: Option<(Tai, [i64; 2])>,
}

impl Unit {
    /// The packet with that index has come, when so many had been read.
    fn levels(&mut self, index: u32, read: [i64; 2]) {
        for (levels, read) in self.levels.iter_mut().zip(read) {
            let low = i64::from(index) - read;
            let high = low + 1;
            let levels = levels.get_or_insert((low, high));
            *levels = (levels.0.min(low), levels.1.max(high));
        }
    }
}

impl VideoAnalyser {
    /// An analyser of a stream of which that is known.
    pub fn new(expected: Expectation) -> Self {
        Self {
            expected,
            tracker: Tracker::new(NumberWidth::Bits16, WINDOW),
            learner: Learner::default(),
            model: None,
            offsets: Default::default(),
            unit: None,
            ended: None,
            before: None,
            last_arrival: None,
            figures: Running::default(),
        }
    }

    /// Takes in a packet of `size` octets (RTP header and payload). Gives a report when a unit has
    /// ended.
    pub fn packet(&mut self, arrival: Tai, header: &Header, size: usize) -> Option<UnitReport> {
        self.figures.turn(arrival, || self.tracker.counts());
        let number = match self.tracker.feed(arrival, header.ssrc, u32::from(header.sequence)) {
            Arrival::Unknown => return None,
            Arrival::First { number, restart } => {
                if restart {
                    self.start_again();
                }
                Some(number)
            }
            Arrival::New { number, .. } | Arrival::Reordered { number } => Some(number),
            Arrival::Duplicate { .. } | Arrival::Late => None,
        };
        self.traffic(arrival, 1, size, size);
        let Some(number) = number else {
            self.count(arrival, 1);
            return None;
        };
        let timestamp = RtpTimestamp(header.timestamp);
        let mut report = None;
        match &mut self.unit {
            // Behind what has ended: it counts on the wire only.
            _ if self.ended.is_some_and(|ended| number <= ended.number) => {
                self.count(arrival, 1);
                return None;
            }
            Some(unit) if unit.timestamp == timestamp => unit.base = unit.base.min(number),
            Some(unit) if number <= unit.highest => {
                self.count(arrival, 1);
                return None;
            }
            Some(_) => {
                report = self.finish();
                self.begin(arrival, number, timestamp);
            }
            None => self.begin(arrival, number, timestamp),
        }
        self.count(arrival, 1);
        self.place(arrival, number, header.marker);
        if header.marker {
            // A unit that ended with another's first packet, and one of that packet alone: the
            // second is only counted.
            let marked = self.finish();
            report = report.or(marked);
        }
        report
    }

    /// Figures since the analyser was made or [`VideoAnalyser::take_summary`] was called; its
    /// account of packets is that since it was made.
    pub fn summary(&self) -> VideoSummary {
        self.complete(self.figures.all(), self.tracker.counts())
    }

    /// The same of the second of the last packet and the five seconds before it.
    pub fn recent(&self) -> VideoSummary {
        let (figures, before) = self.figures.last();
        self.complete(figures, self.tracker.counts().since(before))
    }

    fn complete(&self, figures: VideoSummary, counts: Counts) -> VideoSummary {
        VideoSummary {
            rate: self.model.as_ref().map(|model| model.rate),
            packets_per_unit: self.model.as_ref().map(|model| model.packets),
            offset: self.offsets[0].get().map(Duration::from_nanos),
            counts,
            limits: self.model.as_ref().map(|model| {
                let kinds = [SenderType::Narrow, SenderType::NarrowLinear, SenderType::Wide];
                kinds.map(|kind| self.limits(model, kind))
            }),
            ..figures
        }
    }

    /// What [`VideoAnalyser::summary`] gives, and begins new figures.
    pub fn take_summary(&mut self) -> VideoSummary {
        let summary = self.summary();
        self.figures = Running::default();
        summary
    }

    fn start_again(&mut self) {
        self.learner = Learner::default();
        self.model = None;
        (self.unit, self.ended, self.before) = (None, None, None);
    }

    /// Counts `count` packets, at least one, that arrived together.
    fn traffic(&mut self, arrival: Tai, count: u32, octets: usize, largest: usize) {
        let figures = &mut self.figures.now;
        figures.octets += octets as u64;
        figures.largest = figures.largest.max(largest);
        if let Some(last) = self.last_arrival {
            let gap = nanos(arrival.since(last));
            figures.gaps.add(i64::try_from(gap).unwrap_or(i64::MAX));
            figures.gap_histogram.add(gap);
        }
        if let Some(others) = count.checked_sub(1).filter(|others| *others > 0) {
            figures.gaps.repeat(0, others.into());
            figures.gap_histogram.repeat(0, others.into());
        }
        self.last_arrival = Some(arrival);
    }

    /// Counts packets that arrived together in the bucket.
    fn count(&mut self, arrival: Tai, packets: u32) {
        let Some(model) = &mut self.model else { return };
        model.bucket.add(arrival, packets);
        if let Some(unit) = &mut self.unit {
            unit.cinst = unit.cinst.max(model.bucket.parts());
        }
    }

    fn begin(&mut self, arrival: Tai, number: u64, timestamp: RtpTimestamp) {
        self.learn();
        // With more lost than one unit has, timestamps do not follow each other.
        let most = self.model.as_ref().map_or(WINDOW, |model| model.packets);
        let before = self.ended.filter(|ended| number - ended.number <= u64::from(most));
        if before.is_none() {
            self.learner.break_off();
        }
        // What is missing behind a marker belongs to this unit; without one, only a direct
        // neighbour shows where it begins.
        let (base, certain) = match before {
            Some(before) if before.marker => (before.number + 1, true),
            Some(before) => (number, number == before.number + 1),
            None => (number, false),
        };
        if before.is_some_and(|before| before.timestamp == timestamp) {
            self.figures.now.markers.repeated += 1;
        }
        self.learner.stamp(timestamp);
        let n = self.model.as_ref().map(|model| {
            let Some(offset) = self.offsets[0].get() else { return model.clock.at(arrival) };
            let began = Tai::from_nanos(arrival.as_nanos().saturating_sub(offset));
            let nearest = model.clock.nearest(began);
            // More than half a unit early looks late for the unit before. Timestamps tell, if they
            // are those of TAI.
            match model.clock.unit_near(timestamp, self.expected.clock, began, 1) {
                Some(stamped) if stamped == nearest + 1 => stamped,
                _ => nearest,
            }
        });
        self.unit = Some(Unit {
            timestamp,
            first_arrival: arrival,
            base,
            certain,
            highest: base,
            received: 0,
            marker: false,
            n,
            cinst: 0,
            levels: [None; 2],
            delays: [0; 2],
            read: None,
        });
    }

    /// Takes over what has been learnt.
    fn learn(&mut self) {
        let rate = match (self.expected.frame_rate, self.expected.raster) {
            (Some(rate), Some(Raster { fields: true, .. })) => {
                Some(FrameClock::fields(rate).rate())
            }
            (Some(rate), _) => Some(rate),
            (None, _) => self.learner.rate(self.expected.clock.rate()),
        };
        let rate = rate.or(self.model.as_ref().map(|model| model.rate));
        let packets = self.expected.packets.or_else(|| self.learner.packets_per_unit());
        let (Some(rate), Some(packets)) = (rate, packets) else { return };
        match &mut self.model {
            Some(model) if model.rate == rate => {
                model.packets = packets;
                model.bucket.set_packets(packets);
            }
            model => {
                *model = Some(Model {
                    rate,
                    packets,
                    clock: FrameClock::frames(rate),
                    active: self.expected.raster.map_or((1080, 1125), Raster::active),
                    bucket: LeakyBucket::new(rate, packets, BETA),
                });
                self.before = None;
                let agreed = self.expected.offset_at(rate);
                self.offsets = std::array::from_fn(|_| Offset { agreed, delays: VecDeque::new() });
            }
        }
    }

    /// Puts a packet in the virtual receiver buffer.
    fn place(&mut self, arrival: Tai, number: u64, marker: bool) {
        let Some(unit) = &mut self.unit else { return };
        unit.received += 1;
        unit.marker |= marker;
        let in_order = number >= unit.highest;
        unit.highest = unit.highest.max(number);
        let (Some(model), Some(n), true) = (&self.model, unit.n, in_order) else { return };
        let index = u32::try_from(number - unit.base).unwrap_or(u32::MAX);
        let (offsets, before) = (&self.offsets, self.before);
        let agreed = offsets.iter().all(|offset| offset.agreed.is_some());
        let known = unit.read.filter(|(at, _)| agreed && *at == arrival).map(|(_, read)| read);
        let read = known.unwrap_or_else(|| {
            let since_start = arrival.as_nanos().saturating_sub(model.clock.start(n).as_nanos());
            let mut read = [0; 2];
            for (which, active) in [model.active, (1, 1)].into_iter().enumerate() {
                let free = Schedule::from_parts(model.clock, 0, active);
                let mut offset = offsets[which].get().unwrap_or(0);
                if offsets[which].agreed.is_none() {
                    // The offset must be at least the delay of every packet.
                    let delay = since_start.saturating_sub(free.span(model.packets, index));
                    unit.delays[which] = unit.delays[which].max(delay);
                    offset = offset.max(unit.delays[which]);
                }
                let schedule = Schedule::from_parts(model.clock, offset, active);
                // Packets of the unit before that are still to be read.
                let rest = match before {
                    Some(before) if before + 1 == n => {
                        model.packets - schedule.read_before(before, model.packets, arrival)
                    }
                    _ => 0,
                };
                read[which] =
                    i64::from(schedule.read_before(n, model.packets, arrival)) - i64::from(rest);
            }
            read
        });
        unit.read = Some((arrival, read));
        unit.levels(index, read);
    }

    fn finish(&mut self) -> Option<UnitReport> {
        let unit = self.unit.take()?;
        let packets = u32::try_from(unit.highest - unit.base + 1).unwrap_or(u32::MAX);
        let whole = unit.certain && unit.marker;
        if whole {
            self.learner.packets(packets);
        }
        if !unit.marker && packets == unit.received {
            self.figures.now.markers.missing += 1;
        }
        self.ended =
            Some(Ended { number: unit.highest, timestamp: unit.timestamp, marker: unit.marker });
        self.before = unit.n;
        let mut report = UnitReport {
            timestamp: unit.timestamp,
            first_arrival: unit.first_arrival,
            packets,
            lost: packets.saturating_sub(unit.received),
            whole,
            first_packet: None,
            rtp_offset: self.expected.clock.timestamp(unit.first_arrival).since(unit.timestamp),
            cinst: None,
            vrx: None,
            vrx_linear: None,
            compliance: None,
        };
        if let (Some(model), Some(n)) = (&self.model, unit.n) {
            for (offset, delay) in self.offsets.iter_mut().zip(unit.delays) {
                if offset.agreed.is_none() {
                    if offset.delays.len() >= OFFSET_UNITS {
                        offset.delays.pop_front();
                    }
                    offset.delays.push_back(delay);
                }
            }
            let start = i128::from(model.clock.start(n).as_nanos());
            let offset = i128::from(self.offsets[0].get().unwrap_or(0));
            let first = i128::from(unit.first_arrival.as_nanos()) - start - offset;
            report.first_packet = i64::try_from(first).ok();
            report.cinst = Some(model.bucket.packets(unit.cinst));
            if packets == model.packets && whole {
                [report.vrx, report.vrx_linear] = unit.levels;
                report.compliance = Some(self.compliance(model, &unit));
            }
        }
        self.figures.now.unit(&report);
        Some(report)
    }

    fn limits(&self, model: &Model, kind: SenderType) -> Limits {
        Limits::new(kind, model.packets, model.rate, model.active, self.expected.max_udp)
    }

    fn compliance(&self, model: &Model, unit: &Unit) -> Compliance {
        let keeps = |kind, levels: Option<(i64, i64)>| {
            let limits = self.limits(model, kind);
            let fits = |(low, high)| low >= 0 && high <= i64::from(limits.vrx);
            !model.bucket.above(unit.cinst, limits.cmax) && levels.is_some_and(fits)
        };
        let [gapped, linear] = unit.levels;
        Compliance {
            narrow: keeps(SenderType::Narrow, gapped),
            linear: keeps(SenderType::NarrowLinear, linear),
            wide: keeps(SenderType::Wide, gapped),
        }
    }
}
