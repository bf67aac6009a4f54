//! A sink of frames from the network into a ring.

use super::regions::Regions;
use super::session::Life;
use mcm::{FrameMut, Source, bridge};
use st2110_net::{FrameSink, FrameSlot, Received};
use std::sync::Arc;
use std::time::Duration;

/// The group's source, fed by the network. It does not wait for receivers, because the network does
/// not either.
pub(super) struct RingSink {
    pub(super) source: Arc<Source>,
    pub(super) regions: Regions,
    /// Nothing has been received yet.
    pub(super) first: bool,
    pub(super) life: Life,
}

/// A slot that packets are placed into.
pub(super) struct RingSlot(FrameMut);

impl FrameSlot for RingSlot {
    fn payload(&mut self) -> &mut [u8] {
        self.0.payload_mut()
    }

    fn metadata(&mut self) -> &mut [u8] {
        self.0.metadata_mut()
    }
}

impl FrameSink for RingSink {
    type Slot = RingSlot;

    fn slot(&mut self, payload: usize) -> Option<RingSlot> {
        if payload > self.source.payload_size() {
            return None;
        }
        self.source.frame(Duration::ZERO).ok().map(RingSlot)
    }

    fn commit(&mut self, slot: RingSlot, frame: &Received<'_>) -> bool {
        if std::mem::take(&mut self.first) && !frame.gaps.is_empty() {
            // It was under way already when the bridge began to listen, which is no loss.
            return !self.life.is_ending();
        }
        let mut out = slot.0;
        let described =
            out.set_payload_len(frame.payload).and_then(|()| out.set_metadata_len(frame.metadata));
        if described.is_err() {
            // More than the slot has, which no session can have written: the frame is not put.
            return !self.life.is_ending();
        }
        out.set_timestamp(frame.tai);
        if !frame.gaps.is_empty() {
            bridge::set_missing(&mut out, self.regions.of(frame.gaps));
        }
        out.publish_within(Duration::ZERO).is_ok() && !self.life.is_ending()
    }
}
