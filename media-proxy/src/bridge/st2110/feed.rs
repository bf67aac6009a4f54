//! A feed of frames from a ring to the network.

use super::session::Life;
use mcm::{Frame, Receiver};
use media::Tai;
use st2110_net::{FrameFeed, HeldFrame, Next};
use std::sync::Arc;
use std::time::Duration;

/// What the group's source puts. Taken when the network wants it, so that a source that is faster
/// waits, as for any receiver.
pub(super) struct RingFeed {
    pub(super) receiver: Arc<Receiver>,
    /// Bytes of a frame, where the format says; slots may be larger.
    pub(super) frame_size: Option<usize>,
    pub(super) life: Life,
}

impl FrameFeed for RingFeed {
    type Frame = RingFrame;

    fn next(&mut self) -> Next<RingFrame> {
        match self.receiver.recv(Duration::ZERO) {
            // The source goes on; the stream does not.
            Ok(Some(frame)) if self.life.ending().is_before(frame.info().published_ns) => Next::End,
            Ok(Some(frame)) => {
                let size = self.frame_size.unwrap_or(usize::MAX).min(frame.payload().len());
                Next::Frame(RingFrame { frame, size })
            }
            Err(error) if error.is_timeout() && !self.life.is_ending() => Next::Nothing,
            // Everything has been sent; or the connection is gone, which the bridge reports unless
            // it is ending.
            Ok(None) | Err(_) => Next::End,
        }
    }
}

/// A frame that stays in its slot while it is being sent.
pub(super) struct RingFrame {
    frame: Frame,
    size: usize,
}

impl HeldFrame for RingFrame {
    fn payload(&self) -> &[u8] {
        &self.frame.payload()[..self.size]
    }

    fn metadata(&self) -> &[u8] {
        self.frame.metadata()
    }

    fn tai(&self) -> Option<Tai> {
        Some(self.frame.timestamp())
    }
}
