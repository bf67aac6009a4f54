//! Errors of codestreams, and of their packets.

/// Why a codestream cannot be sent or made sense of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JpegXsError {
    /// It ends too early.
    #[error("JPEG XS picture of {len} octets ends within {within}")]
    Truncated {
        /// Octets that there are.
        len: usize,
        /// Where it ends.
        within: &'static str,
    },
    /// Something else stands where a marker or box is needed.
    #[error("JPEG XS picture: {found:#06x} at octet {at}, where {expected} is needed")]
    Unexpected {
        /// Offset from the start.
        at: usize,
        /// The two octets there.
        found: u16,
        /// What is accepted.
        expected: &'static str,
    },
    /// A length that cannot be.
    #[error("JPEG XS picture: {what} says {value} octets, {allowed}")]
    Length {
        /// Of what.
        what: &'static str,
        /// The value.
        value: u64,
        /// What is accepted.
        allowed: String,
    },
    /// Slices that the counter in packets has no numbers for, or none at all.
    #[error("JPEG XS picture of {count} slices: slice mode carries 1 to 2047 of them")]
    Slices {
        /// How many were found.
        count: usize,
    },
    /// A unit in more packets than can be numbered.
    #[error("{packets} packets for one unit: {most} can be numbered; send larger packets")]
    Packets {
        /// How many there would be.
        packets: usize,
        /// How many there may be.
        most: usize,
    },
    /// Packets out of order in codestream mode.
    #[error("transmode=0 with packetmode=0: whole codestreams are sent in order (RFC 9134)")]
    Transmission,
    /// A payload size of UDP that packets cannot be made for.
    #[error("UDP payload of {value} bytes: {least} to {most} are possible")]
    UdpPayload {
        /// Bytes.
        value: usize,
        /// Fewest.
        least: usize,
        /// Most.
        most: usize,
    },
    /// A buffer that is too small.
    #[error("{name} of {value} bytes: at least {least} are needed")]
    Buffer {
        /// Which.
        name: &'static str,
        /// Its size.
        value: usize,
        /// What is needed.
        least: usize,
    },
    /// Packets that a picture does not have.
    #[error("packets {start} to {end} of a picture of {packets}")]
    Range {
        /// First.
        start: usize,
        /// After the last.
        end: usize,
        /// How many there are.
        packets: usize,
    },
}

/// Why a packet was refused. Nothing of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PacketError {
    /// It ends within the payload header.
    #[error("the payload ends within the payload header")]
    HeaderTruncated,
    /// It has no data.
    #[error("the payload has no data")]
    Empty,
    /// Another packet mode than the stream's.
    #[error("the packet mode is not that of the stream")]
    Mode,
    /// The value of the I field that RFC 9134 reserves.
    #[error("the interlace field has its reserved value")]
    Interlace,
    /// Another frame or field than the one that is put together.
    #[error("the packet belongs to another frame or field")]
    Picture,
    /// The picture is larger than it may be.
    #[error("the picture exceeds the size or the number of packets that it may have")]
    TooLarge,
    /// It comes after the last packet, or says that it is the last one where another one has said
    /// so.
    #[error("the packet contradicts what was said to be the last one")]
    Last,
}

impl PacketError {
    /// All reasons, in the order of their [`index`](Self::index).
    pub const ALL: [Self; 7] = [
        Self::HeaderTruncated,
        Self::Empty,
        Self::Mode,
        Self::Interlace,
        Self::Picture,
        Self::TooLarge,
        Self::Last,
    ];

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
        for (place, error) in PacketError::ALL.iter().enumerate() {
            assert_eq!(error.index(), place);
        }
    }
}
