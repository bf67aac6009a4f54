//! Errors of ancillary data.

/// Why a packet or block cannot be read or written. Offsets count bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AncillaryError {
    /// The bytes end before the packet does.
    #[error("ancillary packet at byte {at}: the data end within it")]
    Truncated {
        /// Where it begins.
        at: usize,
    },
    /// The parity bits of DID, SDID or Data_Count are wrong.
    #[error("ancillary packet at byte {at}: wrong parity of {word}")]
    Parity {
        /// Where it begins.
        at: usize,
        /// Which word.
        word: &'static str,
    },
    /// The checksum is wrong.
    #[error("ancillary packet at byte {at}: checksum {found:#05x}, {expected:#05x} is right")]
    Checksum {
        /// Where it begins.
        at: usize,
        /// The word seen.
        found: u16,
        /// The right one.
        expected: u16,
    },
    /// Bytes after the last packet.
    #[error("{extra} bytes after the last ancillary packet")]
    Extra {
        /// How many.
        extra: usize,
    },
    /// A value that has no place in a packet.
    #[error("ancillary packet: {field} {value}, at most {max}")]
    Value {
        /// Its name in RFC 8331.
        field: &'static str,
        /// The value.
        value: usize,
        /// The limit.
        max: usize,
    },
    /// The room is too small.
    #[error("ancillary data of {needed} bytes, there is room for {room}")]
    Room {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        room: usize,
    },
}

/// Why an RTP packet with ancillary data was refused. Nothing of it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AncillaryPacketError {
    /// The payload ends before the header, or before its Length.
    #[error("the payload ends before its header or its length say")]
    Truncated,
    /// Length does not match the packets.
    #[error("the length does not match the ancillary packets")]
    Length,
    /// F is 01, or names the second field of a picture that has none.
    #[error("the field is none that the picture has")]
    Field,
    /// A parity bit is wrong.
    #[error("a parity bit of an ancillary packet is wrong")]
    Parity,
    /// A checksum is wrong.
    #[error("a checksum of an ancillary packet is wrong")]
    Checksum,
    /// The frame has been delivered.
    #[error("the frame has been delivered already")]
    Late,
    /// The packet was there already.
    #[error("the packet was there already")]
    Duplicate,
    /// More data than a frame may have.
    #[error("the frame has more ancillary data than there is room for")]
    Room,
}

impl AncillaryPacketError {
    /// All reasons, in the order of their [`index`](Self::index).
    pub const ALL: [Self; 8] = [
        Self::Truncated,
        Self::Length,
        Self::Field,
        Self::Parity,
        Self::Checksum,
        Self::Late,
        Self::Duplicate,
        Self::Room,
    ];

    /// Place among [`ALL`](Self::ALL), for arrays of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl From<AncillaryError> for AncillaryPacketError {
    fn from(error: AncillaryError) -> Self {
        match error {
            AncillaryError::Truncated { .. } => Self::Truncated,
            AncillaryError::Parity { .. } => Self::Parity,
            AncillaryError::Checksum { .. } => Self::Checksum,
            AncillaryError::Extra { .. } | AncillaryError::Value { .. } => Self::Length,
            AncillaryError::Room { .. } => Self::Room,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_places() {
        for (place, error) in AncillaryPacketError::ALL.iter().enumerate() {
            assert_eq!(error.index(), place);
        }
    }
}
