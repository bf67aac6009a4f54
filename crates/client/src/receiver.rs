//! Receivers and the frames that they get.

use crate::connection::{Connection, wait_error};
use crate::{Region, Stats, Timeout, WaitError};
use media::Tai;
use shm::{FrameInfo, RingError};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

/// A receiver of a group's frames.
///
/// All methods may be called from any thread; threads that receive from one receiver share its
/// frames. Dropping it leaves the group. Frames that are still held stay valid.
#[derive(Debug)]
pub struct Receiver {
    ring: Arc<shm::Receiver>,
    connection: Connection,
}

impl Receiver {
    pub(crate) fn new(ring: Arc<shm::Receiver>, connection: Connection) -> Self {
        Self { ring, connection }
    }

    /// The next frame; `None` once the stream has ended and every frame was received.
    ///
    /// It waits while the program holds as many frames as it may ([`Stats::hold_limit`]).
    ///
    /// # Errors
    /// See [`WaitError`].
    pub fn recv(&self, timeout: impl Into<Timeout>) -> Result<Option<Frame>, WaitError> {
        let timeout = timeout.into();
        match self.take(timeout) {
            Ok(frame) => Ok(Some(frame)),
            Err(RingError::Ended) => Ok(None),
            Err(error) => Err(self.wait_error(error, timeout)),
        }
    }

    pub(crate) fn take(&self, timeout: Timeout) -> Result<Frame, RingError> {
        let frame = self.connection.take(timeout, |deadline| self.ring.get(deadline))?;
        Ok(Frame { frame, _release: Release(Arc::clone(&self.ring)) })
    }

    pub(crate) fn wait_error(&self, error: RingError, timeout: Timeout) -> WaitError {
        wait_error(error, timeout, self.connection.default_timeout())
    }

    /// The next frame, for which it waits without a limit; `None` once the stream has ended.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub fn next(&self) -> Result<Option<Frame>, WaitError> {
        self.recv(Timeout::Infinite)
    }

    /// The frames from now to the end of the stream. The iterator waits for each without a limit,
    /// and ends after an error.
    #[must_use]
    pub fn frames(&self) -> Frames<'_> {
        Frames { receiver: self, timeout: Timeout::Infinite, over: false }
    }

    /// The frames that have come already. The iterator never waits: it ends where there is no frame
    /// yet, and at the end of the stream.
    #[must_use]
    pub fn ready_frames(&self) -> Frames<'_> {
        Frames { receiver: self, timeout: Timeout::After(Duration::ZERO), over: false }
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

    /// Counts since the receiver was opened.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.ring.stats()
    }

    /// Makes every blocked call of this receiver return [`WaitError::Cancelled`]; where none is
    /// blocked, the next one that would block. The receiver stays usable.
    pub fn cancel(&self) {
        self.ring.cancel();
    }

    /// Leaves the group: blocked and later calls return [`WaitError::Closed`].
    pub fn shutdown(&self) {
        self.close("shut down by the program");
    }

    pub(crate) fn close(&self, reason: &'static str) {
        self.ring.close(reason);
        self.connection.forget();
    }

    /// A descriptor that polls readable while [`recv`](Self::recv) would not block. It stays
    /// readable until `recv` has timed out: receive until then.
    ///
    /// It belongs to the receiver: programs only poll it. The first call starts a thread that waits
    /// in the program's place.
    ///
    /// # Errors
    /// [`WaitError::System`] if the system has no descriptor or thread left, [`WaitError::Forked`].
    pub fn event_fd(&self) -> Result<BorrowedFd<'_>, WaitError> {
        let ring = Arc::clone(&self.ring);
        self.connection.event_fd(move || ring.wait_ready(shm::Deadline::Never))
    }
}

impl AsFd for Receiver {
    /// The descriptor of [`Receiver::event_fd`].
    ///
    /// # Panics
    /// Where `event_fd` fails, which it does not after it succeeded once.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event_fd().unwrap_or_else(|error| panic!("no descriptor for the receiver: {error}"))
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        if self.connection.is_here() {
            self.close("deleted by the program");
        }
    }
}

impl<'a> IntoIterator for &'a Receiver {
    type Item = Result<Frame, WaitError>;
    type IntoIter = Frames<'a>;

    fn into_iter(self) -> Frames<'a> {
        self.frames()
    }
}

/// Frames of a receiver; see [`Receiver::frames`] and [`Receiver::ready_frames`].
#[derive(Debug)]
pub struct Frames<'a> {
    receiver: &'a Receiver,
    timeout: Timeout,
    over: bool,
}

impl Iterator for Frames<'_> {
    type Item = Result<Frame, WaitError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let item = match self.receiver.recv(self.timeout) {
            Err(error) if error.is_timeout() => None,
            received => received.transpose(),
        };
        self.over = !matches!(item, Some(Ok(_)));
        item
    }
}

impl std::iter::FusedIterator for Frames<'_> {}

/// A received frame, in the shared memory of its source. It can be read and not changed, and its
/// memory is not used again before it is dropped, on whatever thread. Several may be held at once.
#[derive(Debug)]
pub struct Frame {
    pub(crate) frame: shm::Frame,
    /// Dropped after the frame, in the order of the fields.
    _release: Release,
}

/// Tells the receiver that a frame was given back: a call may wait for that.
#[derive(Debug)]
struct Release(Arc<shm::Receiver>);

impl Drop for Release {
    fn drop(&mut self) {
        self.0.released();
    }
}

impl Frame {
    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.frame.payload()
    }

    /// The metadata.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        self.frame.metadata()
    }

    /// First byte of the payload, 64-byte aligned: for foreign functions that read it. The memory
    /// is mapped read-only.
    #[must_use]
    pub fn payload_ptr(&self) -> *const u8 {
        self.frame.payload_ptr()
    }

    /// First byte of the metadata, as [`payload_ptr`](Self::payload_ptr).
    #[must_use]
    pub fn metadata_ptr(&self) -> *const u8 {
        self.frame.metadata_ptr()
    }

    /// The frame's number and times.
    #[must_use]
    pub fn info(&self) -> FrameInfo {
        self.frame.info()
    }

    /// The frame's time: the source's, or else that at which it was published.
    #[must_use]
    pub fn timestamp(&self) -> Tai {
        Tai::from_nanos(self.info().tai_ns)
    }

    /// Which regions of an incomplete frame's payload are missing ([`FrameInfo::incomplete`]), in
    /// order. Their bytes are those of another frame, or zero.
    pub fn missing(&self) -> impl ExactSizeIterator<Item = Region> + '_ {
        self.frame.missing()
    }
}
