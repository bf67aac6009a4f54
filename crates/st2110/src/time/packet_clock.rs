//! Audio packets, counted since the epoch.

use media::Tai;

use super::{MediaClock, RtpTimestamp};

/// Counts packets of a fixed number of samples since the epoch (ST 2110-30, AES67). Packet `k`
/// holds the samples from k · samples on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketClock {
    clock: MediaClock,
    samples: u32,
}

impl PacketClock {
    /// Packets of `samples` samples per channel; `None` for 0.
    pub const fn new(clock: MediaClock, samples: u32) -> Option<Self> {
        if samples == 0 { None } else { Some(Self { clock, samples }) }
    }

    /// The clock that the samples follow.
    pub const fn clock(self) -> MediaClock {
        self.clock
    }

    /// Samples per channel in a packet.
    pub const fn samples(self) -> u32 {
        self.samples
    }

    /// The packet that holds the sample of `tai`.
    pub fn at(self, tai: Tai) -> u64 {
        self.clock.ticks(tai) / u64::from(self.samples)
    }

    /// The timestamp of packet `k`: that of its first sample.
    pub fn timestamp(self, k: u64) -> RtpTimestamp {
        self.clock.timestamp_of(k.wrapping_mul(u64::from(self.samples)))
    }

    /// The moment of the first sample of packet `k`.
    pub fn start(self, k: u64) -> Tai {
        self.clock.moment(k.saturating_mul(u64::from(self.samples)))
    }

    /// When packet `k` is whole and may leave: the end of its last sample.
    pub fn send_time(self, k: u64) -> Tai {
        self.start(k.saturating_add(1))
    }

    /// How many packets from `next` on may have left by `now`.
    pub fn due(self, next: u64, now: Tai) -> u64 {
        // The packet of the present sample is still being filled.
        self.at(now).saturating_sub(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_leave_when_they_are_whole() {
        // 48 samples at 48 kHz: one a millisecond.
        let packets = PacketClock::new(MediaClock::new(48_000, 0).unwrap(), 48).unwrap();
        let now = Tai::from_nanos(1_000_000_000);
        assert_eq!(packets.at(now), 1000);
        assert_eq!(packets.timestamp(1000).0, 48_000);
        assert_eq!(packets.start(1000), now);
        assert_eq!(packets.send_time(999), now);
        assert_eq!(packets.due(999, now), 1);
        assert_eq!(packets.due(1000, now), 0);
        // After a stall of 5 ms all of them are due; a moment before, one less.
        assert_eq!(packets.due(1000, Tai::from_nanos(1_005_000_000)), 5);
        assert_eq!(packets.due(1000, Tai::from_nanos(1_004_999_999)), 4);
        assert_eq!(packets.due(2000, now), 0);
        assert_eq!(PacketClock::new(packets.clock(), 0), None);
    }

    #[test]
    fn packets_of_44_1_khz_do_not_drift_in_a_week() {
        let packets = PacketClock::new(MediaClock::new(44_100, 0).unwrap(), 48).unwrap();
        let first = packets.at(Tai::from_nanos(1_767_225_637_000_000_000));
        // 44 100 / 48 = 918.75 packets a second, so 3675 in 4 s; a week is 151 200 times that.
        let week = packets.start(first + 3675 * 151_200).since(packets.start(first));
        assert!(week.as_nanos().abs_diff(604_800_000_000_000) <= 1);
    }
}
