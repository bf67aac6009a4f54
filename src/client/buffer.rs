//! A buffer that a program holds.
use crate::error::Error;

/// What is known of a frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct BufferInfo {
    /// Number of the frame, contiguous from 0 for each source.
    pub sequence: u64,
    /// TAI time of the frame in nanoseconds since 1970-01-01T00:00:00 TAI.
    pub tai_ns: u64,
    /// `CLOCK_MONOTONIC` in nanoseconds when the frame was put.
    pub published_ns: u64,
    /// Frames that this receiver missed between the frame it got before and this one.
    pub missed: u64,
}

/// A slot held by the program. Dropping it gives it back: a source's unpublished frame is discarded.
#[derive(Debug)]
pub struct Buffer {}

impl Buffer {
    /// First byte of the payload, 64-byte aligned. Writable for a source only.
    pub fn payload_ptr(&self) -> *mut u8 {
        std::ptr::null_mut()
    }
    /// Payload bytes in use: the partition's size in a fresh source buffer, the frame's in a received one.
    pub fn payload_len(&self) -> usize {
        0
    }
    /// First byte of the metadata.
    pub fn metadata_ptr(&self) -> *mut u8 {
        std::ptr::null_mut()
    }
    /// Metadata bytes in use: 0 in a fresh source buffer.
    pub fn metadata_len(&self) -> usize {
        0
    }
    /// Sets how much of the payload is valid.
    pub fn set_payload_len(&mut self, _len: usize) -> Result<(), Error> {
        Ok(())
    }
    /// Sets how much of the metadata is valid.
    pub fn set_metadata_len(&mut self, _len: usize) -> Result<(), Error> {
        Ok(())
    }
    /// Source: the frame's TAI time; without it, the time of put.
    pub fn set_tai_ns(&mut self, _tai_ns: u64) -> Result<(), Error> {
        Ok(())
    }
    /// The frame's number and times. For a source's buffer that was not put, only what was set.
    pub fn info(&self) -> BufferInfo {
        BufferInfo::default()
    }
}
