//! A receiver's side of one ring.

use crate::clock::monotonic_ns;
use crate::delay::APART_NS;
use crate::error::RingError;
use crate::layout::{Geometry, Origin, RingId};
use crate::memory::Mapping;
use crate::monitor::BoardMonitor;
use crate::pages::Prefault;
use crate::protocol::{self, Located};
use crate::region::Region;
use crate::seat::Seat;
use crate::source::AtEnd;
use crate::words::{
    Board, FLAG_CLOSE_AT_END, FLAG_GRACE_AT_END, FLAG_RELAY, FRAME_INCOMPLETE, FRAME_RELAYED, Head,
    SlotLine,
};
use crate::{fork, futex};
use rustix::fs::fstat;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Relaxed, Release, SeqCst},
};

/// A ring that this process has joined. Shared by the receiver and by the frames that it has given
/// out, so that the memory stays for as long as one of them is held.
#[derive(Debug)]
pub struct Reader {
    pool: Arc<Mapping>,
    board: BoardMonitor,
    seat: Seat,
    start: u64,
    /// Of the ring.
    mark: u32,
    held: AtomicU32,
    made: fork::ForkMark,
    /// Dropped, and so ended, with the reader.
    _prefault: Prefault,
}

/// Number of attempts for which one look follows a source that outruns it.
const LOOKS: usize = 64;

/// Result of a look for the next frame.
#[derive(Debug)]
pub(crate) enum Look {
    /// It is here.
    Taken(Frame),
    /// It is not published yet; the head that says so.
    Nothing(Head),
    /// The source has closed, and everything was read.
    Ended,
    /// This receiver holds as many frames as it may.
    Limit,
}

/// Position of a receiver in a ring. Kept apart from [`Reader`], under the receiver's lock.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) reader: Arc<Reader>,
    /// Next sequence to read.
    pub(crate) next: u64,
    /// State of the frames before the next one.
    pub(crate) past: Past,
    /// Time of put of the frame whose delay was measured last.
    measured: u64,
    /// The clock of the frames' own times, if there is one.
    tai_now: Option<fn() -> u64>,
}

/// State of the frames before the next one, which a receiver carries from ring to ring.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Past {
    /// Frames missed since the last one taken.
    pub(crate) missed: u64,
    /// Origin of the last frame.
    last: Option<Origin>,
}

/// Properties of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameInfo {
    /// Number of the frame, contiguous from 0 for each source, on whatever host that is.
    pub sequence: u64,
    /// Mark of the ring that the source has put it into: another one means another source.
    pub origin: u32,
    /// TAI time, nanoseconds.
    pub tai_ns: u64,
    /// `CLOCK_MONOTONIC` at put, nanoseconds.
    pub published_ns: u64,
    /// Frames that this receiver missed right before this one, those that were lost between hosts
    /// among them.
    pub missed: u64,
    /// Parts of the payload did not arrive; see [`Frame::missing`].
    pub incomplete: bool,
}

impl Reader {
    /// Joins the ring: checks what the source gave, and maps it. The seat must be on the source's
    /// list already, and `start` is what the source said then.
    pub fn open(
        pool: &OwnedFd,
        board: OwnedFd,
        seat: Seat,
        start: u64,
    ) -> Result<Arc<Self>, RingError> {
        let board = BoardMonitor::open(board)?;
        board.check_pool(pool.as_fd())?;
        // On huge pages the pool is a little larger than its shape, and can only be unmapped as a
        // whole.
        let size = fstat(pool).map_err(RingError::system("fstat"))?.st_size;
        let pool = Arc::new(Mapping::read_only(pool.as_fd(), usize::try_from(size).unwrap_or(0))?);
        let base = board.geometry().bytes_of(board.geometry().base_slots);
        let prefault = Prefault::start(Arc::clone(&pool), base);
        let made = fork::ForkMark::here();
        let mark = board.ring_id().mark();
        let held = AtomicU32::new(0);
        Ok(Arc::new(Self { pool, board, seat, start, mark, held, made, _prefault: prefault }))
    }

    /// Identifier of the ring.
    #[must_use]
    pub fn ring_id(&self) -> RingId {
        self.board.ring_id()
    }

    /// Shape of the ring.
    #[must_use]
    pub fn geometry(&self) -> &Geometry {
        self.board.geometry()
    }

    /// The seat in this ring.
    #[must_use]
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Frames that the program holds.
    pub(crate) fn held(&self) -> u32 {
        self.held.load(Relaxed)
    }

    /// The source's wish for its end. Libraries before [`AtEnd::Grace`] express `wait` by no flag.
    pub(crate) fn at_end(&self) -> AtEnd {
        let flags = self.board.flags();
        if flags & FLAG_CLOSE_AT_END != 0 {
            AtEnd::Close
        } else if flags & FLAG_GRACE_AT_END != 0 {
            AtEnd::Grace
        } else {
            AtEnd::Wait
        }
    }

