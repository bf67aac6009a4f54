//! Slots of a group's ring for frames from the network: the ingress's frame sink.

use super::layout::{self, Held};
use config::ConnectionConfig;
use fabric::bridge::wire_layout::{MAX_TAIL, Origin, WireLayout};
use fabric::bridge::{Arrival, Ended, FrameSink, NotPublished};
use fabric::{MemoryId, ReceiveBuffer};
use mcm::{FrameMut, LengthError, PublishError, Source, bridge};
use media::Tai;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

// The metadata may have to be rounded up by 7 bytes, and then comes what follows a frame on the
// wire.
const _: () = assert!(7 + MAX_TAIL <= shm::layout::SLACK);

/// The group's source.
#[derive(Debug)]
pub(super) struct RingSlots {
    source: Arc<Source>,
    layout: WireLayout,
    hold_limit: usize,
}

impl RingSlots {
    pub(super) fn new(source: Arc<Source>, config: &ConnectionConfig) -> Self {
        let hold_limit = usize::from(config.queue_capacity);
        Self { source, layout: layout::of(config), hold_limit }
    }
}

impl FrameSink for RingSlots {
    type Slot = RingSlot;

    fn ready(&self) -> BorrowedFd<'_> {
        // It was made by `slot`, which the bridge calls first.
        self.source.event_fd().unwrap_or_else(|error| unreachable!("{error}"))
    }

    fn slot(&mut self) -> Result<Option<RingSlot>, Ended> {
        match self.source.frame(Duration::ZERO) {
            // A slot of another shape cannot come from this bridge's own source.
            Ok(frame) => Held::new(frame, &self.layout).map(RingSlot).map(Some).ok_or(Ended),
            Err(error) if error.is_timeout() => Ok(None),
            Err(_) => Err(Ended),
        }
    }

    fn publish(
        &mut self,
        slot: RingSlot,
        arrival: Arrival,
        patience: Duration,
    ) -> Result<(), NotPublished<RingSlot>> {
        let mut frame = slot.0.frame;
        if describe(&mut frame, &arrival).is_err() {
            // The bridge has checked the lengths against the same sizes.
            return Err(NotPublished::Ended);
        }
        frame.publish_within(patience).map_err(|PublishError { frame, reason }| {
            let kept = if reason.is_timeout() { Held::new(frame, &self.layout) } else { None };
            kept.map_or(NotPublished::Ended, |held| NotPublished::Full(RingSlot(held)))
        })
    }

    fn end_stream(&mut self) {
        self.source.shutdown();
    }

    fn hold_limit(&self) -> usize {
        self.hold_limit
    }
}

fn describe(frame: &mut FrameMut, arrival: &Arrival) -> Result<(), LengthError> {
    frame.set_payload_len(arrival.payload_len)?;
    frame.set_metadata_len(arrival.metadata_len)?;
    if let Some(tai_ns) = arrival.tai_ns {
        frame.set_timestamp(Tai::from_nanos(tai_ns));
    }
    if let Some(Origin { mark, sequence }) = arrival.origin {
        bridge::set_origin(frame, shm::Origin { mark, sequence });
    }
    if arrival.incomplete {
        // Only the stream's host knows the missing parts.
        bridge::set_missing(frame, []);
    }
    Ok(())
}

/// A slot that a frame is received into.
#[derive(Debug)]
pub(super) struct RingSlot(Held<FrameMut>);

// SAFETY: the frame and what follows it lie in one slot, from its system data on, the end within
// the slot's slack. The slot is mapped, at the same place, as long as the frame exists, and is the
// frame's alone until it is put.
unsafe impl ReceiveBuffer for RingSlot {
    fn start(&self) -> *mut u8 {
        self.0.start()
    }

    fn len(&self) -> usize {
        self.0.len() + MAX_TAIL
    }

    fn memory(&self) -> Option<MemoryId> {
        Some(self.0.memory())
    }
}
