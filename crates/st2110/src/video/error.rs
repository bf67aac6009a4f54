//! Errors of a stream's format, and of its packets.

/// Why a stream cannot be sent or received as described, or a buffer does not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VideoError {
    /// A width or height that cannot be carried.
    #[error("{name} {value}: {allowed}")]
    Dimension {
        /// `width` or `height`.
        name: &'static str,
        /// In pixels.
        value: u32,
        /// What is accepted.
        allowed: String,
    },
    /// A scan that the sampling does not have.
    #[error("scan {scan} with {format}: 4:2:0 is progressive only (ST 2110-20)")]
    Scan {
        /// The scan.
        scan: super::Scan,
        /// The format.
        format: super::WireFormat,
    },
    /// A layout in memory that does not hold exactly the samples of the wire.
    #[error("frames of {layout} cannot be {verb} as {format}: {reason}")]
    Layout {
        /// The layout.
        layout: super::FrameLayout,
        /// `sent` or `received`.
        verb: &'static str,
        /// The format on the wire.
        format: super::WireFormat,
        /// Why, and what is accepted.
        reason: &'static str,
    },
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
    /// Rows too short for blocks of 180 octets in three segments.
    #[error(
        "block packing of rows of {octets} octets: rows need at least {least}; use general packing"
    )]
    BlockPacking {
        /// In a row of pgroups.
        octets: usize,
        /// Fewest.
        least: usize,
    },
    /// Pgroups that make no block.
    #[error(
        "block packing of pgroups of {octets} octets: 180 is not a multiple; use general packing"
    )]
    BlockPgroup {
        /// Of a pgroup.
        octets: usize,
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
    /// Packets that a field does not have.
    #[error("packets {start} to {end} of a field of {packets}")]
    Packets {
        /// First.
        start: usize,
        /// After the last.
        end: usize,
        /// How many there are.
        packets: usize,
    },
}

/// Why a packet was refused. Nothing of a refused packet is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PacketError {
    /// It ends within its headers.
    #[error("the payload ends within the payload header")]
    HeaderTruncated,
    /// It ends within a segment.
    #[error("the payload ends before the length of its segments")]
    DataTruncated,
    /// A segment is not of whole pgroups.
    #[error("the length of a segment is not a multiple of the pgroup")]
    Length,
    /// A line that the field does not have.
    #[error("a line number is outside the field, or within a pgroup")]
    Row,
    /// A segment that does not begin at a pgroup, or goes beyond the end of its line.
    #[error("a segment does not begin at a pgroup, or leaves its line")]
    Offset,
    /// A second field in progressive video.
    #[error("the field bit is set in progressive video")]
    Field,
    /// Lines are numbered within the frame, as GStreamer does, where numbers within the field are
    /// expected.
    #[error("lines are numbered within the frame instead of the field")]
    RowsPerFrame,
    /// Lines are numbered within the field where numbers within the frame are expected.
    #[error("lines are numbered within the field instead of the frame")]
    RowsPerField,
    /// The depacketiser was given less memory than a frame, or the record of another picture.
    #[error("the frame or its record does not belong to this picture")]
    Frame,
}

impl PacketError {
    /// All reasons, in the order of their [`index`](Self::index).
    pub const ALL: [Self; 9] = [
        Self::HeaderTruncated,
        Self::DataTruncated,
        Self::Length,
        Self::Row,
        Self::Offset,
        Self::Field,
        Self::RowsPerFrame,
        Self::RowsPerField,
        Self::Frame,
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
