//! The frame window: open frames, and the order of their delivery.

use std::collections::VecDeque;

use media::Tai;

use super::{Fields, WindowLimits};
use crate::time::RtpTimestamp;

/// Names an open frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FrameId(u64);

/// Where a packet goes.
#[derive(Debug)]
pub enum Place<'a, S> {
    /// Into the slot of that frame.
    Slot {
        /// The frame, for [`FrameWindow::complete`].
        frame: FrameId,
        /// What the frame was opened with.
        slot: &'a mut S,
    },
    /// Nowhere: its frame is finished, or older than one that is.
    Late,
    /// Nowhere: its timestamp is implausible, far from the stream's.
    Implausible,
    /// Nowhere: there was no slot when its frame began, or finished frames have not been taken.
    NoSlot,
}

/// Why a frame is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Nothing is missing.
    Complete,
    /// Its last packet was there, and what was sent before it did not come within the skew.
    Marker,
    /// A newer frame began, and nothing came within the skew.
    Newer,
    /// It was open for too long.
    Timeout,
    /// Too many frames are open.
    Pushed,
    /// The sender started again.
    Restart,
}

/// A finished frame.
#[derive(Debug, PartialEq, Eq)]
pub struct Finished<S> {
    /// The timestamp of the frame, or of its first field. If nothing of the first field came, it is
    /// computed from that of the second.
    pub timestamp: RtpTimestamp,
    /// What the frame was opened with.
    pub slot: S,
    /// Why it is finished. Anything but [`End::Complete`] may have gaps.
    pub end: End,
}

/// Counts since the window was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames delivered complete.
    pub complete: u64,
    /// Frames delivered for another reason.
    pub incomplete: u64,
    /// Frames for which there was no slot.
    pub without_slot: u64,
    /// Packets of finished frames.
    pub late: u64,
    /// Packets with implausible timestamps.
    pub implausible: u64,
}

/// Puts packets together to frames; see the [module](crate::window). `S` is what a frame is
/// received into.
#[derive(Debug)]
pub struct FrameWindow<S> {
    limits: WindowLimits,
    /// In the order of delivery.
    open: VecDeque<Open<S>>,
    /// The last frame that was taken.
    last: Option<RtpTimestamp>,
    /// When a packet last had a place.
    heard: Option<Tai>,
    epoch: u64,
    next: u64,
    counts: Counts,
}

#[derive(Debug)]
struct Open<S> {
    id: FrameId,
    epoch: u64,
    /// The frame's timestamp.
    key: RtpTimestamp,
    /// Only packets of the second field have come, with this timestamp.
    second_only: bool,
    markers: [bool; 2],
    ends: Tai,
    end: End,
    slot: Option<S>,
}

impl<S> Open<S> {
    fn end_by(&mut self, moment: Tai, end: End) {
        if self.end != End::Complete && moment < self.ends {
            (self.ends, self.end) = (moment, end);
        }
    }
}

impl<S> FrameWindow<S> {
    /// An empty window.
    pub const fn new(limits: WindowLimits) -> Self {
        Self {
            limits,
            open: VecDeque::new(),
            last: None,
            heard: None,
            epoch: 0,
            next: 0,
            counts: Counts { complete: 0, incomplete: 0, without_slot: 0, late: 0, implausible: 0 },
        }
    }

