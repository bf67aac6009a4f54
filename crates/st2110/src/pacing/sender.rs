//! A sender's pacing decisions: how many packets to send now, and when to ask again.

use std::time::Duration;

use media::Tai;

use super::{LeakyBucket, Limits, Schedule, SenderType};
use crate::time::nanos;

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Send that many of the unit's next packets at once, for example as one datagram for
    /// segmentation (GSO), then call [`Sender::sent`].
    Send {
        /// At least 1.
        packets: u32,
    },
    /// Nothing may leave before that moment.
    Wait {
        /// When to ask again.
        until: Tai,
    },
    /// The unit is sent, or none has begun.
    Idle,
}

/// Decides when packets leave, so that the stream keeps to its type.
///
/// Packets are due a *lead* before the schedule reads them, five eighths of the virtual receiver
/// buffer but at most an eighth of a unit, and leave in bursts of a few: large ones, because a
/// burst costs a system call and a sleep however small it is. What breaks Cinst is not a timer that
/// comes late, but the burst with which a stall is made good. So what is late leaves at 1.09 times
/// the average rate, and the sender holds a bucket of its own, smaller than the standard's and
/// slower to drain, in which there has to be room. Bursts follow each other by when they were to
/// leave, not by when they left: a thread that always wakes a little late does not fall behind, and
/// its sleeps are even, so that timers can be set in advance.
///
/// One unit after another: [`Sender::begin`], then [`Sender::step`] and [`Sender::sent`] until
/// [`Step::Idle`].
#[derive(Clone, Debug)]
pub struct Sender {
    schedule: Schedule,
    limits: Limits,
    bucket: LeakyBucket,
    /// The level that the bucket may reach, and the usual burst.
    cap: u32,
    burst: u32,
    lead: u32,
    /// The next burst leaves no earlier: from when the last one was to leave.
    next: Tai,
    /// Nanoseconds that handing over takes at least.
    takes: u64,
    /// Packets of the last [`Step::Send`].
    offered: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, Default)]
struct Unit {
    n: u64,
    packets: u32,
    sent: u32,
}

impl Sender {
    /// How fast the sender's bucket drains: 109/100 of the average rate, below the 11/10 of the
    /// model.
    const DRAIN: (u32, u32) = (109, 100);
    /// The most packets in one burst: 64 KiB of datagrams of 1460 octets are 44.
    pub const MAX_BURST: u32 = 44;

    /// What has left is ahead of the schedule by less than this.
    const AHEAD: Duration = Duration::from_secs(1);

    /// A sender of type `kind` for up to `packets` packets per unit, in datagrams of at most
    /// `max_udp` octets (see [`Limits::new`]).
    pub fn new(kind: SenderType, schedule: Schedule, packets: u32, max_udp: Option<u16>) -> Self {
        let rate = schedule.clock().rate();
        let limits = Limits::new(kind, packets, rate, schedule.active(), max_udp);
        // What Cmax leaves beyond the cap is for what cannot be seen: when the packets of a burst
        // really leave. What the cap leaves beyond a burst is for threads that wake late: the next
        // burst still leaves on time.
        let share = (limits.cmax / 8).max(1);
        let cap = limits.cmax.saturating_sub(share).max(1);
        let burst = cap.saturating_sub(share).clamp(1, Self::MAX_BURST);
        // The buffer also has to take the burst that arrives at once.
        let lead = (limits.vrx / 8 * 5).min(limits.vrx.saturating_sub(burst));
        let bucket = LeakyBucket::new(rate, packets, Self::DRAIN);
        let (next, unit) = (Tai::default(), Unit::default());
        Self { schedule, limits, bucket, cap, burst, lead, next, takes: 0, offered: 0, unit }
    }

    /// What the stream must keep to.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// The schedule that the packets are sent for.
    pub const fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The usual burst in packets: three quarters of Cmax.
    pub const fn burst(&self) -> u32 {
        self.burst
    }

