//! For the media proxy's bridges, which pass streams on from and to other hosts. Internal: it may
//! change with every version, and programs have no use for it.

use crate::{Client, Frame, FrameMut, OpenError, Receiver, Region, Source, Timeout, WaitError};
use config::ConnectionConfig;
use shm::{Origin, RingError};

/// Opens a source that passes on frames from elsewhere, with a configuration that was validated
/// before.
///
/// Its presence alone does not keep a stream from ending, and only [`Source::shutdown`] ends its
/// stream: dropping it is [`leave`]. Up to `regions` missing regions can be described in each
/// frame, at most 1024.
///
/// # Errors
/// As [`Client::source`].
pub fn relay(
    client: &Client,
    config: &ConnectionConfig,
    regions: usize,
) -> Result<Source, OpenError> {
    client.open_source(config, regions, true)
}

/// Opens a receiver with a configuration that was validated before.
///
/// # Errors
/// As [`Client::receiver`].
pub fn receiver(client: &Client, config: &ConnectionConfig) -> Result<Receiver, OpenError> {
    client.open_receiver(config, false)
}

/// Opens a receiver that learns of the end of each source's stream, and goes on with the next
/// source.
///
/// # Errors
/// As [`Client::receiver`].
pub fn follower(client: &Client, config: &ConnectionConfig) -> Result<Follower, OpenError> {
    client.open_receiver(config, true).map(Follower)
}

/// Leaves the group without an end of the stream: receivers wait for the next source, whatever they
/// do at the end of a stream.
pub fn leave(source: &Source) {
    source.leave("left by the bridge");
}

/// Sets the number that a frame has where it comes from.
pub fn set_origin(frame: &mut FrameMut, origin: Origin) {
    frame.slot.set_origin(origin);
}

/// Marks a frame as incomplete: these regions of its payload are missing, in order and apart from
/// each other. If the source was opened for fewer, the last one covers all that follow.
pub fn set_missing(frame: &mut FrameMut, regions: impl IntoIterator<Item = Region>) {
    frame.slot.set_missing(regions);
}

/// Identifies the memory that a received frame lies in. It is mapped once for each receiver.
#[must_use]
pub fn memory_of(frame: &Frame) -> [u8; 16] {
    frame.frame.ring_id().0
}

/// Identifies the memory that a source's frame lies in. It is mapped once for each source.
#[must_use]
pub fn memory_of_mut(frame: &FrameMut) -> [u8; 16] {
    frame.slot.source().ring_id().0
}

/// A receiver that learns of the end of each source's stream.
#[derive(Debug)]
pub struct Follower(Receiver);

/// What a follower receives.
#[derive(Debug)]
pub enum Event {
    /// The next frame.
    Frame(Frame),
    /// The source has ended its stream, and every frame of it was received. Another source may
    /// follow.
    SourceEnded,
}

impl Follower {
    /// The next frame or end of a source's stream.
    ///
    /// # Errors
    /// See [`WaitError`].
    pub fn recv(&self, timeout: impl Into<Timeout>) -> Result<Event, WaitError> {
        let timeout = timeout.into();
        match self.0.take(timeout) {
            Ok(frame) => Ok(Event::Frame(frame)),
            Err(RingError::SourceClosed) => Ok(Event::SourceEnded),
            Err(error) => Err(self.0.wait_error(error, timeout)),
        }
    }

    /// The receiver, for everything else.
    #[must_use]
    pub fn receiver(&self) -> &Receiver {
        &self.0
    }
}
