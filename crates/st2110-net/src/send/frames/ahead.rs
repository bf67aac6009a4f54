//! Packets that are handed over before they are to leave, where the kernel holds them back until
//! then: one wake-up for many bursts.
//!
//! The pacing is asked as if it were the moment at which a burst is to leave, so all its limits
//! hold for those moments. Only packets of a frame that has begun are handed over early.

use std::collections::VecDeque;

use media::Tai;

use super::{Frames, State};
use crate::{
    engine::{Wake, ahead_of_monotonic},
    frame::FrameFeed,
    send::outgoing::Outgoing,
    socket::Backlog,
};

/// Packets are handed over so long before they leave, at most. Half of it is left when the thread
/// is wanted again: so late it may come.
const HORIZON: u64 = 2_000_000;
/// Handing a burst over takes less than this. What is handed over too late leaves at once, and
/// closer to the next one than planned.
const MARGIN: u64 = 50_000;
/// Bursts that are handed over before other sessions of the thread have their turn.
const TURN: usize = 8;
/// Memory that the kernel needs for a bundle beside its bytes.
const OVERHEAD: usize = 1024;
/// If nothing is left of what was to leave later than this, the kernel does not hold it back.
const SURE: u64 = 300_000;
/// How often it is asked why.
const DOUBT: u64 = 1_000_000_000;

/// What the kernel holds. Moments are nanoseconds of CLOCK_MONOTONIC: it is never set.
#[derive(Debug)]
pub(super) struct Ahead {
    limit: Backlog,
    /// When each bundle leaves, and its size.
    held: VecDeque<(u64, usize)>,
    bytes: usize,
    /// The most bundles that a burst has had.
    most: usize,
    /// When the last one leaves. None may leave before it: the kernel would change their order.
    last: u64,
    /// Nanoseconds that TAI is ahead.
    tai: i64,
    doubted: u64,
}

impl Ahead {
    fn new(limit: Backlog) -> Self {
        let held = VecDeque::with_capacity(limit.bundles);
        Self { limit, held, bytes: 0, most: 1, last: 0, tai: 0, doubted: 0 }
    }

    fn monotonic(&self, moment: Tai) -> u64 {
        moment.as_nanos().saturating_add_signed(self.tai.saturating_neg())
    }

    fn tai(&self, monotonic: u64) -> Tai {
        Tai::from_nanos(monotonic.saturating_add_signed(self.tai))
    }

    /// It is `now`: forgets what has left.
    fn pass(&mut self, now: Tai) {
        let now = self.monotonic(now);
        while let Some((leaves, bytes)) = self.held.front()
            && *leaves <= now
        {
            self.bytes -= bytes;
            self.held.pop_front();
        }
    }

    /// The first moment at which another burst may leave.
    fn earliest(&self, now: Tai) -> Tai {
        self.tai(self.monotonic(now).saturating_add(MARGIN).max(self.last))
    }

    /// If a burst that leaves then is not to be handed over yet: when to come again.
    fn postponed(&self, leaves: Tai, now: Tai) -> Option<Tai> {
        let (leaves, now) = (self.monotonic(leaves), self.monotonic(now));
        if self.held.len() + self.most > self.limit.bundles || self.bytes >= self.limit.bytes {
            return self.held.get(self.held.len() / 2).map(|(leaves, _)| self.tai(*leaves));
        }
        (leaves > now.saturating_add(HORIZON)).then(|| self.tai(leaves - HORIZON / 2))
    }

    /// A burst of so many bundles was handed over.
    fn add(&mut self, leaves: Tai, bundles: usize, bytes: usize) {
        let leaves = self.monotonic(leaves);
        for index in 0..bundles {
            // The first one stands for what does not divide.
            let bytes = bytes / bundles + if index == 0 { bytes % bundles } else { 0 } + OVERHEAD;
            self.held.push_back((leaves, bytes));
            self.bytes += bytes;
        }
        self.most = self.most.max(bundles);
        self.last = leaves;
    }

    /// Whether the kernel should have something.
    fn is_holding(&self, now: Tai) -> bool {
        let now = self.monotonic(now);
        self.held.back().is_some_and(|(leaves, _)| *leaves > now.saturating_add(SURE))
    }

    /// Whether it is time to ask what the matter is. An interface without a carrier holds nothing
    /// either, and may be so for long.
    fn may_doubt(&mut self, now: Tai) -> bool {
        let now = self.monotonic(now);
        let may = now >= self.doubted;
        if may {
            self.doubted = now.saturating_add(DOUBT);
        }
        may
    }
}