    /// The largest burst, which leaves when packets are late: seven eighths of Cmax, at most
    /// [`Sender::MAX_BURST`].
    pub fn largest_burst(&self) -> u32 {
        self.cap.min(Self::MAX_BURST)
    }

    /// How long before its read time a packet of a unit of `packets` packets is due.
    ///
    /// The first packet of unit `n` so leaves at n·Tf + TRO − lead. Data that is there only later
    /// costs lead, down to an underrun of the receiver's buffer; see [`Sender::least_offset`].
    pub fn lead(&self, packets: u32) -> Duration {
        Duration::from_nanos(self.lead_nanos(packets))
    }

    /// At most an eighth of the unit, however few packets it has: a few packets of lead would be
    /// whole units there.
    fn lead_nanos(&self, packets: u32) -> u64 {
        self.schedule.span(packets, self.lead).min(self.schedule.span(packets, packets) / 8)
    }

    /// The least offset TRO with which the whole lead can be had, if the data of unit `n` are there
    /// `data` after n·Tf: rounded up to microseconds, as `TROFF` has them. The default offset is
    /// often less than the lead alone.
    pub fn least_offset(&self, packets: u32, data: Duration) -> Duration {
        let least = self.lead(packets).saturating_add(data);
        Duration::from_micros(nanos(least).div_ceil(1000))
    }

    /// Starts unit `n`, which has `packets` packets. What was left of the unit before is given up.
    pub fn begin(&mut self, n: u64, packets: u32) {
        self.bucket.set_packets(packets);
        self.unit = Unit { n, packets, sent: 0 };
        if self.next.since(self.due()) > Self::AHEAD {
            // The clock was set back.
            self.bucket.clear();
            self.next = Tai::default();
        }
    }

    /// Packets of the present unit that have not been sent.
    pub const fn left(&self) -> u32 {
        self.unit.packets - self.unit.sent
    }

    /// What to do at `now`.
    pub fn step(&mut self, now: Tai) -> Step {
        let left = self.left();
        if left == 0 {
            return Step::Idle;
        }
        let until = self.ready(now);
        if until > now {
            return Step::Wait { until };
        }
        let usual = self.burst.min(left);
        let most = if self.is_behind(now) { left.min(Self::MAX_BURST) } else { usual };
        let leave = Tai::from_nanos(now.as_nanos().saturating_add(self.takes));
        let room = self.bucket.room(leave, self.cap);
        self.offered = room.clamp(self.least(now), most);
        Step::Send { packets: self.offered }
    }

    /// When to send next.
    fn ready(&self, now: Tai) -> Tai {
        let room = self.bucket.ready(self.least(now), self.cap).as_nanos();
        self.due().max(self.next).max(Tai::from_nanos(room.saturating_sub(self.takes)))
    }

    /// The least that leaves at once. A thread that is behind takes what there is room for, and
    /// half a burst will do.
    fn least(&self, now: Tai) -> u32 {
        let usual = self.burst.min(self.left());
        if self.is_behind(now) { usual.div_ceil(2) } else { usual }
    }

    /// Whether more than a burst is late.
    fn is_behind(&self, now: Tai) -> bool {
        self.due_before(now) >= 2 * self.burst
    }

    /// `packets` packets, those of the last step or fewer, have been handed to the network:
    /// `before` is the time read before that, `after` the time read after it.
    ///
    /// They count as having left at the end of it: a thread that is stopped in between sends later
    /// than it meant to, and if that was after they had left, the next ones are no closer to them
    /// than they seem.
    pub fn sent(&mut self, packets: u32, before: Tai, after: Tai) {
        let packets = packets.min(self.left());
        // Of a thread that is behind no time must be lost by waking late, while the bucket is
        // empty: it comes back earlier than that.
        let pause = if self.is_behind(before) { self.burst - self.burst / 8 } else { self.burst };
        // At the end of a unit, or where no more could be handed over at once, a burst is shorter
        // than it might have been. It must not take the time of a whole one.
        let short = packets < self.offered || packets == self.left();
        let span = self.bucket.span(if short { pause.min(packets) } else { pause });
        let wanted = self.ready(before);
        // After a stall the present counts.
        let left = if before.since(wanted) > span { before } else { wanted };
        self.next = left.checked_add(span).unwrap_or(left);
        self.unit.sent += packets;
        self.bucket.add(after, packets);
        // What it takes at least: the estimate falls quickly and grows slowly.
        let taken = nanos(after.since(before));
        self.takes = match self.takes {
            0 => taken,
            takes if taken < takes => takes.midpoint(taken),
            takes => takes + (taken.min(takes * 4) - takes) / 64,
        };
    }

