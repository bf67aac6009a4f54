//! The leaky bucket of the network compatibility model (ST 2110-21 §6.6.1).

use std::time::Duration;

use media::{FrameRate, Tai};

use crate::time::NANOS;

/// Counts packets that bunch: every packet adds one, and it drains at a multiple of the average
/// rate.
///
/// C = max(0, C − Δt / Td) + 1 with Td = Tf / (factor · N). It runs on across frames. The level is
/// kept in integers, in parts of a packet that make both the drain of a nanosecond and a packet
/// whole numbers, so it is exact.
#[derive(Clone, Debug)]
pub struct LeakyBucket {
    /// Parts of one packet.
    packet: u128,
    /// Parts that drain in a nanosecond with one packet per unit, and with the present number of
    /// them.
    drain_of_one: u128,
    drain: u128,
    level: u128,
    at: Option<Tai>,
}

impl LeakyBucket {
    /// A bucket for `packets` packets per unit and `rate` units a second that drains at `factor`
    /// (numerator, denominator) times the average rate. The standard's factor β is 11/10. Counts of
    /// 0 stand for 1.
    pub fn new(rate: FrameRate, packets: u32, factor: (u32, u32)) -> Self {
        let drain_of_one = u128::from(rate.num.max(1)) * u128::from(factor.0.max(1));
        let mut bucket = Self {
            packet: u128::from(rate.den.max(1)) * u128::from(factor.1.max(1)) * NANOS,
            drain_of_one,
            drain: drain_of_one,
            level: 0,
            at: None,
        };
        bucket.set_packets(packets);
        bucket
    }

    /// Changes the packets per unit. What is in the bucket stays.
    pub fn set_packets(&mut self, packets: u32) {
        self.drain = self.drain_of_one * u128::from(packets.max(1));
    }

    /// Adds packets that went at `now` all at once; then it is as full as Cinst says. Time never
    /// goes back: an earlier moment than the last counts as the last.
    pub fn add(&mut self, now: Tai, packets: u32) {
        self.level = self.level_at(now) + u128::from(packets) * self.packet;
        self.at = Some(self.at.map_or(now, |at| at.max(now)));
    }

    /// In how long so many packets drain.
    pub fn span(&self, packets: u32) -> Duration {
        let nanos = (u128::from(packets) * self.packet).div_ceil(self.drain);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Forgets all that was added.
    pub fn clear(&mut self) {
        (self.level, self.at) = (0, None);
    }

    /// The level at `now`, in packets.
    pub fn level(&self, now: Tai) -> f64 {
        self.packets(self.level_at(now))
    }

    /// Whether the level at `now` is above `limit` packets.
    pub fn exceeds(&self, now: Tai, limit: u32) -> bool {
        self.above(self.level_at(now), limit)
    }

    /// The level after the last packet, in parts of a packet: levels compare by it.
    pub(crate) const fn parts(&self) -> u128 {
        self.level
    }

    /// `parts` in packets.
    pub(crate) fn packets(&self, parts: u128) -> f64 {
        parts as f64 / self.packet as f64
    }

    /// Whether `parts` are more than `limit` packets.
    pub(crate) fn above(&self, parts: u128, limit: u32) -> bool {
        parts > u128::from(limit) * self.packet
    }

    /// How many whole packets fit at `now` below `limit` packets.
    pub fn room(&self, now: Tai, limit: u32) -> u32 {
        let room = (u128::from(limit) * self.packet).saturating_sub(self.level_at(now));
        u32::try_from(room / self.packet).unwrap_or(u32::MAX)
    }

    /// The first moment at which `packets` more fit below `limit`; if that is more than the limit,
    /// when it is empty.
    pub fn ready(&self, packets: u32, limit: u32) -> Tai {
        let Some(at) = self.at else { return Tai::from_nanos(0) };
        let target = u128::from(limit.saturating_sub(packets)) * self.packet;
        let wait = self.level.saturating_sub(target).div_ceil(self.drain);
        Tai::from_nanos(at.as_nanos().saturating_add(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    fn level_at(&self, now: Tai) -> u128 {
        let passed = self.at.map_or(0, |at| now.as_nanos().saturating_sub(at.as_nanos()));
        self.level.saturating_sub(u128::from(passed).saturating_mul(self.drain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 frames a second of 1000 packets: Tf = 10 ms, Td = 10 ms / 1100 = 9090.909… ns.
    fn bucket() -> LeakyBucket {
        LeakyBucket::new(FrameRate { num: 100, den: 1 }, 1000, (11, 10))
    }

    fn at(nanos: u64) -> Tai {
        Tai::from_nanos(5_000_000_000 + nanos)
    }

    #[test]
    fn it_fills_and_drains() {
        let mut bucket = bucket();
        bucket.add(at(0), 4);
        assert_eq!(bucket.level(at(0)), 4.0);
        // After 9090 ns a little less than one packet has drained, after 9091 ns a little more.
        assert_eq!((bucket.room(at(9_090), 4), bucket.room(at(9_091), 4)), (0, 1));
        assert_eq!(bucket.ready(1, 4), at(9_091));
        assert_eq!(bucket.ready(4, 4), at(36_364));
        // 10 000 ns: 4 − 1.1 + 1 = 3.9
        bucket.add(at(10_000), 1);
        assert!((bucket.level(at(10_000)) - 3.9).abs() < 1e-12);
        assert!(bucket.exceeds(at(10_000), 3) && !bucket.exceeds(at(10_000), 4));
        // Never below 0.
        bucket.add(at(1_000_000), 1);
        assert_eq!(bucket.level(at(1_000_000)), 1.0);
    }

    #[test]
    fn exactly_one_packet_each_td_stays_at_one() {
        // 110 frames of 1000 packets and β = 10/11 would be awkward; 1000 packets in 11 ms drain
        // one each 10 µs.
        let mut bucket = LeakyBucket::new(FrameRate { num: 1000, den: 11 }, 1000, (11, 10));
        for i in 0..10_000 {
            bucket.add(at(i * 10_000), 1);
            assert!(!bucket.exceeds(at(i * 10_000), 1));
        }
        // One nanosecond too early shows.
        bucket.add(at(9_999 * 10_000 + 9_999), 1);
        assert!(bucket.exceeds(at(9_999 * 10_000 + 9_999), 1));
    }

    #[test]
    fn time_does_not_go_back() {
        let mut bucket = bucket();
        bucket.add(at(10_000), 1);
        bucket.add(at(0), 1);
        assert_eq!(bucket.level(at(10_000)), 2.0);
        bucket.clear();
        assert_eq!((bucket.level(at(0)), bucket.ready(4, 4)), (0.0, Tai::from_nanos(0)));
    }
}
