//! The ancillary stream (ST 2110-40) associated with a video stream (ST 2110-20, -22).
//!
//! The two streams are sent independently. Most senders send the data of a frame before or while
//! they send its picture; with others they follow, or are overtaken on the way. So a finished
//! picture waits for its block for a while, as long as the ancillary stream is alive.

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
    socket::{Batch, Receiver},
};

/// Finished blocks that wait for their picture at most.
const MOST_BLOCKS: usize = 8;
/// Delivered pictures whose timestamps are remembered, to tell late blocks from unmatched ones.
const REMEMBERED: usize = 16;
/// Largest block, in bytes; a slot's room for metadata may be less.
const BLOCK_LIMIT: usize = 65_536;
/// A stream that has been silent for so long is not waited for any more.
const ALIVE: Duration = Duration::from_secs(1);
/// Pictures that wait at most: the slots that they occupy are missing elsewhere.
const MOST_WAITING: usize = 2;

/// The ancillary stream associated with a video stream.
pub(super) struct Associated {
    intake: Intake,
    collector: Collector,
    scratch: Vec<u8>,
    /// Finished blocks whose pictures have not been delivered yet.
    blocks: VecDeque<(RtpTimestamp, Vec<u8>)>,
    /// Timestamps of pictures that have been delivered.
    delivered: VecDeque<RtpTimestamp>,
    /// When the last packet came.
    heard: Option<Tai>,
    skew: Duration,
    patience: Duration,
    /// When the rest of a frame is given up, though no picture asks for it.
    pending: Option<Tai>,
    stats: Arc<ReceiveStats>,
}

/// Senders round the timestamps of the two streams alike, or nearly so.
fn near(one: RtpTimestamp, other: RtpTimestamp) -> bool {
    one.since(other).unsigned_abs() <= 2
}

impl Associated {
    /// Opens the sockets of the stream at `origin`, for video of this rate and scan.
    pub(super) fn open(origin: &Origin, rate: FrameRate, scan: Scan) -> Result<Self, Error> {
        let intake = open(origin, rate)?;
        let stats = intake.stats().clone();
        Ok(Self {
            intake,
            collector: Collector::new(rate, scan, BLOCK_LIMIT),
            scratch: vec![0; BLOCK_LIMIT],
            blocks: VecDeque::new(),
            delivered: VecDeque::new(),
            heard: None,
            skew: origin.skew,
            patience: patience(origin, rate),
            pending: None,
            stats,
        })
    }

    pub(super) fn sockets(&self) -> &[Receiver] {
        self.intake.sockets()
    }

    pub(super) fn stats(&self) -> &Arc<ReceiveStats> {
        &self.stats
    }

    /// Reads a batch from the socket of `path`.
    pub(super) fn receive(&mut self, path: usize, batch: &mut Batch, moment: Moment) -> Outcome {
        let Self { intake, collector, stats, heard, pending, .. } = self;
        let (scratch, blocks, delivered) = (&mut self.scratch, &mut self.blocks, &self.delivered);
        intake.receive(path, batch, moment, |packets| {
            *heard = Some(packets.at);
            *pending = packets.at.checked_add(self.patience);
            packets.each(|packet| {
                let fits = collect(collector, packet, stats);
                queue_finished(collector, scratch, blocks, delivered, stats);
                fits
            })
        })
    }

    /// When [`Associated::tick`] is wanted.
    pub(super) fn deadline(&self) -> Option<Tai> {
        self.pending
    }

    /// Nothing more has come by `now`: what is incomplete stays so.
    pub(super) fn tick(&mut self, now: Tai) {
        if self.pending.is_some_and(|pending| pending <= now) {
            self.pending = None;
            self.collector.give_up();
            self.queue();
        }
    }

    /// Whether the block of that picture may still come.
    fn is_awaited(&self, timestamp: RtpTimestamp, now: Tai) -> bool {
        let alive = self.heard.is_some_and(|heard| now.since(heard) < ALIVE);
        alive && !self.blocks.iter().any(|(other, _)| near(*other, timestamp))
    }

    /// What has come for pictures up to this one is all that they get.
    fn give_up(&mut self, timestamp: RtpTimestamp) {
        self.collector.give_up_to(timestamp.0);
        self.queue();
    }

    fn queue(&mut self) {
        let Self { collector, scratch, blocks, delivered, stats, .. } = self;
        queue_finished(collector, scratch, blocks, delivered, stats);
    }

    /// Writes the block of the picture with that timestamp, which is being delivered, to `room`.
    /// Returns its length; 0 if there is none, or no room.
    pub(super) fn write(&mut self, timestamp: RtpTimestamp, room: &mut [u8]) -> usize {
        if self.delivered.len() == REMEMBERED {
            self.delivered.pop_front();
        }
        self.delivered.push_back(timestamp);
        // Pictures are delivered in order: blocks before this one match none to come.
        let before = self.blocks.len();
        self.blocks.retain(|(other, _)| timestamp.since(*other) <= 0 || near(*other, timestamp));
        self.stats.riding.unmatched.add((before - self.blocks.len()) as u64);
        let found = self.blocks.iter().position(|(other, _)| near(*other, timestamp));
        let Some((_, block)) = found.and_then(|index| self.blocks.remove(index)) else { return 0 };
        let Some(room) = room.get_mut(..block.len()) else {
            self.stats.riding.too_large.add(1);
            return 0;
        };
        room.copy_from_slice(&block);
        block.len()
    }
}

