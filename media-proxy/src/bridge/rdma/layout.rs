//! Position of a frame's wire layout in its slot.

use config::ConnectionConfig;
use fabric::MemoryId;
use fabric::bridge::wire_layout::{SYSDATA, WireLayout};
use mcm::Buffer;

/// Sizes of a group's partitions.
pub(super) fn of(config: &ConnectionConfig) -> WireLayout {
    WireLayout {
        payload_size: config.payload_size() as usize,
        metadata_size: config.metadata_size() as usize,
    }
}

/// A buffer of a ring, with the place and length of its frame.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) buffer: Buffer,
    start: usize,
    len: usize,
    memory: MemoryId,
}

impl Held {
    /// `None` for a buffer whose partitions lie elsewhere than this layout has them.
    pub(super) fn new(buffer: Buffer, layout: &WireLayout) -> Option<Self> {
        let payload = buffer.payload_ptr() as usize;
        let metadata = buffer.metadata_ptr() as usize;
        // The system data lies right before the payload, in all slots.
        let start = payload.checked_sub(SYSDATA)?;
        if metadata.checked_sub(start)? != layout.metadata_offset() {
            return None;
        }
        let memory = MemoryId(buffer.ring_id());
        Some(Self { start, len: layout.size(), memory, buffer })
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
