//! Feeds and sinks in memory.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use media::{PixelFormat, Tai};
use st2110_net::{FrameFeed, FrameSink, FrameSlot, Gap, HeldFrame, Next, Received};

/// Frames that a test hands over.
#[derive(Clone, Default)]
pub(crate) struct Queue(pub(crate) Arc<Mutex<VecDeque<Next<Owned>>>>);

pub(crate) struct Owned {
    bytes: Arc<[u8]>,
    metadata: Vec<u8>,
    tai: Option<Tai>,
}

impl HeldFrame for Owned {
    fn payload(&self) -> &[u8] {
        &self.bytes
    }

    fn metadata(&self) -> &[u8] {
        &self.metadata
    }

    fn tai(&self) -> Option<Tai> {
        self.tai
    }
}

impl Queue {
    pub(crate) fn push(&self, bytes: impl Into<Arc<[u8]>>, tai: Option<Tai>) {
        self.push_with(bytes, Vec::new(), tai);
    }

    pub(crate) fn push_with(
        &self,
        bytes: impl Into<Arc<[u8]>>,
        metadata: Vec<u8>,
        tai: Option<Tai>,
    ) {
        self.0.lock().unwrap().push_back(Next::Frame(Owned { bytes: bytes.into(), metadata, tai }));
    }

    pub(crate) fn end(&self) {
        self.0.lock().unwrap().push_back(Next::End);
    }
}

impl FrameFeed for Queue {
    type Frame = Owned;

    fn next(&mut self) -> Next<Owned> {
        self.0.lock().unwrap().pop_front().unwrap_or(Next::Nothing)
    }
}

/// A frame that was received.
#[derive(Clone)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) metadata: Vec<u8>,
    pub(crate) tai: Tai,
    pub(crate) timestamp: u32,
    pub(crate) gaps: Vec<Gap>,
}

/// Collects frames, up to a number of slots that are under way at once.
#[derive(Clone)]
pub(crate) struct Store {
    pub(crate) frames: Arc<Mutex<Vec<Frame>>>,
    pub(crate) room: Arc<Mutex<bool>>,
}

impl Default for Store {
    fn default() -> Self {
        Self { frames: Arc::default(), room: Arc::new(Mutex::new(true)) }
    }
}

impl Store {
    pub(crate) fn len(&self) -> usize {
        self.frames.lock().unwrap().len()
    }

    pub(crate) fn take(&self) -> Vec<Frame> {
        std::mem::take(&mut self.frames.lock().unwrap())
    }

    pub(crate) fn set_room(&self, room: bool) {
        *self.room.lock().unwrap() = room;
    }
}

pub(crate) struct Memory {
    bytes: Vec<u8>,
    metadata: Vec<u8>,
}

impl FrameSlot for Memory {
    fn payload(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    fn metadata(&mut self) -> &mut [u8] {
        &mut self.metadata
    }
}

impl FrameSink for Store {
    type Slot = Memory;

    fn slot(&mut self, payload: usize) -> Option<Memory> {
        let room = *self.room.lock().unwrap();
        room.then(|| Memory { bytes: vec![0; payload], metadata: vec![0; 4096] })
    }

    fn commit(&mut self, slot: Memory, frame: &Received<'_>) -> bool {
        self.frames.lock().unwrap().push(Frame {
            bytes: slot.bytes[..frame.payload].to_vec(),
            metadata: slot.metadata[..frame.metadata].to_vec(),
            tai: frame.tai,
            timestamp: frame.timestamp,
            gaps: frame.gaps.to_vec(),
        });
        true
    }
}

/// A frame of samples that every layout of `format` can carry, different for each seed.
pub(crate) fn frame(format: PixelFormat, seed: usize, len: usize) -> Vec<u8> {
    let value = |index: usize| (index * 7 + index / 251 + seed * 13) as u8;
    match format {
        // 10 bits in 16, little endian.
        PixelFormat::Yuv422p10le | PixelFormat::Yuv420p10le | PixelFormat::Yuv444p10le => (0..len)
            .map(|index| if index % 2 == 1 { value(index) & 3 } else { value(index) })
            .collect(),
        PixelFormat::P010le => (0..len)
            .map(|index| if index % 2 == 0 { value(index) & 0xc0 } else { value(index) })
            .collect(),
        // Three samples of 10 bits in 32; the two bits above are 0.
        PixelFormat::V210 => (0..len)
            .map(|index| if index % 4 == 3 { value(index) & 0x3f } else { value(index) })
            .collect(),
        PixelFormat::Rgba | PixelFormat::Bgra => {
            (0..len).map(|index| if index % 4 == 3 { 255 } else { value(index) }).collect()
        }
        _ => (0..len).map(value).collect(),
    }
}
