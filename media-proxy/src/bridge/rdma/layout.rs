//! Position of a frame's wire layout in its slot.

use config::ConnectionConfig;
use fabric::MemoryId;
use fabric::bridge::wire_layout::{SYSDATA, WireLayout};
use mcm::{Frame, FrameMut, bridge};

/// Sizes of a group's partitions.
pub(super) fn of(config: &ConnectionConfig) -> WireLayout {
    WireLayout {
        payload_size: config.payload_size() as usize,
        metadata_size: config.metadata_size() as usize,
    }
}

/// A frame in shared memory: a received one, or one to fill.
pub(super) trait InSlot {
    /// Address of the payload.
    fn payload_at(&self) -> usize;
    /// Address of the metadata.
    fn metadata_at(&self) -> usize;
    /// The memory that both lie in.
    fn memory(&self) -> MemoryId;
}

impl InSlot for Frame {
    fn payload_at(&self) -> usize {
        self.payload_ptr() as usize
    }

    fn metadata_at(&self) -> usize {
        self.metadata_ptr() as usize
    }

    fn memory(&self) -> MemoryId {
        MemoryId(bridge::memory_of(self))
    }
}

impl InSlot for FrameMut {
    fn payload_at(&self) -> usize {
        self.payload_ptr() as usize
    }

    fn metadata_at(&self) -> usize {
        self.metadata_ptr() as usize
    }

    fn memory(&self) -> MemoryId {
        MemoryId(bridge::memory_of_mut(self))
    }
}

/// A frame of a ring, with the address and length of its wire layout.
#[derive(Debug)]
pub(super) struct Held<F> {
    pub(super) frame: F,
    start: usize,
    len: usize,
    memory: MemoryId,
}

impl<F: InSlot> Held<F> {
    /// `None` for a frame whose partitions lie elsewhere than this layout has them.
    pub(super) fn new(frame: F, layout: &WireLayout) -> Option<Self> {
        let (payload, metadata) = (frame.payload_at(), frame.metadata_at());
        // The system data lies right before the payload, in all slots.
        let start = payload.checked_sub(SYSDATA)?;
        if metadata.checked_sub(start)? != layout.metadata_offset() {
            return None;
        }
        Some(Self { start, len: layout.size(), memory: frame.memory(), frame })
    }

    pub(super) fn start(&self) -> *mut u8 {
        self.start as *mut u8
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn memory(&self) -> MemoryId {
        self.memory
    }
}
