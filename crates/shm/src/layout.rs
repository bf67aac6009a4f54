//! Memory layout of a pool, a board and a seat.

use crate::words::{
    DelayLine, ENTRIES, HeadLine, MAX_SLOTS, SeatCounts, SeatLine, SlotLine, SourceCounts,
};
use std::fmt;
use std::mem::size_of;

/// Identifies a ring: new for each source. 16 random bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RingId(pub [u8; 16]);

impl RingId {
    /// An identifier from bytes that came over a socket; `None` unless there are 16 of them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// 31 bits of it, never 0, to tell the rings of one group apart.
    #[must_use]
    pub fn mark(&self) -> u32 {
        let [a, b, c, d, ..] = self.0;
        (u32::from_le_bytes([a, b, c, d]) >> 1).max(1)
    }
}

/// Origin of a frame's number: the ring into which its source has put it, on any host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// [`RingId::mark`] of that ring; 0 if it is not known, and so is the number.
    pub mark: u32,
    /// Number of the frame there.
    pub sequence: u64,
}

impl fmt::Display for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RingId({self})")
    }
}

/// Bytes from a slot's start to its payload: one cache line, of which the last [`SYSDATA_SIZE`]
/// bytes are the system data.
pub const PAYLOAD_OFFSET: usize = 64;
/// Bytes of system data right before the payload:
/// `i64 timestamp_ms, u32 sequence, u32 payload_len, u32 metadata_len, pad`.
pub const SYSDATA_SIZE: usize = 24;
/// Bytes after the metadata that a reader may touch without leaving the slot. The exchange with
/// memif peers needs 16; decoders that read ahead want 64.
pub const SLACK: usize = 64;
/// Most missing regions that a slot can describe.
pub const MAX_REGIONS: usize = 1024;
/// Bytes that describe a missing region: `u32 offset, u32 len`.
pub const REGION_SIZE: usize = 8;
/// Largest payload partition: 1 GiB.
pub const MAX_PAYLOAD: usize = 1 << 30;
/// Largest metadata partition: 16 MiB.
pub const MAX_METADATA: usize = 16 << 20;
/// Smallest and largest queue capacity.
pub const CAPACITY: std::ops::RangeInclusive<usize> = 2..=128;
/// Most receivers of one ring: 128 of programs, and bridges to other hosts.
pub const MAX_SEATS: usize = 144;

/// Shape of a ring. Fixed when its source creates it; everyone else reads it from the board, once,
/// and checks it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Bytes of the payload partition.
    pub payload_size: usize,
    /// Bytes of the metadata partition.
    pub metadata_size: usize,
    /// Frames that may be published and unread: the queue capacity.
    pub capacity: usize,
    /// Slots that are made ready from the start.
    pub base_slots: usize,
    /// Missing regions that each slot can describe; 0 for sources whose frames are always whole.
    pub regions: usize,
    /// Slots of the pool. Those beyond `base_slots` cost nothing until leases of slow receivers
    /// make them necessary.
    pub slot_count: usize,
}