    /// How long ago the next packet should have been read, if it was: the receiver's buffer
    /// underruns.
    pub fn late(&self, now: Tai) -> Option<Duration> {
        let Unit { n, packets, sent } = self.unit;
        let read = self.schedule.read_time(n, packets, sent);
        (sent < packets && read < now).then(|| now.since(read))
    }

    /// When the next packet is due.
    fn due(&self) -> Tai {
        let Unit { n, packets, sent } = self.unit;
        let read = self.schedule.read_time(n, packets, sent).as_nanos();
        Tai::from_nanos(read.saturating_sub(self.lead_nanos(packets)))
    }

    /// How many packets are due before `now` and have not been sent.
    fn due_before(&self, now: Tai) -> u32 {
        let Unit { n, packets, sent } = self.unit;
        let lead = self.lead_nanos(packets);
        let moment = Tai::from_nanos(now.as_nanos().saturating_add(lead));
        self.schedule.read_before(n, packets, moment).saturating_sub(sent)
    }
}

#[cfg(test)]
mod tests {
    use media::FrameRate;

    use super::*;
    use crate::pacing::Raster;

    const P50: FrameRate = FrameRate { num: 50, den: 1 };
    const HD: Raster = Raster { height: 1080, fields: false };
    /// TRS = 20 ms · 0.96 / 4800 = 4 µs; 240 000 packets a second.
    const PACKETS: u32 = 4800;

    fn sender(kind: SenderType, packets: u32) -> Sender {
        let offset = Some(Duration::from_millis(2));
        Sender::new(kind, Schedule::gapped(HD, P50, offset), packets, None)
    }

    #[test]
    fn the_first_burst_leaves_a_lead_early() {
        let mut sender = sender(SenderType::Wide, PACKETS);
        // VRX = 240000 / 300 = 800, five eighths of it are 500 packets of 4 µs.
        assert_eq!(sender.lead(PACKETS), Duration::from_micros(2000));
        assert_eq!(sender.lead(PACKETS + 1), Duration::from_nanos(1_999_583));
        let data = Duration::from_millis(3);
        assert_eq!(sender.least_offset(PACKETS + 1, data), Duration::from_micros(5000));
        assert_eq!(sender.step(Tai::from_nanos(0)), Step::Idle);
        sender.begin(50, PACKETS);
        let due = Tai::from_nanos(1_000_000_000 + 2_000_000 - 2_000_000);
        assert_eq!(sender.step(Tai::from_nanos(0)), Step::Wait { until: due });
        assert_eq!(sender.step(due), Step::Send { packets: 12 });
        sender.sent(12, due, due);
        // Cmax 16, own cap 14: the next 12 need a level of 2 and so ten drains of 1/(240000 · 1.09)
        // s = 3823 ns; but they are due only 12 · 4 µs later.
        let next = Tai::from_nanos(due.as_nanos() + 48_000);
        assert_eq!(sender.step(due), Step::Wait { until: next });
        assert_eq!(sender.left(), PACKETS - 12);
    }