/// Queues the blocks that are finished, for their pictures.
fn queue_finished(
    collector: &mut Collector,
    scratch: &mut [u8],
    blocks: &mut VecDeque<(RtpTimestamp, Vec<u8>)>,
    delivered: &VecDeque<RtpTimestamp>,
    stats: &ReceiveStats,
) {
    while let Ok(Some(collected)) = collector.pop(scratch) {
        stats.counters.frames.add(1);
        stats.counters.incomplete_frames.add(u64::from(!collected.complete));
        let timestamp = RtpTimestamp(collected.timestamp);
        if delivered.iter().any(|picture| near(*picture, timestamp)) {
            stats.riding.late.add(1);
            continue;
        }
        if blocks.len() == MOST_BLOCKS {
            blocks.pop_front();
            stats.riding.unmatched.add(1);
        }
        blocks.push_back((timestamp, scratch[..collected.len].to_vec()));
    }
}

/// Finished pictures in their order, which wait for their blocks. Without an associated stream none
/// waits.
pub(super) struct AwaitingAncillary<T> {
    pictures: VecDeque<Picture<T>>,
}

struct Picture<T> {
    timestamp: RtpTimestamp,
    /// Until then its block may come; `None`: it is not waited for.
    until: Option<Tai>,
    picture: T,
}

impl<T> AwaitingAncillary<T> {
    pub(super) fn new() -> Self {
        Self { pictures: VecDeque::new() }
    }

    /// A picture was finished at `now`.
    pub(super) fn push(
        &mut self,
        associated: Option<&Associated>,
        timestamp: RtpTimestamp,
        now: Tai,
        picture: T,
    ) {
        let until = associated.and_then(|stream| now.checked_add(stream.skew));
        self.pictures.push_back(Picture { timestamp, until, picture });
    }

    /// The next picture that waits no longer: its block is there, or comes no more. The time that
    /// it had is over only when all packets have been `read` that had come by then.
    pub(super) fn pop(
        &mut self,
        associated: Option<&mut Associated>,
        now: Tai,
        read: bool,
    ) -> Option<T> {
        let Picture { timestamp, until, .. } = self.pictures.front()?;
        if let Some(stream) = associated {
            let over = until.is_none_or(|until| read && until <= now);
            let crowded = self.pictures.len() > MOST_WAITING;
            if !over && !crowded && stream.is_awaited(*timestamp, now) {
                return None;
            }
            stream.give_up(*timestamp);
        }
        self.pictures.pop_front().map(|picture| picture.picture)
    }

    /// When the next picture has waited long enough.
    pub(super) fn deadline(&self) -> Option<Tai> {
        self.pictures.front()?.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::ReceiverOptions;

    const SKEW: Duration = Duration::from_millis(2);

    fn stream() -> Associated {
        // An address that no test of this crate has.
        let path = ReceiverOptions::new([127, 77, 0, 1].into(), 20_000);
        let origin = Origin { skew: SKEW, ..Origin::new(vec![path], 100) };
        Associated::open(&origin, FrameRate { num: 50, den: 1 }, Scan::Progressive).unwrap()
    }

    #[test]
    fn pictures_wait_while_their_blocks_may_come() {
        let at = |millis: u64| Tai::from_millis(1_000_000 + millis);
        let mut stream = stream();
        let mut waiting = AwaitingAncillary::new();
        let push = |waiting: &mut AwaitingAncillary<u32>, stream: &Associated, now, number: u32| {
            waiting.push(Some(stream), RtpTimestamp(number * 1800), now, number);
        };
        // Nothing has been heard of the stream, or not for long.
        push(&mut waiting, &stream, at(0), 1);
        assert_eq!(waiting.pop(Some(&mut stream), at(0), false), Some(1));
        stream.heard = Some(at(0));
        push(&mut waiting, &stream, at(1000), 2);
        assert_eq!(waiting.pop(Some(&mut stream), at(1000), false), Some(2));
        // It is alive: until the time is over, and all that came within it has been read.
        stream.heard = Some(at(1020));
        push(&mut waiting, &stream, at(1020), 3);
        assert_eq!(waiting.deadline(), Some(at(1022)));
        assert_eq!(waiting.pop(Some(&mut stream), at(1021), true), None);
        assert_eq!(waiting.pop(Some(&mut stream), at(1022), false), None);
        assert_eq!(waiting.pop(Some(&mut stream), at(1022), true), Some(3));
        // Or until the block is there.
        push(&mut waiting, &stream, at(1040), 4);
        stream.blocks.push_back((RtpTimestamp(4 * 1800 + 1), vec![0; 4]));
        assert_eq!(waiting.pop(Some(&mut stream), at(1040), false), Some(4));
        // No more than two.
        for number in 5..8 {
            push(&mut waiting, &stream, at(1060), number);
        }
        assert_eq!(waiting.pop(Some(&mut stream), at(1060), false), Some(5));
        assert_eq!(waiting.pop(Some(&mut stream), at(1060), false), None);
        // Without ancillary data there is nothing to wait for.
        waiting.push(None, RtpTimestamp(0), at(0), 8);
        assert_eq!(waiting.pop(None, at(0), false), Some(6));
    }
}
