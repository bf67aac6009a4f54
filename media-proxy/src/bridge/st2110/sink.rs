//! A sink of frames from the network into a ring.

use super::regions::Regions;
use super::session::Life;
use mcm::{Buffer, Connection, Timeout};
use st2110_net::{FrameSink, FrameSlot, Received};
use std::sync::Arc;
use std::time::Duration;

/// The group's source, fed by the network. It does not wait for receivers, because the network does
/// not either.
pub(super) struct RingSink {
    pub(super) connection: Arc<Connection>,
    pub(super) regions: Regions,
    /// Nothing has been received yet.
    pub(super) first: bool,
    pub(super) life: Life,
}

/// A slot that packets are placed into.
pub(super) struct RingSlot(Buffer);

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
        if payload > self.connection.payload_size() {
            return None;
        }
        self.connection.get(Timeout::After(Duration::ZERO)).ok().map(RingSlot)
    }

    fn commit(&mut self, slot: RingSlot, frame: &Received<'_>) -> bool {
        if std::mem::take(&mut self.first) && !frame.gaps.is_empty() {
            // It was under way already when the bridge began to listen, which is no loss.
            return !self.life.is_ending();
        }
        let mut buffer = slot.0;
        let described = buffer
            .set_payload_len(frame.payload)
            .and_then(|()| buffer.set_metadata_len(frame.metadata))
            .and_then(|()| buffer.set_tai_ns(frame.tai.as_nanos()));
        if described.is_err() {
            // More than the slot has, which no session can have written: the frame is not put.
            return !self.life.is_ending();
        }
        if !frame.gaps.is_empty() {
            // The buffer is a source's, so this cannot fail.
            let _ = buffer.set_missing(self.regions.of(frame.gaps));
        }
        let put = Connection::put(buffer, Timeout::After(Duration::ZERO));
        put.is_ok() && !self.life.is_ending()
    }
}
