//! Ancillary data that ride with video: ST 2110-40 beside -20 and -22.
//!
//! The two streams are sent independently. Most senders send the data of a frame before or while they send its picture; with others they
//! follow, or are overtaken on the way. So a finished picture waits for its block for a while, as long as the ancillary stream is alive.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use media::{FrameRate, Scan, Tai};
use st2110::{ancillary::Collector, time::RtpTimestamp};

use super::{
    Origin,
    ancillary::{collect, open, patience},
    intake::Intake,
    stats::ReceiveStats,
};
use crate::{
    Error,
    engine::{Moment, Outcome},
    socket::Batch,
};

/// Blocks that are kept until the picture of their frame is finished.
const KEPT: usize = 8;
/// Pictures whose time stamps are remembered after they were handed over.
const REMEMBERED: usize = 16;
/// Bytes of a block that rides with video at most; a slot's room for metadata may be less.
const RIDER_LIMIT: usize = 65_536;
/// A stream that has been silent for so long is not waited for any more.
const ALIVE: Duration = Duration::from_secs(1);
/// Pictures that wait at most: the slots that they occupy are missing elsewhere.
const WAITING: usize = 2;

/// The ancillary stream beside a stream of pictures.
pub(super) struct Rider {
    pub(super) intake: Intake,
    collector: Collector,
    scratch: Vec<u8>,
    kept: VecDeque<(RtpTimestamp, Vec<u8>)>,
    /// Pictures that have been handed over.
    gone: VecDeque<RtpTimestamp>,
    /// When the last packet came.
    heard: Option<Tai>,
    skew: Duration,
    patience: Duration,
    /// When the rest of a frame is given up, though no picture asks for it.
    pending: Option<Tai>,
    stats: Arc<ReceiveStats>,
}

/// Senders round the two streams' time stamps alike, or nearly so.
fn near(one: RtpTimestamp, other: RtpTimestamp) -> bool {
    one.since(other).unsigned_abs() <= 2
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
            gone: VecDeque::new(),
            heard: None,
            skew: origin.skew,
            patience: patience(origin, rate),
            pending: None,
            stats,
        })
    }

    /// Reads packets.
    pub(super) fn receive(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome {
        let Self { intake, collector, stats, heard, pending, .. } = self;
        let (scratch, kept, gone) = (&mut self.scratch, &mut self.kept, &self.gone);
        intake.receive(path, batch, moment, |packets| {
            *heard = Some(packets.at);
            *pending = packets.at.checked_add(self.patience);
            packets.each(|packet| {
                let fits = collect(collector, packet, stats);
                keep_finished(collector, scratch, kept, gone, stats);
                fits
            })
        })
    }

    /// When [`Rider::tick`] is wanted.
    pub(super) fn deadline(&self) -> Option<Tai> {
        self.pending
    }

    /// Nothing more has come by `now`: what is incomplete stays so.
    pub(super) fn tick(&mut self, now: Tai) {
        if self.pending.is_some_and(|pending| pending <= now) {
            self.pending = None;
            self.collector.give_up();
            self.keep();
        }
    }

    /// Whether the block of that picture may still come.
    fn is_awaited(&self, timestamp: RtpTimestamp, now: Tai) -> bool {
        let alive = self.heard.is_some_and(|heard| now.since(heard) < ALIVE);
        alive && !self.kept.iter().any(|(other, _)| near(*other, timestamp))
    }

    /// What has come for pictures up to this one is all that they get.
    fn give_up(&mut self, timestamp: RtpTimestamp) {
        self.collector.give_up_to(timestamp.0);
        self.keep();
    }

    fn keep(&mut self) {
        let Self { collector, scratch, kept, gone, stats, .. } = self;
        keep_finished(collector, scratch, kept, gone, stats);
    }

    /// Writes the block of the frame with that time stamp to `room`, and says how long it is; 0 if there is none, or no room.
    pub(super) fn write(&mut self, timestamp: RtpTimestamp, room: &mut [u8]) -> usize {
        if self.gone.len() == REMEMBERED {
            self.gone.pop_front();
        }
        self.gone.push_back(timestamp);
        // Pictures leave in order: what lies before this one has none to come.
        let before = self.kept.len();
        self.kept.retain(|(other, _)| timestamp.since(*other) <= 0 || near(*other, timestamp));
        self.stats.riding.unmatched.add((before - self.kept.len()) as u64);
        let found = self.kept.iter().position(|(other, _)| near(*other, timestamp));
        let Some((_, block)) = found.and_then(|index| self.kept.remove(index)) else { return 0 };
        let Some(room) = room.get_mut(..block.len()) else {
            self.stats.riding.too_large.add(1);
            return 0;
        };
        room.copy_from_slice(&block);
        block.len()
    }
}

