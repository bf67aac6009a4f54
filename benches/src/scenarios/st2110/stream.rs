//! Feeds and sinks without a cost of their own.

use media::Tai;
use st2110_net::{FrameFeed, FrameSink, FrameSlot, HeldFrame, Next, Received};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Gives the same frames again and again.
pub(super) struct Cycle {
    frames: Vec<Arc<[u8]>>,
    next: usize,
}

impl Cycle {
    pub(super) fn new(frames: Vec<Arc<[u8]>>) -> Self {
        Self { frames, next: 0 }
    }
}

pub(super) struct Shared(Arc<[u8]>);

impl HeldFrame for Shared {
    fn payload(&self) -> &[u8] {
        &self.0
    }

    fn tai(&self) -> Option<Tai> {
        None
    }
}

impl FrameFeed for Cycle {
    type Frame = Shared;

    fn next(&mut self) -> Next<Shared> {
        self.next = (self.next + 1) % self.frames.len();
        Next::Frame(Shared(self.frames[self.next].clone()))
    }
}

/// Takes frames and gives their memory to others.
pub(super) struct Slots {
    free: Receiver<Vec<u8>>,
    back: Sender<Vec<u8>>,
}

impl Slots {
    pub(super) fn new(count: usize, size: usize) -> Self {
        let (back, free) = channel();
        for _ in 0..count {
            // Written once, so that the memory is there.
            back.send(vec![1; size]).ok();
        }
        Self { free, back }
    }
}

/// A slot that goes back when it is dropped.
pub(super) struct Slot {
    bytes: Vec<u8>,
    back: Sender<Vec<u8>>,
}

impl FrameSlot for Slot {
    fn payload(&mut self) -> &mut [u8] {
        &mut self.bytes
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.back.send(std::mem::take(&mut self.bytes)).ok();
    }
}

impl FrameSink for Slots {
    type Slot = Slot;

    fn slot(&mut self, _payload: usize) -> Option<Slot> {
        Some(Slot { bytes: self.free.try_recv().ok()?, back: self.back.clone() })
    }

    fn commit(&mut self, slot: Slot, _frame: &Received<'_>) -> bool {
        drop(slot);
        true
    }
}