impl Geometry {
    /// The shape for a queue of `capacity` frames, or what is out of range.
    pub fn new(
        payload_size: usize,
        metadata_size: usize,
        capacity: usize,
    ) -> Result<Self, &'static str> {
        if !(1..=MAX_PAYLOAD).contains(&payload_size) {
            return Err("payload size must be 1 byte to 1 GiB");
        }
        if metadata_size > MAX_METADATA {
            return Err("metadata size must be at most 16 MiB");
        }
        if !CAPACITY.contains(&capacity) {
            return Err("queue capacity must be 2 to 128");
        }
        // Two more than the queue, so that a full queue still leaves one slot to write and one to
        // move on with.
        let base_slots = capacity + 2;
        // Room for four receivers that hold all they may, each different frames, and still for the
        // source to work in.
        let slot_count = (4 * capacity + 8).min(MAX_SLOTS);
        Ok(Self { payload_size, metadata_size, capacity, base_slots, regions: 0, slot_count })
    }

    /// The same shape with room to describe so many missing regions in each slot, or what is out of
    /// range.
    pub fn with_regions(self, regions: usize) -> Result<Self, &'static str> {
        if regions > MAX_REGIONS {
            return Err("missing regions must be at most 1024");
        }
        Ok(Self { regions, ..self })
    }

    /// Offset of the metadata from the payload.
    #[must_use]
    pub fn metadata_offset(&self) -> usize {
        self.payload_size.next_multiple_of(8)
    }

    /// Offset of the missing regions from the payload.
    #[must_use]
    pub fn regions_offset(&self) -> usize {
        self.metadata_offset() + self.metadata_size.next_multiple_of(8)
    }

    /// Distance of slots in the pool; a multiple of 64.
    #[must_use]
    pub fn stride(&self) -> usize {
        let regions = self.regions * REGION_SIZE;
        (PAYLOAD_OFFSET + self.regions_offset() + regions + SLACK).next_multiple_of(64)
    }

    /// Offset of a slot's payload in the pool.
    #[must_use]
    pub fn payload_offset(&self, slot: usize) -> usize {
        slot * self.stride() + PAYLOAD_OFFSET
    }

    /// Bytes of the first `slots` slots.
    #[must_use]
    pub fn bytes_of(&self, slots: usize) -> usize {
        slots * self.stride()
    }

    /// Bytes of the pool.
    #[must_use]
    pub fn pool_size(&self) -> usize {
        self.bytes_of(self.slot_count)
    }

    /// Number of slots that one receiver may hold: as many as the queue has, less for the longest
    /// queues.
    #[must_use]
    pub fn lease_limit(&self) -> usize {
        // One more than it may hold is what a receiver seems to hold while it looks.
        self.capacity.min((self.slot_count - 4) / 4 - 1)
    }
}

/// First bytes of a board, written once before the board is sealed.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct BoardHeader {
    /// [`BOARD_MAGIC`].
    pub magic: u64,
    /// [`LAYOUT_VERSION`].
    pub version: u32,
    /// See [`Geometry::capacity`].
    pub capacity: u32,
    /// See [`Geometry::payload_size`].
    pub payload_size: u64,
    /// See [`Geometry::metadata_size`].
    pub metadata_size: u64,
    /// The ring's identifier.
    pub ring_id: [u8; 16],
    /// See [`Geometry::regions`].
    pub regions: u64,
}

/// `MCMBOARD` in ASCII.
pub const BOARD_MAGIC: u64 = u64::from_le_bytes(*b"MCMBOARD");
/// `MCM SEAT` in ASCII.
pub const SEAT_MAGIC: u64 = u64::from_le_bytes(*b"MCM SEAT");
/// Version of these layouts; processes of different versions refuse each other.
pub const LAYOUT_VERSION: u32 = 2;

/// Offset of the head line in a board.
pub const HEAD_OFFSET: usize = 64;
/// Offset of the source's counts in a board.
pub const COUNTS_OFFSET: usize = HEAD_OFFSET + size_of::<HeadLine>();
/// Offset of the table of published sequences in a board.
pub const ENTRIES_OFFSET: usize = 1024;
/// Offset of the slot lines in a board.
pub const SLOTS_OFFSET: usize = ENTRIES_OFFSET + ENTRIES * 8;
/// Bytes of a board, the same for every ring.
pub const BOARD_SIZE: usize = (SLOTS_OFFSET + MAX_SLOTS * 64).next_multiple_of(4096);

/// Offset of the seat line in a seat.
pub const SEAT_LINE_OFFSET: usize = 64;
/// Offset of the counts in a seat.
pub const SEAT_COUNTS_OFFSET: usize = SEAT_LINE_OFFSET + size_of::<SeatLine>();
/// Offset in a seat of the delays from put to the receiver.
pub const SEAT_HANDOFF_OFFSET: usize = SEAT_COUNTS_OFFSET + size_of::<SeatCounts>();
/// Offset in a seat of the delays from the frames' own times to the receiver.
pub const SEAT_AGE_OFFSET: usize = SEAT_HANDOFF_OFFSET + size_of::<DelayLine>();
/// Bytes of a seat.
pub const SEAT_SIZE: usize = 4096;

