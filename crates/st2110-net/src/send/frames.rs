//! A session that sends frames by the schedule of ST 2110-21.
//!
//! A frame leaves in the first free frame period after it is there; its RTP timestamp is that of
//! its own time, on the grid of frames since the epoch. Periods without a frame stay empty. A
//! thread that is late by less than a period still uses it, and catches up little by little. A
//! period that was missed, because thread or feed was late, is not made good: the frame slips to
//! the next one, so that packets never bunch.

mod ahead;

use std::{sync::Arc, time::Duration};

use media::Tai;
use st2110::{
    pacing::{self, LeakyBucket, Schedule, Step},
    time::{FrameClock, FrameNumbers, MediaClock},
};

use ahead::Ahead;

use super::{
    outgoing::{Outgoing, Rtp},
    paths::Paths,
    rate::RateWatch,
    stats::SendStats,
};
use crate::{
    engine::{Over, SendTask, SharedClock, Wake},
    frame::{FrameFeed, HeldFrame, Next},
};

/// How often a feed that has nothing is asked within the time in which a frame would still be in
/// time.
const ASK: u64 = 4;
/// A frame's time further away than this is no time that a receiver could use.
const PLAUSIBLE: Duration = Duration::from_secs(1);
/// Numbers of frames run ahead of their times by no more than this, plus two.
const TOLERANCE: Tai = Tai::from_nanos(PLAUSIBLE.as_nanos() as u64);

pub(super) struct Frames<F: FrameFeed, E> {
    feed: F,
    essence: E,
    paths: Paths,
    rtp: Rtp,
    clock: SharedClock,
    pacing: pacing::Sender,
    read: Schedule,
    /// The standard's bucket, to check what was sent.
    model: LeakyBucket,
    numbers: FrameNumbers,
    frames: FrameClock,
    /// Segmented frames: both units carry the timestamp of the frame.
    segmented: bool,
    state: State<F::Frame>,
    /// When the thread was wanted.
    wanted: Tai,
    compliant: bool,
    /// Of packets that the kernel holds back only the plan is known.
    checked: bool,
    rate: RateWatch,
    /// If the kernel holds packets back until they are to leave.
    ahead: Option<Ahead>,
}

enum State<F> {
    /// Waits for a frame to send in this unit, the first of a frame.
    Waiting { slot: u64 },
    /// Has a frame whose time is yet to come.
    Early { slot: u64, frame: F, number: u64 },
    /// Sends unit `unit` of the frame in the slot.
    Sending { slot: u64, frame: F, number: u64, unit: usize, sent: u32 },
    /// Between two of the others.
    Changing,
}

/// What a session of frames needs.
pub(super) struct Parts<F, E> {
    pub(super) feed: F,
    pub(super) essence: E,
    pub(super) paths: Paths,
    pub(super) rtp: Rtp,
    pub(super) clock: SharedClock,
    pub(super) pacing: pacing::Sender,
    /// When packets are read, to check what was sent.
    pub(super) read: Schedule,
    /// Frames, not fields.
    pub(super) frames: FrameClock,
    pub(super) segmented: bool,
}

impl<F: FrameFeed, E: Outgoing> Frames<F, E> {
    pub(super) fn new(parts: Parts<F, E>) -> Self {
        let Parts { feed, essence, paths, rtp, clock, pacing, read, frames, segmented } = parts;
        let now = clock.now();
        let model = LeakyBucket::new(pacing.schedule().clock().rate(), 1, (11, 10));
        let mut session = Self {
            feed,
            essence,
            paths,
            rtp,
            clock,
            pacing,
            read,
            model,
            numbers: FrameNumbers::new(frames),
            frames,
            segmented,
            state: State::Changing,
            wanted: now,
            compliant: true,
            checked: true,
            rate: RateWatch::new(now),
            ahead: None,
        };
        session.state = State::Waiting { slot: session.free_slot(now) };
        session
    }

    fn stats(&self) -> &SendStats {
        self.paths.stats()
    }

    fn units(&self) -> u64 {
        self.essence.units() as u64
    }

    /// When the first packet of a slot is due.
    fn begin(&self, slot: u64) -> Tai {
        let packets = self.essence.packets(0).max(1);
        let read = self.pacing.schedule().read_time(slot, packets, 0);
        let lead = self.pacing.lead(packets).as_nanos() as u64;
        Tai::from_nanos(read.as_nanos().saturating_sub(lead))
    }

    /// The last moment at which a feed that had nothing is asked for a slot: when a receiver reads
    /// its first packet, plus what a thread may be late.
    fn end(&self, slot: u64) -> Tai {
        let read = self.pacing.schedule().read_time(slot, 1, 0);
        let period = self.frames.rate().period_ns();
        Tai::from_nanos(read.as_nanos().saturating_add(period / 16))
    }