    #[test]
    fn after_a_stall_the_bucket_decides() {
        let mut sender = sender(SenderType::Wide, PACKETS);
        assert_eq!((sender.burst(), sender.largest_burst()), (12, 14));
        sender.begin(50, PACKETS);
        let now = Tai::from_nanos(1_003_000_000);
        let later = |nanos: u64| Tai::from_nanos(now.as_nanos() + nanos);
        // 3 ms late: the cap at once, then eleven packets each eleven drains of 1/(240000 · 1.09)
        // s, or more if the thread wakes late.
        assert_eq!(sender.step(now), Step::Send { packets: 14 });
        sender.sent(14, now, now);
        assert_eq!(sender.step(now), Step::Wait { until: later(42_049) });
        assert_eq!(sender.step(later(42_049)), Step::Send { packets: 11 });
        assert_eq!(sender.step(later(46_000)), Step::Send { packets: 12 });
        // How late it woke does not delay the next one.
        sender.sent(12, later(46_000), later(46_000));
        assert_eq!(sender.step(later(46_000)), Step::Wait { until: later(84_098) });
        // But there has to be room for half a burst.
        sender.sent(24, later(84_098), later(84_098));
        let Step::Wait { until } = sender.step(later(84_098)) else { panic!("no wait") };
        // 14 − 12 + 12 − 10 + 24 = 28 packets have to become 8.
        let ready = later(84_098 + 20 * 3823).as_nanos();
        assert!(until.as_nanos().abs_diff(ready) < 100, "{until}");
        assert_eq!(sender.step(until), Step::Send { packets: 6 });
        // 2 ms of lead are used up: packet 50 was to be read at 2.2 ms.
        assert_eq!(sender.late(now), Some(Duration::from_nanos(800_000)));
        assert_eq!(sender.late(Tai::from_nanos(1_002_200_000)), None);
    }

    #[test]
    fn a_stop_while_sending_is_not_drained() {
        let mut sender = sender(SenderType::Wide, PACKETS);
        let at = |microseconds: u64| Tai::from_nanos(1_000_000_000 + microseconds * 1000);
        sender.begin(50, PACKETS);
        // What a call takes.
        sender.sent(1, at(2000), at(2010));
        let (before, after) = (at(3000), at(4000));
        sender.sent(14, before, after);
        // The 14 packets count as having left at the end, and the next ones will leave at the end
        // of their call: six have to drain, in 22.9 µs, of which the call takes 10. Otherwise the
        // bucket would be empty.
        let Step::Wait { until } = sender.step(after) else { panic!("no wait") };
        assert!(until > at(4012) && until < at(4013), "{until}");
    }

    #[test]
    fn narrow_sends_by_ones_and_twos() {
        // 500 packets, 25 000 a second: Cmax 4, VRX 8.
        let mut sender = sender(SenderType::Narrow, 500);
        assert_eq!((sender.burst(), sender.limits()), (2, Limits { cmax: 4, vrx: 8 }));
        sender.begin(50, 500);
        assert_eq!(sender.step(Tai::from_nanos(1_005_000_000)), Step::Send { packets: 3 });
        sender.begin(51, 1);
        assert_eq!(sender.step(Tai::from_nanos(2_000_000_000)), Step::Send { packets: 1 });
        sender.sent(7, Tai::from_nanos(2_000_000_000), Tai::from_nanos(2_000_000_000));
        assert_eq!(sender.step(Tai::from_nanos(2_000_000_000)), Step::Idle);
        sender.begin(52, 0);
        assert_eq!(sender.step(Tai::from_nanos(2_000_000_000)), Step::Idle);
    }

    #[test]
    fn a_clock_that_is_set_back_stops_nothing() {
        let mut sender = sender(SenderType::Wide, PACKETS);
        let now = Tai::from_nanos(5_003_000_000);
        sender.begin(250, PACKETS);
        for _ in 0..3 {
            sender.sent(15, now, now);
        }
        // Four seconds earlier.
        sender.begin(50, PACKETS);
        assert_eq!(sender.step(Tai::from_nanos(1_000_000_000)), Step::Send { packets: 12 });
    }

    #[test]
    fn bursts_fit_one_segmented_datagram() {
        // 8K at 50: 69 120 packets, Cmax = 160.
        let mut sender = sender(SenderType::Wide, 69_120);
        assert_eq!((sender.limits().cmax, sender.burst()), (160, 44));
        sender.begin(50, 69_120);
        assert_eq!(sender.step(Tai::from_nanos(1_010_000_000)), Step::Send { packets: 44 });
    }
}
