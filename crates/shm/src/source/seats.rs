//! The receivers of a source.

use crate::clock::monotonic_ns;
use crate::error::RingError;
use crate::layout::MAX_SEATS;
use crate::protocol;
use crate::seat::SeatView;
use crate::stall::Standing;
use crate::words::{Head, SEAT_CLOSED};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed};

#[derive(Debug)]
struct Entry {
    id: u64,
    view: Arc<SeatView>,
    standing: Standing,
}

impl Entry {
    fn left(&self) -> bool {
        self.view.line().state.load(Acquire) == SEAT_CLOSED
    }
}

/// The list of seats.
#[derive(Debug, Default)]
pub(super) struct Seats {
    entries: Vec<Entry>,
    /// Numbers of the seats that were dropped because their receivers had closed them.
    swept: Vec<u64>,
}

/// A receiver that the source waits for.
#[derive(Debug)]
pub(super) struct Blocker {
    pub(super) view: Arc<SeatView>,
    /// Its tick, read before the source announced that it waits.
    pub(super) tick: u32,
}

impl Seats {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn add(
        &mut self,
        id: u64,
        seat: OwnedFd,
        live: bool,
        start: u64,
    ) -> Result<(), RingError> {
        self.drop_left();
        if self.entries.len() >= MAX_SEATS {
            return Err(RingError::Full(MAX_SEATS));
        }
        let view = Arc::new(SeatView::open(seat)?);
        let standing = Standing::new(start, live, monotonic_ns());
        self.entries.push(Entry { id, view, standing });
        Ok(())
    }

    pub(super) fn detach(&mut self, id: u64) {
        self.entries
            .iter_mut()
            .filter(|entry| entry.id == id)
            .for_each(|entry| entry.standing.detach());
    }

    pub(super) fn remove(&mut self, id: u64) {
        self.entries.retain(|entry| entry.id != id);
    }

    fn drop_left(&mut self) {
        let swept = &mut self.swept;
        self.entries.retain(|entry| {
            let left = entry.left();
            if left {
                swept.push(entry.id);
            }
            !left
        });
    }

    pub(super) fn sweep(&mut self) -> Vec<u64> {
        self.drop_left();
        std::mem::take(&mut self.swept)
    }

    /// Takes in what the seats say now.
    pub(super) fn observe(&mut self, published: u64, now: u64) {
        let mut left = false;
        for entry in &mut self.entries {
            let line = entry.view.line();
            left |= line.state.load(Relaxed) == SEAT_CLOSED;
            entry.standing.observe(line.position.load(Acquire), published, now);
        }
        if left {
            self.drop_left();
        }
    }

    /// First sequence that some receiver still wants.
    pub(super) fn wanted_from(&self) -> u64 {
        self.entries.iter().map(|entry| entry.standing.wants_from()).min().unwrap_or(u64::MAX)
    }

    /// First sequence that must be kept even when room is short.
    pub(super) fn kept_from(&self, published: u64, capacity: u64) -> u64 {
        let kept = self.entries.iter().map(|entry| entry.standing.keeps_from(published, capacity));
        kept.min().unwrap_or(u64::MAX)
    }

    pub(super) fn any_leases(&self, slot: usize) -> bool {
        self.entries.iter().any(|entry| protocol::leased(entry.view.line(), slot))
    }

    /// Drops seats with more leases than this library's receivers ever take: one beyond the limit
    /// may be a look in progress.
    pub(super) fn evict_hoarders(&mut self, limit: usize) {
        self.entries.retain(|entry| {
            let leases = &entry.view.line().leases;
            let held: u32 = leases.iter().map(|word| word.load(Relaxed).count_ones()).sum();
            let hoards = held as usize > limit + 1;
            if hoards {
                log::warn!(
                    "receiver {} holds {held} slots, at most {limit} are allowed: dropped",
                    entry.id
                );
            }
            !hoards
        });
    }

    pub(super) fn any_sleeps_on(&self, replaced: Head) -> bool {
        self.entries.iter().any(|entry| protocol::sleeps_on(entry.view.line(), replaced))
    }

    /// Whether a receiver that the source waits for has a full queue.
    pub(super) fn any_full(&self, published: u64, capacity: u64) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.standing.counted() && entry.standing.unread(published) >= capacity)
    }

    /// Everyone whose move could end a wait, with the ticks of now.
    pub(super) fn blockers(&self) -> Vec<Blocker> {
        let blocker = |entry: &Entry| Blocker {
            tick: protocol::tick(entry.view.line()),
            view: Arc::clone(&entry.view),
        };
        self.entries.iter().map(blocker).collect()
    }

    /// Marks those who have kept the source waiting for the stall time, and returns when the next
    /// one will have.
    ///
    /// `oldest_unread` tells when the frame with that sequence was published, `None` where there is
    /// no such frame; `since` is when the present wait began.
    pub(super) fn stall(
        &mut self,
        now: u64,
        since: u64,
        stall_ns: u64,
        blocks: impl Fn(&Standing) -> bool,
        oldest_unread: impl Fn(u64) -> Option<u64>,
    ) -> u64 {
        let mut next = u64::MAX;
        for entry in &mut self.entries {
            if !entry.standing.counted() || !blocks(&entry.standing) {
                continue;
            }
            let waiting_since = oldest_unread(entry.standing.position()).unwrap_or(since);
            let stalls_at = entry.standing.stalls_at(waiting_since, stall_ns);
            if stalls_at <= now {
                log::debug!("receiver {} is late and not waited for until it moves", entry.id);
                entry.standing.stall();
                next = now;
            } else {
                next = next.min(stalls_at);
            }
        }
        next
    }
}
