//! A slot that the program holds for writing.

use super::Source;
#[cfg(doc)]
use crate::layout::Geometry;
use crate::layout::Origin;
use crate::region::{self, Region};

/// A slot that the program writes. Dropping it without [`Source::put`] gives it back unpublished.
#[derive(Debug)]
pub struct WriteSlot {
    pub(super) source: Source,
    /// Its number, at most 254. Empty once it has been put.
    pub(super) slot: Option<u16>,
    pub(super) payload_len: u32,
    pub(super) metadata_len: u32,
    pub(super) tai_ns: Option<u64>,
    /// For an incomplete frame: how many regions the slot describes.
    pub(super) missing: Option<u32>,
    /// Of a frame from another host; otherwise its mark is 0.
    pub(super) origin: Origin,
}

impl WriteSlot {
    fn payload_offset(&self) -> usize {
        self.source.0.geometry.payload_offset(self.slot.unwrap_or(0).into())
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

    /// The payload bytes that will be published.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        // SAFETY: the slot is this object's alone until it is put.
        unsafe { std::slice::from_raw_parts(self.payload_ptr(), self.payload_len()) }
    }

    /// The metadata bytes that will be published.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        // SAFETY: as for the payload.
        unsafe { std::slice::from_raw_parts(self.metadata_ptr(), self.metadata_len()) }
    }

    /// The whole payload partition.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        // SAFETY: the slot is this object's alone until it is put: leases of others do not let them
        // read it.
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
        self.payload_len as usize
    }

    /// Metadata bytes that will be published.
    #[must_use]
    pub fn metadata_len(&self) -> usize {
        self.metadata_len as usize
    }

    /// Sets the payload bytes to publish, at most the partition's. Returns whether they fit.
    pub fn set_payload_len(&mut self, len: usize) -> bool {
        let fits = len <= self.source.0.geometry.payload_size;
        if fits {
            // A partition has at most 1 GiB.
            self.payload_len = len as u32;
        }
        fits
    }

    /// Sets the metadata bytes to publish, at most the partition's. Returns whether they fit.
    pub fn set_metadata_len(&mut self, len: usize) -> bool {
        let fits = len <= self.source.0.geometry.metadata_size;
        if fits {
            self.metadata_len = len as u32;
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

    /// Marks the frame as incomplete, and tells which regions of its payload are missing: in order,
    /// apart from each other.
    ///
    /// Where the slot has room for fewer regions, its last one covers all that follow, and what
    /// lies between them.
    pub fn set_missing(&mut self, regions: impl IntoIterator<Item = Region>) {
        let geometry = self.source.0.geometry;
        let place = self.payload_ptr().wrapping_add(geometry.regions_offset());
        let mut count = 0;
        for region in region::fitting(regions, geometry.regions, geometry.payload_size) {
            // SAFETY: the slot has room for so many regions behind its metadata, at a multiple of
            // 8, and is this object's alone until it is put.
            unsafe { place.cast::<u64>().add(count).write(region.to_word()) };
            count += 1;
        }
        self.missing = Some(count as u32);
    }

    /// For a bridge from another host: receivers see the number that the frame has there, and count
    /// what is missing between it and the one before as missed.
    pub fn set_origin(&mut self, origin: Origin) {
        self.origin = origin;
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
            self.source.0.lock().slots.discard(slot.into());
            self.source.0.interrupt.bump();
        }
    }
}
