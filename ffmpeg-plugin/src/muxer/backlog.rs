//! Queue of packets that an output has taken from FFmpeg and not sent yet.
//!
//! FFmpeg reads and decodes for all outputs of a command in turn. An output that blocks stops the
//! others too, and its receivers may wait for just those: receivers of several groups join one
//! after the other, and programs that receive video and audio take no more of one than they have of
//! the other. So the output queues packets for a while before it blocks the program: video until
//! the receivers are there that it waits for, audio always, since decoders keep many frames of
//! video before the first one comes out. A thread sends the packets, as FFmpeg may be busy with
//! another output.

use super::sender::{LOOK_MS, Sender, WantsToEnd};
use crate::context::Context;
use crate::error::Error;
use crate::interrupt;
use crate::layout::{AVPacket, NO_PTS};
use crate::libav::Libav;
use crate::settings::Settings;
use crate::waiting::{self, Limit, Waiting};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bytes of frames that are held back at most.
const MOST_BYTES: usize = 256 << 20;
/// Seconds of the stream that are held back at most.
const MOST_SECONDS: i64 = 5;

/// Packets that are held back, perhaps for receivers that are waited for.
#[derive(Debug)]
pub(super) struct Backlog {
    wanted: u32,
    /// The group or stream of the receivers.
    name: String,
    waiting: Waiting,
    ticks: u32,
    shared: Arc<Shared>,
    /// Sends what is held back.
    thread: Option<JoinHandle<(Sender, Result<(), Error>)>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    held: VecDeque<Held>,
    /// Sent, and to be freed by FFmpeg's thread: what frees a buffer may want a lock that the
    /// program holds while it calls us, as Python's does.
    spent: Vec<Held>,
    bytes: usize,
    /// Bytes of a frame of video.
    frame: Option<usize>,
    /// Receivers that are there.
    present: u32,
    /// Whether they are all there.
    complete: bool,
    /// Whether the thread waits for more when nothing is held back.
    stays: bool,
    /// Whether the thread has ended, or is about to.
    done: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    pub(super) fn new(wanted: u32, settings: &Settings, sender: Sender) -> Result<Self, Error> {
        let shared = Arc::new(Shared::default());
        let frame = sender.frame();
        *shared.lock() = Queue { frame, stays: frame.is_none(), ..Queue::default() };
        let ticks = sender.ticks();
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("mcm-receivers".into())
                .spawn(move || send_held(sender, &shared))
                .map_err(|error| Error::Data(format!("no thread: {error}")))?
        };
        Ok(Self {
            wanted,
            name: waiting::name(settings)?,
            waiting: Waiting::new(Limit::of(settings)),
            ticks,
            shared,
            thread: Some(thread),
        })
    }

    /// Holds a packet back, once there is room. `false` if there is no need to any more.
    pub(super) fn takes(&mut self, context: Context, packet: &AVPacket) -> Result<bool, Error> {
        loop {
            self.free_spent();
            {
                let mut queue = self.shared.lock();
                if queue.done {
                    return Ok(false);
                }
                if queue.has_room(packet, self.ticks) {
                    queue.hold(context.libav(), packet)?;
                    self.shared.changed.notify_all();
                    break;
                }
            }
            self.look(context)?;
        }
        self.tell(context)?;
        Ok(true)
    }

    /// Waits until all that was held back has been sent.
    pub(super) fn is_done(&mut self, context: Context) -> Result<(), Error> {
        self.shared.lock().stays = false;
        self.shared.changed.notify_all();
        loop {
            self.free_spent();
            {
                let queue = self.shared.lock();
                if queue.done || (queue.held.is_empty() && !queue.complete) {
                    return Ok(());
                }
            }
            self.look(context)?;
        }
    }

    /// Ends the thread, and gives back what sends.
    pub(super) fn end(mut self) -> Result<Sender, Error> {
        let (sender, result) = self.join().ok_or(Error::Panic("the thread of an output"))?;
        result.map(|()| sender)
    }

    fn join(&mut self) -> Option<(Sender, Result<(), Error>)> {
        {
            // With the lock, so that the thread does not begin to wait between its look and the
            // notice.
            let _queue = self.shared.lock();
            self.shared.stop.store(true, Relaxed);
        }
        self.shared.changed.notify_all();
        self.thread.take()?.join().ok()
    }

    /// Waits for a change, for as long as there is no reason to stop.
    fn look(&mut self, context: Context) -> Result<(), Error> {
        if context.wants_to_end() {
            return Err(Error::Exit);
        }
        self.tell(context)?;
        let queue = self.shared.lock();
        if !queue.done {
            let timeout = Duration::from_millis(LOOK_MS as u64);
            drop(self.shared.changed.wait_timeout(queue, timeout));
        }
        Ok(())
    }

    fn free_spent(&self) {
        let spent = std::mem::take(&mut self.shared.lock().spent);
        // Without the lock, which the thread may need before it lets go of what this waits for.
        drop(spent);
    }

    fn tell(&mut self, context: Context) -> Result<(), Error> {
        let (present, complete) = {
            let queue = self.shared.lock();
            (queue.present, queue.complete || queue.done)
        };
        if complete || self.wanted == 0 {
            return Ok(());
        }
        let Self { wanted, name, .. } = self;
        self.waiting.goes_on(context, || {
            let missing = wanted.saturating_sub(present).max(1);
            let receivers = if missing == 1 { "receiver" } else { "receivers" };
            format!("{missing} {receivers} of {name}")
        })
    }
}