const _: () = {
    assert!(size_of::<BoardHeader>() <= HEAD_OFFSET);
    assert!(size_of::<HeadLine>() == 64 && size_of::<SlotLine>() == 64);
    assert!(size_of::<SeatLine>() == 128 && size_of::<SeatCounts>() == 64);
    assert!(size_of::<DelayLine>() == 192 && SEAT_AGE_OFFSET + 192 <= SEAT_SIZE);
    assert!(COUNTS_OFFSET + size_of::<SourceCounts>() <= ENTRIES_OFFSET);
    assert!(SLOTS_OFFSET.is_multiple_of(64));
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn payloads_are_aligned_and_preceded_by_system_data() {
        let geometry = Geometry::new(5, 3, 2).unwrap();
        assert_eq!((geometry.base_slots, geometry.slot_count), (4, 16));
        assert_eq!(geometry.metadata_offset(), 8);
        for slot in 0..geometry.slot_count {
            assert_eq!(geometry.payload_offset(slot) % 64, 0);
        }
        const { assert!(PAYLOAD_OFFSET >= SYSDATA_SIZE) };
    }

    /// `docs/architecture.md` tells these numbers.
    #[test]
    fn places_are_those_of_the_documentation() {
        use std::mem::offset_of;
        let head = |field| HEAD_OFFSET + field;
        assert_eq!(
            [
                offset_of!(HeadLine, head),
                offset_of!(HeadLine, waiting),
                offset_of!(HeadLine, flags)
            ]
            .map(head),
            [64, 72, 76]
        );
        let header = [
            offset_of!(BoardHeader, payload_size),
            offset_of!(BoardHeader, ring_id),
            offset_of!(BoardHeader, regions),
        ];
        assert_eq!(header, [16, 32, 48]);
        let counts = [offset_of!(SourceCounts, waits), offset_of!(SourceCounts, slots_touched)];
        assert_eq!(counts.map(|field| COUNTS_OFFSET + field), [136, 144]);
        let lengths = [
            offset_of!(SlotLine, payload_len),
            offset_of!(SlotLine, metadata_len),
            offset_of!(SlotLine, flags),
            offset_of!(SlotLine, regions),
        ];
        assert_eq!(lengths, [24, 28, 32, 36]);
        assert_eq!((SLOTS_OFFSET, BOARD_SIZE), (3072, 20480));
        let seat = [
            offset_of!(SeatLine, leases),
            offset_of!(SeatLine, position),
            offset_of!(SeatLine, tick),
            offset_of!(SeatLine, state),
            offset_of!(SeatLine, sleep),
        ];
        assert_eq!(seat.map(|field| SEAT_LINE_OFFSET + field), [64, 96, 104, 108, 128]);
        assert_eq!([SEAT_COUNTS_OFFSET, SEAT_HANDOFF_OFFSET, SEAT_AGE_OFFSET], [192, 256, 448]);
    }

    #[test]
    fn limits_are_refused() {
        assert!(Geometry::new(0, 0, 16).is_err());
        assert!(Geometry::new(MAX_PAYLOAD + 1, 0, 16).is_err());
        assert!(Geometry::new(1, MAX_METADATA + 1, 16).is_err());
        assert!(Geometry::new(1, 0, 1).is_err());
        assert!(Geometry::new(1, 0, 129).is_err());
        let shape = Geometry::new(1, 0, 2).unwrap();
        assert!(shape.with_regions(MAX_REGIONS).is_ok());
        assert!(shape.with_regions(MAX_REGIONS + 1).is_err());
    }

    proptest! {
        #[test]
        fn slots_do_not_overlap(
            payload in 1usize..100_000,
            metadata in 0usize..5000,
            capacity in 2usize..=128,
            regions in 0usize..=MAX_REGIONS,
        ) {
            let geometry = Geometry::new(payload, metadata, capacity).unwrap();
            let geometry = geometry.with_regions(regions).unwrap();
            prop_assert!(geometry.metadata_offset() + metadata <= geometry.regions_offset());
            prop_assert!(geometry.regions_offset().is_multiple_of(8));
            let end = PAYLOAD_OFFSET + geometry.regions_offset() + regions * REGION_SIZE + SLACK;
            prop_assert!(end <= geometry.stride());
            prop_assert!(geometry.slot_count <= MAX_SLOTS && geometry.slot_count >= geometry.base_slots);
        }
    }
}
