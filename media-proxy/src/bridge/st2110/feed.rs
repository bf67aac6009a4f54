//! A feed of frames from a ring to the network.

use super::session::Life;
use mcm::Error;
use mcm::{Buffer, Connection, Timeout};
use media::Tai;
use st2110_net::{FrameFeed, HeldFrame, Next};
use std::sync::Arc;
use std::time::Duration;

/// What the group's source puts. Taken when the network wants it, so that a source that is faster waits, as for any receiver.
pub(super) struct RingFeed {
    pub(super) connection: Arc<Connection>,
    /// Bytes of a frame, where the format says; slots may be larger.
    pub(super) frame_size: Option<usize>,
    pub(super) life: Life,
}

impl FrameFeed for RingFeed {
    type Frame = RingFrame;

    fn next(&mut self) -> Next<RingFrame> {
        match self.connection.get(Timeout::After(Duration::ZERO)) {
            // The source goes on; the stream does not.
            Ok(buffer) if self.life.ending().is_before(buffer.info().published_ns) => Next::End,
            Ok(buffer) => {
                let size = self.frame_size.unwrap_or(usize::MAX).min(buffer.payload_len());
                Next::Frame(RingFrame { buffer, size })
            }
            Err(Error::Timeout(..)) if !self.life.is_ending() => Next::Nothing,
            // Everything has been sent; or the connection is gone, which the bridge reports unless
            // it is ending.
            Err(_) => Next::End,
        }
    }
}

/// A frame that stays in its slot while it is being sent.
pub(super) struct RingFrame {
    buffer: Buffer,
    size: usize,
}

impl HeldFrame for RingFrame {
    fn payload(&self) -> &[u8] {
        &self.buffer.payload()[..self.size]
    }

    fn metadata(&self) -> &[u8] {
        self.buffer.metadata()
    }

    fn tai(&self) -> Option<Tai> {
        Some(Tai::from_nanos(self.buffer.info().tai_ns))
    }
}