impl<F: FrameFeed, E: Outgoing> Frames<F, E> {
    /// Leaves it to the kernel when packets leave, if it can do that.
    pub(in crate::send) fn paced_by_kernel(mut self) -> Self {
        self.ahead = self.paths.hold_back().map(Ahead::new);
        if self.ahead.is_some() {
            log::info!("ST 2110 to {}: paced by the kernel (fq)", self.paths.destinations());
        }
        self
    }

    fn is_sending(&self) -> bool {
        matches!(self.state, State::Sending { .. })
    }

    /// Does what is due at `now`, and hands over what is due a little later.
    pub(super) fn run_ahead(&mut self, now: Tai) -> Wake {
        if !self.is_sending() {
            let wake = self.advance(now);
            if !self.is_sending() {
                return wake;
            }
        }
        let Some(mut ahead) = self.ahead.take() else { return self.advance(now) };
        ahead.tai = ahead_of_monotonic(&*self.clock);
        if ahead.is_holding(now) && self.paths.is_drained() && ahead.may_doubt(now) {
            self.paths.look_again();
        }
        let wake = self.hand_over(&mut ahead);
        if self.paths.holds_back() {
            self.ahead = Some(ahead);
        } else {
            log::warn!("ST 2110 to {}: no longer paced by the kernel", self.paths.destinations());
        }
        wake
    }