    /// Whether the source is a relay that has not published a frame yet.
    pub(crate) fn is_idle_relay(&self) -> bool {
        self.board.flags() & FLAG_RELAY != 0 && self.head().count() == 0
    }

    /// Whether the source has left the ring without closing it.
    pub(crate) fn is_abandoned(&self) -> bool {
        protocol::is_abandoned(self.shared())
    }

    fn shared(&self) -> Board<'_> {
        self.board.board()
    }

    pub(crate) fn head(&self) -> Head {
        protocol::load_head(self.shared())
    }

    /// The word to sleep on until the head is no longer `head`.
    pub(crate) fn head_word(&self, head: Head) -> futex::Expected<'_> {
        futex::Expected::shared(futex::low_half(&self.shared().line.head), head.0 as u32)
    }

    /// Announces that a thread is about to sleep on `head`; false if it has changed.
    pub(crate) fn announce_sleep(&self, head: Head) -> bool {
        protocol::announce_sleep(self.shared(), self.seat.line(), head)
    }

    /// Tells the source that the seat has changed, and wakes it where it waits.
    fn moved(&self) {
        let line = self.seat.line();
        if protocol::moved(self.shared(), line) {
            futex::wake_all(&line.tick);
        }
    }
}

impl Cursor {
    /// At the start of a ring.
    pub(crate) fn new(reader: Arc<Reader>, past: Past, tai_now: Option<fn() -> u64>) -> Self {
        Self { next: reader.start, reader, past, measured: 0, tai_now }
    }

    /// Goes on in the same ring with another seat.
    pub(crate) fn sit(&mut self, reader: Arc<Reader>) -> Arc<Reader> {
        let left = std::mem::replace(&mut self.reader, reader);
        self.reader.seat.line().position.store(self.next, Release);
        self.reader.moved();
        left
    }

    /// Takes the next frame, or the newest one where that is gone.
    pub(crate) fn look(&mut self) -> Look {
        let board = self.reader.shared();
        let mut head = protocol::load_head(board);
        if self.next >= head.count() {
            return if head.closed() { Look::Ended } else { Look::Nothing(head) };
        }
        // On its way while the lease is announced, which waits for another line.
        if let Some(line) = board.slots.get(head.slot()) {
            prefetch(line);
        }
        let reader = Arc::clone(&self.reader);
        let board = reader.shared();
        for _ in 0..LOOKS {
            head = protocol::load_head(board);
            let slot = match protocol::locate(board, head, self.next) {
                Located::Slot(slot) => slot,
                Located::Ahead if head.closed() => return Look::Ended,
                Located::Ahead => return Look::Nothing(head),
                Located::Lapped => {
                    self.skip_to(head.count() - 1);
                    continue;
                }
            };
            if reader.held.load(Relaxed) as usize >= reader.geometry().lease_limit() {
                return Look::Limit;
            }
            if protocol::take(board, reader.seat.line(), slot, self.next) {
                reader.moved();
                return Look::Taken(self.frame(reader, slot));
            }
            // The source took the frame back: go on with the newest, or, if this was the newest,
            // with the one to come.
            let newest = protocol::load_head(board).count().saturating_sub(1);
            self.skip_to(newest);
            reader.moved();
        }
        // Only a source that works against its receivers outruns so many looks.
        Look::Nothing(head)
    }

    /// Gives frames up until the newest one, at least one; those from the start of the seat on are
    /// kept for it, though.
    fn skip_to(&mut self, newest: u64) {
        let start = self.reader.start;
        let target = if self.next < start { start.min(newest) } else { newest };
        let frames = target.saturating_sub(self.next).max(1);
        self.next += frames;
        // A hostile source makes it leap as far as numbers go.
        self.past.missed = self.past.missed.saturating_add(frames);
        // The source must not wait for frames that this receiver will not take any more.
        self.reader.seat.line().position.store(self.next, Release);
        self.count_missed(frames);
    }

    fn count_missed(&self, frames: u64) {
        let missed = &self.reader.seat.counts().missed;
        missed.store(missed.load(Relaxed).saturating_add(frames), Relaxed);
    }

    /// Number of frames missed before this one.
    fn missed_before(&mut self, origin: Origin) -> u64 {
        let Past { missed, last } =
            std::mem::replace(&mut self.past, Past { missed: 0, last: Some(origin) });
        let gap = last
            .filter(|last| last.mark == origin.mark)
            .and_then(|last| origin.sequence.checked_sub(last.sequence)?.checked_sub(1));
        // Frames that a bridge has not brought; those that this receiver has missed are counted.
        let lost = gap.unwrap_or(0).saturating_sub(missed);
        if lost > 0 {
            self.count_missed(lost);
        }
        missed.saturating_add(lost)
    }

