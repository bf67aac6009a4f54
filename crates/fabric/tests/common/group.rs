//! Doubles of a group: frame sources and sinks without a ring.
#![allow(dead_code, unreachable_pub)] // Each test file uses a part of it.

use super::content;
use fabric::bridge::wire_layout::{MAX_TAIL, Origin, WireLayout};
use fabric::bridge::{
    Arrival, BridgeStatus, Egress, Ended, Finished, FrameSink, FrameSource, Ingress, LinkOptions,
    NotPublished, SourceFrame, Stop, Taken,
};
use fabric::{Address, FabricError, HeapBuffer, MemoryId, ReceiveBuffer, SendBuffer};
use rustix::event::{EventfdFlags, eventfd};
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use testkit::wait;

/// A queue with a descriptor.
#[derive(Debug)]
struct Feed<T> {
    queue: Mutex<(VecDeque<T>, bool)>,
    event: OwnedFd,
}

impl<T> Feed<T> {
    fn new() -> Arc<Self> {
        let event = eventfd(0, EventfdFlags::NONBLOCK).expect("eventfd");
        Arc::new(Self { queue: Mutex::new((VecDeque::new(), false)), event })
    }

    fn put(&self, item: T) {
        self.queue.lock().unwrap().0.push_back(item);
        self.wake();
    }

    fn wake(&self) {
        let _ = rustix::io::write(&self.event, &1u64.to_ne_bytes());
    }

    fn take(&self) -> Result<Option<T>, Ended> {
        let mut queue = self.queue.lock().unwrap();
        match queue.0.pop_front() {
            Some(item) => Ok(Some(item)),
            None if queue.1 => Err(Ended),
            None => {
                let _ = rustix::io::read(&self.event, &mut [0; 8]);
                Ok(None)
            }
        }
    }
}

/// The time of frame 0, and from one frame to the next.
pub const FIRST_TAI_NS: u64 = 1_700_000_000_000_000_000;
pub const TAI_STEP_NS: u64 = 1_000_003;

/// A frame of the test.
#[derive(Clone, Debug)]
pub struct Frame {
    bytes: Arc<[u8]>,
    payload_len: usize,
    metadata_len: usize,
    tai_ns: u64,
    number: u64,
}

/// Payload of the frame with this number.
pub fn payload(number: u64, len: usize) -> Arc<[u8]> {
    content(len, number + 1)
}

pub fn metadata(number: u64, len: usize) -> Arc<[u8]> {
    content(len, number + 1_000_000)
}

impl Frame {
    pub fn new(layout: &WireLayout, number: u64, payload_len: usize, metadata_len: usize) -> Self {
        let mut bytes = vec![0u8; layout.size()];
        let tai_ns = FIRST_TAI_NS + number * TAI_STEP_NS;
        bytes[..8].copy_from_slice(&(tai_ns / 1_000_000).to_le_bytes());
        bytes[8..12].copy_from_slice(&(number as u32).to_le_bytes());
        bytes[12..16].copy_from_slice(&(payload_len as u32).to_le_bytes());
        bytes[16..20].copy_from_slice(&(metadata_len as u32).to_le_bytes());
        bytes[24..24 + payload_len].copy_from_slice(&payload(number, payload_len));
        let at = layout.metadata_offset();
        bytes[at..at + metadata_len].copy_from_slice(&metadata(number, metadata_len));
        Self { bytes: bytes.into(), payload_len, metadata_len, tai_ns, number }
    }
}

// SAFETY: shared heap memory that no code writes to.
unsafe impl SendBuffer for Frame {
    fn start(&self) -> *const u8 {
        self.bytes.as_ptr()
    }

    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn memory(&self) -> Option<MemoryId> {
        None
    }
}

impl SourceFrame for Frame {
    fn payload_len(&self) -> usize {
        self.payload_len
    }

    fn metadata_len(&self) -> usize {
        self.metadata_len
    }

    fn tai_ns(&self) -> u64 {
        self.tai_ns
    }