impl Drop for Backlog {
    fn drop(&mut self) {
        // Dropped with what it sends, if that has not been taken over.
        drop(self.join());
    }
}

impl Queue {
    fn has_room(&self, packet: &AVPacket, ticks: u32) -> bool {
        // Without a buffer, there is nothing to take a reference of.
        let can_be = !packet.buf.is_null() && packet.pts != NO_PTS;
        let first = self.held.front().map_or(packet.pts, |held| held.packet().pts);
        let long = packet.pts.saturating_sub(first) >= MOST_SECONDS * i64::from(ticks);
        can_be && !long && self.bytes + self.size_of(packet) <= MOST_BYTES
    }

    fn hold(&mut self, libav: &'static Libav, packet: &AVPacket) -> Result<(), Error> {
        self.bytes += self.size_of(packet);
        self.held.push_back(Held::of(libav, packet)?);
        Ok(())
    }

    fn next(&mut self) -> Option<Held> {
        let held = self.held.pop_front()?;
        self.bytes -= self.size_of(held.packet());
        Some(held)
    }

    fn size_of(&self, packet: &AVPacket) -> usize {
        self.frame.unwrap_or_else(|| usize::try_from(packet.size).unwrap_or(0))
    }
}

/// The thread: waits for the receivers, and sends what is held back until there is no more. It uses
/// nothing of FFmpeg's context, which programs may free without a word.
fn send_held(mut sender: Sender, shared: &Shared) -> (Sender, Result<(), Error>) {
    let result = sent(&mut sender, shared, &|| shared.stop.load(Relaxed));
    shared.lock().done = true;
    shared.changed.notify_all();
    (sender, result)
}

fn sent(sender: &mut Sender, shared: &Shared, end: WantsToEnd<'_>) -> Result<(), Error> {
    while !sender.is_ready(LOOK_MS)? {
        if end() || interrupt::signalled() {
            return Ok(());
        }
        shared.lock().present = sender.receivers();
    }
    shared.lock().complete = true;
    loop {
        let mut queue = shared.lock();
        let held = loop {
            if let Some(held) = queue.next() {
                break held;
            }
            if !queue.stays || end() {
                // In the same breath: what comes from now on is sent by others.
                queue.done = true;
                return Ok(());
            }
            queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        };
        drop(queue);
        shared.changed.notify_all();
        let sent = sender.send(held.packet(), end);
        shared.lock().spent.push(held);
        sent?;
    }
}

/// A packet of which we have a reference of our own.
#[derive(Debug)]
struct Held {
    libav: &'static Libav,
    packet: NonNull<AVPacket>,
}

// SAFETY: FFmpeg's references may be used and dropped by any thread.
unsafe impl Send for Held {}

impl Held {
    fn of(libav: &'static Libav, packet: &AVPacket) -> Result<Self, Error> {
        let call = "av_packet_clone";
        // SAFETY: a packet of FFmpeg, whose structure continues behind the fields that we know.
        let packet = unsafe { (libav.call.av_packet_clone)(packet) };
        let packet = NonNull::new(packet).ok_or(Error::Libav { call, code: -libc::ENOMEM })?;
        Ok(Self { libav, packet })
    }

    fn packet(&self) -> &AVPacket {
        // SAFETY: ours until it is dropped.
        unsafe { self.packet.as_ref() }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut packet = self.packet.as_ptr();
        // SAFETY: ours, freed once.
        unsafe { (self.libav.call.av_packet_free)(&raw mut packet) };
    }
}