    /// Counts so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Frames that are open or wait to be taken.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no frame is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Finds the frame of a packet. `slot` is called with the frame's timestamp if it is a new one;
    /// with `None` the whole frame is passed over.
    pub fn packet(
        &mut self,
        now: Tai,
        timestamp: RtpTimestamp,
        second_field: bool,
        marker: bool,
        slot: impl FnOnce(RtpTimestamp) -> Option<S>,
    ) -> Place<'_, S> {
        let second = second_field && self.limits.fields == Fields::Two;
        let index = match self.find(timestamp, second) {
            Some(index) => index,
            None => {
                let key =
                    if second { timestamp.minus(self.limits.frame_ticks / 2) } else { timestamp };
                if let Some(refusal) = self.refusal(timestamp, key) {
                    let idle = self.heard.is_none_or(|at| now.since(at) >= self.limits.timeout);
                    if !idle {
                        match refusal {
                            Refusal::Late => self.counts.late += 1,
                            Refusal::Implausible => self.counts.implausible += 1,
                        }
                        return refusal.place();
                    }
                    self.restart(now);
                }
                let Some(index) = self.open(now, key, second, slot) else { return Place::NoSlot };
                index
            }
        };
        self.heard = Some(self.heard.map_or(now, |at| at.max(now)));
        let frame = &mut self.open[index];
        if frame.second_only && !second {
            (frame.second_only, frame.key) = (false, timestamp);
        }
        if marker {
            frame.markers[usize::from(second)] = true;
            let whole = self.limits.fields == Fields::One || frame.markers[1];
            if whole {
                frame.end_by(later(now, self.limits.skew), End::Marker);
            }
        }
        match &mut frame.slot {
            Some(slot) => Place::Slot { frame: frame.id, slot },
            None => Place::NoSlot,
        }
    }

    /// What an open frame was opened with. A packet with timestamp and field of one that
    /// [`FrameWindow::packet`] has just put there belongs there too, as long as nothing else is
    /// done with the window.
    pub fn slot(&mut self, frame: FrameId) -> Option<&mut S> {
        self.open.iter_mut().rev().find(|open| open.id == frame)?.slot.as_mut()
    }

    /// Nothing is missing of that frame: it is finished as soon as those before it are. A frame
    /// that is gone is ignored.
    pub fn complete(&mut self, frame: FrameId) {
        if let Some(open) = self.open.iter_mut().find(|open| open.id == frame) {
            open.end = End::Complete;
        }
    }

    /// The sender has started again: all open frames are finished, and any timestamp may follow.
    pub fn restart(&mut self, now: Tai) {
        for frame in &mut self.open {
            frame.end_by(now, End::Restart);
        }
        self.epoch += 1;
        self.last = None;
    }

    /// Takes the next finished frame.
    pub fn pop(&mut self, now: Tai) -> Option<Finished<S>> {
        loop {
            let first = self.open.front()?;
            if first.end != End::Complete && first.ends > now {
                return None;
            }
            let frame = self.open.pop_front()?;
            if frame.epoch == self.epoch {
                self.last = Some(frame.key);
            }
            // Frames without a slot are only passed over.
            if let Some(slot) = frame.slot {
                match frame.end {
                    End::Complete => self.counts.complete += 1,
                    _ => self.counts.incomplete += 1,
                }
                return Some(Finished { timestamp: frame.key, slot, end: frame.end });
            }
        }
    }

    /// When [`FrameWindow::pop`] is due at the latest; `None` if no frame is open.
    pub fn deadline(&self) -> Option<Tai> {
        let first = self.open.front()?;
        Some(if first.end == End::Complete { Tai::from_nanos(0) } else { first.ends })
    }

    /// Takes everything back, finished or not, for example to give the slots back when the stream
    /// is closed.
    pub fn clear(&mut self) -> impl Iterator<Item = S> {
        std::mem::take(&mut self.open).into_iter().filter_map(|frame| frame.slot)
    }

    fn find(&self, timestamp: RtpTimestamp, second: bool) -> Option<usize> {
        let near = self.reach();
        let own = |frame: &Open<S>| {
            let after = timestamp.since(frame.key);
            match (second, frame.second_only) {
                // Half a frame after the first field, or at the same time.
                (true, false) => (0..near).contains(&after),
                (true, true) => after == (self.limits.frame_ticks / 2) as i32,
                // The frame's key was guessed from the second field.
                (false, true) => after.unsigned_abs() < near as u32,
                (false, false) => after == 0,
            }
        };
        // The newest frame is the usual one.
        let found = self.open.iter().rposition(|frame| frame.epoch == self.epoch && own(frame))?;
        Some(found)
    }

    /// Timestamps that belong to one frame are less than this apart.
    fn reach(&self) -> i32 {
        match self.limits.fields {
            Fields::One => 1,
            Fields::Two => (self.limits.frame_ticks / 4 * 3).clamp(1, i32::MAX as u32) as i32,
        }
    }

    fn refusal(&self, timestamp: RtpTimestamp, key: RtpTimestamp) -> Option<Refusal> {
        let newest = self.open.back().filter(|frame| frame.epoch == self.epoch);
        let newest = newest.map(|frame| frame.key).or(self.last)?;
        let leap = i32::try_from(self.limits.leap).unwrap_or(i32::MAX);
        if timestamp.since(newest).unsigned_abs() > leap as u32 {
            return Some(Refusal::Implausible);
        }
        // Its frame may have been the last one taken.
        let late = |last: RtpTimestamp| timestamp.since(last) < self.reach() || !key.is_after(last);
        self.last.is_some_and(late).then_some(Refusal::Late)
    }

    /// Opens a frame at its place in the order.
    fn open(
        &mut self,
        now: Tai,
        key: RtpTimestamp,
        second_only: bool,
        slot: impl FnOnce(RtpTimestamp) -> Option<S>,
    ) -> Option<usize> {
        let limit = self.limits.open.max(1);
        // Only if the caller does not take the frames that are pushed out.
        if self.open.len() > limit {
            return None;
        }
        let slot = slot(key);
        self.counts.without_slot += u64::from(slot.is_none());
        let before = |frame: &Open<S>| frame.epoch != self.epoch || key.is_after(frame.key);
        let index = self.open.iter().take_while(|frame| before(frame)).count();
        for older in self.open.iter_mut().take(index) {
            older.end_by(later(now, self.limits.skew), End::Newer);
        }
        self.open.insert(
            index,
            Open {
                id: FrameId(self.next),
                epoch: self.epoch,
                key,
                second_only,
                markers: [false; 2],
                ends: later(now, self.limits.patience),
                end: End::Timeout,
                slot,
            },
        );
        self.next += 1;
        if self.open.len() > limit
            && let Some(first) = self.open.front_mut()
        {
            first.end_by(now, End::Pushed);
        }
        Some(index)
    }
}

#[derive(Clone, Copy)]
enum Refusal {
    Late,
    Implausible,
}

impl Refusal {
    fn place<'a, S>(self) -> Place<'a, S> {
        match self {
            Self::Late => Place::Late,
            Self::Implausible => Place::Implausible,
        }
    }
}

fn later(now: Tai, span: std::time::Duration) -> Tai {
    now.checked_add(span).unwrap_or(Tai::from_nanos(u64::MAX))
}