    fn origin(&self) -> Origin {
        Origin { mark: 7, sequence: u64::MAX - self.number }
    }

    fn is_incomplete(&self) -> bool {
        self.number % 7 == 3
    }
}

#[derive(Debug)]
struct Source(Arc<Feed<Option<Frame>>>);

impl FrameSource for Source {
    type Frame = Frame;

    fn ready(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }

    fn take(&mut self) -> Result<Taken<Frame>, Ended> {
        Ok(match self.0.take()? {
            Some(Some(frame)) => Taken::Frame(frame),
            Some(None) => Taken::StreamEnd,
            None => Taken::Nothing,
        })
    }

    fn hold_limit(&self) -> usize {
        16
    }
}

/// A slot, counted as long as it is held.
#[derive(Debug)]
pub struct Slot {
    memory: HeapBuffer,
    held: Arc<AtomicUsize>,
    free: Arc<Feed<()>>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.held.fetch_sub(1, SeqCst);
        self.free.wake();
    }
}

// SAFETY: that of the memory in it.
unsafe impl ReceiveBuffer for Slot {
    fn start(&self) -> *mut u8 {
        self.memory.start()
    }

    fn len(&self) -> usize {
        ReceiveBuffer::len(&self.memory)
    }

    fn memory(&self) -> Option<MemoryId> {
        None
    }
}

/// A published frame.
#[derive(Debug)]
pub struct Published {
    pub arrival: Arrival,
    pub payload: Vec<u8>,
    pub metadata: Vec<u8>,
}

#[derive(Debug)]
struct Shelf {
    frames: Mutex<VecDeque<Published>>,
    changed: Condvar,
    capacity: usize,
    /// The source has closed.
    ended: AtomicBool,
}

#[derive(Debug)]
struct Sink {
    layout: WireLayout,
    slots: usize,
    held: Arc<AtomicUsize>,
    free: Arc<Feed<()>>,
    out: Arc<Shelf>,
}

impl FrameSink for Sink {
    type Slot = Slot;

    fn ready(&self) -> BorrowedFd<'_> {
        self.free.event.as_fd()
    }

    fn slot(&mut self) -> Result<Option<Slot>, Ended> {
        if self.held.load(SeqCst) == self.slots {
            self.free.take()?;
            if self.held.load(SeqCst) == self.slots {
                return Ok(None);
            }
        }
        self.held.fetch_add(1, SeqCst);
        let memory = HeapBuffer::new(self.layout.size() + MAX_TAIL);
        Ok(Some(Slot { memory, held: Arc::clone(&self.held), free: Arc::clone(&self.free) }))
    }

    fn publish(
        &mut self,
        slot: Slot,
        arrival: Arrival,
        patience: Duration,
    ) -> Result<(), NotPublished<Slot>> {
        let frames = self.out.frames.lock().unwrap();
        let full = |frames: &mut VecDeque<Published>| frames.len() >= self.out.capacity;
        let (mut frames, _) = self.out.changed.wait_timeout_while(frames, patience, full).unwrap();
        if frames.len() >= self.out.capacity {
            return Err(NotPublished::Full(slot));
        }
        let bytes = slot.memory.bytes();
        let at = self.layout.metadata_offset();
        frames.push_back(Published {
            arrival,
            payload: bytes[24..24 + arrival.payload_len].to_vec(),
            metadata: bytes[at..at + arrival.metadata_len].to_vec(),
        });
        self.out.changed.notify_all();
        Ok(())
    }

    fn end_stream(&mut self) {
        self.out.ended.store(true, SeqCst);
    }

    fn hold_limit(&self) -> usize {
        self.slots
    }
}

