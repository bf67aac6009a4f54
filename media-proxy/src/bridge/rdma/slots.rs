//! Slots of a group's ring for frames from the network: the ingress's frame sink.

use super::layout::{self, Held};
use config::ConnectionConfig;
use fabric::bridge::wire_layout::{MAX_TAIL, Origin, WireLayout};
use fabric::bridge::{Arrival, Ended, FrameSink, NotPublished};
use fabric::{MemoryId, ReceiveBuffer};
use mcm::Error;
use mcm::{Buffer, Connection, Timeout};
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

// The metadata may have to be rounded up by 7 bytes, and then comes what follows a frame on the wire.
const _: () = assert!(7 + MAX_TAIL <= shm::layout::SLACK);

/// The group's source.
#[derive(Debug)]
pub(super) struct RingSlots {
    connection: Arc<Connection>,
    layout: WireLayout,
    hold_limit: usize,
}

impl RingSlots {
    pub(super) fn new(connection: Arc<Connection>, config: &ConnectionConfig) -> Self {
        let hold_limit = usize::from(config.queue_capacity);
        Self { connection, layout: layout::of(config), hold_limit }
    }
}

impl FrameSink for RingSlots {
    type Slot = RingSlot;

    fn ready(&self) -> BorrowedFd<'_> {
        // It was made by `slot`, which the bridge calls first.
        self.connection.event_fd().unwrap_or_else(|error| unreachable!("{error}"))
    }

    fn slot(&mut self) -> Result<Option<RingSlot>, Ended> {
        match self.connection.get(Timeout::After(Duration::ZERO)) {
            // A slot of another shape cannot come from this bridge's own source.
            Ok(buffer) => Held::new(buffer, &self.layout).map(RingSlot).map(Some).ok_or(Ended),
            Err(Error::Timeout(..)) => Ok(None),
            Err(_) => Err(Ended),
        }
    }

    fn publish(
        &mut self,
        slot: RingSlot,
        arrival: Arrival,
        patience: Duration,
    ) -> Result<(), NotPublished<RingSlot>> {
        let mut buffer = slot.0.buffer;
        if describe(&mut buffer, &arrival).is_err() {
            // The bridge has checked the lengths against the same sizes.
            return Err(NotPublished::Ended);
        }
        match Connection::put(buffer, Timeout::After(patience)) {
            Ok(()) => Ok(()),
            Err((buffer, Error::Timeout(..))) => Err(Held::new(buffer, &self.layout)
                .map_or(NotPublished::Ended, |held| NotPublished::Full(RingSlot(held)))),
            Err(_) => Err(NotPublished::Ended),
        }
    }

    fn end_stream(&mut self) {
        self.connection.shutdown();
    }

    fn hold_limit(&self) -> usize {
        self.hold_limit
    }
}

fn describe(buffer: &mut Buffer, arrival: &Arrival) -> Result<(), Error> {
    buffer.set_payload_len(arrival.payload_len)?;
    buffer.set_metadata_len(arrival.metadata_len)?;
    if let Some(tai_ns) = arrival.tai_ns {
        buffer.set_tai_ns(tai_ns)?;
    }
    if let Some(Origin { mark, sequence }) = arrival.origin {
        buffer.set_origin(shm::Origin { mark, sequence })?;
    }
    if arrival.incomplete {
        // Only the stream's host knows the missing parts.
        buffer.set_missing([])?;
    }
    Ok(())
}

/// A slot that a frame is received into.
#[derive(Debug)]
pub(super) struct RingSlot(Held);

// SAFETY: the frame and what follows it lie in one slot, from its system data on, the end within the slot's slack. The slot is
// mapped, at the same place, as long as the buffer exists, and is the buffer's alone until it is put.
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
