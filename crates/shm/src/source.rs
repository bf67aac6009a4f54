//! The source of a ring: allocates slots, publishes frames, and tracks its receivers.

mod seats;
mod slots;
mod wait;
mod write;

use crate::clock::{Deadline, monotonic_ns, rough_ns};
use crate::error::RingError;
use crate::interrupt::{Interrupt, Waiter};
use crate::layout::{
    BOARD_MAGIC, BOARD_SIZE, BoardHeader, COUNTS_OFFSET, ENTRIES_OFFSET, Geometry, HEAD_OFFSET,
    LAYOUT_VERSION, Origin, PAYLOAD_OFFSET, RingId, SLOTS_OFFSET, SYSDATA_SIZE,
};
use crate::memory::{OwnMemory, Pages};
use crate::pages::{Prefault, pool_memory};
use crate::spin::Spin;
use crate::stats::Stats;
use crate::words::{
    Board, ENTRIES, FLAG_CLOSE_AT_END, FLAG_GRACE_AT_END, FLAG_LIVE, FLAG_RELAY, FRAME_INCOMPLETE,
    FRAME_RELAYED, Head, NO_FRAME, SourceCounts,
};
use crate::{futex, protocol};
use parking_lot::{Mutex, MutexGuard};
use seats::Seats;
use slots::Slots;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
pub use write::WriteSlot;

/// Options of a source.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Bytes of the payload partition.
    pub payload_size: usize,
    /// Bytes of the metadata partition.
    pub metadata_size: usize,
    /// Frames that may be published and unread.
    pub capacity: usize,
    /// Never wait for receivers.
    pub live: bool,
    /// Time for which a receiver may keep the source waiting before it is stalled.
    pub stall_time: Duration,
    /// Number of receivers that the first get waits for.
    pub wait_for_receivers: usize,
    /// What receivers without a setting of their own do when this source closes.
    pub at_end: AtEnd,
    /// Number of missing regions that each slot can describe, at most 1024; 0 for a source of whole
    /// frames.
    pub regions: usize,
    /// It passes on frames from elsewhere: its presence alone does not keep a stream from ending,
    /// and if it is dropped without a word, that is no end.
    pub relay: bool,
}

/// What a receiver does when a source has closed and everything was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AtEnd {
    /// It waits for the next source, for as long as that takes.
    Wait,
    /// It ends, unless another source follows within [`GRACE`](crate::GRACE).
    #[default]
    Grace,
    /// It ends.
    Close,
}

/// The source of one ring. All calls may come from any thread.
#[derive(Debug, Clone)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Arc<OwnMemory>,
    board: OwnMemory,
    ring_id: RingId,
    geometry: Geometry,
    options: SourceOptions,
    interrupt: Interrupt,
    state: Mutex<State>,
    spin: Mutex<Spin>,
    /// Dropped, and so ended, with the source.
    _prefault: Prefault,
}

#[derive(Debug)]
struct State {
    slots: Slots,
    seats: Seats,
    audience_met: bool,
}

impl Source {
    /// A source with an empty ring. Its memory is sealed; pages are made ready in the background.
    pub fn new(options: SourceOptions, random: [u8; 16]) -> Result<Self, RingError> {
        let geometry = Geometry::new(options.payload_size, options.metadata_size, options.capacity)
            .and_then(|geometry| geometry.with_regions(options.regions))
            .map_err(RingError::Shape)?;
        let ring_id = RingId(random);
        let board = OwnMemory::new("mcm-board", BOARD_SIZE, Pages::Ordinary)?;
        let header = BoardHeader {
            magic: BOARD_MAGIC,
            version: LAYOUT_VERSION,
            capacity: geometry.capacity as u32,
            payload_size: geometry.payload_size as u64,
            metadata_size: geometry.metadata_size as u64,
            ring_id: ring_id.0,
            regions: geometry.regions as u64,
        };
        // SAFETY: the header fits before the head line, and the memory is not shared yet.
        unsafe { board.mapping().start().cast::<BoardHeader>().write(header) };
        board.seal()?;
        let base = geometry.bytes_of(geometry.base_slots);
        let pool = Arc::new(pool_memory(geometry.pool_size(), base)?);
        let prefault = Prefault::start(Arc::clone(&pool), base);
        let state = State {
            slots: Slots::new(&geometry),
            seats: Seats::default(),
            audience_met: options.wait_for_receivers == 0,
        };
        let inner = Inner {
            pool,
            board,
            ring_id,
            geometry,
            options,
            interrupt: Interrupt::default(),
            state: Mutex::new(state),
            spin: Mutex::new(Spin::new()),
            _prefault: prefault,
        };
        let board = inner.board();
        board.slots.iter().for_each(|line| line.sequence.store(NO_FRAME, Relaxed));
        board.entries.iter().for_each(|entry| entry.store(u64::MAX, Relaxed));
        let flag = |wanted, flag| if wanted { flag } else { 0 };
        let flags = flag(inner.options.at_end == AtEnd::Close, FLAG_CLOSE_AT_END)
            | flag(inner.options.at_end == AtEnd::Grace, FLAG_GRACE_AT_END)
            | flag(inner.options.relay, FLAG_RELAY)
            | flag(inner.options.live, FLAG_LIVE);
        board.line.flags.store(flags, Relaxed);
        inner.counts().slots_touched.store(inner.geometry.base_slots as u32, Relaxed);
        Ok(Self(Arc::new(inner)))
    }

