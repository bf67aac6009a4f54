//! Errors of audio streams, and of their packets.

/// Why a stream cannot be carried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AudioError {
    /// Samples in memory that the transport does not carry.
    #[error("audio format {format} with {transport}: {allowed}")]
    Format {
        /// In memory.
        format: media::AudioFormat,
        /// Of the stream.
        transport: crate::Transport,
        /// What is accepted.
        allowed: &'static str,
    },
    /// Channels that cannot be carried.
    #[error("{found} channels: {allowed}")]
    Channels {
        /// How many.
        found: u16,
        /// What is accepted.
        allowed: &'static str,
    },
    /// A packet time that the sample rate does not have.
    #[error("packet time {packet_time} does not exist at {rate} Hz")]
    PacketTime {
        /// Of the configuration.
        packet_time: media::PacketTime,
        /// Hertz.
        rate: u32,
    },
    /// More samples than a packet holds.
    #[error("{found} bytes of samples a packet: at most {max} fit (ST 2110-10)")]
    TooLarge {
        /// Bytes of a packet time.
        found: usize,
        /// The limit.
        max: usize,
    },
    /// A buffer of the wrong size.
    #[error("{what} of {found} bytes: {needed} are needed")]
    Buffer {
        /// Which.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The right one.
        needed: usize,
    },
}

/// Why a packet was refused. Nothing of a refused packet is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AudioPacketError {
    /// There are no samples.
    #[error("the payload is empty")]
    Empty,
    /// The payload is not a whole number of samples of all channels.
    #[error("the payload is not a whole number of samples of all channels")]
    Length,
    /// More samples than the reslicer has room for.
    #[error("the payload has more samples than a packet may have")]
    TooLong,
    /// Timestamps that lie far from those before, in a single packet.
    #[error("the time stamp lies far from those before")]
    Timestamp,
    /// All samples are older than what has been delivered.
    #[error("the samples came too late")]
    Late,
    /// All samples were there already.
    #[error("the samples were there already")]
    Duplicate,
}

impl AudioPacketError {
    /// All reasons, in the order of their [`index`](Self::index).
    pub const ALL: [Self; 6] =
        [Self::Empty, Self::Length, Self::TooLong, Self::Timestamp, Self::Late, Self::Duplicate];

    /// Place among [`ALL`](Self::ALL), for arrays of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_places() {
        for (place, error) in AudioPacketError::ALL.iter().enumerate() {
            assert_eq!(error.index(), place);
        }
    }
}
