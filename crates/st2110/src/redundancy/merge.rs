//! Merging of two paths: which copy of a packet is used.

use std::time::Duration;

use media::Tai;

use crate::sequence::{Arrival, Counts, History, NumberWidth, Placed, Tracker};

/// What to do with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// The first copy: use it.
    First {
        /// The continued sequence number, the same for both paths.
        number: u64,
        /// The sender has started again, or this is the first packet of all: what was open before
        /// is finished.
        restart: bool,
    },
    /// A copy of a packet that has been used.
    Duplicate,
    /// Too late to know whether it has been used.
    Late,
    /// Of an unknown source, or of another number range than the stream of the other path.
    Unknown,
}

/// Counts of one path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathCounts {
    /// The path's own accounting: received, lost and so on, as if there were no other path.
    pub stream: Counts,
    /// Packets used, being the first copy.
    pub used: u64,
    /// Packets that the path itself had not had before, but which came too late behind the other
    /// path.
    pub late: u64,
    /// Packets of a number range that the other path, which is alive, does not have.
    pub apart: u64,
}

/// Merges two paths of a stream, or takes a single one.
///
/// The first copy of each number is used. A number counts as used or not within a window, which is
/// as many packets as arrive in the greatest skew; that bounds the memory. Each path has its own
/// SSRC and its own accounting, and may be away for as long as it likes. Where the paths disagree
/// about the numbers altogether, the one that is being used stays until it has been silent for the
/// skew.
#[derive(Clone, Debug)]
pub struct Merge {
    width: NumberWidth,
    window: u64,
    skew: Duration,
    history: Option<History>,
    paths: [Path; 2],
    lost_before: u64,
    probe: Option<Probe>,
    measured: Option<(usize, Duration)>,
}

#[derive(Clone, Debug)]
struct Path {
    tracker: Tracker,
    counts: PathCounts,
    /// When a packet of this path last agreed with the merged stream.
    agreed: Option<Tai>,
}

/// A packet whose copy on the other path is waited for, to measure the skew.
#[derive(Clone, Copy, Debug)]
struct Probe {
    path: usize,
    number: u64,
    seen: Tai,
}

impl Merge {
    /// A merge of packets with numbers of that width, at most `packets_per_second` of them, whose
    /// paths are at most `skew` apart ([`crate::redundancy::SkewClass`]). With 16 bits the window
    /// cannot be greater than 16 384 packets.
    pub fn new(width: NumberWidth, skew: Duration, packets_per_second: u32) -> Self {
        // A quarter more than fits in the skew, since packets bunch.
        let packets = skew.as_nanos() * u128::from(packets_per_second) / 800_000_000;
        let widest = width.widest_window().min(1 << 20);
        let window = u64::try_from(packets).unwrap_or(u64::MAX).clamp(256, widest);
        let path = Path {
            tracker: Tracker::new(width, window as u32),
            counts: PathCounts::default(),
            agreed: None,
        };
        Self {
            width,
            window: window.next_power_of_two(),
            skew,
            history: None,
            paths: [path.clone(), path],
            lost_before: 0,
            probe: None,
            measured: None,
        }
    }

    /// The greatest distance in packets between the paths.
    pub const fn window(&self) -> u64 {
        self.window
    }

    /// Decides about a packet that came on `path` (0 or 1; anything else is unknown) at `now`.
    /// `number` is the sequence number on the wire, with RFC 4175's extension in the upper half if
    /// the width is 32 bits.
    pub fn packet(&mut self, path: usize, now: Tai, ssrc: u32, number: u32) -> Use {
        let Some(this) = self.paths.get_mut(path) else { return Use::Unknown };
        let arrival = this.tracker.feed(now, ssrc, number);
        if this.tracker.width() == NumberWidth::Bits16 {
            // The tracker has found out that the extension is not used.
            self.width = NumberWidth::Bits16;
        }
        match arrival {
            Arrival::First { .. } => self.decide(path, now, number, true),
            Arrival::New { .. } | Arrival::Reordered { .. } => {
                self.decide(path, now, number, false)
            }
            Arrival::Duplicate { .. } => Use::Duplicate,
            Arrival::Late => Use::Late,
            Arrival::Unknown => Use::Unknown,
        }
    }

