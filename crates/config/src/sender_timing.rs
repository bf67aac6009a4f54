//! Packet timing of a sender, as its session description announces it to receivers.

use std::ops::RangeInclusive;

use crate::rules::within;
use media::ConfigError;

/// What a receiver may know of a sender's packets and their timing, usually by its session
/// description. It changes nothing in what is received: streams are judged by it, and RTP time
/// stamps turned into TAI. A sender of video keeps to `max_udp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SenderTiming {
    /// `TROFF`: microseconds from a frame's time until its first packet is due (ST 2110-21 §8);
    /// `None`: the raster's default.
    pub troff: Option<u32>,
    /// `MAXUDP`: bytes of the largest UDP datagrams (ST 2110-10 §8.6); `None`: the standard limit
    /// of 1460.
    pub max_udp: Option<u16>,
    /// What the media clock showed at the epoch (`a=mediaclk:direct=`, RFC 7273 §5); `None`: 0, as
    /// ST 2110-10 demands.
    pub media_clock_offset: Option<u32>,
}

impl SenderTiming {
    /// The Standard UDP Size Limit in bytes (ST 2110-10 §6.3).
    pub const STANDARD_MAX_UDP: u16 = 1460;
    pub(crate) const TROFF: RangeInclusive<u32> = 0..=1_000_000;
    pub(crate) const MAX_UDP: RangeInclusive<u16> = 1..=u16::MAX;

    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if let Some(troff) = self.troff {
            within("connection.st2110.troffMicroseconds", troff, Self::TROFF)?;
        }
        if let Some(max_udp) = self.max_udp {
            within("connection.st2110.maxUdp", max_udp, Self::MAX_UDP)?;
        }
        Ok(())
    }
}