/// An egress on a thread.
pub struct Sender {
    feed: Arc<Feed<Option<Frame>>>,
    pub status: BridgeStatus,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Sender {
    pub fn start(link: &LinkOptions, remote: &Address) -> Self {
        Self::try_start(link, remote, None).unwrap_or_else(|error| panic!("{error}"))
    }

    /// `host`: the network namespace that it works in.
    pub fn try_start(
        link: &LinkOptions,
        remote: &Address,
        host: Option<File>,
    ) -> Result<Self, FabricError> {
        let feed = Feed::new();
        let status = BridgeStatus::new("egress");
        let stop = Stop::new().unwrap();
        let egress =
            Egress::new(link.clone(), remote.clone(), Source(Arc::clone(&feed)), status.clone());
        let (egress, ended) = (egress?, stop.clone());
        let thread = std::thread::spawn(move || {
            enter(host);
            egress.run(&ended);
        });
        Ok(Self { feed, status, stop, thread: Some(thread) })
    }

    pub fn put(&self, frame: Frame) {
        self.feed.put(Some(frame));
    }

    /// Closes the source.
    pub fn end_stream(&self) {
        self.feed.put(None);
    }

    /// Ends the bridge, which is no end of the stream.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Frames that the egress has not taken yet.
    pub fn left(&self) -> usize {
        self.feed.queue.lock().unwrap().0.len()
    }

    pub fn end(&self) {
        self.feed.queue.lock().unwrap().1 = true;
        self.feed.wake();
    }

    pub fn join(&mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An ingress on a thread.
pub struct Receiver {
    out: Arc<Shelf>,
    pub status: BridgeStatus,
    pub held: Arc<AtomicUsize>,
    stop: Stop,
    thread: Option<JoinHandle<Finished>>,
}

impl Receiver {
    /// `capacity`: frames that are kept until the test takes them.
    pub fn start(link: &LinkOptions, slots: usize, capacity: usize) -> Self {
        Self::start_in(link, slots, capacity, None)
    }

    /// `host`: the network namespace that it works in.
    pub fn start_in(link: &LinkOptions, slots: usize, capacity: usize, host: Option<File>) -> Self {
        let (frames, changed, ended) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        let out = Arc::new(Shelf { frames, changed, capacity, ended });
        let held = Arc::new(AtomicUsize::new(0));
        let sink = Sink {
            layout: link.layout,
            slots,
            held: Arc::clone(&held),
            free: Feed::new(),
            out: Arc::clone(&out),
        };
        let (status, stop) = (BridgeStatus::new("ingress"), Stop::new().unwrap());
        let ingress = Ingress::new(link.clone(), sink, status.clone()).unwrap();
        let ended = stop.clone();
        let thread = std::thread::spawn(move || {
            enter(host);
            ingress.run(&ended)
        });
        Self { out, status, held, stop, thread: Some(thread) }
    }

    /// The next frame, if it comes in time.
    pub fn next_in(&self, time: Duration) -> Option<Published> {
        let frames = self.out.frames.lock().unwrap();
        let none = |frames: &mut VecDeque<Published>| frames.is_empty();
        let (mut frames, _) = self.out.changed.wait_timeout_while(frames, time, none).unwrap();
        let frame = frames.pop_front();
        self.out.changed.notify_all();
        frame
    }

    pub fn next(&self) -> Published {
        self.next_in(wait::DEADLINE).expect("a frame")
    }
}

impl Receiver {
    /// Waits until it has ended by itself, or as it was told to: whether the stream has ended, with
    /// frames that are still to be taken.
    pub fn stream_ended(mut self) -> (bool, usize) {
        let finished = self.thread.take().unwrap().join().unwrap();
        let ended = self.out.ended.load(SeqCst);
        assert_eq!(finished == Finished::StreamEnded, ended);
        (ended, self.out.frames.lock().unwrap().len())
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Tells it to end when it has what is still to come.
    pub fn end(&self) {
        self.stop.stop();
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.stop_at_once();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        assert_eq!(self.held.load(SeqCst), 0, "slots that were not given back");
    }
}

/// Has this thread open its sockets in another network namespace.
fn enter(host: Option<File>) {
    if let Some(host) = host {
        testkit::host::enter(&host).expect("a namespace");
    }
}
