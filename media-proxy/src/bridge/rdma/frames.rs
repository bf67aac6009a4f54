//! A group's frames for the network: the egress's frame source.

use super::layout::{self, Held};
use config::ConnectionConfig;
use fabric::bridge::wire_layout::{Origin, WireLayout};
use fabric::bridge::{Ended, FrameSource, SourceFrame, Taken};
use fabric::{MemoryId, SendBuffer};
use mcm::Frame;
use mcm::bridge::{Event, Follower};
use shm::Geometry;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

/// Frames of the group's source.
#[derive(Debug)]
pub(super) struct RingFrames {
    follower: Arc<Follower>,
    layout: WireLayout,
    hold_limit: usize,
}

impl RingFrames {
    pub(super) fn new(follower: Arc<Follower>, config: &ConnectionConfig) -> Self {
        let layout = layout::of(config);
        let capacity = usize::from(config.queue_capacity);
        let geometry = Geometry::new(layout.payload_size, layout.metadata_size, capacity);
        let hold_limit = geometry.map_or(1, |geometry| geometry.lease_limit());
        Self { follower, layout, hold_limit }
    }
}

impl FrameSource for RingFrames {
    type Frame = RingFrame;

    fn ready(&self) -> BorrowedFd<'_> {
        // It was made by `take`, which the bridge calls first.
        self.follower.receiver().event_fd().unwrap_or_else(|error| unreachable!("{error}"))
    }

    fn take(&mut self) -> Result<Taken<RingFrame>, Ended> {
        loop {
            match self.follower.recv(Duration::ZERO) {
                Ok(Event::Frame(frame)) => match Held::new(frame, &self.layout) {
                    Some(held) => return Ok(Taken::Frame(RingFrame(held))),
                    // A source whose buffers are not what the control plane knows of the group.
                    None => continue,
                },
                Ok(Event::SourceEnded) => return Ok(Taken::StreamEnd),
                Err(error) if error.is_timeout() => return Ok(Taken::Nothing),
                Err(_) => return Err(Ended),
            }
        }
    }

    fn hold_limit(&self) -> usize {
        self.hold_limit
    }
}

/// A frame that stays in its slot while it is being sent.
#[derive(Debug)]
pub(super) struct RingFrame(Held<Frame>);

// SAFETY: the frame lies in one slot, from its system data on; its rounded end within the slot's
// slack. The slot is mapped as long as the frame exists, at the same place, and its source does not
// write there as long as it is leased.
unsafe impl SendBuffer for RingFrame {
    fn start(&self) -> *const u8 {
        self.0.start()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn memory(&self) -> Option<MemoryId> {
        Some(self.0.memory())
    }
}

impl SourceFrame for RingFrame {
    fn payload_len(&self) -> usize {
        self.0.frame.payload().len()
    }

    fn metadata_len(&self) -> usize {
        self.0.frame.metadata().len()
    }

    fn tai_ns(&self) -> u64 {
        self.0.frame.info().tai_ns
    }

    fn origin(&self) -> Origin {
        let info = self.0.frame.info();
        Origin { mark: info.origin, sequence: info.sequence }
    }

    fn is_incomplete(&self) -> bool {
        self.0.frame.info().incomplete
    }
}