    /// A slot that has not been begun by then is over: the next one begins.
    fn expiry(&self, slot: u64) -> Tai {
        self.begin(slot + self.units())
    }

    /// The first slot whose beginning is not before `now`.
    fn free_slot(&self, now: Tai) -> u64 {
        let units = self.units();
        let mut slot = self.pacing.schedule().clock().at(now) / units * units;
        while self.begin(slot) < now {
            slot += units;
        }
        slot
    }

    fn wait(&mut self, until: Tai) -> Wake {
        self.wanted = until;
        Wake::At(until)
    }

    /// The slot after one that was used or given up, without the time that has passed meanwhile.
    fn next_slot(&mut self, slot: u64, now: Tai) -> u64 {
        let next = slot + self.units();
        if now <= self.expiry(next) {
            return next;
        }
        let free = self.free_slot(now);
        self.stats().counters.slipped_periods.add((free - next) / self.units());
        free
    }

    /// A slot has begun and there may be a frame for it.
    fn ask(&mut self, slot: u64, now: Tai) -> Wake {
        match self.feed.next() {
            Next::Frame(frame) => self.take(slot, frame, now),
            Next::End => Wake::End,
            Next::Nothing => {
                let (begin, end) = (self.begin(slot), self.end(slot));
                let step = end.since(begin).as_nanos() as u64 / ASK;
                let again = Tai::from_nanos(now.as_nanos().saturating_add(step.max(100_000)));
                if again < end {
                    self.state = State::Waiting { slot };
                    return self.wait(again);
                }
                self.stats().counters.idle_periods.add(1);
                self.leave(slot, now)
            }
        }
    }

    /// A slot is over: on to the next.
    fn leave(&mut self, slot: u64, now: Tai) -> Wake {
        let next = self.next_slot(slot, now);
        let counts = &self.paths.stats().counters;
        let used = counts.frames.get() + counts.idle_periods.get();
        self.rate.look(now, used, self.paths.stats());
        self.state = State::Waiting { slot: next };
        self.wait(self.begin(next))
    }

    fn period(&self) -> Duration {
        Duration::from_nanos(self.frames.rate().period_ns())
    }

    /// There is a frame for a slot.
    fn take(&mut self, slot: u64, frame: F::Frame, now: Tai) -> Wake {
        if !self.essence.begin(frame.payload(), frame.metadata()) {
            self.stats().counters.wrong_sizes.add(1);
            return self.leave(slot, now);
        }
        let time = match frame.tai() {
            Some(tai) if tai.since(now).max(now.since(tai)) > PLAUSIBLE => {
                self.stats().counters.implausible_times.add(1);
                now
            }
            Some(tai) => tai,
            None => now,
        };
        let mut number = self.numbers.next(time);
        if number > self.frames.at(time).saturating_add(self.frames.at(TOLERANCE) + 2) {
            // The clock was set back.
            self.numbers = FrameNumbers::new(self.frames);
            number = self.numbers.next(time);
        }
        let present = slot / self.units();
        if number > present {
            let slot = number * self.units();
            self.state = State::Early { slot, frame, number };
            return self.wait(self.begin(slot));
        }
        if number + 2 < present {
            self.stats().counters.late_frames.add(1);
        }
        self.start(slot, frame, number, 0)
    }

    /// A unit of a frame begins.
    fn start(&mut self, slot: u64, frame: F::Frame, number: u64, unit: usize) -> Wake {
        let packets = self.essence.packets(unit);
        self.pacing.begin(slot, packets);
        self.model.set_packets(packets);
        let stamped = if self.segmented { 0 } else { unit as u64 };
        let units = self.pacing.schedule().clock();
        self.rtp.timestamp =
            units.timestamp(number * self.units() + stamped, MediaClock::VIDEO).into();
        if unit == 0 {
            (self.compliant, self.checked) = (true, true);
        }
        self.essence.prepare(frame.payload(), unit, 0, self.rtp.sequence());
        self.state = State::Sending { slot, frame, number, unit, sent: 0 };
        self.wait(self.clock.now())
    }