/// Keeps the blocks that are finished, for their pictures.
fn keep_finished(
    collector: &mut Collector,
    scratch: &mut [u8],
    kept: &mut VecDeque<(RtpTimestamp, Vec<u8>)>,
    gone: &VecDeque<RtpTimestamp>,
    stats: &ReceiveStats,
) {
    while let Ok(Some(collected)) = collector.pop(scratch) {
        stats.counters.frames.add(1);
        stats.counters.incomplete_frames.add(u64::from(!collected.complete));
        let timestamp = RtpTimestamp(collected.timestamp);
        if gone.iter().any(|picture| near(*picture, timestamp)) {
            stats.riding.late.add(1);
            continue;
        }
        if kept.len() == KEPT {
            kept.pop_front();
            stats.riding.unmatched.add(1);
        }
        kept.push_back((timestamp, scratch[..collected.len].to_vec()));
    }
}

/// Finished pictures in their order, on their way out. Without ancillary data none waits.
pub(super) struct Waiting<T> {
    pictures: VecDeque<Picture<T>>,
}

struct Picture<T> {
    timestamp: RtpTimestamp,
    /// Until then its block may come; `None`: it is not waited for.
    until: Option<Tai>,
    picture: T,
}

impl<T> Waiting<T> {
    pub(super) fn new() -> Self {
        Self { pictures: VecDeque::new() }
    }

    /// A picture was finished at `now`.
    pub(super) fn push(
        &mut self,
        rider: Option<&Rider>,
        timestamp: RtpTimestamp,
        now: Tai,
        picture: T,
    ) {
        let until = rider.and_then(|rider| now.checked_add(rider.skew));
        self.pictures.push_back(Picture { timestamp, until, picture });
    }

    /// The next picture that waits no longer: its block is there, or comes no more. The time that it had is over only when all packets
    /// have been `read` that had come by then.
    pub(super) fn pop(&mut self, rider: Option<&mut Rider>, now: Tai, read: bool) -> Option<T> {
        let Picture { timestamp, until, .. } = self.pictures.front()?;
        if let Some(rider) = rider {
            let over = until.is_none_or(|until| read && until <= now);
            let crowded = self.pictures.len() > WAITING;
            if !over && !crowded && rider.is_awaited(*timestamp, now) {
                return None;
            }
            rider.give_up(*timestamp);
        }
        self.pictures.pop_front().map(|picture| picture.picture)
    }

    /// When the next picture has waited long enough.
    pub(super) fn deadline(&self) -> Option<Tai> {
        self.pictures.front()?.until
    }
}

/// When a session with a rider has something to do next.
pub(super) fn first<const N: usize>(deadlines: [Option<Tai>; N]) -> Option<Tai> {
    deadlines.into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::ReceiverOptions;

    const SKEW: Duration = Duration::from_millis(2);

    fn rider() -> Rider {
        // An address that no test of this crate has.
        let path = ReceiverOptions::new([127, 77, 0, 1].into(), 20_000);
        let origin = Origin { skew: SKEW, ..Origin::new(vec![path], 100) };
        Rider::open(&origin, FrameRate { num: 50, den: 1 }, Scan::Progressive).unwrap()
    }

    #[test]
    fn pictures_wait_while_their_blocks_may_come() {
        let at = |millis: u64| Tai::from_millis(1_000_000 + millis);
        let mut rider = rider();
        let mut waiting = Waiting::new();
        let push = |waiting: &mut Waiting<u32>, rider: &Rider, now, number: u32| {
            waiting.push(Some(rider), RtpTimestamp(number * 1800), now, number);
        };
        // Nothing has been heard of the stream, or not for long.
        push(&mut waiting, &rider, at(0), 1);
        assert_eq!(waiting.pop(Some(&mut rider), at(0), false), Some(1));
        rider.heard = Some(at(0));
        push(&mut waiting, &rider, at(1000), 2);
        assert_eq!(waiting.pop(Some(&mut rider), at(1000), false), Some(2));
        // It is alive: until the time is over, and all that came within it has been read.
        rider.heard = Some(at(1020));
        push(&mut waiting, &rider, at(1020), 3);
        assert_eq!(waiting.deadline(), Some(at(1022)));
        assert_eq!(waiting.pop(Some(&mut rider), at(1021), true), None);
        assert_eq!(waiting.pop(Some(&mut rider), at(1022), false), None);
        assert_eq!(waiting.pop(Some(&mut rider), at(1022), true), Some(3));
        // Or until the block is there.
        push(&mut waiting, &rider, at(1040), 4);
        rider.kept.push_back((RtpTimestamp(4 * 1800 + 1), vec![0; 4]));
        assert_eq!(waiting.pop(Some(&mut rider), at(1040), false), Some(4));
        // No more than two.
        for number in 5..8 {
            push(&mut waiting, &rider, at(1060), number);
        }
        assert_eq!(waiting.pop(Some(&mut rider), at(1060), false), Some(5));
        assert_eq!(waiting.pop(Some(&mut rider), at(1060), false), None);
        // Without ancillary data there is nothing to wait for.
        waiting.push(None, RtpTimestamp(0), at(0), 8);
        assert_eq!(waiting.pop(None, at(0), false), Some(6));
    }
}