    /// Whether a wait for receivers may spin for some microseconds first, which it does only where
    /// spinning has succeeded before. The default is yes.
    pub fn set_spinning(&self, allowed: bool) {
        self.0.spin.lock().set_allowed(allowed);
    }

    /// Identifier of the ring.
    #[must_use]
    pub fn ring_id(&self) -> RingId {
        self.0.ring_id
    }

    /// Shape of the ring.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        &self.0.geometry
    }

    /// Whether the source is a relay of frames from another host.
    #[must_use]
    pub fn is_relay(&self) -> bool {
        self.0.options.relay
    }

    /// Descriptor of the pool, to hand out.
    #[must_use]
    pub fn pool_fd(&self) -> BorrowedFd<'_> {
        self.0.pool.fd()
    }

    /// Descriptor of the board, to hand out.
    #[must_use]
    pub fn board_fd(&self) -> BorrowedFd<'_> {
        self.0.board.fd()
    }

    /// Puts a receiver on the list, under a number of the caller's choice. It may read from the
    /// returned sequence on.
    pub fn join(&self, id: u64, seat: OwnedFd, live: bool) -> Result<u64, RingError> {
        let mut state = self.0.state.lock();
        let start = state.slots.published();
        state.seats.add(id, seat, live || self.0.options.live, start)?;
        drop(state);
        self.0.interrupt.bump();
        Ok(start)
    }

    /// Stops waiting for a receiver that the proxy reports as gone. Its leases count until it is
    /// [reaped](Self::reap) or has closed its seat.
    pub fn detach(&self, id: u64) {
        self.0.state.lock().seats.detach(id);
        self.0.interrupt.bump();
    }

    /// A receiver's process is proven dead: its seat goes, with all its leases.
    pub fn reap(&self, id: u64) {
        self.0.state.lock().seats.remove(id);
        self.0.interrupt.bump();
    }

    /// Drops the seats that their receivers have closed, and returns their numbers.
    pub fn sweep(&self) -> Vec<u64> {
        self.0.state.lock().seats.sweep()
    }

    /// A slot to write.
    pub fn get(&self, deadline: Deadline) -> Result<WriteSlot, RingError> {
        let inner = &self.0;
        inner.interrupt.check_open()?;
        inner.check_here()?;
        let mut state = inner.state.lock();
        let slot = match inner.pick(&mut state) {
            Some(slot) => slot,
            None => {
                let waiter = inner.waiter(deadline)?;
                let what = if state.audience_met {
                    "no free buffer"
                } else {
                    "fewer receivers are there than it waits for"
                };
                self.wait(state, deadline, waiter, what, Inner::pick)?
            }
        };
        Ok(WriteSlot {
            source: self.clone(),
            slot: Some(slot as u16),
            payload_len: inner.geometry.payload_size as u32,
            metadata_len: 0,
            tai_ns: None,
            missing: None,
            origin: Origin::default(),
        })
    }

    /// Publishes a slot. Waits for receivers whose queue is full. On failure the slot comes back
    /// with the reason.
    pub fn put(
        &self,
        mut write: WriteSlot,
        deadline: Deadline,
        tai_now: impl FnOnce() -> u64,
    ) -> Result<(), (WriteSlot, RingError)> {
        let inner = &self.0;
        if !Arc::ptr_eq(inner, &write.source.0) {
            return Err((write, RingError::Shape("the slot belongs to another source")));
        }
        if let Err(error) = inner.interrupt.check_open().and_then(|()| inner.check_here()) {
            return Err((write, error));
        }
        let mut state = inner.state.lock();
        if !inner.has_room(&mut state) {
            let room = inner.waiter(deadline).and_then(|waiter| {
                let what = "receivers have not made room";
                self.wait(state, deadline, waiter, what, |inner, state| {
                    inner.has_room(state).then_some(())
                })
            });
            if let Err(error) = room {
                return Err((write, error));
            }
            // The lock was released; another thread may have filled the queue by one meanwhile.
            // That is as good as room.
            state = inner.state.lock();
        }
        // Another thread may have closed the source since; nothing is published after that.
        if let Err(error) = inner.interrupt.check_open() {
            return Err((write, error));
        }
        let Some(slot) = write.slot.take() else {
            return Err((write, RingError::Closed("the buffer was put already")));
        };
        let tai_ns = write.tai_ns.unwrap_or_else(tai_now);
        let replaced = inner.publish(&mut state, slot.into(), &write, tai_ns);
        let wake = state.seats.any_sleeps_on(replaced);
        drop(state);
        if wake {
            futex::wake_all(futex::low_half(&inner.board().line.head));
        }
        // A get of another thread may have waited for this one to put a buffer.
        inner.interrupt.nudge();
        Ok(())
    }

    /// Waits until a get and a put would not block, without taking anything. Cancels pass by.
    pub fn wait_ready(&self, deadline: Deadline) -> Result<(), RingError> {
        let inner = &self.0;
        inner.check_here()?;
        let waiter = Some(inner.interrupt.watch()?);
        self.wait(inner.state.lock(), deadline, waiter, "no free buffer", |inner, state| {
            if !inner.has_room(state) {
                return None;
            }
            let slot = inner.pick(state)?;
            state.slots.discard(slot);
            Some(())
        })
    }

    /// Closes the source: it publishes nothing more. Published frames stay readable for receivers
    /// that have joined.
    pub fn close(&self, reason: &'static str) {
        if !self.0.pool.mapping().is_here() {
            return;
        }
        if !self.0.interrupt.is_closed() {
            self.0.interrupt.close(reason);
            self.0.source_closed();
        }
    }

    /// Leaves the ring without an end of the stream: it goes on, or may go on, in another ring.
    /// Receivers read what was published, and wait for that one.
    pub fn leave(&self, reason: &'static str) {
        if !self.0.pool.mapping().is_here() {
            return;
        }
        if !self.0.interrupt.is_closed() {
            self.0.interrupt.close(reason);
            self.0.abandon();
        }
    }

    /// Interrupts blocked calls, or the next one that would block.
    pub fn cancel(&self) {
        self.0.interrupt.cancel();
    }

    /// Counts so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if self.0.check_here().is_err() {
            return Stats::default();
        }
        let state = self.0.state.lock();
        Stats {
            frames: state.slots.published(),
            bytes: self.0.counts().bytes.load(Relaxed),
            waits: self.0.counts().waits.load(Relaxed),
            held: state.slots.writing() as u32,
            hold_limit: self.0.geometry.capacity,
            peers: state.seats.len() as u32,
            ..Stats::default()
        }
    }
}

