//! Adapters between rings and bridges.

use super::{Arrivals, Cpu};
use fabric::bridge::wire_layout::{MAX_TAIL, Origin, SYSDATA, WireLayout};
use fabric::bridge::{Arrival, Ended, FrameSink, FrameSource, NotPublished, SourceFrame, Taken};
use fabric::{MemoryId, ReceiveBuffer, SendBuffer};
use rustix::event::{EventfdFlags, eventfd};
use shm::{Deadline, Frame, Receiver, RingError, Source, WriteSlot};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A receiver of a ring with a descriptor: a thread sleeps on the ring in the bridge's place.
#[derive(Debug)]
pub(super) struct RingFrames {
    receiver: Arc<Receiver>,
    layout: WireLayout,
    event: Arc<OwnedFd>,
    /// Has the thread sleep once more.
    again: SyncSender<()>,
    thread: Option<JoinHandle<()>>,
}

impl RingFrames {
    pub(super) fn new(receiver: Arc<Receiver>, layout: WireLayout) -> std::io::Result<Self> {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        let event = Arc::new(eventfd(0, flags)?);
        let (again, asleep) = sync_channel::<()>(1);
        let (watched, bell) = (Arc::clone(&receiver), Arc::clone(&event));
        let thread = shm::quiet_thread(&format!("{}-bell", Cpu::SENDER), move || {
            loop {
                let result = watched.wait_ready(Deadline::after(Duration::from_secs(60)));
                let _ = rustix::io::write(&*bell, &1u64.to_ne_bytes());
                if matches!(result, Err(RingError::Closed(_))) || asleep.recv().is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { receiver, layout, event, again, thread: Some(thread) })
    }
}

impl Drop for RingFrames {
    fn drop(&mut self) {
        self.receiver.close("the benchmark is over");
        let (closed, _) = sync_channel(1);
        self.again = closed;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl FrameSource for RingFrames {
    type Frame = RingFrame;

    fn ready(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    fn take(&mut self) -> Result<Taken<RingFrame>, Ended> {
        match self.receiver.get(Deadline::Now) {
            Ok(frame) => {
                let receiver = Arc::clone(&self.receiver);
                let len = self.layout.size();
                Ok(Taken::Frame(RingFrame { frame: Some(frame), receiver, len }))
            }
            Err(RingError::Timeout(_)) => {
                // Only if it has rung: otherwise the thread sleeps.
                if rustix::io::read(&*self.event, &mut [0; 8]).is_ok() {
                    let _ = self.again.try_send(());
                }
                Ok(Taken::Nothing)
            }
            Err(_) => Err(Ended),
        }
    }

    fn hold_limit(&self) -> usize {
        self.receiver.stats().hold_limit.max(1)
    }
}

/// A frame in its slot.
#[derive(Debug)]
pub(super) struct RingFrame {
    /// Taken only by the drop, which tells the receiver afterwards.
    frame: Option<Frame>,
    receiver: Arc<Receiver>,
    len: usize,
}

impl Drop for RingFrame {
    fn drop(&mut self) {
        drop(self.frame.take());
        self.receiver.released();
    }
}

// SAFETY: the frame lies in one slot, from its system data on, and stays there, unwritten, as long
// as the frame is leased.
unsafe impl SendBuffer for RingFrame {
    fn start(&self) -> *const u8 {
        self.frame.as_ref().map_or(std::ptr::null(), |f| f.payload_ptr().wrapping_sub(SYSDATA))
    }

    fn len(&self) -> usize {
        self.len
    }

    fn memory(&self) -> Option<MemoryId> {
        None
    }
}

impl SourceFrame for RingFrame {
    fn payload_len(&self) -> usize {
        self.frame.as_ref().map_or(0, Frame::payload_len)
    }

    fn metadata_len(&self) -> usize {
        self.frame.as_ref().map_or(0, Frame::metadata_len)
    }

    fn tai_ns(&self) -> u64 {
        self.frame.as_ref().map_or(0, |frame| frame.info().tai_ns)
    }

    fn origin(&self) -> Origin {
        let info = self.frame.as_ref().map(Frame::info).unwrap_or_default();
        Origin { mark: info.origin, sequence: info.sequence }
    }

    fn is_incomplete(&self) -> bool {
        self.frame.as_ref().is_some_and(|frame| frame.info().incomplete)
    }
}

/// A ring's source, whose frames are noted when they have arrived.
#[derive(Debug)]
pub(super) struct RingSlots {
    pub(super) source: Source,
    pub(super) layout: WireLayout,
    pub(super) arrivals: Arrivals,
    /// Never readable: the ring has no receivers, so there is always a free slot.
    pub(super) never: OwnedFd,
}

#[derive(Debug)]
pub(super) struct RingSlot {
    slot: WriteSlot,
    start: usize,
    len: usize,
}

// SAFETY: frame and tail lie in one slot, from its system data on, and are this value's alone until
// it is put.
unsafe impl ReceiveBuffer for RingSlot {
    fn start(&self) -> *mut u8 {
        self.start as *mut u8
    }

    fn len(&self) -> usize {
        self.len
    }

    fn memory(&self) -> Option<MemoryId> {
        None
    }
}

impl FrameSink for RingSlots {
    type Slot = RingSlot;

    fn ready(&self) -> BorrowedFd<'_> {
        self.never.as_fd()
    }

    fn slot(&mut self) -> Result<Option<RingSlot>, Ended> {
        let slot = self.source.get(Deadline::Now).map_err(|_| Ended)?;
        let start = slot.payload_ptr().wrapping_sub(SYSDATA) as usize;
        Ok(Some(RingSlot { slot, start, len: self.layout.size() + MAX_TAIL }))
    }

    fn publish(
        &mut self,
        slot: RingSlot,
        arrival: Arrival,
        patience: Duration,
    ) -> Result<(), NotPublished<RingSlot>> {
        let mut slot = slot.slot;
        slot.set_payload_len(arrival.payload_len);
        let put = self.source.put(slot, Deadline::after(patience), || 0);
        put.map_err(|_| NotPublished::Ended)?;
        self.arrivals.now();
        Ok(())
    }

    fn end_stream(&mut self) {
        self.source.close("the source has ended the stream");
    }

    fn hold_limit(&self) -> usize {
        self.source.stats().hold_limit
    }
}

/// Something that is waited for.
#[derive(Clone, Debug, Default)]
pub(super) struct Signal(Arc<(Mutex<bool>, Condvar)>);

impl Signal {
    pub(super) fn give(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }

    /// Whether it came in time.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let given = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.0.1.wait_timeout_while(given, time, |given| !*given);
        *result.unwrap_or_else(PoisonError::into_inner).0
    }
}