    /// Does what is due at `now`.
    fn advance(&mut self, now: Tai) -> Wake {
        match std::mem::replace(&mut self.state, State::Changing) {
            State::Waiting { slot } if now < self.begin(slot) => {
                // Too early by more than a moment: the clock was set back.
                let far = self.begin(slot).since(now) > PLAUSIBLE.saturating_add(self.period());
                let slot = if far { self.free_slot(now) } else { slot };
                self.state = State::Waiting { slot };
                self.wait(self.begin(slot))
            }
            State::Waiting { slot } if now > self.expiry(slot) => {
                // The thread came too late for this period.
                let free = self.free_slot(now);
                self.stats().counters.slipped_periods.add((free - slot) / self.units());
                self.state = State::Waiting { slot: free };
                self.wait(self.begin(free))
            }
            State::Waiting { slot } => self.ask(slot, now),
            State::Early { slot, frame, number } if now < self.begin(slot) => {
                if self.begin(slot).since(now) > PLAUSIBLE.saturating_add(self.period()) {
                    self.numbers = FrameNumbers::new(self.frames);
                    let slot = self.free_slot(now);
                    return self.take(slot, frame, now);
                }
                self.state = State::Early { slot, frame, number };
                self.wait(self.begin(slot))
            }
            State::Early { slot, frame, number } => self.start(slot, frame, number, 0),
            State::Sending { slot, frame, number, unit, sent } => {
                self.send(slot, frame, number, unit, sent, now)
            }
            State::Changing => Wake::End,
        }
    }

    /// Sends what may leave now.
    fn send(
        &mut self,
        slot: u64,
        frame: F::Frame,
        number: u64,
        unit: usize,
        mut sent: u32,
        now: Tai,
    ) -> Wake {
        let most = match self.pacing.step(now) {
            Step::Send { packets } => packets,
            Step::Wait { until } if until.since(now) > self.period().max(PLAUSIBLE) => {
                // The clock was set back in the middle of a frame, the rest of which would come at
                // a wrong time.
                drop(frame);
                let slot = self.free_slot(now);
                self.state = State::Waiting { slot };
                return self.wait(self.begin(slot));
            }
            Step::Wait { until } => {
                self.state = State::Sending { slot, frame, number, unit, sent };
                return self.wait(until);
            }
            Step::Idle => return self.finish(slot, frame, number, unit, now),
        };
        let count =
            self.essence.send(frame.payload(), unit, sent, most, &mut self.rtp, &mut self.paths);
        let (before, after) = self.paths.last_call();
        self.pacing.sent(count, before, after);
        if self.paths.is_held_back() {
            self.checked = false;
        } else {
            let read = self.read.read_time(slot, self.essence.packets(unit), sent);
            self.check(read, now, count, after);
        }
        sent += count;
        self.essence.prepare(frame.payload(), unit, sent, self.rtp.sequence());
        match self.pacing.step(after) {
            Step::Idle => self.finish(slot, frame, number, unit, after),
            step => {
                self.state = State::Sending { slot, frame, number, unit, sent };
                self.wait(if let Step::Wait { until } = step { until } else { after })
            }
        }
    }

    /// `count` packets have left by `after`, the first of which had to leave by `read`, at `now`.
    fn check(&mut self, read: Tai, now: Tai, count: u32, after: Tai) {
        if read < now {
            self.stats().counters.late_max_ns.raise(now.since(read).as_nanos() as u64);
            self.compliant = false;
        }
        // As the pacing counts them.
        self.model.add(after, count);
        if self.model.exceeds(after, self.pacing.limits().cmax) {
            self.compliant = false;
        }
        self.stats().counters.cinst_max_milli.raise((self.model.level(after) * 1000.0) as u64);
    }

    /// All packets of a unit have left.
    fn finish(&mut self, slot: u64, frame: F::Frame, number: u64, unit: usize, now: Tai) -> Wake {
        if unit + 1 < self.essence.units() {
            return self.start(slot + 1, frame, number, unit + 1);
        }
        drop(frame);
        self.stats().counters.frames.add(1);
        match (self.checked, self.compliant) {
            (true, true) => self.stats().counters.compliant_frames.add(1),
            (true, false) => {}
            (false, _) => self.stats().counters.unjudged_frames.add(1),
        }
        self.leave(slot + 1 - self.units(), now)
    }
}

impl<F: FrameFeed, E: Outgoing> SendTask for Frames<F, E> {
    fn run(&mut self, now: Tai) -> Wake {
        let late = now.since(self.wanted).as_nanos() as u64;
        self.stats().counters.wake_late_max_ns.raise(late);
        match self.ahead {
            None => self.advance(now),
            Some(_) => self.run_ahead(now),
        }
    }

    fn over(&mut self, why: Over) {
        self.stats().end(why);
    }
}

/// Statistics of a session, for its handle.
impl<F: FrameFeed, E: Outgoing> Frames<F, E> {
    pub(super) fn shared_stats(&self) -> Arc<SendStats> {
        self.paths.stats().clone()
    }
}
