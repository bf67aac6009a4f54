//! Sources and the frames that they fill.

use crate::connection::{Connection, wait_error};
use crate::{LengthError, PublishError, Stats, Timeout, WaitError};
use media::{Tai, tai};
use shm::WriteSlot;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// A group's source: the program sends frames to all receivers of the group.
///
/// All methods may be called from any thread. Dropping the source ends the stream: receivers read
/// what was published, and then learn of the end.
#[derive(Debug)]
pub struct Source {
    ring: shm::Source,
    connection: Connection,
}

impl Source {
    pub(crate) fn new(ring: shm::Source, connection: Connection) -> Self {
        Self { ring, connection }
    }

    /// A frame to fill. Waits for one to become free: the program may hold as many as the queue has
    /// ([`Stats::hold_limit`]), and receivers hold others.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub fn frame(&self, timeout: impl Into<Timeout>) -> Result<FrameMut, WaitError> {
        let (timeout, default_timeout) = (timeout.into(), self.connection.default_timeout());
        let slot = self.connection.take(timeout, |deadline| self.ring.get(deadline));
        slot.map(|slot| FrameMut { slot, default_timeout })
            .map_err(|error| wait_error(error, timeout, default_timeout))
    }

    /// The identifier that the proxy has given the connection; `mcm list` shows it.
    #[must_use]
    pub fn id(&self) -> String {
        self.connection.id()
    }

    /// Bytes of the payload partition of each frame.
    #[must_use]
    pub fn payload_size(&self) -> usize {
        self.connection.payload_size()
    }

    /// Bytes of the metadata partition of each frame.
    #[must_use]
    pub fn metadata_size(&self) -> usize {
        self.connection.metadata_size()
    }

    /// Counts since the source was opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// Makes every blocked call of this source return [`WaitError::Cancelled`]; where none is
    /// blocked, the next one that would block. The source stays usable.
    pub fn cancel(&self) {
        self.ring.cancel();
    }

    /// Ends the stream: blocked and later calls return [`WaitError::Closed`]. What was published
    /// stays readable for receivers.
    pub fn shutdown(&self) {
        self.close("shut down by the program");
    }

    fn close(&self, reason: &'static str) {
        self.ring.close(reason);
        self.connection.forget();
    }

    /// A descriptor that polls readable while [`frame`](Self::frame) and a publish would not block,
    /// and once the source is closed. It stays readable until `frame` has timed out.
    ///
    /// It belongs to the source: programs only poll it. The first call starts a thread that waits
    /// in the program's place.
    ///
    /// # Errors
    /// [`WaitError::System`] if the system has no descriptor or thread left, [`WaitError::Forked`].
    pub fn event_fd(&self) -> Result<BorrowedFd<'_>, WaitError> {
        let ring = self.ring.clone();
        self.connection.event_fd(move || ring.wait_ready(shm::Deadline::Never))
    }

    /// Leaves the group without an end of the stream.
    pub(crate) fn leave(&self, reason: &'static str) {
        self.ring.leave(reason);
        self.connection.forget();
    }
}

impl AsFd for Source {
    /// The descriptor of [`Source::event_fd`].
    ///
    /// # Panics
    /// Where `event_fd` fails, which it does not after it succeeded once.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event_fd().unwrap_or_else(|error| panic!("no descriptor for the source: {error}"))
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if !self.connection.is_here() {
            // The stream is the parent's.
        } else if self.ring.is_relay() {
            self.leave("left by the bridge");
        } else {
            self.close("deleted by the program");
        }
    }
}

/// A frame in shared memory that the program fills. Dropping it gives it back unsent.
///
/// A fresh frame has the whole payload partition as its payload, and no metadata. Its bytes are
/// those of an older frame, or zero.
#[derive(Debug)]
pub struct FrameMut {
    pub(crate) slot: WriteSlot,
    default_timeout: Duration,
}

impl FrameMut {
    /// The payload that will be sent.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.slot.payload()
    }

    /// The metadata that will be sent.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        self.slot.metadata()
    }

    /// The whole payload partition, whatever the length that will be sent.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.slot.payload_mut()
    }

    /// The whole metadata partition, whatever the length that will be sent.
    pub fn metadata_mut(&mut self) -> &mut [u8] {
        self.slot.metadata_mut()
    }

    /// First byte of the payload, 64-byte aligned: for foreign functions that fill the partition.
    #[must_use]
    pub fn payload_ptr(&self) -> *mut u8 {
        self.slot.payload_ptr()
    }

    /// First byte of the metadata, as [`payload_ptr`](Self::payload_ptr).
    #[must_use]
    pub fn metadata_ptr(&self) -> *mut u8 {
        self.slot.metadata_ptr()
    }

    /// Sets how many bytes of the payload partition will be sent.
    ///
    /// # Errors
    /// The partition has fewer bytes.
    pub fn set_payload_len(&mut self, len: usize) -> Result<(), LengthError> {
        let max = self.slot.source().geometry().payload_size;
        let fits = self.slot.set_payload_len(len);
        if fits { Ok(()) } else { Err(LengthError { partition: "payload", len, max }) }
    }

    /// Sets how many bytes of the metadata partition will be sent.
    ///
    /// # Errors
    /// The partition has fewer bytes.
    pub fn set_metadata_len(&mut self, len: usize) -> Result<(), LengthError> {
        let max = self.slot.source().geometry().metadata_size;
        let fits = self.slot.set_metadata_len(len);
        if fits { Ok(()) } else { Err(LengthError { partition: "metadata", len, max }) }
    }

    /// Copies a payload into the frame, and sets its length.
    ///
    /// # Errors
    /// The partition has fewer bytes.
    pub fn set_payload(&mut self, payload: &[u8]) -> Result<(), LengthError> {
        self.set_payload_len(payload.len())?;
        self.payload_mut()[..payload.len()].copy_from_slice(payload);
        Ok(())
    }

    /// Copies metadata into the frame, and sets its length.
    ///
    /// # Errors
    /// The partition has fewer bytes.
    pub fn set_metadata(&mut self, metadata: &[u8]) -> Result<(), LengthError> {
        self.set_metadata_len(metadata.len())?;
        self.metadata_mut()[..metadata.len()].copy_from_slice(metadata);
        Ok(())
    }

    /// Sets the frame's time; without it, the frame carries the time at which it is published.
    pub fn set_timestamp(&mut self, time: Tai) {
        self.slot.set_tai_ns(time.as_nanos());
    }

    /// The time that was set.
    #[must_use]
    pub fn timestamp(&self) -> Option<Tai> {
        self.slot.tai_ns().map(Tai::from_nanos)
    }

    /// Sends the frame. Waits, as long as the client's default timeout says, for receivers whose
    /// queue is full, unless delivery is live.
    ///
    /// # Errors
    /// The frame comes back with the reason.
    pub fn publish(self) -> Result<(), PublishError> {
        self.publish_within(Timeout::Default)
    }

    /// As [`publish`](Self::publish), with a timeout of its own.
    ///
    /// # Errors
    /// The frame comes back with the reason.
    pub fn publish_within(self, timeout: impl Into<Timeout>) -> Result<(), PublishError> {
        let Self { slot, default_timeout } = self;
        let (timeout, source) = (timeout.into(), slot.source().clone());
        let deadline = timeout.deadline(default_timeout);
        source.put(slot, deadline, || tai::now().as_nanos()).map_err(|(slot, error)| {
            let reason = wait_error(error, timeout, default_timeout);
            PublishError { frame: Self { slot, default_timeout }, reason }
        })
    }
}