impl Inner {
    fn board(&self) -> Board<'_> {
        let mapping = self.board.mapping();
        // SAFETY: all three consist of atomics; the offsets lie within the board.
        unsafe {
            Board {
                line: mapping.at(HEAD_OFFSET),
                entries: mapping.slice_at(ENTRIES_OFFSET, ENTRIES),
                slots: mapping.slice_at(SLOTS_OFFSET, self.geometry.slot_count),
            }
        }
    }

    fn counts(&self) -> &SourceCounts {
        // SAFETY: the counts are atomics.
        unsafe { self.board.mapping().at(COUNTS_OFFSET) }
    }

    fn check_here(&self) -> Result<(), RingError> {
        if self.pool.mapping().is_here() { Ok(()) } else { Err(RingError::Forked) }
    }

    /// Prepares a call for blocking, unless it must not.
    fn waiter(&self, deadline: Deadline) -> Result<Option<Waiter<'_>>, RingError> {
        if deadline == Deadline::Now { Ok(None) } else { self.interrupt.enter().map(Some) }
    }

    /// A slot to write, if there is one now.
    fn pick(&self, state: &mut State) -> Option<usize> {
        if !state.audience_met {
            if state.seats.len() < self.options.wait_for_receivers {
                return None;
            }
            state.audience_met = true;
        }
        let State { slots, seats, .. } = state;
        // Only the stall clock needs the time: a rough one, rather late, spares each frame a
        // reading of the exact one.
        seats.observe(slots.published(), rough_ns());
        if let Some(slot) = slots.pick(self.board(), &self.geometry, seats) {
            return Some(slot);
        }
        let grown = slots.grow(&self.geometry)?;
        self.counts().slots_touched.store(grown as u32 + 1, Relaxed);
        Some(grown)
    }

    /// Whether no receiver that the source waits for has a full queue.
    fn has_room(&self, state: &mut State) -> bool {
        let (published, capacity) = (state.slots.published(), self.geometry.capacity as u64);
        // Positions only grow: what was room when they were last read is room now, and the seats
        // need not be touched.
        if state.seats.any_full(published, capacity) {
            state.seats.observe(published, monotonic_ns());
            return !state.seats.any_full(published, capacity);
        }
        true
    }

    /// Writes what the board and the system data say of a frame, and publishes it.
    fn publish(&self, state: &mut State, slot: usize, write: &WriteSlot, tai_ns: u64) -> Head {
        let board = self.board();
        let sequence = state.slots.published();
        let now = monotonic_ns();
        let (payload_len, metadata_len) = (write.payload_len, write.metadata_len);
        let line = &board.slots[slot];
        line.tai_ns.store(tai_ns, Relaxed);
        line.published_ns.store(now, Relaxed);
        line.payload_len.store(payload_len, Relaxed);
        line.metadata_len.store(metadata_len, Relaxed);
        let flag = |wanted, flag| if wanted { flag } else { 0 };
        let flags = flag(write.missing.is_some(), FRAME_INCOMPLETE)
            | flag(write.origin.mark != 0, FRAME_RELAYED);
        line.flags.store(flags, Relaxed);
        line.regions.store(write.missing.unwrap_or(0), Relaxed);
        let mut number = sequence;
        if write.origin.mark != 0 {
            number = write.origin.sequence;
            line.origin_sequence.store(number, Relaxed);
            line.origin_mark.store(write.origin.mark, Relaxed);
        }
        let mut sysdata = [0u8; SYSDATA_SIZE];
        sysdata[0..8].copy_from_slice(&((tai_ns / 1_000_000) as i64).to_le_bytes());
        sysdata[8..12].copy_from_slice(&(number as u32).to_le_bytes());
        sysdata[12..16].copy_from_slice(&payload_len.to_le_bytes());
        sysdata[16..20].copy_from_slice(&metadata_len.to_le_bytes());
        let offset = self.geometry.payload_offset(slot) - SYSDATA_SIZE;
        const { assert!(SYSDATA_SIZE <= PAYLOAD_OFFSET) };
        // SAFETY: the system data lies in the slot, before its payload; the slot is this thread's
        // until it is published.
        unsafe {
            let place = self.pool.mapping().start().add(offset);
            std::ptr::copy_nonoverlapping(sysdata.as_ptr(), place, SYSDATA_SIZE);
        }
        let counts = self.counts();
        counts.bytes.store(counts.bytes.load(Relaxed) + u64::from(payload_len), Relaxed);
        let replaced = protocol::publish(board, sequence, slot);
        state.slots.published_slot(slot, now);
        replaced
    }

    fn source_closed(&self) {
        // Under the lock: a put in progress would otherwise write a head that is open again.
        let state = self.lock();
        let replaced = protocol::close(self.board());
        let wake = state.seats.any_sleeps_on(replaced);
        drop(state);
        if wake {
            futex::wake_all(futex::low_half(&self.board().line.head));
        }
    }

    fn abandon(&self) {
        // Under the lock: a put in progress would otherwise publish behind the last word.
        let state = self.lock();
        protocol::abandon(self.board());
        drop(state);
        futex::wake_all(futex::low_half(&self.board().line.head));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if !self.pool.mapping().is_here() || self.interrupt.is_closed() {
            return;
        }
        // Only the origin of a stream ends it.
        if self.options.relay {
            self.abandon();
        } else {
            self.source_closed();
        }
    }
}