    /// Hands over bursts that leave within the horizon.
    fn hand_over(&mut self, ahead: &mut Ahead) -> Wake {
        let mut wanted = Tai::default();
        for _ in 0..TURN {
            let now = self.clock.now();
            if !self.paths.holds_back() {
                return self.wait(now);
            }
            ahead.pass(now);
            let leaves = ahead.earliest(now).max(wanted);
            if let Some(again) = ahead.postponed(leaves, now) {
                return self.wait(again);
            }
            self.paths.leave_at(leaves, ahead.monotonic(leaves));
            let wake = self.advance(leaves);
            let (bundles, bytes) = self.paths.leave_at_once();
            ahead.add(leaves, bundles, bytes);
            let Wake::At(until) = wake else { return wake };
            if !self.is_sending() {
                return wake;
            }
            wanted = until;
        }
        self.wait(self.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use media::FrameRate;
    use st2110::pacing::{LeakyBucket, Raster, Schedule, Sender, SenderType, Step};

    use super::*;

    const LARGE: Backlog = Backlog { bundles: 62, bytes: 1 << 20 };
    /// TAI and CLOCK_MONOTONIC may begin anywhere.
    const TAI: i64 = 1_000_000_000_000;

    fn at(nanos: u64) -> Tai {
        Tai::from_nanos(TAI as u64 + nanos)
    }

    fn ahead(limit: Backlog) -> Ahead {
        Ahead { tai: TAI, ..Ahead::new(limit) }
    }

    /// A thread that sends one frame and wakes as late as `late` says.
    struct Thread {
        pacing: Sender,
        ahead: Ahead,
        now: Tai,
        wakes: u32,
        /// Of each burst.
        bundles: usize,
        /// Moments and packets.
        bursts: Vec<(Tai, u32)>,
    }

    /// 1080p50: 240 000 packets a second.
    const PACKETS: u32 = 4800;
    const P50: FrameRate = FrameRate { num: 50, den: 1 };
    /// Handing a burst over takes so long.
    const CALL: Duration = Duration::from_micros(12);

    impl Thread {
        fn new(limit: Backlog) -> Self {
            let schedule = Schedule::linear(Raster { height: 1080, fields: false }, P50, None);
            let pacing = Sender::new(SenderType::Wide, schedule, PACKETS, None);
            Self {
                pacing,
                ahead: ahead(limit),
                now: at(0),
                wakes: 0,
                bundles: 1,
                bursts: Vec::new(),
            }
        }

        fn send(&mut self, frame: u64, mut late: impl FnMut(u32) -> Duration) {
            let wake = |now: Tai| now.checked_add(Duration::from_micros(30)).unwrap();
            self.pacing.begin(frame, PACKETS);
            let first = self.pacing.schedule().read_time(frame, PACKETS, 0);
            let lead = self.pacing.lead(PACKETS).as_nanos() as u64;
            self.now = wake(Tai::from_nanos(first.as_nanos() - lead));
            let mut wanted = Tai::default();
            loop {
                self.ahead.pass(self.now);
                let leaves = self.ahead.earliest(self.now).max(wanted);
                if let Some(again) = self.ahead.postponed(leaves, self.now) {
                    assert!(again > self.now, "it would not sleep");
                    self.wakes += 1;
                    self.now = wake(again).checked_add(late(self.wakes)).unwrap();
                    continue;
                }
                match self.pacing.step(leaves) {
                    Step::Wait { until } => wanted = until,
                    Step::Idle => return,
                    Step::Send { packets } => {
                        self.now = self.now.checked_add(CALL).unwrap();
                        assert!(leaves > self.now, "it has to leave before it is handed over");
                        self.pacing.sent(packets, leaves, leaves);
                        self.ahead.add(leaves, self.bundles, packets as usize * 1452);
                        assert!(self.ahead.held.len() <= self.ahead.limit.bundles);
                        assert!(self.ahead.bytes < self.ahead.limit.bytes + 64_000);
                        self.bursts.push((leaves, packets));
                    }
                }
            }
        }

        /// By the standard's bucket.
        fn cinst(&self) -> f64 {
            let mut model = LeakyBucket::new(P50, PACKETS, (11, 10));
            let levels = self.bursts.iter().map(|(leaves, packets)| {
                model.add(*leaves, *packets);
                model.level(*leaves)
            });
            levels.fold(0.0, f64::max)
        }
    }

    #[test]
    fn a_frame_takes_few_awakenings() {
        let mut thread = Thread::new(LARGE);
        for frame in 60_000..60_003 {
            thread.send(frame, |_| Duration::ZERO);
        }
        assert_eq!(thread.bursts.iter().map(|(_, packets)| packets).sum::<u32>(), 3 * PACKETS);
        // A frame lasts 20 ms, and half the horizon is 1 ms.
        assert!(thread.wakes <= 3 * 21, "{} wakes", thread.wakes);
        assert!(thread.bursts.len() > 3 * 300, "{} bursts", thread.bursts.len());
        assert!(thread.bursts.is_sorted_by_key(|(leaves, _)| *leaves));
        assert!(thread.cinst() <= 16.0, "{}", thread.cinst());
    }

    #[test]
    fn a_thread_that_is_late_is_not_seen_until_the_horizon() {
        let mut steady = Thread::new(LARGE);
        steady.send(60_000, |_| Duration::ZERO);
        let mut late = Thread::new(LARGE);
        late.send(60_000, |wake| Duration::from_micros(if wake % 5 == 0 { 900 } else { 0 }));
        assert_eq!(steady.bursts, late.bursts);
        // Later than that, the next burst leaves late and the others keep their distance.
        let mut stopped = Thread::new(LARGE);
        stopped.send(60_000, |wake| Duration::from_micros(if wake == 5 { 3000 } else { 0 }));
        assert_ne!(steady.bursts, stopped.bursts);
        assert!(stopped.cinst() <= 16.0, "{}", stopped.cinst());
    }

    #[test]
    fn a_small_buffer_or_queue_is_not_overrun() {
        for limit in [Backlog { bytes: 200_000, ..LARGE }, Backlog { bundles: 10, ..LARGE }] {
            let mut thread = Thread::new(limit);
            thread.send(60_000, |_| Duration::ZERO);
            assert!(thread.wakes < thread.bursts.len() as u32 / 3, "{} wakes", thread.wakes);
            assert!(thread.cinst() <= 16.0, "{}", thread.cinst());
        }
    }

    #[test]
    fn bursts_of_several_bundles_do_not_overrun_the_queue() {
        for bundles in [4, 13] {
            let mut thread = Thread { bundles, ..Thread::new(LARGE) };
            thread.send(60_000, |_| Duration::ZERO);
            let bursts = thread.bursts.len() as u32;
            assert!(thread.wakes < bursts / 2, "{} wakes for {bursts} bursts", thread.wakes);
            assert!(thread.cinst() <= 16.0, "{}", thread.cinst());
        }
    }

    #[test]
    fn a_clock_that_is_set_changes_no_order() {
        let mut ahead = ahead(LARGE);
        let now = at(5_000_000);
        assert_eq!(ahead.earliest(now), at(5_050_000));
        ahead.add(at(6_500_000), 1, 20_000);
        assert_eq!(ahead.earliest(now), at(6_500_000));
        assert!(ahead.is_holding(now) && !ahead.is_holding(at(6_300_000)));
        // A second back: the moment is the same one.
        ahead.tai = TAI - 1_000_000_000;
        let now = Tai::from_nanos(now.as_nanos() - 1_000_000_000);
        let last = Tai::from_nanos(at(6_500_000).as_nanos() - 1_000_000_000);
        assert_eq!((ahead.earliest(now), ahead.monotonic(last)), (last, 6_500_000));
        ahead.pass(last);
        assert_eq!((ahead.held.len(), ahead.bytes), (0, 0));
    }

    #[test]
    fn far_bursts_wait_and_doubts_are_rare() {
        let mut ahead = ahead(LARGE);
        assert_eq!(ahead.postponed(at(2_000_000), at(0)), None);
        assert_eq!(ahead.postponed(at(2_000_001), at(0)), Some(at(1_000_001)));
        assert!(ahead.may_doubt(at(1)) && !ahead.may_doubt(at(DOUBT)));
        assert!(ahead.may_doubt(at(DOUBT + 1)));
    }
}
