//! Packet times of audio.

use media::{PacketTime, SampleRate};

/// How far a packet time may be from the exact one, relatively: `0.08` stands for 83.3 µs, `0.12`
/// for 125 µs.
const TOLERANCE: f64 = 0.07;

/// The packet time of the mesh that `a=ptime` in milliseconds means at this rate; `None` if it is
/// none of them. FFmpeg and others send what they like; receivers cut it anew.
#[must_use]
pub fn packet_time(milliseconds: f64, rate: SampleRate) -> Option<PacketTime> {
    let near = |time: &&PacketTime| {
        let Some(samples) = time.samples_per_packet(rate) else { return false };
        let exact = f64::from(samples) * 1000.0 / f64::from(rate.hz());
        (milliseconds - exact).abs() <= exact * TOLERANCE
    };
    PacketTime::ALL.iter().find(near).copied()
}

/// `a=ptime` of a packet time, as AES67 writes it.
#[must_use]
pub const fn ptime(time: PacketTime) -> &'static str {
    match time {
        PacketTime::Ms1 => "1",
        PacketTime::Us125 => "0.125",
        PacketTime::Us250 => "0.25",
        PacketTime::Us333 => "0.33",
        PacketTime::Ms4 => "4",
        PacketTime::Us80 => "0.08",
        PacketTime::Ms1_09 => "1.09",
        PacketTime::Ms0_14 => "0.14",
        PacketTime::Ms0_09 => "0.09",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_back() {
        for rate in SampleRate::ALL {
            for time in PacketTime::ALL {
                if time.samples_per_packet(*rate).is_some() {
                    let milliseconds: f64 = ptime(*time).parse().unwrap();
                    assert_eq!(packet_time(milliseconds, *rate), Some(*time), "{rate}");
                }
            }
        }
        assert_eq!(packet_time(0.12, SampleRate::Hz48000), Some(PacketTime::Us125));
        for none in [20.0, 0.0, -1.0, f64::NAN, 2.0] {
            assert_eq!(packet_time(none, SampleRate::Hz48000), None);
        }
    }
}