    /// Decides about `count` packets at once whose numbers go up from `number` on, if each is the
    /// next one of its path, and if they are all the first copies or all the second ones. The
    /// outcome holds for each; the number in it is the first one's. Otherwise `None`: none has been
    /// decided about, and [`Merge::packet`] does it for one after the other.
    pub fn packets(
        &mut self,
        path: usize,
        now: Tai,
        ssrc: u32,
        number: u32,
        count: u32,
    ) -> Option<Use> {
        let history = self.history.as_mut()?;
        let window = self.window.min(self.width.widest_window()) as i64;
        if i64::from(count) > window {
            return None;
        }
        let distance = self.width.distance(history.highest(), number);
        let first = history.highest().saturating_add_signed(distance);
        let known = distance <= 0 && distance > -window && history.contains(first, count.into());
        if distance != 1 && !known {
            return None;
        }
        let this = self.paths.get_mut(path)?;
        this.tracker.feed_next(now, ssrc, number, count)?;
        this.agreed = Some(now);
        let last = first + u64::from(count) - 1;
        if known {
            if let Some(probe) = self.probe.filter(|probe| (first..=last).contains(&probe.number)) {
                self.measure(path, now, probe.number);
            }
            return Some(Use::Duplicate);
        }
        this.counts.used += u64::from(count);
        history.append(count.into());
        // The first of them for which the last probe is out of the window.
        let next = self.probe.map_or(first, |probe| first.max(probe.number + self.window + 1));
        if next <= last {
            self.probe = Some(Probe { path, number: next, seen: now });
        }
        Some(Use::First { number: first, restart: false })
    }

    /// Counts of a path; of 0 for one that does not exist.
    pub fn counts(&self, path: usize) -> PathCounts {
        self.paths.get(path).map_or_else(PathCounts::default, |path| PathCounts {
            stream: path.tracker.counts(),
            ..path.counts
        })
    }

    /// Packets that came on no path, or not yet.
    pub fn lost(&self) -> u64 {
        self.lost_before + self.history.as_ref().map_or(0, History::missing)
    }

    /// The path that was behind, and by how much, when it was last measured.
    pub const fn skew(&self) -> Option<(usize, Duration)> {
        self.measured
    }

    fn decide(&mut self, path: usize, now: Tai, number: u32, fresh: bool) -> Use {
        let Some(history) = &mut self.history else {
            let first = self.width.restart(0, number);
            self.history = Some(History::new(first, self.window));
            return self.first(path, now, first, true);
        };
        let window = self.window.min(self.width.widest_window()) as i64;
        let distance = self.width.distance(history.highest(), number);
        let apart = distance > window || distance <= -window;
        if apart || fresh {
            let other = other_is_used(&self.paths, path, self.skew, now);
            if apart && other {
                self.paths[path].counts.apart += 1;
                return Use::Unknown;
            }
            // Forward it is a loss, unless the path's own accounting calls it a new start.
            if !other && (fresh || distance < 0) {
                return self.restart(path, now, number);
            }
        }
        let continued = history.highest().saturating_add_signed(distance);
        match history.insert(continued) {
            Placed::Newer { .. } | Placed::Older => self.first(path, now, continued, false),
            Placed::Duplicate => {
                self.paths[path].agreed = Some(now);
                self.measure(path, now, continued);
                Use::Duplicate
            }
            Placed::Late => {
                self.paths[path].counts.late += 1;
                Use::Late
            }
        }
    }

    fn restart(&mut self, path: usize, now: Tai, number: u32) -> Use {
        let Some(history) = &mut self.history else { return Use::Unknown };
        self.lost_before += history.missing();
        let first = self.width.restart(history.highest(), number);
        history.restart(first);
        self.probe = None;
        self.first(path, now, first, true)
    }

    fn first(&mut self, path: usize, now: Tai, number: u64, restart: bool) -> Use {
        let this = &mut self.paths[path];
        this.counts.used += 1;
        this.agreed = Some(now);
        let gone = |probe: Probe| number.saturating_sub(probe.number) > self.window;
        if self.probe.is_none_or(gone) {
            self.probe = Some(Probe { path, number, seen: now });
        }
        Use::First { number, restart }
    }

    fn measure(&mut self, path: usize, now: Tai, number: u64) {
        if let Some(probe) = self.probe
            && probe.number == number
            && probe.path != path
        {
            self.measured = Some((path, now.since(probe.seen)));
            self.probe = None;
        }
    }
}

/// Whether another path than `path` has agreed with the merged stream within the skew.
fn other_is_used(paths: &[Path; 2], path: usize, skew: Duration, now: Tai) -> bool {
    let mut others = paths.iter().enumerate().filter(|(other, _)| *other != path);
    others.any(|(_, other)| other.agreed.is_some_and(|agreed| now.since(agreed) <= skew))
}
