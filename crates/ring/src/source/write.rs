//! A slot in the hands of the program.

use super::Source;
#[cfg(doc)]
use crate::layout::Geometry;

/// A slot that the program writes. Dropping it without [`Source::put`] gives it back unpublished.
#[derive(Debug)]
pub struct WriteSlot {
    pub(super) source: Source,
    /// Empty once it has been put.
    pub(super) slot: Option<usize>,
    pub(super) payload_len: usize,
    pub(super) metadata_len: usize,
    pub(super) tai_ns: Option<u64>,
}

impl WriteSlot {
    fn payload_offset(&self) -> usize {
        self.source.0.geometry.payload_offset(self.slot.unwrap_or(0))
    }

    /// First byte of the payload; the partition has [`Geometry::payload_size`] bytes.
    #[must_use]
    pub fn payload_ptr(&self) -> *mut u8 {
        self.source.0.pool.mapping().start().wrapping_add(self.payload_offset())
    }

    /// First byte of the metadata; the partition has [`Geometry::metadata_size`] bytes.
    #[must_use]
    pub fn metadata_ptr(&self) -> *mut u8 {
        self.payload_ptr().wrapping_add(self.source.0.geometry.metadata_offset())
    }

    /// The whole payload partition.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        // SAFETY: the slot is this object's alone until it is put: leases of others do not let them read it.
        unsafe {
            std::slice::from_raw_parts_mut(self.payload_ptr(), self.source.0.geometry.payload_size)
        }
    }

    /// The whole metadata partition.
    pub fn metadata_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for the payload.
        unsafe {
            std::slice::from_raw_parts_mut(
                self.metadata_ptr(),
                self.source.0.geometry.metadata_size,
            )
        }
    }

    /// Payload bytes that will be published.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.payload_len
    }

    /// Metadata bytes that will be published.
    #[must_use]
    pub fn metadata_len(&self) -> usize {
        self.metadata_len
    }

    /// Sets the payload bytes to publish, at most the partition's. Returns whether they fit.
    pub fn set_payload_len(&mut self, len: usize) -> bool {
        let fits = len <= self.source.0.geometry.payload_size;
        if fits {
            self.payload_len = len;
        }
        fits
    }

    /// Sets the metadata bytes to publish, at most the partition's. Returns whether they fit.
    pub fn set_metadata_len(&mut self, len: usize) -> bool {
        let fits = len <= self.source.0.geometry.metadata_size;
        if fits {
            self.metadata_len = len;
        }
        fits
    }

    /// Sets the frame's TAI time; without it, it is the time of put.
    pub fn set_tai_ns(&mut self, tai_ns: u64) {
        self.tai_ns = Some(tai_ns);
    }

    /// The TAI time that was set.
    #[must_use]
    pub fn tai_ns(&self) -> Option<u64> {
        self.tai_ns
    }

    /// The source that the slot belongs to.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }
}

impl Drop for WriteSlot {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            self.source.0.lock().slots.discard(slot);
            self.source.0.gate.bump();
        }
    }
}