    fn frame(&mut self, reader: Arc<Reader>, slot: usize) -> Frame {
        let line = &reader.shared().slots[slot];
        let geometry = reader.geometry();
        let flags = line.flags.load(Relaxed);
        let origin = if flags & FRAME_RELAYED == 0 {
            Origin { mark: reader.mark, sequence: self.next }
        } else {
            let (sequence, mark) = (&line.origin_sequence, &line.origin_mark);
            Origin { mark: mark.load(Relaxed), sequence: sequence.load(Relaxed) }
        };
        let info = FrameInfo {
            sequence: origin.sequence,
            origin: origin.mark,
            tai_ns: line.tai_ns.load(Relaxed),
            published_ns: line.published_ns.load(Relaxed),
            missed: self.missed_before(origin),
            incomplete: flags & FRAME_INCOMPLETE != 0,
        };
        let regions = (line.regions.load(Relaxed) as usize).min(geometry.regions);
        // A length beyond the partition can only come from a broken source; what fits is all there
        // is.
        let payload_len = (line.payload_len.load(Relaxed) as usize).min(geometry.payload_size);
        let metadata_len = (line.metadata_len.load(Relaxed) as usize).min(geometry.metadata_size);
        self.next += 1;
        reader.held.fetch_add(1, SeqCst);
        let received = &reader.seat.counts().received;
        received.store(received.load(Relaxed) + 1, Relaxed);
        if info.published_ns.wrapping_sub(self.measured) >= APART_NS {
            self.measure(&reader, &info);
        }
        // There are at most 255 slots, 1024 regions and 1 GiB.
        let (slot, regions) = (slot as u16, regions as u16);
        let (payload_len, metadata_len) = (payload_len as u32, metadata_len as u32);
        Frame { reader, slot, regions, payload_len, metadata_len, info }
    }
}

impl Cursor {
    /// Counts how long a frame took.
    #[inline(never)]
    fn measure(&mut self, reader: &Reader, info: &FrameInfo) {
        self.measured = info.published_ns;
        reader.seat.handoff().note(monotonic_ns().saturating_sub(info.published_ns));
        if let Some(tai_now) = self.tai_now {
            let now = tai_now();
            // Clocks of two hosts are never quite the same; a time far ahead is on another scale.
            if info.tai_ns.saturating_sub(now) <= AHEAD_NS {
                reader.seat.age().note(now.saturating_sub(info.tai_ns));
            }
        }
    }
}

/// So far may a frame's time be ahead of this host's clock: a minute.
const AHEAD_NS: u64 = 60_000_000_000;

/// Has the processor fetch a line, where it can be told to.
#[inline]
fn prefetch(line: &SlotLine) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which changes nothing and never faults.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(line).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = line;
}

/// A frame that the program holds: its slot is not reused before the frame is dropped.
#[derive(Debug)]
pub struct Frame {
    reader: Arc<Reader>,
    slot: u16,
    regions: u16,
    payload_len: u32,
    metadata_len: u32,
    info: FrameInfo,
}

impl Frame {
    /// Identifier of the ring that it lies in.
    #[must_use]
    pub fn ring_id(&self) -> RingId {
        self.reader.ring_id()
    }

    /// First byte of the payload, 64-byte aligned.
    #[must_use]
    pub fn payload_ptr(&self) -> *const u8 {
        let offset = self.reader.geometry().payload_offset(self.slot.into());
        self.reader.pool.start().wrapping_add(offset)
    }

    /// First byte of the metadata.
    #[must_use]
    pub fn metadata_ptr(&self) -> *const u8 {
        self.payload_ptr().wrapping_add(self.reader.geometry().metadata_offset())
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        // SAFETY: within the mapping, whose size was checked against the shape. The lease keeps the
        // source, the only one who can write there, from doing so.
        unsafe { std::slice::from_raw_parts(self.payload_ptr(), self.payload_len()) }
    }

    /// The metadata.
    #[must_use]
    pub fn metadata(&self) -> &[u8] {
        // SAFETY: as for the payload.
        unsafe { std::slice::from_raw_parts(self.metadata_ptr(), self.metadata_len()) }
    }

    /// Payload bytes.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.payload_len as usize
    }

    /// Metadata bytes.
    #[must_use]
    pub fn metadata_len(&self) -> usize {
        self.metadata_len as usize
    }

    /// Missing parts of an incomplete frame's payload, in order. Empty if the source does not know
    /// them.
    pub fn missing(&self) -> impl ExactSizeIterator<Item = Region> + '_ {
        let geometry = self.reader.geometry();
        let place = self.payload_ptr().wrapping_add(geometry.regions_offset()).cast::<u64>();
        let size = geometry.payload_size;
        (0..usize::from(self.regions)).map(move |index| {
            // SAFETY: within the mapping, whose size was checked against the shape, and at a
            // multiple of 8. The lease keeps the source from writing there.
            let word = unsafe { place.add(index).read() };
            // One that leads out of the payload can only come from a broken source.
            Region::from_word(word).within(size).unwrap_or_default()
        })
    }

    /// The frame's number and times.
    #[must_use]
    pub fn info(&self) -> FrameInfo {
        self.info
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        if self.reader.made.is_here() {
            protocol::give_back(self.reader.seat.line(), self.slot.into());
            self.reader.held.fetch_sub(1, SeqCst);
            self.reader.moved();
        }
    }
}
